//! The one-time link, the session that it opens, and what keeps other pages from using it.

use axum::body::Body;

use crate::rig::{Answer, PORT, Rig, request};

impl Rig {
    /// Opens a session; returns the header that carries its cookie.
    pub(crate) async fn log_in(&self) -> String {
        let link = self.access.login_code().unwrap().path;
        let answer = self.get(&link).await;
        assert_eq!(
            (answer.status.as_u16(), answer.header("location")),
            (303, "/")
        );
        let cookie = answer.header("set-cookie");
        cookie.split(';').next().unwrap().to_owned()
    }

    pub(crate) async fn form(
        &self,
        target: &str,
        cookie: &str,
        origin: &str,
        body: &str,
    ) -> Answer {
        let mut request = request("POST", target).map(|_| Body::from(body.to_owned()));
        for (name, value) in [
            ("cookie", cookie),
            ("origin", origin),
            ("content-type", "application/x-www-form-urlencoded"),
        ] {
            if !value.is_empty() {
                request.headers_mut().insert(name, value.parse().unwrap());
            }
        }
        self.answer(request).await
    }

    /// Returns the field that guards the forms which a session is shown.
    pub(crate) async fn form_guard(&self, cookie: &str) -> String {
        let page = self.ask("GET", "/", &[("cookie", cookie)]).await.text;
        let (_, rest) = page.split_once(r#"name="csrf" value=""#).unwrap();
        let (value, _) = rest.split_once('"').unwrap();
        format!("csrf={value}")
    }
}

pub(crate) fn own() -> String {
    format!("http://127.0.0.1:{PORT}")
}

#[tokio::test]
async fn link_opens_a_session_that_scripts_and_other_sites_cannot_use() {
    let rig = Rig::guarded().await;
    let link = rig.access.login_code().unwrap().path;
    let answer = rig.get(&link).await;
    let cookie = answer.header("set-cookie");
    assert!(
        cookie.starts_with(&format!("crucible_session_{PORT}=")),
        "{cookie}"
    );
    for part in ["; HttpOnly", "; SameSite=Strict", "; Path=/"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    assert!(!cookie.contains("Secure"));
    let cookie = rig.log_in().await;
    for target in ["/", "/api/v1/stats", "/api/v1/config"] {
        let answer = rig.ask("GET", target, &[("cookie", &cookie)]).await;
        assert_eq!(answer.status, 200, "{target}");
    }
}

#[tokio::test]
async fn link_works_once() {
    let rig = Rig::guarded().await;
    let link = rig.access.login_code().unwrap().path;
    assert_eq!(rig.get(&link).await.status, 303);
    let again = rig.get(&link).await;
    assert_eq!(again.status, 401);
    assert!(again.text.contains("used before") && !again.headers.contains_key("set-cookie"));
}

#[tokio::test]
async fn looking_at_a_link_does_not_use_it_up() {
    let rig = Rig::guarded().await;
    let link = rig.access.login_code().unwrap().path;
    let looked = rig.ask("HEAD", &link, &[]).await;
    assert!(!looked.headers.contains_key("set-cookie"));
    assert_eq!(rig.get(&link).await.status, 303);
}

#[tokio::test]
async fn guessed_links_are_slowed_down() {
    let rig = Rig::guarded().await;
    let mut slowed = 0;
    for number in 0..200 {
        let answer = rig.get(&format!("/login?code={number}")).await;
        assert!(!answer.headers.contains_key("set-cookie"));
        slowed += u32::from(answer.status == 429);
    }
    assert!(slowed > 100, "{slowed}");
    let link = rig.access.login_code().unwrap().path;
    assert_eq!(rig.get(&link).await.status, 303);
}

#[tokio::test]
async fn page_without_a_session_says_how_to_get_one() {
    let rig = Rig::guarded().await;
    for target in ["/", "/search?q=bread", "/note/Home.md"] {
        let answer = rig.get(target).await;
        assert_eq!(answer.status, 401);
        assert!(
            answer.text.contains("crucible dashboard"),
            "{}",
            answer.text
        );
        assert!(!answer.text.contains("Bread"));
    }
    let stale = format!("crucible_session_{PORT}=stale");
    let answer = rig.ask("GET", "/", &[("cookie", &stale)]).await;
    assert_eq!(answer.status, 401);
}

#[tokio::test]
async fn cookie_from_another_site_changes_nothing() {
    let rig = Rig::guarded().await;
    let cookie = rig.log_in().await;
    let post = async |more: &[(&'static str, &str)]| {
        let mut headers = vec![("cookie", cookie.as_str())];
        headers.extend(more);
        let answer = rig
            .ask("POST", "/api/v1/services/none/start", &headers)
            .await;
        answer.fault()
    };
    let refused = (403, "origin_refused".to_owned());
    assert_eq!(post(&[]).await, refused);
    assert_eq!(post(&[("origin", "http://evil.example")]).await, refused);
    // Another program of this machine: same site for the browser, another origin.
    assert_eq!(post(&[("origin", "http://127.0.0.1:3000")]).await, refused);
    for site in ["cross-site", "same-site", "none"] {
        assert_eq!(post(&[("sec-fetch-site", site)]).await, refused, "{site}");
    }
    assert_eq!(post(&[("sec-fetch-site", "same-origin")]).await.0, 404);
    assert_eq!(post(&[("origin", &own())]).await.0, 404);
}

#[tokio::test]
async fn form_without_its_hidden_field_is_refused() {
    let rig = Rig::guarded().await;
    let cookie = rig.log_in().await;
    for body in ["", "csrf=", "csrf=guess", "other=1"] {
        let answer = rig.form("/logout", &cookie, &own(), body).await;
        assert_eq!(answer.fault(), (403, "form_refused".to_owned()), "{body}");
    }
    let still = rig.ask("GET", "/", &[("cookie", &cookie)]).await;
    assert_eq!(still.status, 200);
}

#[tokio::test]
async fn bad_forms_are_faults() {
    let rig = Rig::guarded().await;
    let cookie = rig.log_in().await;
    let answer = rig.form("/logout", &cookie, &own(), "csrf=%ff%fe").await;
    assert!(answer.status.is_client_error());
    let long = format!("csrf={}", "x".repeat(100_000));
    let answer = rig.form("/logout", &cookie, &own(), &long).await;
    assert!(answer.status.is_client_error(), "{}", answer.status);
}

#[tokio::test]
async fn behind_tls_the_cookie_is_secure_and_origins_are_https() {
    let rig = Rig::guarded().await;
    let config = crucible_api::ApiConfig {
        tls: true,
        ..Default::default()
    };
    let rig = Rig::whole(rig.core.clone(), config, None, rig.access.clone());
    let link = rig.access.login_code().unwrap().path;
    let answer = rig.get(&link).await;
    assert!(answer.header("set-cookie").contains("; Secure"));
    let origin = format!("https://127.0.0.1:{PORT}");
    let cookie = rig.log_in().await;
    let headers = [("cookie", cookie.as_str()), ("origin", origin.as_str())];
    assert_eq!(
        rig.ask("POST", "/api/v1/services/none/start", &headers)
            .await
            .status,
        404
    );
    let plain = own();
    let headers = [("cookie", cookie.as_str()), ("origin", plain.as_str())];
    assert_eq!(
        rig.ask("POST", "/api/v1/services/none/start", &headers)
            .await
            .status,
        403
    );
}

#[tokio::test]
async fn where_nobody_is_asked_there_is_no_link_and_pages_open() {
    let rig = Rig::new().await;
    assert_eq!(rig.get("/login?code=x").await.header("location"), "/");
    let answer = rig.post("/api/v1/login-link").await;
    assert_eq!(answer.fault(), (409, "refused".to_owned()));
}
