//! Which hosts a browser or a client may have meant when it reached this machine's loopback.

use axum::http::{HeaderMap, Uri, header, uri::Authority};

/// The names under which a server on the loopback interface is known.
pub(crate) const LOOPBACK_NAMES: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// Returns the origins of pages that this machine itself serves, on any port.
pub(crate) fn loopback_origins() -> Vec<String> {
    ["http", "https"]
        .into_iter()
        .flat_map(|scheme| {
            ["localhost", "127.0.0.1", "[::1]"].map(|host| format!("{scheme}://{host}:*"))
        })
        .collect()
}

/// Says whether a request names the loopback interface, so that its body may be read at all.
///
/// A page on the web that tricks the name server (DNS rebinding) reaches the loopback interface
/// under its own name.
pub(crate) fn is_loopback(uri: &Uri, headers: &HeaderMap) -> bool {
    let named = match headers.get(header::HOST) {
        Some(host) => host.to_str().ok().and_then(|host| host.parse().ok()),
        None => uri.authority().cloned(),
    };
    named.is_some_and(|authority: Authority| names_loopback(authority.host()))
}

/// Says whether a request comes from no web page or from one that this machine serves.
pub(crate) fn is_own_page(headers: &HeaderMap) -> bool {
    let Some(origin) = headers.get(header::ORIGIN) else {
        return true;
    };
    let origin: Option<Uri> = origin.to_str().ok().and_then(|origin| origin.parse().ok());
    origin.is_some_and(|origin| origin.host().is_some_and(names_loopback))
}

fn names_loopback(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    LOOPBACK_NAMES
        .iter()
        .any(|name| host.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(host: &str, expected: bool) {
        let headers = HeaderMap::from_iter([(header::HOST, host.parse().unwrap())]);
        assert_eq!(
            is_loopback(&Uri::from_static("/mcp"), &headers),
            expected,
            "{host}"
        );
    }

    #[test]
    fn pages_of_others_are_told_apart() {
        let check = |origin: &str, expected: bool| {
            let headers = HeaderMap::from_iter([(header::ORIGIN, origin.parse().unwrap())]);
            assert_eq!(is_own_page(&headers), expected, "{origin}");
        };
        check("http://localhost:8321", true);
        check("https://[::1]", true);
        check("https://evil.example", false);
        check("http://127.0.0.1.evil.example", false);
        check("null", false);
        check("", false);
        assert!(is_own_page(&HeaderMap::new()));
    }

    #[test]
    fn only_loopback_names_are_taken() {
        check("localhost", true);
        check("LOCALHOST:8321", true);
        check("127.0.0.1:8321", true);
        check("[::1]:8321", true);
        check("evil.example", false);
        check("localhost.evil.example", false);
        check("127.0.0.1.nip.io", false);
        check("user@localhost@evil.example", false);
        check("0.0.0.0", false);
        check("", false);
        assert!(!is_loopback(&Uri::from_static("/mcp"), &HeaderMap::new()));
    }
}
