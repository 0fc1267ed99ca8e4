//! The way in and out of a browser: the one-time link, the page for who has none, and logging out.

use axum::extract::{Request, State};
use axum::http::header::{LOCATION, SET_COOKIE};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use maud::html;
use tokio::time::Instant;

use super::check::{cookie, cookie_name, too_many};
use super::csrf::SafeForm;
use crate::dashboard::bare_page;
use crate::error::{ApiError, Code};
use crate::params::Params;
use crate::state::ApiState;

/// `GET /login?code=`: uses a code up, and goes on to the overview with a session.
pub(crate) async fn login(State(state): State<ApiState>, request: Request) -> Response {
    let access = &state.parts.access;
    if access.is_open() {
        return see_other("/", None);
    }
    let code = match Params::read(request.uri(), &["code"]) {
        Ok(params) => params.one("code").ok().flatten().map(str::to_owned),
        Err(error) => return refused(&error),
    };
    let Some(code) = code else {
        return way_in(StatusCode::OK, None);
    };
    // A program that only looks what is behind a link must not use it up.
    if request.method() != Method::GET {
        return way_in(StatusCode::OK, None);
    }
    let entered = access.sessions().enter(&code, Instant::now());
    match entered {
        Ok(Some(session)) => {
            let name = cookie_name(state.port);
            see_other(
                "/",
                set_cookie(&name, session.reveal(), "", state.config.tls),
            )
        }
        Ok(None) if access.spend_attempt() => way_in(
            StatusCode::UNAUTHORIZED,
            Some(
                "This link was used before, or is older than five \
             minutes.",
            ),
        ),
        Ok(None) => refused(&too_many()),
        Err(error) => refused(&ApiError::new(Code::Internal, error.to_string())),
    }
}

/// `POST /logout`: ends the session.
pub(crate) async fn logout(
    State(state): State<ApiState>,
    headers: HeaderMap,
    _form: SafeForm,
) -> Response {
    let name = cookie_name(state.port);
    if let Some(session) = cookie(&headers, &name) {
        state.parts.access.leave(session);
    }
    let gone = set_cookie(&name, "", "; Max-Age=0", state.config.tls);
    see_other("/login", gone)
}

/// Tells a person why they do not see the page that they asked for.
pub(super) fn refused(error: &ApiError) -> Response {
    let status = error.status();
    let mut response = match error.detail().code {
        Code::Unauthenticated | Code::TokenRefused => way_in(status, None),
        Code::TooManyAttempts => way_in(
            status,
            Some(
                "Too many wrong links were tried lately; wait a few \
             seconds.",
            ),
        ),
        Code::OriginRefused => way_in(
            status,
            Some(
                "A page elsewhere sent this request; it was not \
             carried out.",
            ),
        ),
        _ => return error.clone().into_response(),
    };
    response.headers_mut().extend(error.headers());
    response
}

/// The page for a browser without a session. Nothing on it comes from elsewhere.
fn way_in(status: StatusCode, remark: Option<&str>) -> Response {
    let main = html! {
        h1 { "Crucible" }
        @if let Some(remark) = remark { p.fault role="alert" { (remark) } }
        p { "These are somebody\u{2019}s notes, so this page opens only for a browser that was let in." }
        p {
            "Run " code { "crucible dashboard" } " on this machine and open the link that it prints, or \
             use the link that " code { "crucible serve" } " printed when it began. A link works once, \
             for five minutes."
        }
    };
    let mut response = bare_page("Crucible", &main);
    *response.status_mut() = status;
    response
}

fn see_other(to: &'static str, set_cookie: Option<HeaderValue>) -> Response {
    let mut response = (StatusCode::SEE_OTHER, [(LOCATION, to)]).into_response();
    if let Some(cookie) = set_cookie {
        response.headers_mut().insert(SET_COOKIE, cookie);
    }
    response
}

fn set_cookie(name: &str, value: &str, more: &str, is_tls: bool) -> Option<HeaderValue> {
    let secure = if is_tls { "; Secure" } else { "" };
    let text = format!("{name}={value}; Path=/; HttpOnly; SameSite=Strict{secure}{more}");
    // The name is ours and the value base64url: always a header's value.
    HeaderValue::from_str(&text).ok()
}
