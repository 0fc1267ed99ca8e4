//! `inference`: embeddings and generated text, where a person granted them.

use std::sync::Arc;

use crucible_services::inference::{EmbedRequest, Error, GenerateRequest, Message, Urgency};
use crucible_services::service_traits::InferenceEngine;
use serde::Deserialize;
use serde_json::json;

use super::reading::to_json;
use super::{Answer, Broker};
use crate::capability::Capability;
use crate::protocol::HostError;

/// The most texts of one request.
const TEXTS_MAX: usize = 256;
/// The most tokens that one request generates.
const TOKENS_MAX: u32 = 4096;

/// A conversation as a script gives it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Conversation {
    model: String,
    messages: Vec<Message>,
    #[serde(default)]
    tokens_max: Option<u32>,
    #[serde(default)]
    temperature: Option<f32>,
}

impl Broker {
    pub(super) async fn embed(&self, texts: Vec<String>) -> Answer {
        self.require(Capability::Inference("embed".to_owned()))
            .await?;
        if texts.len() > TEXTS_MAX {
            let message = format!("at most {TEXTS_MAX} texts are embedded at a time");
            return Err(HostError::new("invalid", message));
        }
        let request = EmbedRequest {
            model: None,
            texts,
            urgency: Urgency::Background,
        };
        let answer = self.engine()?.embed(request).await;
        let answer = answer.map_err(|error| of_engine(&error))?;
        to_json(&answer.vectors)
    }

    pub(super) async fn generate(&self, conversation: Conversation) -> Answer {
        self.require(Capability::Inference("generate".to_owned()))
            .await?;
        if self.is_rehearsal(|| format!("generate text with {}", conversation.model)) {
            return Ok(json!({ "text": "" }));
        }
        let request = GenerateRequest {
            model: conversation.model,
            messages: conversation.messages,
            tokens_max: conversation.tokens_max.unwrap_or(1024).clamp(1, TOKENS_MAX),
            temperature: conversation.temperature,
            stop: Vec::new(),
        };
        let answer = self.engine()?.generate(request).await;
        let answer = answer.map_err(|error| of_engine(&error))?;
        to_json(&answer)
    }

    fn engine(&self) -> Result<&Arc<dyn InferenceEngine>, HostError> {
        self.desk.host.inference.as_ref().ok_or_else(|| {
            HostError::new(
                "unavailable",
                "the Inference Engine is not part of this daemon",
            )
        })
    }
}

fn of_engine(error: &Error) -> HostError {
    let kind = match error {
        Error::InvalidRequest(_) => "invalid",
        Error::ModelMissing { .. } | Error::Busy { .. } | Error::TimedOut { .. } => "unavailable",
        _ => "failed",
    };
    HostError::new(kind, error.to_string())
}
