//! Stands before every route: who asks, and may they?

use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{AUTHORIZATION, COOKIE, ORIGIN};
use axum::http::{HeaderMap, Method};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use crucible_services::access::{Principal, Scope};
use tokio::time::Instant;

use super::access_control::Denied;
use super::csrf::CsrfToken;
use super::standing::{self, Standing};
use super::{AccessControl, page, secret};
use crate::error::{ApiError, Code};
use crate::route::{Audience, Gate, Need};
use crate::state::ApiState;

/// Who asks, and what guards the forms that they are shown.
struct Visitor {
    principal: Principal,
    csrf: CsrfToken,
    /// How long they may listen to an answer.
    standing: Standing,
}

/// Lets a request through when its bearer may use the route, and names the bearer to it.
pub(crate) async fn authenticate(
    State(state): State<ApiState>,
    mut request: Request,
    next: Next,
) -> Response {
    let gate = gate(&state, &request);
    if gate.need == Need::Nothing {
        return next.run(request).await;
    }
    let visitor = match admit(&state, gate, request.method(), request.headers()).await {
        Ok(visitor) => visitor,
        Err(refused) => {
            return match gate.audience {
                Audience::Program => refused.into_response(),
                Audience::Person => page::refused(&refused),
            };
        }
    };
    tracing::Span::current().record("principal", visitor.principal.name.as_str());
    request.extensions_mut().insert(visitor.principal);
    request.extensions_mut().insert(visitor.csrf);
    let response = next.run(request).await;
    standing::bound(&state.parts.access, visitor.standing, response)
}

fn gate(state: &ApiState, request: &Request) -> Gate {
    let path = request.extensions().get::<MatchedPath>();
    state.gates.of(
        request.method(),
        path.map(MatchedPath::as_str),
        request.uri().path(),
    )
}

async fn admit(
    state: &ApiState,
    gate: Gate,
    method: &Method,
    headers: &HeaderMap,
) -> Result<Visitor, ApiError> {
    let visitor = recognise(state, gate, method, headers).await?;
    let may = match gate.need {
        Need::Nothing | Need::AnyScope => true,
        Need::Scope(scope) => visitor.principal.may(scope),
    };
    match gate.need {
        Need::Scope(scope) if !may => Err(forbidden(&visitor.principal, scope)),
        _ => Ok(visitor),
    }
}

async fn recognise(
    state: &ApiState,
    gate: Gate,
    method: &Method,
    headers: &HeaderMap,
) -> Result<Visitor, ApiError> {
    let access = &state.parts.access;
    if access.is_open() {
        return Ok(Visitor {
            principal: Principal::owner("local"),
            csrf: access.csrf().clone(),
            standing: Standing::Lasting,
        });
    }
    if headers.contains_key(AUTHORIZATION) {
        return by_token(access, headers).await;
    }
    let name = cookie_name(state.port);
    let session = cookie(headers, &name)
        .filter(|_| gate.takes_cookies)
        .and_then(|secret| {
            let session = access.sessions().find(secret, Instant::now())?;
            Some((session, Standing::Session(secret::hash(secret))))
        });
    let Some((session, standing)) = session else {
        return Err(
            ApiError::new(Code::Unauthenticated, "the request names nobody").hint(
                match gate.audience {
                    Audience::Program => {
                        "send `Authorization: Bearer crb_..`; `crucible token create` makes one"
                    }
                    Audience::Person => "open the link that `crucible dashboard` prints",
                },
            ),
        );
    };
    if !is_same_origin(method, headers) {
        return Err(ApiError::new(
            Code::OriginRefused,
            "a page elsewhere used the session of this browser",
        )
        .hint("open the dashboard itself; programs send a token"));
    }
    Ok(Visitor {
        principal: session.principal,
        csrf: session.csrf,
        standing,
    })
}

async fn by_token(access: &AccessControl, headers: &HeaderMap) -> Result<Visitor, ApiError> {
    let known = match bearer(headers) {
        Some(token) => access.bearer(token).await,
        None if access.spend_attempt() => Err(Denied::Unknown),
        None => Err(Denied::TooMany),
    };
    let (principal, standing) = known.map_err(refuse_token)?;
    Ok(Visitor {
        principal,
        csrf: access.csrf().clone(),
        standing,
    })
}

fn refuse_token(denied: Denied) -> ApiError {
    match denied {
        Denied::Unknown => ApiError::new(Code::TokenRefused, "the token is not known").hint(
            "`crucible token list` shows the tokens that there are; `crucible token create` makes \
             one",
        ),
        Denied::Expired => ApiError::new(Code::TokenRefused, "the token has expired")
            .hint("`crucible token create` makes a new one"),
        Denied::TooMany => too_many(),
        Denied::Unreadable => ApiError::new(Code::Unavailable, "tokens cannot be read now")
            .hint("the daemon's log has the cause"),
    }
}

/// Says that somebody guesses too fast.
pub(super) fn too_many() -> ApiError {
    let message = "too many wrong tokens or links were tried lately";
    ApiError::new(Code::TooManyAttempts, message).hint("wait a few seconds")
}

fn forbidden(principal: &Principal, scope: Scope) -> ApiError {
    let message = format!("{:?} lacks the scope `{scope}`", principal.name);
    ApiError::new(Code::ScopeMissing, message)
        .hint(format!(
            "use a token with that scope: `crucible token create --scope {scope}`"
        ))
        .scope(scope)
}

/// Returns the token of `Authorization: Bearer TOKEN` (RFC 6750, section 2.1).
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let text = values.next()?.to_str().ok()?;
    if values.next().is_some() {
        return None;
    }
    let (scheme, token) = text.split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("bearer")
        .then(|| token.trim_matches(' '))
}

/// Returns the name of our cookie. Cookies are shared between all ports of a host, so that it
/// names the port.
pub(super) fn cookie_name(port: Option<u16>) -> String {
    port.map_or_else(
        || "crucible_session".to_owned(),
        |port| format!("crucible_session_{port}"),
    )
}

/// Returns the value of a cookie (RFC 6265, section 4.2); `None` when it is there twice.
pub(super) fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut found = headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .filter(|(known, _)| *known == name)
        .map(|(_, value)| value);
    let value = found.next()?;
    found.next().is_none().then_some(value)
}

/// Says whether a request that comes with a cookie was sent by one of our own pages or by the
/// person. `Origin` was compared with `Host` before: when it is there, it is our own.
fn is_same_origin(method: &Method, headers: &HeaderMap) -> bool {
    let is_safe = method == Method::GET || method == Method::HEAD;
    let header = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or(""));
    match header("sec-fetch-site") {
        Some("same-origin") => true,
        // Typed, from a bookmark, or a link that was followed from elsewhere: a page is shown, and
        // nobody elsewhere can read it.
        Some("none") => is_safe,
        Some(_) => is_safe && header("sec-fetch-mode") == Some("navigate"),
        None => is_safe || headers.contains_key(ORIGIN),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn bearer_is_read_from_one_header_of_its_scheme() {
        let read = |value: &str| bearer(&headers(&[("authorization", value)])).map(str::to_owned);
        assert_eq!(read("Bearer crb_x").as_deref(), Some("crb_x"));
        assert_eq!(read("bearer  crb_x ").as_deref(), Some("crb_x"));
        assert_eq!(read("Basic crb_x"), None);
        assert_eq!(read("Bearer"), None);
        let twice = headers(&[("authorization", "Bearer a"), ("authorization", "Bearer b")]);
        assert_eq!(bearer(&twice), None);
    }

    #[test]
    fn cookie_is_found_among_others_and_must_be_there_once() {
        let found = headers(&[("cookie", "a=b; s=secret; c"), ("cookie", "d=e")]);
        assert_eq!(cookie(&found, "s"), Some("secret"));
        assert_eq!(cookie(&found, "x"), None);
        assert_eq!(cookie(&headers(&[("cookie", "s=1; s=2")]), "s"), None);
    }

    #[test]
    fn requests_with_a_cookie_come_from_our_own_pages() {
        let check = |method: Method, pairs: &[(&'static str, &str)]| {
            is_same_origin(&method, &headers(pairs))
        };
        let own = [("sec-fetch-site", "same-origin")];
        assert!(check(Method::POST, &own) && check(Method::GET, &own));
        assert!(check(Method::POST, &[("origin", "http://localhost")]));
        assert!(!check(Method::POST, &[]));
        assert!(check(Method::GET, &[]));
        for site in ["cross-site", "same-site", "none", "nonsense"] {
            let site = ("sec-fetch-site", site);
            assert!(!check(
                Method::POST,
                &[site, ("sec-fetch-mode", "navigate")]
            ));
            assert!(check(Method::GET, &[site, ("sec-fetch-mode", "navigate")]));
        }
        assert!(!check(Method::GET, &[("sec-fetch-site", "same-site")]));
        assert!(check(Method::GET, &[("sec-fetch-site", "none")]));
    }
}
