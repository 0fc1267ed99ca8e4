//! Watches a generation, to tell how it ended.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use crucible_services::events::InferenceEventType;
use crucible_services::inference::{Error, GenerationPiece, GenerationStream, TokenUsage};
use futures_util::Stream;
use tokio::time::Instant;

use super::figures::Figures;
use super::tell::Teller;

/// One generation that is under way. Dropped before it ended, it tells that it was given up.
#[derive(Debug)]
pub(super) struct Watch {
    model: String,
    started: Instant,
    figures: Arc<Figures>,
    /// `None` while the service is not running, and once the end was told.
    teller: Option<Teller>,
}

impl Watch {
    /// Tells that somebody asked.
    pub(super) fn begin(model: &str, figures: &Arc<Figures>, teller: Option<Teller>) -> Self {
        if let Some(teller) = &teller {
            let model = model.to_owned();
            teller.tell(InferenceEventType::Requested { model });
        }
        Self {
            model: model.to_owned(),
            started: Instant::now(),
            figures: Arc::clone(figures),
            teller,
        }
    }

    /// Tells that an answer is whole.
    pub(super) fn complete(&mut self, usage: TokenUsage) {
        self.figures.answered();
        self.figures
            .read(usage.prompt.saturating_add(usage.completion));
        if let Some(teller) = self.teller.take() {
            teller.tell(InferenceEventType::Completed {
                model: self.model.clone(),
                duration_ms: super::millis(self.started.elapsed()),
                tokens_prompt: usage.prompt,
                tokens_completion: usage.completion,
            });
        }
    }

    /// Tells that nothing more comes.
    pub(super) fn fail(&mut self, error: &str) {
        if let Some(teller) = self.teller.take() {
            teller.tell(InferenceEventType::Failed {
                model: self.model.clone(),
                error: error.to_owned(),
            });
        }
    }

    /// Watches the pieces go by.
    pub(super) fn over(self, stream: GenerationStream) -> GenerationStream {
        GenerationStream(Box::pin(Watched {
            stream,
            watch: self,
        }))
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.fail("whoever asked went away");
    }
}

struct Watched {
    stream: GenerationStream,
    watch: Watch,
}

impl Stream for Watched {
    type Item = Result<GenerationPiece, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let piece = self.stream.0.as_mut().poll_next(context);
        match &piece {
            Poll::Ready(Some(Ok(GenerationPiece::End { usage, .. }))) => {
                let usage = *usage;
                self.watch.complete(usage);
            }
            Poll::Ready(Some(Err(error))) => {
                let error = error.to_string();
                self.watch.fail(&error);
            }
            Poll::Ready(None) => self.watch.fail("the answer broke off"),
            Poll::Ready(Some(Ok(GenerationPiece::Text(_)))) | Poll::Pending => {}
        }
        piece
    }
}
