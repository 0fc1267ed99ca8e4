//! An answer that comes piece by piece, from its first piece to its end.

use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

use crucible_services::inference::{Error, GenerationPiece, GenerationStream};
use reqwest::Response;
use tokio::time::Instant;

use super::failure::Failure;
use super::ledger::Ledger;
use super::lines::{Cutter, Framing, LINE_BYTES_MAX};
use super::protocol::{ReadStream, Step};
use super::provider::{Admission, Provider};

/// The most bytes of text that one answer may have.
const TEXT_BYTES_MAX: usize = 16 * 1024 * 1024;

/// A stream whose head was read.
pub(crate) struct Opened {
    response: Response,
    cutter: Cutter,
    reader: Box<dyn ReadStream>,
    deadline: Instant,
    /// Read and not handed on: the first piece, once there is one.
    ahead: VecDeque<GenerationPiece>,
    is_closed: bool,
    text_bytes: usize,
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Opened")
    }
}

impl Opened {
    pub(crate) fn new(
        response: Response,
        framing: Framing,
        reader: Box<dyn ReadStream>,
        deadline: Instant,
    ) -> Self {
        Self {
            response,
            cutter: Cutter::new(framing, LINE_BYTES_MAX),
            reader,
            deadline,
            ahead: VecDeque::new(),
            is_closed: false,
            text_bytes: 0,
        }
    }

    /// Waits for the first piece, without handing it on.
    pub(crate) async fn first(&mut self, provider: &Provider) -> Result<(), Failure> {
        let patience = provider.config.first_byte_timeout;
        let piece = self.next(provider, patience).await?;
        self.ahead.push_back(piece);
        Ok(())
    }

    /// Returns the next piece. Silence of more than `patience` is a failure.
    async fn next(
        &mut self,
        provider: &Provider,
        patience: Duration,
    ) -> Result<GenerationPiece, Failure> {
        if let Some(piece) = self.ahead.pop_front() {
            return Ok(piece);
        }
        loop {
            while let Some(message) = self.cutter.next() {
                let step = self.reader.read(&message).map_err(Failure::Unreadable)?;
                if let Some(piece) = self.piece(step)? {
                    return Ok(piece);
                }
            }
            if self.is_closed {
                let end = self.reader.close().unwrap_or(Step::Nothing);
                let piece = self.piece(end)?;
                let early = || Failure::Broken("it ended before the answer did".to_owned());
                return piece.ok_or_else(early);
            }
            let transport = &provider.transport;
            let read = transport.chunk(&mut self.response, patience, self.deadline);
            let cut = match read.await? {
                Some(bytes) => self.cutter.push(&bytes),
                None => {
                    self.is_closed = true;
                    self.cutter.close()
                }
            };
            cut.map_err(|uncut| Failure::Unreadable(uncut.to_string()))?;
        }
    }

    fn piece(&mut self, step: Step) -> Result<Option<GenerationPiece>, Failure> {
        match step {
            Step::Nothing => Ok(None),
            Step::End(reason, usage) => Ok(Some(GenerationPiece::End { reason, usage })),
            Step::Failed(text) => {
                let text = super::transport::shorten(&text);
                Err(Failure::Broken(format!("it gave up: {text}")))
            }
            Step::Text(text) => {
                self.text_bytes += text.len();
                if self.text_bytes > TEXT_BYTES_MAX {
                    let reason = format!("more than {TEXT_BYTES_MAX} bytes of text");
                    return Err(Failure::Unreadable(reason));
                }
                Ok(Some(GenerationPiece::Text(text)))
            }
        }
    }
}

/// What goes on behind a [`GenerationStream`].
#[derive(Debug)]
pub(crate) struct Flow {
    pub(crate) opened: Opened,
    pub(crate) admission: Admission,
    pub(crate) ledger: Ledger,
    /// The provider's own name for the model.
    pub(crate) upstream: String,
    /// The name that was asked for.
    pub(crate) model: String,
}

impl Flow {
    /// Hands on one piece after the other; the end, or an error, is the last.
    pub(crate) fn into_stream(mut self) -> GenerationStream {
        self.admission.begun();
        let pieces = futures_util::stream::unfold(Some(self), |flow| async {
            let (item, flow) = flow?.step().await;
            Some((item, flow))
        });
        GenerationStream(Box::pin(pieces))
    }

    async fn step(mut self) -> (Result<GenerationPiece, Error>, Option<Self>) {
        let provider = self.admission.provider();
        let patience = provider.config.idle_timeout;
        match self.opened.next(provider, patience).await {
            Ok(piece @ GenerationPiece::Text(_)) => (Ok(piece), Some(self)),
            Ok(end) => {
                if let GenerationPiece::End { usage, .. } = &end {
                    self.ledger.cost(provider.name(), &self.upstream, *usage);
                }
                self.admission.answered();
                (Ok(end), None)
            }
            Err(failure) => {
                let name = provider.name().to_owned();
                self.ledger.failed(&name, &self.upstream);
                self.admission.failed(&failure);
                (Err(failure.into_error(&name, &self.model)), None)
            }
        }
    }
}
