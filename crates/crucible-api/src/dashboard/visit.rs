//! One visit of a page: who looks, how they like it, and what every page shows of the whole.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::header::COOKIE;
use axum::http::request::Parts;
use crucible_core::SystemHealth;
use crucible_services::access::{Principal, Scope};
use maud::{Markup, html};

use crate::auth::CsrfToken;
use crate::config::ApiParts;
use crate::state::ApiState;

/// The cookie in which a browser remembers the look that its person chose.
const LOOK: &str = "crucible_look";

/// One visit of a page.
pub(super) struct Visit {
    pub(super) state: ApiState,
    principal: Option<Principal>,
    csrf: Option<CsrfToken>,
    /// `light` or `dark`; `None` follows the system.
    pub(super) look: Option<&'static str>,
    /// `None` when the core has ended.
    pub(super) health: Option<SystemHealth>,
}

impl Visit {
    pub(super) fn parts(&self) -> &ApiParts {
        &self.state.parts
    }

    /// Says whether whoever looks may do `scope`; what they may not is not offered.
    pub(super) fn may(&self, scope: Scope) -> bool {
        self.principal.as_ref().is_some_and(|one| one.may(scope))
    }

    /// Who acts, for the record.
    pub(super) fn actor(&self) -> String {
        let name = self.principal.as_ref().map_or("nobody", |one| &one.name);
        format!("dashboard:{name}")
    }

    /// The hidden field that every form of ours carries.
    pub(super) fn form_guard(&self) -> Markup {
        html! {
            @if let Some(csrf) = &self.csrf {
                input type="hidden" name=(CsrfToken::FIELD) value=(csrf.value());
            }
        }
    }
}

impl FromRequestParts<ApiState> for Visit {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &ApiState) -> Result<Self, Infallible> {
        Ok(Self {
            state: state.clone(),
            principal: parts.extensions.get().cloned(),
            csrf: parts.extensions.get().cloned(),
            look: look(&parts.headers),
            health: state.parts.core.get_system_health().await.ok(),
        })
    }
}

fn look(headers: &HeaderMap) -> Option<&'static str> {
    let chosen = headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(name, _)| *name == LOOK)
        .map(|(_, value)| value)?;
    ["light", "dark"].into_iter().find(|known| *known == chosen)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn look_is_one_of_two_or_the_systems() {
        let look_of = |cookie: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(COOKIE, cookie.parse().unwrap());
            look(&headers)
        };
        assert_eq!(look_of("a=b; crucible_look=dark"), Some("dark"));
        assert_eq!(look_of("crucible_look=light"), Some("light"));
        assert_eq!(look_of("crucible_look=\"><script>"), None);
        assert_eq!(look(&HeaderMap::new()), None);
    }
}
