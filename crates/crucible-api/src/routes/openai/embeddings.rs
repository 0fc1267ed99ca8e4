//! Vectors of texts.

use axum::Json;
use axum::extract::State;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crucible_services::inference::{EmbedRequest, Embeddings, Urgency};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::refuse::{self, invalid};
use super::{OneOrMany, engine};
use crate::body::Body;
use crate::error::ApiError;
use crate::state::ApiState;

/// The most texts of one request; OpenAI's own bound.
const TEXTS_MAX: usize = 2048;

/// What is asked for.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct EmbeddingsRequest {
    /// The model's name.
    model: String,
    /// One text, or up to 2,048.
    input: Input,
    /// How vectors are written.
    encoding_format: Option<Encoding>,
    /// The length of the vectors; only the model's own is offered.
    dimensions: Option<usize>,
    /// Fields that only hint are ignored; all others are refused.
    #[serde(flatten)]
    rest: Map<String, Value>,
}

/// Texts; tokens, which may stand there too, are refused: they are those of another model.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
enum Input {
    Texts(OneOrMany),
    Other(Vec<Value>),
}

/// How vectors are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Encoding {
    /// As numbers.
    #[default]
    Float,
    /// As base64 of their bytes: little-endian numbers of 32 bits.
    Base64,
}

/// The vectors.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct EmbeddingsAnswer {
    /// Always `list`.
    object: &'static str,
    data: Vec<Embedding>,
    model: String,
    usage: EmbeddingsUsage,
}

/// The vector of one text.
#[derive(Debug, Serialize, JsonSchema)]
struct Embedding {
    /// Always `embedding`.
    object: &'static str,
    /// Which text, from 0.
    index: usize,
    embedding: Vector,
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
enum Vector {
    Float(Vec<f32>),
    Base64(String),
}

#[derive(Debug, Serialize, JsonSchema)]
struct EmbeddingsUsage {
    prompt_tokens: u64,
    total_tokens: u64,
}

/// `POST /v1/embeddings`
pub(super) async fn create(
    State(state): State<ApiState>,
    Body(request): Body<EmbeddingsRequest>,
) -> Result<Json<EmbeddingsAnswer>, ApiError> {
    refuse::check(&request.rest)?;
    let texts = texts(request.input)?;
    let encoding = request.encoding_format.unwrap_or_default();
    let embeddings = engine(&state)?
        .embed(EmbedRequest {
            model: Some(request.model.clone()),
            texts,
            urgency: Urgency::Interactive,
        })
        .await?;
    if let Some(asked) = request.dimensions.filter(|d| *d != embeddings.dimensions) {
        let own = embeddings.dimensions;
        let message = format!("the model's vectors have {own} dimensions, not {asked}");
        return Err(invalid("dimensions", message));
    }
    Ok(Json(answer(embeddings, request.model, encoding)))
}

fn texts(input: Input) -> Result<Vec<String>, ApiError> {
    let texts = match input {
        Input::Texts(texts) => texts.into_vec(),
        Input::Other(values) => {
            let odd = values.iter().find(|value| !value.is_string());
            let odd = odd.map(Value::to_string).unwrap_or_default();
            let odd: String = odd.chars().take(40).collect();
            let message = format!("input must be a text or a list of texts, and holds {odd}");
            return Err(invalid("input", message));
        }
    };
    if texts.is_empty() || texts.len() > TEXTS_MAX {
        let message = format!("input must hold from 1 to {TEXTS_MAX} texts");
        return Err(invalid("input", message));
    }
    if texts.iter().any(String::is_empty) {
        return Err(invalid("input", "input must not hold an empty text"));
    }
    Ok(texts)
}

fn answer(embeddings: Embeddings, model: String, encoding: Encoding) -> EmbeddingsAnswer {
    let write = |vector: Vec<f32>| match encoding {
        Encoding::Float => Vector::Float(vector),
        Encoding::Base64 => {
            let bytes: Vec<u8> = vector.iter().flat_map(|x| x.to_le_bytes()).collect();
            Vector::Base64(STANDARD.encode(bytes))
        }
    };
    let data = embeddings.vectors.into_iter().enumerate();
    let data = data.map(|(index, vector)| Embedding {
        object: "embedding",
        index,
        embedding: write(vector),
    });
    EmbeddingsAnswer {
        object: "list",
        data: data.collect(),
        model,
        usage: EmbeddingsUsage {
            prompt_tokens: embeddings.tokens,
            total_tokens: embeddings.tokens,
        },
    }
}
