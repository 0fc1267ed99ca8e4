//! The way in and out of a browser: the one-time link, the page for who has none, and logging out.

use axum::extract::{Request, State};
use axum::http::header::{CONTENT_TYPE, LOCATION, SET_COOKIE};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use tokio::time::Instant;

use super::check::{cookie, cookie_name, too_many};
use super::csrf::SafeForm;
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
        return way_in(StatusCode::OK, "");
    };
    // A program that only looks what is behind a link must not use it up.
    if request.method() != Method::GET {
        return way_in(StatusCode::OK, "");
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
            "<p class=\"fault\" role=\"alert\">This link was used before, or is older than five \
             minutes.</p>\n",
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
        state.parts.access.sessions().leave(session);
    }
    let gone = set_cookie(&name, "", "; Max-Age=0", state.config.tls);
    see_other("/login", gone)
}

/// Tells a person why they do not see the page that they asked for.
pub(super) fn refused(error: &ApiError) -> Response {
    let status = error.status();
    let mut response = match error.detail().code {
        Code::Unauthenticated | Code::TokenRefused => way_in(status, ""),
        Code::TooManyAttempts => way_in(
            status,
            "<p class=\"fault\" role=\"alert\">Too many wrong links were tried lately; wait a few \
             seconds.</p>\n",
        ),
        Code::OriginRefused => way_in(
            status,
            "<p class=\"fault\" role=\"alert\">A page elsewhere sent this request; it was not \
             carried out.</p>\n",
        ),
        _ => return error.clone().into_response(),
    };
    response.headers_mut().extend(error.headers());
    response
}

/// The page for a browser without a session. Nothing on it comes from elsewhere.
fn way_in(status: StatusCode, remark: &'static str) -> Response {
    const HEAD: &str = "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
        <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
        <meta name=\"color-scheme\" content=\"light dark\">\n<title>Crucible</title>\n\
        <link rel=\"icon\" href=\"/assets/crucible.svg\" type=\"image/svg+xml\">\n\
        <link rel=\"stylesheet\" href=\"/assets/crucible.css\">\n</head>\n<body>\n\
        <main id=\"main\">\n<h1>Crucible</h1>\n";
    const REST: &str = "<p>These are somebody\u{2019}s notes, so this page opens only for a browser \
        that was let in.</p>\n<p>Run <code>crucible dashboard</code> on this machine and open the \
        link that it prints, or use the link that <code>crucible serve</code> printed when it \
        began. A link works once, for five minutes.</p>\n</main>\n</body>\n</html>\n";
    let page = [HEAD, remark, REST].concat();
    (status, [(CONTENT_TYPE, "text/html; charset=utf-8")], page).into_response()
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
