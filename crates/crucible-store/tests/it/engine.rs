//! The twin of an inference engine: words are hashed into a vector, so that texts are near when they
//! share words or words that mean the same. It fails, hangs and lies when it is told to.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use crucible_services::inference::{
    EmbedRequest, Embeddings, Error, GenerateRequest, Generation, GenerationStream,
    InferenceEngine, ModelInfo, ModelKind, Urgency,
};

pub(crate) const DIMENSIONS: usize = 64;
pub(crate) const HINT: &str = "`crucible models pull all-MiniLM-L6-v2`";

/// Words that mean the same.
const SAME: &[&[&str]] = &[
    &["fridge", "refrigerator", "icebox"],
    &["feline", "cat", "cats"],
    &["automobile", "car"],
];

/// How an engine answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Mood {
    #[default]
    Well,
    /// The model is not installed.
    Missing,
    /// Every request fails.
    Failing,
    /// No request is answered.
    Hanging,
    /// A vector too many.
    TooMany,
    /// Vectors shorter than said.
    Short,
    /// Vectors longer than the model's.
    Longer,
    /// Numbers that are none.
    NotANumber,
    /// Vectors of no length.
    Zero,
    /// Vectors of another revision than the model's.
    OtherRevision,
}

#[derive(Debug, Default)]
pub(crate) struct Twin {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    mood: Mood,
    revision: u32,
    /// Texts that were embedded in the background, in order.
    texts: Vec<String>,
    queries: Vec<String>,
    largest: usize,
    /// No text with this word can be embedded.
    poison: Option<String>,
    busy_once: bool,
}

impl Twin {
    pub(crate) fn feel(&self, mood: Mood) {
        self.state.lock().unwrap().mood = mood;
    }

    pub(crate) fn poison(&self, word: Option<&str>) {
        self.state.lock().unwrap().poison = word.map(str::to_owned);
    }

    pub(crate) fn be_busy_once(&self) {
        self.state.lock().unwrap().busy_once = true;
    }

    pub(crate) fn next_revision(&self) {
        self.state.lock().unwrap().revision += 1;
    }

    /// What was embedded in the background since the last call, sorted.
    pub(crate) fn take_texts(&self) -> Vec<String> {
        let mut texts = std::mem::take(&mut self.state.lock().unwrap().texts);
        texts.sort();
        texts
    }

    pub(crate) fn embedded(&self) -> usize {
        self.state.lock().unwrap().texts.len()
    }

    pub(crate) fn take_queries(&self) -> Vec<String> {
        std::mem::take(&mut self.state.lock().unwrap().queries)
    }

    pub(crate) fn largest_batch(&self) -> usize {
        self.state.lock().unwrap().largest
    }

    fn missing() -> Error {
        Error::ModelMissing {
            model: "twin".to_owned(),
            hint: HINT.to_owned(),
        }
    }

    fn answer(&self, request: EmbedRequest) -> Result<Embeddings, Error> {
        let mut state = self.state.lock().unwrap();
        if std::mem::take(&mut state.busy_once) {
            return Err(Error::Busy {
                reason: "too much is waiting".to_owned(),
                retry_after: Some(Duration::from_millis(5)),
            });
        }
        match state.mood {
            Mood::Missing => return Err(Self::missing()),
            Mood::Failing => return Err(Error::Failed("the twin is unwell".to_owned())),
            _ => {}
        }
        if let Some(word) = &state.poison
            && request
                .texts
                .iter()
                .any(|text| text.contains(word.as_str()))
        {
            return Err(Error::Failed(format!("cannot read {word}")));
        }
        let mut vectors: Vec<_> = request.texts.iter().map(|text| vector(text)).collect();
        let mut dimensions = DIMENSIONS;
        let mut revision = state.revision.to_string();
        match state.mood {
            Mood::TooMany => vectors.push(vector("more")),
            Mood::Short => vectors.iter_mut().for_each(|vector| vector.truncate(9)),
            Mood::Longer => {
                dimensions += 1;
                vectors.iter_mut().for_each(|vector| vector.push(0.0));
            }
            Mood::NotANumber => vectors.iter_mut().for_each(|vector| vector[3] = f32::NAN),
            Mood::Zero => vectors.iter_mut().for_each(|vector| vector.fill(0.0)),
            Mood::OtherRevision => revision.push_str("-other"),
            _ => match request.urgency {
                Urgency::Background => {
                    state.largest = state.largest.max(request.texts.len());
                    state.texts.extend(request.texts);
                }
                Urgency::Interactive => state.queries.extend(request.texts),
            },
        }
        Ok(Embeddings {
            model: "twin".to_owned(),
            revision,
            dimensions,
            vectors,
            tokens: 0,
        })
    }
}

/// The sum of a vector for each word, of unit length.
pub(crate) fn vector(text: &str) -> Vec<f32> {
    let lower = text.to_lowercase();
    let words: BTreeSet<&str> = lower
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| word.len() > 2)
        .map(|word| {
            SAME.iter()
                .find(|same| same.contains(&word))
                .map_or(word, |same| same[0])
        })
        .collect();
    let mut sum = vec![0.001_f32; DIMENSIONS]; // a text without words has a vector too
    for word in words {
        let mut bytes = [0; DIMENSIONS];
        blake3::Hasher::new()
            .update(word.as_bytes())
            .finalize_xof()
            .fill(&mut bytes);
        for (sum, byte) in sum.iter_mut().zip(bytes) {
            *sum += f32::from(byte.cast_signed()) / 128.0;
        }
    }
    let length = sum.iter().map(|x| x * x).sum::<f32>().sqrt();
    sum.into_iter().map(|x| x / length).collect()
}

#[async_trait]
impl InferenceEngine for Twin {
    async fn models(&self) -> Result<Vec<ModelInfo>, Error> {
        Ok(vec![self.embedding_model().await?])
    }

    async fn embedding_model(&self) -> Result<ModelInfo, Error> {
        let state = self.state.lock().unwrap();
        if state.mood == Mood::Missing {
            return Err(Self::missing());
        }
        Ok(ModelInfo {
            name: "twin".to_owned(),
            provider: "local".to_owned(),
            kind: ModelKind::Embedding,
            dimensions: Some(DIMENSIONS),
            revision: state.revision.to_string(),
            loaded: true,
        })
    }

    async fn embed(&self, request: EmbedRequest) -> Result<Embeddings, Error> {
        let is_hanging = self.state.lock().unwrap().mood == Mood::Hanging;
        if is_hanging {
            std::future::pending::<()>().await;
        }
        self.answer(request)
    }

    async fn generate(&self, _request: GenerateRequest) -> Result<Generation, Error> {
        Err(Error::InvalidRequest("the twin only embeds".to_owned()))
    }

    async fn generate_stream(&self, _request: GenerateRequest) -> Result<GenerationStream, Error> {
        Err(Error::InvalidRequest("the twin only embeds".to_owned()))
    }
}
