//! How a route is described.

use schemars::{Schema, SchemaGenerator};

/// Makes the schema of a type.
pub(crate) type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

/// How a route is described.
#[derive(Clone, Debug, Default)]
pub(crate) struct Doc {
    /// A name for programs; empty for pages, which are not described.
    pub(crate) name: &'static str,
    /// What it does.
    pub(crate) about: &'static str,
    pub(crate) parameters: Vec<Parameter>,
    pub(crate) body: Option<SchemaOf>,
    pub(crate) answer: Answer,
}

/// A parameter of the query string.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Parameter {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) kind: ParameterKind,
}

/// What a parameter may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ParameterKind {
    Text,
    Required,
    Number,
    Flag,
    Repeated,
}

/// What is answered when all is well.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) enum Answer {
    /// No body.
    #[default]
    Nothing,
    /// A status code and a JSON body.
    Json(u16, SchemaOf),
    /// Text of this media type.
    Text(&'static str),
}
