//! Continuing a conversation piece by piece.
//!
//! Chunks are server-sent events without names; `[DONE]` follows the last. What fails after the
//! first piece comes as an event with OpenAI's envelope, and no `[DONE]`.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;

use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use crucible_services::inference::{Error, GenerateRequest, GenerationPiece, GenerationStream};
use futures_util::{Stream, StreamExt as _};
use serde_json::{Value, json};
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::sync::CancellationToken;

use super::envelope::OpenAiFault;
use super::{ChatUsage, chat, engine};
use crate::error::{ApiError, Code};
use crate::state::ApiState;

/// Answers once the first piece is there.
pub(super) async fn answer(
    state: &ApiState,
    request: GenerateRequest,
    tells_usage: bool,
) -> Result<Response, ApiError> {
    let Ok(permit) = Arc::clone(&state.streams).try_acquire_owned() else {
        let count = state.config.streams_max;
        let message = format!("{count} streams are open already");
        return Err(ApiError::new(Code::Overloaded, message).hint("close one of them"));
    };
    let model = request.model.clone();
    let pieces = engine(state)?.generate_stream(request).await?;
    let mut chunks = Chunks {
        id: chat::id(),
        created: chat::created(),
        model,
        tells_usage,
        pieces: Some(pieces),
        ready: VecDeque::new(),
        closing: state.closing.clone(),
        _permit: permit,
    };
    chunks.chunk(&json!({ "role": "assistant", "content": "" }), None);
    let keep_alive = KeepAlive::new().interval(state.config.keep_alive);
    let events = Sse::new(chunks.into_stream()).keep_alive(keep_alive);
    Ok(events.into_response())
}

/// What goes out on one stream, in order.
struct Chunks {
    id: String,
    created: i64,
    model: String,
    tells_usage: bool,
    /// `None` once the last piece was seen.
    pieces: Option<GenerationStream>,
    /// At most four: the end, the cost and `[DONE]`, or a fault.
    ready: VecDeque<Event>,
    closing: CancellationToken,
    /// Frees the stream's place when it ends.
    _permit: OwnedSemaphorePermit,
}

impl Chunks {
    /// Ends with the answer, or when the API closes.
    fn into_stream(self) -> impl Stream<Item = Result<Event, Infallible>> {
        futures_util::stream::unfold(self, |mut chunks| async {
            let event = chunks.next().await?;
            Some((Ok(event), chunks))
        })
    }

    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(event);
            }
            let pieces = self.pieces.as_mut()?;
            let piece = tokio::select! {
                biased;
                piece = pieces.0.next() => piece,
                () = self.closing.cancelled() => return None,
            };
            let broken = || Error::Failed("the answer broke off".to_owned());
            self.take(piece.unwrap_or_else(|| Err(broken())));
        }
    }

    fn take(&mut self, piece: Result<GenerationPiece, Error>) {
        match piece {
            Ok(GenerationPiece::Text(text)) => self.chunk(&json!({ "content": text }), None),
            Ok(GenerationPiece::End { reason, usage }) => {
                self.pieces = None;
                self.chunk(&json!({}), Some(chat::reason(reason)));
                if self.tells_usage {
                    let usage = ChatUsage::from(usage);
                    self.push(&json!([]), json!(usage));
                }
                self.ready.push_back(Event::default().data("[DONE]"));
            }
            Err(error) => {
                self.pieces = None;
                let error = ApiError::from(error);
                let fault = json!(OpenAiFault::new(error.detail(), error.status()));
                self.ready
                    .push_back(Event::default().data(fault.to_string()));
            }
        }
    }

    fn chunk(&mut self, delta: &Value, finish_reason: Option<&str>) {
        let choice = json!({
            "index": 0,
            "delta": delta,
            "logprobs": null,
            "finish_reason": finish_reason,
        });
        self.push(&json!([choice]), Value::Null);
    }

    /// Makes a chunk ready; what it cost stands in every chunk, or in none.
    fn push(&mut self, choices: &Value, usage: Value) {
        let mut chunk = json!({
            "id": self.id,
            "object": "chat.completion.chunk",
            "created": self.created,
            "model": self.model,
            "choices": choices,
        });
        if self.tells_usage {
            chunk["usage"] = usage;
        }
        self.ready
            .push_back(Event::default().data(chunk.to_string()));
    }
}
