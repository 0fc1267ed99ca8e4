//! English stems, remembered: text repeats its words, and stemming costs more than all the rest
//! of the analysis.

use tantivy::tokenizer::{Language, RawTokenizer, Stemmer, TextAnalyzer};

/// Words longer than this, in bytes, are kept as they are.
const WORD_BYTES_MAX: usize = 24;
/// Stems remembered, a power of two; one slot per hash, the newest word wins.
const SLOTS: usize = 4096;

#[derive(Clone, Copy)]
struct Slot {
    word: [u8; WORD_BYTES_MAX],
    stem: [u8; WORD_BYTES_MAX],
    word_len: u8,
    stem_len: u8,
}

const EMPTY: Slot = Slot {
    word: [0; WORD_BYTES_MAX],
    stem: [0; WORD_BYTES_MAX],
    word_len: 0,
    stem_len: 0,
};

/// Makes stems of folded words. A clone starts with nothing remembered.
pub(super) struct Stems {
    slots: Vec<Slot>,
    stemmer: TextAnalyzer,
}

impl Stems {
    pub(super) fn new() -> Self {
        let stemmer = TextAnalyzer::builder(RawTokenizer::default())
            .filter(Stemmer::new(Language::English))
            .build();
        Self {
            slots: Vec::new(),
            stemmer,
        }
    }

    /// Replaces `word` by its stem; words that are not English letters only are left alone.
    pub(super) fn stem(&mut self, word: &mut String) {
        if !is_stemmed(word) {
            return;
        }
        if self.slots.is_empty() {
            self.slots = vec![EMPTY; SLOTS];
        }
        let bytes = word.as_bytes();
        let place = hash(bytes) & (SLOTS - 1);
        let slot = &self.slots[place];
        if slot.word[..usize::from(slot.word_len)] == *bytes {
            let stem = &slot.stem[..usize::from(slot.stem_len)];
            if stem.len() < bytes.len() || stem != bytes {
                let stem = std::str::from_utf8(stem).unwrap_or_default();
                word.clear();
                word.push_str(stem);
            }
            return;
        }
        let mut slot = EMPTY;
        slot.word[..bytes.len()].copy_from_slice(bytes);
        slot.word_len = small(bytes.len());
        self.stem_once(word);
        slot.stem[..word.len()].copy_from_slice(word.as_bytes());
        slot.stem_len = small(word.len());
        self.slots[place] = slot;
    }

    /// As [`Stems::stem`], without remembering: for the few words of a query.
    pub(super) fn stem_once(&mut self, word: &mut String) {
        if !is_stemmed(word) {
            return;
        }
        let mut stream = self.stemmer.token_stream(word);
        let stem = stream
            .next()
            .map(|token| token.text.clone())
            .unwrap_or_default();
        drop(stream);
        if !stem.is_empty() && stem.len() <= word.len() {
            *word = stem;
        }
    }
}

fn is_stemmed(word: &str) -> bool {
    (3..=WORD_BYTES_MAX).contains(&word.len()) && word.bytes().all(|byte| byte.is_ascii_lowercase())
}

impl Clone for Stems {
    fn clone(&self) -> Self {
        Self {
            slots: Vec::new(),
            stemmer: self.stemmer.clone(),
        }
    }
}

/// A length that is at most [`WORD_BYTES_MAX`].
fn small(len: usize) -> u8 {
    u8::try_from(len).unwrap_or(0)
}

/// Multiply and rotate over words of eight bytes, as in rustc's hash.
fn hash(bytes: &[u8]) -> usize {
    let mut state = bytes.len() as u64;
    for chunk in bytes.chunks(8) {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        state =
            (state.rotate_left(5) ^ u64::from_le_bytes(word)).wrapping_mul(0x517c_c1b7_2722_0a95);
    }
    usize::try_from(state >> 40).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stems_are_the_same_remembered_or_not() {
        let mut stems = Stems::new();
        for _ in 0..2 {
            for (word, expected) in [
                ("running", "run"),
                ("notes", "note"),
                ("note", "note"),
                ("is", "is"),
                ("café", "café"),
                ("x86s", "x86s"),
                (
                    "internationalizationalizations",
                    "internationalizationalizations",
                ),
            ] {
                let mut word = word.to_owned();
                stems.stem(&mut word);
                assert_eq!(word, expected);
            }
        }
    }

    #[test]
    fn words_that_share_a_slot_do_not_mix() {
        let mut stems = Stems::new();
        for i in 0..20_000_u32 {
            let letters: String = format!("{i:05}")
                .bytes()
                .map(|digit| char::from(b'k' + (digit - b'0')))
                .collect();
            let mut first = format!("{letters}ing");
            stems.stem(&mut first);
            let mut fresh = format!("{letters}ing");
            if i % 97 == 0 {
                Stems::new().stem(&mut fresh);
                assert_eq!(first, fresh);
            }
        }
    }
}
