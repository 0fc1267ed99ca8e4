//! One route: where it is, who may use it, who answers, and how it is described.
//!
//! Everything that is said about a route is said in the one place where it is declared, so that
//! the router, the scopes and the description of the API cannot disagree.

mod doc;
mod gates;

use axum::Router;
use axum::handler::Handler;
use axum::http::Method;
use axum::routing::{MethodFilter, MethodRouter, on};
use crucible_services::access::Scope;
use schemars::JsonSchema;

use crate::state::ApiState;

pub(crate) use doc::{Answer, Doc, Parameter, ParameterKind};
pub(crate) use gates::{Audience, BodySize, Gate, Gates, Need};

/// One route.
#[derive(Clone, Debug)]
pub(crate) struct Route {
    pub(crate) method: Method,
    pub(crate) path: &'static str,
    pub(crate) gate: Gate,
    pub(crate) doc: Doc,
    handler: MethodRouter<ApiState>,
}

impl Route {
    /// Declares what answers a GET; it needs [`Scope::Read`] until something else is said.
    pub(crate) fn get<H: Handler<T, ApiState>, T: 'static>(path: &'static str, handler: H) -> Self {
        Self::new(Method::GET, path, on(MethodFilter::GET, handler)).needs(Scope::Read)
    }

    /// Declares what answers a POST; it needs [`Scope::Control`] until something else is said.
    pub(crate) fn post<H: Handler<T, ApiState>, T: 'static>(
        path: &'static str,
        handler: H,
    ) -> Self {
        Self::new(Method::POST, path, on(MethodFilter::POST, handler))
    }

    /// As [`Route::post`], for PATCH.
    pub(crate) fn patch<H: Handler<T, ApiState>, T: 'static>(
        path: &'static str,
        handler: H,
    ) -> Self {
        Self::new(Method::PATCH, path, on(MethodFilter::PATCH, handler))
    }

    /// As [`Route::post`], for DELETE.
    pub(crate) fn delete<H: Handler<T, ApiState>, T: 'static>(
        path: &'static str,
        handler: H,
    ) -> Self {
        Self::new(Method::DELETE, path, on(MethodFilter::DELETE, handler))
    }

    fn new(method: Method, path: &'static str, handler: MethodRouter<ApiState>) -> Self {
        Self {
            method,
            path,
            gate: Gate {
                need: Need::Scope(Scope::Control),
                audience: Audience::Program,
                takes_cookies: true,
                body: BodySize::Small,
            },
            doc: Doc::default(),
            handler,
        }
    }

    /// Says which scope it needs.
    pub(crate) const fn needs(mut self, scope: Scope) -> Self {
        self.gate.need = Need::Scope(scope);
        self
    }

    /// Says that anybody may use it.
    pub(crate) const fn public(mut self) -> Self {
        self.gate.need = Need::Nothing;
        self
    }

    /// Says that people look at it with a browser.
    pub(crate) const fn page(mut self) -> Self {
        self.gate.audience = Audience::Person;
        self
    }

    /// Says that it is a call of gRPC, whose clients have tokens and no sessions.
    pub(crate) const fn rpc(mut self) -> Self {
        self.gate.takes_cookies = false;
        self
    }

    /// Says that the body may be as long as a note.
    pub(crate) const fn takes_notes(mut self) -> Self {
        self.gate.body = BodySize::Note;
        self
    }

    /// Says that it computes for programs of others, which have tokens and no sessions.
    pub(crate) const fn infers(mut self) -> Self {
        self.gate.need = Need::Scope(Scope::Infer);
        self.gate.takes_cookies = false;
        self.gate.body = BodySize::Inference;
        self
    }

    /// Gives it a name for programs that are made from the description, and says what it does.
    pub(crate) const fn called(mut self, name: &'static str, about: &'static str) -> Self {
        self.doc.name = name;
        self.doc.about = about;
        self
    }

    /// Names a parameter of the query string that may be given once.
    pub(crate) fn query(self, name: &'static str, about: &'static str) -> Self {
        self.parameter(name, about, ParameterKind::Text)
    }

    /// Names a parameter that must be given.
    pub(crate) fn required(self, name: &'static str, about: &'static str) -> Self {
        self.parameter(name, about, ParameterKind::Required)
    }

    /// Names a parameter that is a whole number.
    pub(crate) fn number(self, name: &'static str, about: &'static str) -> Self {
        self.parameter(name, about, ParameterKind::Number)
    }

    /// Names a parameter that is `true` or `false`.
    pub(crate) fn flag(self, name: &'static str, about: &'static str) -> Self {
        self.parameter(name, about, ParameterKind::Flag)
    }

    /// Names a parameter that may be repeated.
    pub(crate) fn repeated(self, name: &'static str, about: &'static str) -> Self {
        self.parameter(name, about, ParameterKind::Repeated)
    }

    fn parameter(mut self, name: &'static str, about: &'static str, kind: ParameterKind) -> Self {
        self.doc.parameters.push(Parameter { name, about, kind });
        self
    }

    /// Says what the body is.
    pub(crate) fn takes<T: JsonSchema>(mut self) -> Self {
        self.doc.body = Some(|generator| generator.subschema_for::<T>());
        self
    }

    /// Says what the answer is.
    pub(crate) fn answers<T: JsonSchema>(mut self) -> Self {
        self.doc.answer = Answer::Json(200, |generator| generator.subschema_for::<T>());
        self
    }

    /// Says that something is new afterwards, and what the answer is.
    pub(crate) fn makes<T: JsonSchema>(mut self) -> Self {
        self.doc.answer = Answer::Json(201, |generator| generator.subschema_for::<T>());
        self
    }

    /// Says that the answer is text of this media type.
    pub(crate) fn answers_text(mut self, media_type: &'static str) -> Self {
        self.doc.answer = Answer::Text(media_type);
        self
    }
}

/// Puts routes together.
pub(crate) fn router(routes: &[Route]) -> Router<ApiState> {
    routes.iter().fold(Router::new(), |router, route| {
        router.route(route.path, route.handler.clone())
    })
}
