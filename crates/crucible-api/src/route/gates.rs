//! What stands before each route.

use std::collections::HashMap;

use axum::http::Method;
use crucible_services::access::Scope;

use super::Route;

/// What a request must show to use a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// Nothing.
    Nothing,
    /// A token or a session, whatever it may do: finer checks come later.
    AnyScope,
    /// A token or a session with this scope.
    Scope(Scope),
}

/// To whom a refusal is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Audience {
    /// A program: the error envelope.
    Program,
    /// A person in a browser: a page.
    Person,
}

/// What stands before one route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Gate {
    pub(crate) need: Need,
    pub(crate) audience: Audience,
    /// Whether the session of a browser counts; a token always does.
    pub(crate) takes_cookies: bool,
    pub(crate) body: BodySize,
}

/// How large a body may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BodySize {
    /// As large as a request.
    Small,
    /// As large as a request with a note in it.
    Note,
    /// As large as texts to compute with.
    Inference,
}

/// What stands before each route, by path and method.
#[derive(Debug, Default)]
pub(crate) struct Gates {
    gates: HashMap<&'static str, Vec<(Method, Gate)>>,
}

impl Gates {
    pub(crate) fn new(routes: &[Route]) -> Self {
        let declared = routes
            .iter()
            .map(|route| (route.path, route.method.clone(), route.gate));
        let mut gates: HashMap<_, Vec<_>> = HashMap::new();
        for (path, method, gate) in declared {
            gates.entry(path).or_default().push((method, gate));
        }
        Self { gates }
    }

    /// Returns what stands before a request for `path`; `matched` is the declared path that it
    /// goes to, `None` when there is none.
    ///
    /// A route that nobody declared needs [`Scope::Control`], so that forgetting one opens
    /// nothing.
    pub(crate) fn of(&self, method: &Method, matched: Option<&str>, path: &str) -> Gate {
        let method = match method {
            &Method::HEAD => &Method::GET,
            other => other,
        };
        let declared = matched
            .and_then(|matched| self.gates.get(matched))
            .into_iter()
            .flatten()
            .find(|(known, _)| known == method);
        if let Some((_, gate)) = declared {
            return *gate;
        }
        let is_below = |prefix: &str| path.strip_prefix(prefix).is_some_and(is_rest);
        let is_api = is_below("/api");
        let is_mcp = is_below("/mcp");
        let is_for_programs = is_api || is_below("/v1") || is_mcp;
        Gate {
            need: match matched {
                Some(matched) if matched.starts_with("/assets/") => Need::Nothing,
                // The gateway checks each call itself.
                Some(_) if is_mcp => Need::AnyScope,
                None => Need::AnyScope,
                Some(_) => Need::Scope(Scope::Control),
            },
            audience: if is_for_programs || matched.is_none() {
                Audience::Program
            } else {
                Audience::Person
            },
            takes_cookies: is_api || !is_for_programs,
            body: BodySize::Small,
        }
    }
}

/// Says whether what follows a prefix begins another segment.
fn is_rest(rest: &str) -> bool {
    rest.is_empty() || rest.starts_with('/')
}
