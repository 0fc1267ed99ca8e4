//! The description of the API, OpenAPI 3.1, made from the routes and from the types themselves.

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse as _, Response};
use schemars::generate::SchemaSettings;
use schemars::transform::{Transform, transform_subschemas};
use schemars::{Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

use crate::error::{ApiError, ErrorBody};
use crate::params::Params;
use crate::route::{Answer, Doc, Need, Parameter, ParameterKind, Route};
use crate::routes::OpenAiFault;
use crate::state::ApiState;

const ABOUT: &str = "\
Reads, searches and changes the notes of one vault, and watches and controls the daemon that \
serves it. Every fault has the same envelope, `Error`, whose `code` is stable. Requests carry \
`Authorization: Bearer crb_..`; a token has scopes, and each operation names the one that it \
needs.";

/// `GET /openapi.json`
pub(crate) async fn serve(
    State(state): State<ApiState>,
    uri: axum::http::Uri,
) -> Result<Response, ApiError> {
    Params::read(&uri, &[])?;
    let body = state.description.clone();
    Ok(([(CONTENT_TYPE, "application/json")], body).into_response())
}

/// Describes all routes that have a name.
pub(crate) fn describe(routes: &[Route]) -> Value {
    let mut schemas = Schemas::new();
    let fault = schemas.answers.subschema_for::<ErrorBody>();
    let openai_fault = schemas.answers.subschema_for::<OpenAiFault>();
    let mut paths = Map::new();
    for route in routes.iter().filter(|route| !route.doc.name.is_empty()) {
        let operation = operation(route, &mut schemas);
        let path = route.path.replace("{*", "{");
        let methods = paths.entry(path).or_insert_with(|| json!({}));
        methods[route.method.as_str().to_ascii_lowercase()] = operation;
    }
    paths.sort_keys();
    json!({
        "openapi": "3.1.1",
        "info": {
            "title": "Crucible",
            "version": env!("CARGO_PKG_VERSION"),
            "description": ABOUT,
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
        },
        "servers": [{ "url": "/" }],
        "paths": paths,
        "components": {
            "schemas": schemas.into_components(),
            "responses": {
                "Fault": {
                    "description": "A fault; `code` says which.",
                    "content": { "application/json": { "schema": fault } },
                },
                "OpenAiFault": {
                    "description": "A fault, in the envelope that clients of OpenAI's read.",
                    "content": { "application/json": { "schema": openai_fault } },
                },
            },
            "securitySchemes": {
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A token that `crucible token create` made.",
                },
            },
        },
    })
}

fn operation(route: &Route, schemas: &mut Schemas) -> Value {
    let doc = &route.doc;
    let fault = if route.path.starts_with("/v1/") {
        "OpenAiFault"
    } else {
        "Fault"
    };
    let mut operation = json!({
        "operationId": doc.name,
        "summary": doc.about,
        "tags": [tag(route.path)],
        "responses": { "default": { "$ref": format!("#/components/responses/{fault}") } },
    });
    operation["security"] = match route.gate.need {
        Need::Nothing => json!([]),
        Need::AnyScope => json!([{ "bearer": [] }]),
        Need::Scope(scope) => json!([{ "bearer": [scope.name()] }]),
    };
    let parameters = parameters(route.path, doc);
    if !parameters.is_empty() {
        operation["parameters"] = parameters.into();
    }
    if let Some(body) = doc.body {
        operation["requestBody"] = json!({
            "required": true,
            "content": { "application/json": { "schema": body(&mut schemas.bodies) } },
        });
    }
    let (status, answer) = match doc.answer {
        Answer::Nothing => (204, json!({ "description": "Done." })),
        Answer::Json(status, schema) => {
            let schema = schema(&mut schemas.answers);
            let content = json!({ "application/json": { "schema": schema } });
            (
                status,
                json!({ "description": doc.about, "content": content }),
            )
        }
        Answer::Text(media_type) => {
            let mut content = Map::new();
            content.insert(
                media_type.to_owned(),
                json!({ "schema": { "type": "string" } }),
            );
            (200, json!({ "description": doc.about, "content": content }))
        }
    };
    operation["responses"][status.to_string()] = answer;
    operation
}

/// Returns the first word of the path below the version.
fn tag(path: &str) -> &str {
    path.trim_start_matches("/api")
        .trim_start_matches("/v1")
        .trim_start_matches('/')
        .split(['/', '.'])
        .next()
        .unwrap_or_default()
}

fn parameters(path: &str, doc: &Doc) -> Vec<Value> {
    let names = path
        .split('{')
        .skip(1)
        .filter_map(|rest| rest.split_once('}'));
    let in_path = names.map(|(name, _)| {
        let is_rest = name.starts_with('*');
        json!({
            "name": name.trim_start_matches('*'),
            "in": "path",
            "required": true,
            "description": if is_rest {
                "Percent-encoded; a slash may stay as it is."
            } else {
                "Percent-encoded."
            },
            "schema": { "type": "string" },
        })
    });
    in_path.chain(doc.parameters.iter().map(in_query)).collect()
}

fn in_query(parameter: &Parameter) -> Value {
    let schema = match parameter.kind {
        ParameterKind::Text | ParameterKind::Required => json!({ "type": "string" }),
        ParameterKind::Number => json!({ "type": "integer", "minimum": 0 }),
        ParameterKind::Flag => json!({ "type": "boolean" }),
        ParameterKind::Repeated => json!({ "type": "array", "items": { "type": "string" } }),
    };
    json!({
        "name": parameter.name,
        "in": "query",
        "required": parameter.kind == ParameterKind::Required,
        "description": parameter.about,
        "schema": schema,
    })
}

/// The schemas of what is sent and of what is answered: a field with a default may be left out of
/// the one and is always in the other.
struct Schemas {
    bodies: SchemaGenerator,
    answers: SchemaGenerator,
}

impl Schemas {
    fn new() -> Self {
        let settings = || {
            let mut settings = SchemaSettings::draft2020_12();
            settings.definitions_path = "/components/schemas".into();
            settings.meta_schema = None;
            settings.with_transform(PlainWords)
        };
        Self {
            bodies: settings().for_deserialize().into_generator(),
            answers: settings().for_serialize().into_generator(),
        }
    }

    /// Puts both together. A type that is sent and answered is described as it is answered, which
    /// is what is sent too where no field has a default; a test holds that.
    fn into_components(mut self) -> Map<String, Value> {
        let mut all = self.bodies.take_definitions(true);
        all.extend(self.answers.take_definitions(true));
        all.sort_keys();
        all
    }
}

/// Takes the marks of links out of what was written for readers of the code.
#[derive(Clone)]
struct PlainWords;

impl Transform for PlainWords {
    fn transform(&mut self, schema: &mut Schema) {
        if let Some(Value::String(words)) = schema.get_mut("description") {
            *words = plain(words);
        }
        transform_subschemas(self, schema);
    }
}

/// Turns ``[`Name`]`` into `` `Name` ``, and joins the lines of a paragraph.
fn plain(words: &str) -> String {
    let joined: Vec<String> = words
        .split("\n\n")
        .map(|paragraph| paragraph.replace('\n', " "))
        .collect();
    joined.join("\n\n").replace("[`", "`").replace("`]", "`")
}

#[cfg(test)]
mod tests {
    use axum::http::Method;
    use crucible_services::access::Scope;

    use super::*;
    use crate::route::Audience;
    use crate::{dashboard, routes};

    fn routes() -> Vec<Route> {
        let mut all = routes::answers();
        all.extend(routes::streams());
        all.extend(routes::inference());
        all
    }

    #[test]
    fn every_route_for_programs_is_described_and_named_once() {
        let mut names: Vec<&str> = Vec::new();
        for route in routes() {
            let is_page = route.gate.audience == Audience::Person;
            assert_eq!(route.doc.name.is_empty(), is_page, "{}", route.path);
            if !is_page {
                assert!(route.doc.about.ends_with('.'), "{}", route.path);
                assert!(!names.contains(&route.doc.name), "{}", route.doc.name);
                names.push(route.doc.name);
            }
        }
    }

    #[test]
    fn pages_are_for_people_and_those_that_change_something_need_control() {
        for route in dashboard::pages() {
            let is_asset = route.path.starts_with("/assets/");
            if is_asset {
                assert_eq!(route.gate.need, Need::Nothing, "{}", route.path);
                continue;
            }
            assert_eq!(route.gate.audience, Audience::Person, "{}", route.path);
            if route.method != Method::GET {
                let control = Need::Scope(Scope::Control);
                assert_eq!(route.gate.need, control, "{}", route.path);
            }
        }
    }

    #[test]
    fn what_is_sent_and_answered_has_one_shape() {
        let mut schemas = Schemas::new();
        for route in routes() {
            if !route.doc.name.is_empty() {
                operation(&route, &mut schemas);
            }
        }
        let sent = schemas.bodies.take_definitions(true);
        let answered = schemas.answers.take_definitions(true);
        for (name, schema) in &sent {
            if let Some(other) = answered.get(name) {
                assert_eq!(schema, other, "{name}");
            }
        }
    }

    #[test]
    fn every_reference_leads_somewhere() {
        fn check(value: &Value, whole: &Value) {
            match value {
                Value::Object(fields) => {
                    if let Some(Value::String(reference)) = fields.get("$ref") {
                        let pointer = reference.strip_prefix('#').unwrap();
                        assert!(whole.pointer(pointer).is_some(), "{reference}");
                    }
                    fields.values().for_each(|field| check(field, whole));
                }
                Value::Array(items) => items.iter().for_each(|item| check(item, whole)),
                _ => {}
            }
        }
        let whole = describe(&routes());
        check(&whole, &whole);
    }

    #[test]
    fn links_of_the_code_become_words() {
        assert_eq!(
            plain("See [`A`] and\n`b`.\n\nMore."),
            "See `A` and `b`.\n\nMore."
        );
    }
}
