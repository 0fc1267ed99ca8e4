//! What keeps other pages from sending forms in a person's name.
//!
//! Every form of ours carries a hidden field that only our own pages know; [`SafeForm`] reads a
//! form and refuses one whose field is wrong.

use axum::Form;
use axum::extract::{FromRequest, Request};

use super::secret::{self, Secret};
use crate::error::{ApiError, Code};

/// What a form must carry. A handler finds it among the request's extensions.
#[derive(Clone, Debug)]
pub struct CsrfToken(Option<Secret>);

impl CsrfToken {
    /// The name of the hidden field.
    pub const FIELD: &'static str = "csrf";

    pub(super) fn random() -> Self {
        // Without random bytes no form is accepted.
        Self(Secret::random::<32>("").ok())
    }

    /// Derives the token of a session, so that nothing more has to be kept.
    pub(super) fn of(session: &Secret) -> Self {
        let context = "crucible 2026 token of the forms of a session";
        let key = blake3::derive_key(context, session.reveal().as_bytes());
        Self(Some(Secret::new(blake3::Hash::from(key).to_hex().as_str())))
    }

    /// Returns the value for the hidden field.
    #[must_use]
    pub fn value(&self) -> &str {
        self.0.as_ref().map_or("", Secret::reveal)
    }

    fn matches(&self, given: &str) -> bool {
        // Hashes compare in constant time.
        self.0
            .as_ref()
            .is_some_and(|own| own.hash() == secret::hash(given))
    }
}

/// The fields of a form that one of our own pages sent.
#[derive(Clone, Debug)]
pub struct SafeForm {
    fields: Vec<(String, String)>,
}

impl SafeForm {
    /// Returns a field; the first one when it is repeated.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        let mut fields = self.fields.iter();
        let field = fields.find(|(known, _)| known == name)?;
        Some(&field.1)
    }

    /// Returns the values of a field that may be repeated.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.fields
            .iter()
            .filter(move |(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }
}

impl<S: Send + Sync> FromRequest<S> for SafeForm {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let expected = request.extensions().get::<CsrfToken>().cloned();
        let Form(fields) = Form::<Vec<(String, String)>>::from_request(request, state)
            .await
            .map_err(|error| {
                let message = format!("the form cannot be read: {}", error.body_text());
                ApiError::new(Code::InvalidQuery, message)
            })?;
        let form = Self { fields };
        let given = form.get(CsrfToken::FIELD).unwrap_or_default();
        if expected.is_some_and(|expected| expected.matches(given)) {
            return Ok(form);
        }
        let message = "the form was not sent by a page of this session";
        Err(ApiError::new(Code::FormRefused, message).hint("load the page again and repeat it"))
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    async fn read(token: Option<&CsrfToken>, body: &str) -> Result<SafeForm, ApiError> {
        let mut request = Request::post("/x")
            .header("content-type", "application/x-www-form-urlencoded")
            .body(Body::from(body.to_owned()))
            .unwrap();
        if let Some(token) = token {
            request.extensions_mut().insert(token.clone());
        }
        SafeForm::from_request(request, &()).await
    }

    #[tokio::test]
    async fn form_with_the_token_of_its_session_is_read() {
        let token = CsrfToken::of(&Secret::random::<32>("").unwrap());
        let body = format!("a=1+2&csrf={}&a=3", token.value());
        let form = read(Some(&token), &body).await.unwrap();
        assert_eq!(form.get("a"), Some("1 2"));
        assert_eq!(form.all("a").collect::<Vec<_>>(), ["1 2", "3"]);
    }

    #[tokio::test]
    async fn form_of_another_session_or_of_none_is_refused() {
        let [own, other] = [1, 2].map(|_| CsrfToken::of(&Secret::random::<32>("").unwrap()));
        let body = format!("csrf={}", other.value());
        for (token, body) in [
            (Some(&own), body.as_str()),
            (Some(&own), ""),
            (Some(&CsrfToken(None)), "csrf="),
            (None, "csrf="),
        ] {
            let fault = read(token, body).await.unwrap_err();
            assert_eq!(fault.detail().code, Code::FormRefused);
        }
    }
}
