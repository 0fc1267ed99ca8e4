//! Who may ask: only programs that address this machine by a loopback name, and only pages of our own.
//!
//! A web page elsewhere can make a browser send requests to a loopback address. Such a request
//! carries the page's `Origin`; and after DNS rebinding, where the page's own name suddenly
//! resolves to this machine, that name as `Host`. Both are refused before anything else happens.
//! There is no CORS: no other origin is ever allowed.

use axum::extract::{Request, State};
use axum::http::header::{HOST, ORIGIN};
use axum::http::{HeaderMap, HeaderName, Uri, Version};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use crate::error::{ApiError, Code};
use crate::state::ApiState;

/// The names under which this machine may be addressed.
const LOOPBACK_NAMES: [&str; 3] = ["127.0.0.1", "localhost", "[::1]"];

/// Lets a request through when `Host` and `Origin` are our own.
pub(crate) async fn guard(State(state): State<ApiState>, request: Request, next: Next) -> Response {
    let head = Head {
        version: request.version(),
        headers: request.headers(),
        uri: request.uri(),
    };
    match head.check(state.port, state.config.tls) {
        Ok(()) => next.run(request).await,
        Err(error) => error.into_response(),
    }
}

/// What a request says of where it is meant to go.
struct Head<'a> {
    version: Version,
    headers: &'a HeaderMap,
    uri: &'a Uri,
}

impl<'a> Head<'a> {
    fn check(&self, port: Option<u16>, tls: bool) -> Result<(), ApiError> {
        let host = self.host().ok_or_else(host_refused)?;
        if !is_own(host, port) {
            return Err(host_refused());
        }
        // A target in absolute form (RFC 9112, section 3.2.2) names a host of its own.
        let authority = self.uri.authority();
        if authority.is_some_and(|a| !is_own(a.as_str(), port)) {
            return Err(host_refused());
        }
        match single(self.headers, &ORIGIN) {
            Some(None) => Ok(()),
            Some(Some(origin)) if same_origin(origin, host, tls) => Ok(()),
            _ => Err(ApiError::new(
                Code::OriginRefused,
                "the request comes from a page of another site",
            )
            .hint("open the dashboard itself, or ask without an Origin header")),
        }
    }

    /// Returns the name that the client gave. In HTTP/2 the pseudo-header `:authority` stands for
    /// `Host` (RFC 9113, section 8.3.1), which every older request must have.
    fn host(&self) -> Option<&'a str> {
        match single(self.headers, &HOST)? {
            Some(host) => Some(host),
            None if self.version == Version::HTTP_2 => Some(self.uri.authority()?.as_str()),
            None => None,
        }
    }
}

/// Returns the header's value: `Some(None)` when absent, `None` when repeated or not text.
fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<Option<&'a str>> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else {
        return Some(None);
    };
    match (value.to_str(), values.next()) {
        (Ok(text), None) => Some(Some(text)),
        _ => None,
    }
}

/// Says whether `host` is a loopback name with our port or none.
fn is_own(host: &str, port: Option<u16>) -> bool {
    let (name, given) = split_port(host);
    let name_is_own = LOOPBACK_NAMES
        .iter()
        .any(|own| own.eq_ignore_ascii_case(name));
    let port_is_own = match (given, port) {
        (None, _) => true,
        (Some(given), Some(port)) => given.parse() == Ok(port),
        // Without a socket there is no port to compare with.
        (Some(given), None) => given.parse::<u16>().is_ok(),
    };
    name_is_own && port_is_own
}

fn split_port(host: &str) -> (&str, Option<&str>) {
    match host.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => (name, Some(port)),
        _ => (host, None),
    }
}

fn same_origin(origin: &str, host: &str, tls: bool) -> bool {
    origin
        .strip_prefix(if tls { "https://" } else { "http://" })
        .is_some_and(|authority| authority.eq_ignore_ascii_case(host))
}

fn host_refused() -> ApiError {
    ApiError::new(
        Code::HostRefused,
        "the Host header does not name this machine",
    )
    .hint("address the daemon as 127.0.0.1, localhost or [::1], with its own port")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(headers: &HeaderMap, uri: &Uri, port: Option<u16>) -> Result<(), ApiError> {
        let version = Version::HTTP_11;
        Head {
            version,
            headers,
            uri,
        }
        .check(port, false)
    }

    fn verdict(host: &str, origin: Option<&str>) -> Option<Code> {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, host.parse().unwrap());
        if let Some(origin) = origin {
            headers.insert(ORIGIN, origin.parse().unwrap());
        }
        let verdict = check(&headers, &Uri::from_static("/"), Some(7417));
        verdict.err().map(|error| error.detail().code)
    }

    #[test]
    fn loopback_names_with_our_port_or_none_pass() {
        for host in [
            "127.0.0.1",
            "127.0.0.1:7417",
            "localhost:7417",
            "LOCALHOST",
            "[::1]",
            "[::1]:7417",
        ] {
            assert_eq!(verdict(host, None), None, "{host}");
            assert_eq!(verdict(host, Some(&format!("http://{host}"))), None);
        }
    }

    #[test]
    fn other_hosts_are_refused() {
        for host in [
            "",
            ":7417",
            "evil.example",
            "evil.example:7417",
            "127.0.0.1:80",
            "127.0.0.1:",
            "localhost.evil.example",
            "localhost.",
            "127.0.0.1.evil.example:7417",
            "127.0.0.2",
            "::1",
            "[::1",
            "[::2]:7417",
            "user@localhost:7417",
            "localhost:7417:7417",
        ] {
            assert_eq!(verdict(host, None), Some(Code::HostRefused), "{host}");
        }
    }

    #[test]
    fn other_origins_are_refused() {
        for origin in [
            "null",
            "http://evil.example",
            "https://127.0.0.1:7417",
            "http://127.0.0.1:80",
            "http://127.0.0.1",
            "http://localhost:7417",
            "http://127.0.0.1:7417.evil.example",
            "",
        ] {
            let code = verdict("127.0.0.1:7417", Some(origin));
            assert_eq!(code, Some(Code::OriginRefused), "{origin}");
        }
    }

    #[test]
    fn repeated_or_absent_host_is_refused() {
        let mut headers = HeaderMap::new();
        let uri = Uri::from_static("/");
        assert!(check(&headers, &uri, None).is_err());
        headers.append(HOST, "localhost".parse().unwrap());
        assert!(check(&headers, &uri, None).is_ok());
        headers.append(HOST, "evil.example".parse().unwrap());
        assert!(check(&headers, &uri, None).is_err());
    }

    #[test]
    fn absolute_target_is_checked_too() {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, "localhost".parse().unwrap());
        let evil = Uri::from_static("http://evil.example/api/v1/health");
        assert!(check(&headers, &evil, None).is_err());
    }

    #[test]
    fn authority_of_http_2_stands_for_the_host() {
        let verdict = |authority: &str, host: Option<&str>| {
            let mut headers = HeaderMap::new();
            if let Some(host) = host {
                headers.insert(HOST, host.parse().unwrap());
            }
            let uri = &format!("http://{authority}/x").parse().unwrap();
            let (version, headers) = (Version::HTTP_2, &headers);
            Head {
                version,
                headers,
                uri,
            }
            .check(Some(7417), false)
            .is_ok()
        };
        assert!(verdict("localhost:7417", None));
        assert!(verdict("[::1]:7417", Some("localhost:7417")));
        assert!(!verdict("evil.example:7417", None));
        assert!(!verdict("evil.example:7417", Some("localhost:7417")));
        assert!(!verdict("localhost:7417", Some("evil.example:7417")));
        assert!(!verdict("user@localhost:7417", None));
    }
}
