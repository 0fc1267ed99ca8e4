//! A model that is in memory: texts go in, vectors come out.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use super::bert::{Bert, Pack};
use super::shape::Shape;
use super::tokenizer::{Tokenizer, cut};
use super::weights::Weights;

/// The name of the file with the weights.
pub(crate) const WEIGHTS_FILE: &str = "model.safetensors";
/// Tokens that are computed together: enough rows to pay for reading the weights once, few enough
/// that what lies between two layers stays near the processor.
const PACK_TOKENS: usize = 256;
/// Below this many tokens, a second thread costs more than it brings.
const SHARED_TOKENS_MIN: usize = 64;

/// A model in memory.
#[derive(Debug)]
pub(crate) struct Encoder {
    tokenizer: Tokenizer,
    bert: Bert,
}

/// The vectors of some texts.
#[derive(Debug, PartialEq)]
pub(crate) struct Encoded {
    /// One per text, of unit length.
    pub vectors: Vec<Vec<f32>>,
    /// Tokens read, the marks around each text included.
    pub tokens: u64,
}

impl Encoder {
    /// Loads the model in `folder`.
    ///
    /// # Errors
    /// In words: what is wrong with its files.
    pub(crate) fn load(folder: &Path) -> Result<Self, String> {
        let shape = Shape::read(folder)?;
        let tokenizer = Tokenizer::read(folder, shape.vocabulary)?;
        let path = folder.join(WEIGHTS_FILE);
        let bert = Bert::load(&mut Weights::open(&path)?, shape)?;
        Ok(Self { tokenizer, bert })
    }

    /// Returns the length of its vectors.
    pub(crate) fn dimensions(&self) -> usize {
        self.bert.shape().hidden
    }

    /// Returns how many bytes its weights take.
    pub(crate) fn bytes(&self) -> usize {
        self.bert.shape().bytes()
    }

    /// Returns the part of a text that it can read: two texts that share it have one vector.
    pub(crate) fn cut<'a>(&self, text: &'a str) -> &'a str {
        cut(text, self.bert.shape().tokens_max)
    }

    /// Returns one vector per text, or `None` when told to stop before they are done.
    ///
    /// At most `threads` threads work, this one among them; all have ended on return.
    pub(crate) fn embed(
        &self,
        texts: &[&str],
        threads: usize,
        stop: &AtomicBool,
    ) -> Option<Encoded> {
        let packs = self.pack(texts);
        let tokens = packs.iter().map(|pack| pack.tokens.len() as u64).sum();
        let threads = threads.max(1);
        let mut vectors = Vec::with_capacity(texts.len());
        if threads == 1 || packs.len() < threads {
            for pack in &packs {
                let is_shared = pack.tokens.len() >= SHARED_TOKENS_MIN;
                let threads = if is_shared { threads } else { 1 };
                vectors.append(&mut self.bert.embed(pack, threads, stop)?);
            }
        } else {
            for part in self.embed_apart(&packs, threads, stop) {
                vectors.append(&mut part?);
            }
        }
        Some(Encoded { vectors, tokens })
    }

    /// Gives each thread packs of its own, so that none waits for another.
    fn embed_apart(
        &self,
        packs: &[Pack],
        threads: usize,
        stop: &AtomicBool,
    ) -> Vec<Option<Vec<Vec<f32>>>> {
        let next = AtomicUsize::new(0);
        let done = Mutex::new(vec![None; packs.len()]);
        let work = || {
            while let Some((index, pack)) = {
                let index = next.fetch_add(1, Ordering::Relaxed);
                packs.get(index).map(|pack| (index, pack))
            } {
                let vectors = self.bert.embed(pack, 1, stop);
                done.lock().unwrap_or_else(PoisonError::into_inner)[index] = vectors;
            }
        };
        std::thread::scope(|scope| {
            for _ in 1..threads {
                scope.spawn(work);
            }
            work();
        });
        done.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lays the tokens of texts end to end, in their order, some texts to a pack.
    fn pack(&self, texts: &[&str]) -> Vec<Pack> {
        let mut packs: Vec<Pack> = Vec::new();
        for text in texts {
            let tokens = self.tokenizer.encode(text, self.bert.shape().tokens_max);
            let pack = match packs.last_mut() {
                Some(pack) if pack.tokens.len() + tokens.len() <= PACK_TOKENS => pack,
                _ => packs.push_mut(Pack::default()),
            };
            pack.lengths.push(tokens.len());
            pack.tokens.extend(tokens);
        }
        packs
    }
}
