//! Which scope each route needs: one table, held against the description and against the router
//! with every scope.

use std::collections::BTreeSet;

use crucible_services::access::Scope;

use crate::rig::Rig;
use crate::schema::DESCRIPTION;

/// What may be asked with which scope; `None` for what anybody may ask.
const TABLE: &[(&str, &str, Option<Scope>)] = &[
    ("GET", "/livez", None),
    ("GET", "/readyz", Some(Scope::Read)),
    ("GET", "/metrics", Some(Scope::Read)),
    ("GET", "/api/v1/health/live", None),
    ("GET", "/api/v1/health/ready", Some(Scope::Read)),
    ("GET", "/api/v1/health", Some(Scope::Read)),
    ("GET", "/api/v1/health/now", Some(Scope::Read)),
    ("GET", "/api/v1/health/history", Some(Scope::Read)),
    ("GET", "/api/v1/metrics", Some(Scope::Read)),
    ("GET", "/api/v1/metrics/history", Some(Scope::Read)),
    ("GET", "/api/v1/openapi.json", Some(Scope::Read)),
    ("GET", "/api/v1/services", Some(Scope::Read)),
    ("GET", "/api/v1/services/{name}", Some(Scope::Read)),
    (
        "POST",
        "/api/v1/services/{name}/start",
        Some(Scope::Control),
    ),
    ("POST", "/api/v1/services/{name}/stop", Some(Scope::Control)),
    (
        "POST",
        "/api/v1/services/{name}/restart",
        Some(Scope::Control),
    ),
    ("GET", "/api/v1/config", Some(Scope::Control)),
    ("PATCH", "/api/v1/config", Some(Scope::Control)),
    ("POST", "/api/v1/config/validate", Some(Scope::Control)),
    ("GET", "/api/v1/events", Some(Scope::Read)),
    ("POST", "/api/v1/events", Some(Scope::Control)),
    ("GET", "/api/v1/events/recent", Some(Scope::Read)),
    ("GET", "/api/v1/search", Some(Scope::Read)),
    ("GET", "/api/v1/notes", Some(Scope::Read)),
    ("GET", "/api/v1/notes/{reference}", Some(Scope::Read)),
    ("GET", "/api/v1/links/{reference}", Some(Scope::Read)),
    ("GET", "/api/v1/stats", Some(Scope::Read)),
    ("GET", "/api/v1/problems", Some(Scope::Read)),
    ("GET", "/api/v1/vault", Some(Scope::Read)),
    ("POST", "/api/v1/notes", Some(Scope::Write)),
    ("PATCH", "/api/v1/notes/{reference}", Some(Scope::Write)),
    ("DELETE", "/api/v1/notes/{reference}", Some(Scope::Write)),
    ("POST", "/api/v1/moves", Some(Scope::Write)),
    ("POST", "/api/v1/undo", Some(Scope::Write)),
    ("GET", "/api/v1/history", Some(Scope::Read)),
    ("GET", "/api/v1/scripts", Some(Scope::Read)),
    ("GET", "/api/v1/scripts/{name}", Some(Scope::Read)),
    ("GET", "/api/v1/scripts/{name}/log", Some(Scope::Read)),
    ("POST", "/api/v1/scripts/{name}/grant", Some(Scope::Control)),
    (
        "POST",
        "/api/v1/scripts/{name}/reload",
        Some(Scope::Control),
    ),
    ("POST", "/api/v1/scripts/{name}/call", Some(Scope::Control)),
    ("POST", "/api/v1/check-script", Some(Scope::Control)),
    ("GET", "/api/v1/tokens", Some(Scope::Control)),
    ("POST", "/api/v1/tokens", Some(Scope::Control)),
    ("DELETE", "/api/v1/tokens/{name}", Some(Scope::Control)),
    ("POST", "/api/v1/login-link", Some(Scope::Control)),
    ("GET", "/v1/models", Some(Scope::Infer)),
    ("GET", "/v1/models/{model}", Some(Scope::Infer)),
    ("POST", "/v1/embeddings", Some(Scope::Infer)),
    ("POST", "/v1/chat/completions", Some(Scope::Infer)),
    // Pages, which are not described.
    ("GET", "/", Some(Scope::Read)),
    ("GET", "/search", Some(Scope::Read)),
    ("GET", "/notes", Some(Scope::Read)),
    ("GET", "/note/{reference}", Some(Scope::Read)),
    ("GET", "/attachment/{name}", Some(Scope::Read)),
    ("GET", "/events", Some(Scope::Read)),
    ("GET", "/services", Some(Scope::Read)),
    ("GET", "/services/{name}", Some(Scope::Read)),
    ("GET", "/services/{name}/stop", Some(Scope::Control)),
    ("POST", "/services/{name}/start", Some(Scope::Control)),
    ("POST", "/services/{name}/stop", Some(Scope::Control)),
    ("POST", "/services/{name}/restart", Some(Scope::Control)),
    ("GET", "/scripts", Some(Scope::Read)),
    ("GET", "/scripts/{name}", Some(Scope::Read)),
    ("POST", "/scripts/{name}/grant", Some(Scope::Control)),
    ("GET", "/access", Some(Scope::Control)),
    ("POST", "/access", Some(Scope::Control)),
    ("POST", "/access/{name}/revoke", Some(Scope::Control)),
    ("GET", "/configuration", Some(Scope::Control)),
    ("POST", "/configuration", Some(Scope::Control)),
    ("POST", "/logout", Some(Scope::Read)),
    ("GET", "/login", None),
    ("GET", "/assets/crucible.css", None),
    ("GET", "/assets/crucible.js", None),
    ("GET", "/assets/crucible.svg", None),
];

fn is_page(path: &str) -> bool {
    !path.starts_with("/api/")
        && !path.starts_with("/v1/")
        && !["/livez", "/readyz", "/metrics"].contains(&path)
}

#[test]
fn table_and_description_have_the_same_routes_and_scopes() {
    let mut described = BTreeSet::new();
    for (path, methods) in DESCRIPTION["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let scope = operation["security"][0]["bearer"][0].as_str();
            let scope = scope.map(|name| name.parse::<Scope>().unwrap());
            described.insert((method.to_ascii_uppercase(), path.clone(), scope));
        }
    }
    let table: BTreeSet<_> = TABLE
        .iter()
        .copied()
        .filter(|(_, path, _)| !is_page(path))
        .map(|(method, path, scope)| (method.to_owned(), path.to_owned(), scope))
        .collect();
    assert_eq!(described, table);
}

#[tokio::test]
async fn each_route_takes_its_scope_and_no_other() {
    let rig = Rig::guarded().await;
    for scope in Scope::ALL {
        let token = rig.token(scope.name(), &[scope]).await;
        for (method, template, need) in TABLE.iter().copied() {
            // No note or service has this name, so that nothing is done and the answer is quick.
            let target = template
                .replace("{name}", "none")
                .replace("{model}", "none")
                .replace("{reference}", "none");
            let response = rig
                .open(method, &target, &[("authorization", &token)])
                .await;
            let status = response.status().as_u16();
            let challenge = response.headers().get("www-authenticate");
            if need.is_none_or(|need| need == scope) {
                // A form without its hidden field is refused later, and without a challenge.
                assert_eq!(challenge, None, "{method} {target} as {scope}: {status}");
                assert_ne!(status, 401);
            } else {
                assert_eq!(status, 403, "{method} {target} as {scope}");
                let challenge = challenge.unwrap().to_str().unwrap();
                let missing = format!("scope=\"{}\"", need.unwrap());
                assert!(challenge.contains(&missing), "{challenge}");
            }
        }
    }
}

#[tokio::test]
async fn without_a_token_only_probes_the_way_in_and_assets_answer() {
    let rig = Rig::guarded().await;
    for (method, template, need) in TABLE.iter().copied() {
        let target = template
            .replace("{name}", "none")
            .replace("{model}", "none")
            .replace("{reference}", "none");
        let response = rig.open(method, &target, &[]).await;
        if need.is_none() {
            assert_eq!(response.status(), 200, "{method} {target}");
        } else {
            assert_eq!(response.status(), 401, "{method} {target}");
            let challenge = &response.headers()["www-authenticate"];
            assert_eq!(challenge, "Bearer realm=\"crucible\"");
            let media_type = response.headers()["content-type"].to_str().unwrap();
            let expected = if is_page(template) {
                "text/html"
            } else {
                "application/json"
            };
            assert!(media_type.starts_with(expected), "{target}: {media_type}");
        }
    }
}

#[tokio::test]
async fn what_nobody_declared_tells_a_stranger_nothing() {
    let rig = Rig::guarded().await;
    for target in ["/nothing", "/api/v1/nothing", "/api/v2/services"] {
        let answer = rig.get(target).await;
        assert_eq!(
            answer.fault(),
            (401, "unauthenticated".to_owned()),
            "{target}"
        );
        let token = rig.access.issue("x", [Scope::Read]).unwrap();
        let token = format!("Bearer {}", token.reveal());
        let answer = rig.ask("GET", target, &[("authorization", &token)]).await;
        assert_eq!(answer.status, 404, "{target}");
    }
}

#[tokio::test]
async fn mcp_wants_a_token_of_any_scope_and_no_cookie() {
    let rig = Rig::guarded().await;
    for target in ["/mcp", "/mcp/", "/mcp/profile"] {
        assert_eq!(rig.post(target).await.fault().0, 401);
        let token = rig.access.issue(target, [Scope::Infer]).unwrap();
        let token = format!("Bearer {}", token.reveal());
        let answer = rig.ask("POST", target, &[("authorization", &token)]).await;
        assert_eq!(answer.text, "mcp");
        let cookie = rig.log_in().await;
        let own = [
            ("cookie", cookie.as_str()),
            ("sec-fetch-site", "same-origin"),
        ];
        assert_eq!(rig.ask("POST", target, &own).await.fault().0, 401);
    }
}
