//! Vectors of blocks: made in the background by an inference engine, kept in files, searched exactly.
//!
//! A vector belongs to a passage (what is embedded of a block) and to a revision of a model, not to a
//! note: a note that moves keeps its vectors, and the same text is embedded once. `shelf` holds the
//! vectors of one model, on disk and for scanning; `kernel` is the arithmetic; `follow` is the follower
//! that makes what is missing, at the speed that `pace` allows; `status` says how far it is, `tell` which
//! notes got theirs. Which
//! blocks lack a vector is asked of the text index, whose commits the follower follows, so that it
//! needs no position of its own: after a restart nothing is made twice.
//!
//! Nothing else depends on any of this: without an engine or a model everything works, by words.

mod follow;
mod kernel;
mod pace;
mod query;
mod shelf;
mod status;
mod tell;

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use crucible_services::inference::{self, InferenceEngine};
use tokio::task::spawn_blocking;
use tokio::time::Instant;

use crate::store::lock;
pub(crate) use follow::follow;
pub(crate) use query::Comparison;
pub(crate) use shelf::ModelKey;
use shelf::{Access, Shelf};
use status::Model;
pub(crate) use status::Status;

/// How long the engine may take to name its model.
const MODEL_DEADLINE: Duration = Duration::from_secs(10);

/// The vectors of a store.
pub(crate) struct Vectors {
    engine: Arc<dyn InferenceEngine>,
    dir: PathBuf,
    access: Access,
    shelf: RwLock<Option<Shelf>>,
    status: Mutex<Status>,
    /// When somebody last asked something.
    asked: Mutex<Option<Instant>>,
    /// Held by whoever asks the engine for its model.
    refreshing: tokio::sync::Mutex<()>,
    /// Held by the follower while it lives.
    following: tokio::sync::Mutex<()>,
}

impl fmt::Debug for Vectors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vectors")
            .field("dir", &self.dir)
            .field("status", &self.status())
            .finish_non_exhaustive()
    }
}

impl Vectors {
    pub(crate) fn new(engine: Arc<dyn InferenceEngine>, dir: PathBuf, is_writing: bool) -> Self {
        Self {
            engine,
            dir,
            access: if is_writing {
                Access::Write
            } else {
                Access::Read
            },
            shelf: RwLock::new(None),
            status: Mutex::default(),
            asked: Mutex::default(),
            refreshing: tokio::sync::Mutex::default(),
            following: tokio::sync::Mutex::default(),
        }
    }

    /// Returns how far the vectors are.
    pub(crate) fn status(&self) -> Status {
        lock(&self.status).clone()
    }

    /// Lets go of the files; nothing is written any more.
    pub(crate) fn close(&self) {
        *self.shelf.write().unwrap_or_else(PoisonError::into_inner) = None;
        lock(&self.status).model = Model::Closed;
    }

    /// Notes that somebody asks something now.
    pub(crate) fn touch(&self) {
        *lock(&self.asked) = Some(Instant::now());
    }

    fn set(&self, change: impl FnOnce(&mut Status)) {
        let mut status = lock(&self.status);
        if status.model != Model::Closed {
            change(&mut status);
        }
    }

    /// Does something with the shelf that is open; `None` when there is none.
    fn with_shelf<T>(&self, work: impl FnOnce(&Shelf) -> T) -> Option<T> {
        let shelf = self.shelf.read().unwrap_or_else(PoisonError::into_inner);
        shelf.as_ref().map(work)
    }

    /// Changes the shelf that is open, if it is that of `model`.
    fn with_shelf_mut<T>(&self, model: &ModelKey, work: impl FnOnce(&mut Shelf) -> T) -> Option<T> {
        let mut shelf = self.shelf.write().unwrap_or_else(PoisonError::into_inner);
        shelf
            .as_mut()
            .filter(|shelf| shelf.model() == model)
            .map(work)
    }

    /// Asks the engine which model it embeds with, and opens that one's shelf.
    async fn refresh(self: &Arc<Self>) -> Model {
        let _alone = self.refreshing.lock().await;
        let asked = tokio::time::timeout(MODEL_DEADLINE, self.engine.embedding_model()).await;
        let model = match asked {
            Ok(Ok(info)) => match self.key_of(info).await {
                Ok(key) => self.open_shelf(key).await,
                Err(error) => of_error(&error),
            },
            Ok(Err(error)) => of_error(&error),
            Err(_elapsed) => Model::Failed {
                reason: format!(
                    "the inference engine did not name its model within {} s",
                    MODEL_DEADLINE.as_secs()
                ),
            },
        };
        let mut known = model.clone();
        self.set(|status| {
            if status.model != model {
                status.begin(model);
            }
        });
        if lock(&self.status).model == Model::Closed {
            known = Model::Closed;
        }
        known
    }

    async fn key_of(&self, info: inference::ModelInfo) -> Result<ModelKey, inference::Error> {
        let dimensions = match info.dimensions {
            Some(dimensions) => dimensions,
            None => {
                // What the engine does not say, one vector tells.
                let texts = vec!["dimensions".to_owned()];
                let urgency = inference::Urgency::Background;
                query::embed_some(self.engine.as_ref(), &info.name, texts, urgency)
                    .await?
                    .dimensions
            }
        };
        Ok(ModelKey {
            name: info.name,
            revision: info.revision,
            dimensions,
        })
    }

    async fn open_shelf(self: &Arc<Self>, key: ModelKey) -> Model {
        let is_open = self.with_shelf(|shelf| *shelf.model() == key && !shelf.is_stale());
        if is_open == Some(true) {
            return Model::Ready(key);
        }
        let (dir, access, wanted) = (self.dir.clone(), self.access, key.clone());
        let opened = spawn_blocking(move || Shelf::open(&dir, wanted, access)).await;
        match opened {
            Ok(Ok((shelf, findings))) => {
                for finding in findings {
                    tracing::warn!(finding, "vectors were damaged; they are made anew");
                }
                let mut place = self.shelf.write().unwrap_or_else(PoisonError::into_inner);
                if lock(&self.status).model != Model::Closed {
                    *place = Some(shelf);
                }
                Model::Ready(key)
            }
            Ok(Err(error)) => Model::Failed {
                reason: format!(
                    "the vectors in {} cannot be used ({error}); check its permissions and the \
                     free space",
                    self.dir.display()
                ),
            },
            Err(error) => Model::Failed {
                reason: format!("opening the vectors broke off ({error})"),
            },
        }
    }
}

fn of_error(error: &inference::Error) -> Model {
    match error {
        inference::Error::ModelMissing { model, hint } => Model::Missing {
            model: model.clone(),
            hint: hint.clone(),
        },
        error => Model::Failed {
            reason: error.to_string(),
        },
    }
}
