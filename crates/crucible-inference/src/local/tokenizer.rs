//! Cuts text into the numbered pieces that a BERT model reads (WordPiece).
//!
//! The rules are those of the `BertNormalizer`, `BertPreTokenizer` and `WordPiece` of Hugging
//! Face's tokenizers, character by character and only as far as the model reads: a text of 10 MB
//! costs no more than its beginning. One difference is wanted: what looks like a mark of the
//! model, as `[SEP]`, is text like any other.

mod characters;
mod file;

use std::collections::HashMap;
use std::path::Path;

use unicode_normalization::UnicodeNormalization as _;

use characters::{is_chinese, is_dropped, is_mark, is_punctuation};

/// How much of a text is looked at per token that the model reads, in bytes. Only text that is
/// hardly language has longer words, or longer stretches without any.
const BYTES_PER_TOKEN: usize = 256;

/// A vocabulary, and how text is brought to its form.
#[derive(Debug)]
pub(crate) struct Tokenizer {
    /// Pieces that begin a word.
    beginnings: HashMap<Box<str>, u32>,
    /// Pieces that continue one, without the prefix that marks them.
    continuations: HashMap<Box<str>, u32>,
    form: Form,
    unknown: u32,
    first: u32,
    last: u32,
    /// The longest word that is looked up, in characters; a longer one is unknown.
    word_max: usize,
}

/// What is done to text before it is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Form {
    is_cleaned: bool,
    is_chinese_split: bool,
    are_accents_stripped: bool,
    is_lowercased: bool,
}

impl Tokenizer {
    /// Reads the tokenizer of the model in `folder`, which knows `vocabulary` tokens.
    ///
    /// # Errors
    /// In words: no file of it is there, or it is of another kind.
    pub(crate) fn read(folder: &Path, vocabulary: usize) -> Result<Self, String> {
        let tokenizer = file::read(folder)?;
        tokenizer.check(vocabulary)?;
        Ok(tokenizer)
    }

    /// Returns the tokens of `text` between the two marks around it, at most `tokens_max` in all.
    pub(crate) fn encode(&self, text: &str, tokens_max: usize) -> Vec<u32> {
        let mut tokens = Tokens {
            tokenizer: self,
            found: vec![self.first],
            most: tokens_max.saturating_sub(1),
            word: String::new(),
            word_length: 0,
        };
        tokens.read(cut(text, tokens_max));
        let mut found = tokens.found;
        found.truncate(tokens_max.saturating_sub(1));
        found.push(self.last);
        found
    }

    fn check(&self, vocabulary: usize) -> Result<(), String> {
        let pieces = self.beginnings.values().chain(self.continuations.values());
        match pieces.max() {
            Some(highest) if *highest as usize >= vocabulary => Err(format!(
                "its tokenizer has a token {highest}, and its weights know only {vocabulary}: \
                 they do not belong together"
            )),
            _ => Ok(()),
        }
    }

    /// Appends the pieces of a word, the longest first; one unknown token when it has none.
    fn pieces(&self, word: &str, found: &mut Vec<u32>) {
        let before = found.len();
        let mut rest = word;
        let mut pieces = &self.beginnings;
        while !rest.is_empty() {
            let ends = rest.char_indices().rev().map(|(at, c)| at + c.len_utf8());
            let longest = ends
                .filter_map(|end| Some((end, *pieces.get(&rest[..end])?)))
                .next();
            let Some((end, piece)) = longest else {
                found.truncate(before);
                found.push(self.unknown);
                return;
            };
            found.push(piece);
            rest = &rest[end..];
            pieces = &self.continuations;
        }
    }
}

/// Returns the beginning of `text`: all that can matter for `tokens_max` tokens.
pub(crate) fn cut(text: &str, tokens_max: usize) -> &str {
    let end = tokens_max.saturating_mul(BYTES_PER_TOKEN);
    &text[..text.floor_char_boundary(end)]
}

/// The tokens of one text, while it is read.
struct Tokens<'a> {
    tokenizer: &'a Tokenizer,
    found: Vec<u32>,
    most: usize,
    word: String,
    word_length: usize,
}

impl Tokens<'_> {
    fn read(&mut self, text: &str) {
        let form = self.tokenizer.form;
        let characters = text
            .chars()
            .filter(|c| !(form.is_cleaned && is_dropped(*c)))
            .flat_map(|c| {
                let space = (form.is_chinese_split && is_chinese(c)).then_some(' ');
                space.into_iter().chain([c]).chain(space)
            });
        if form.are_accents_stripped {
            self.read_characters(characters.nfd().filter(|c| !is_mark(*c)));
        } else {
            self.read_characters(characters);
        }
    }

    fn read_characters(&mut self, characters: impl Iterator<Item = char>) {
        for character in characters {
            if self.tokenizer.form.is_lowercased {
                for lower in character.to_lowercase() {
                    self.take(lower);
                }
            } else {
                self.take(character);
            }
            if self.found.len() >= self.most {
                return;
            }
        }
        self.end_word();
    }

    fn take(&mut self, character: char) {
        if character.is_whitespace() {
            self.end_word();
        } else if is_punctuation(character) {
            self.end_word();
            self.append(character);
            self.end_word();
        } else {
            self.append(character);
        }
    }

    fn append(&mut self, character: char) {
        self.word_length += 1;
        if self.word_length <= self.tokenizer.word_max {
            self.word.push(character);
        }
    }

    fn end_word(&mut self) {
        if self.word_length > self.tokenizer.word_max {
            self.found.push(self.tokenizer.unknown);
        } else {
            self.tokenizer.pieces(&self.word, &mut self.found);
        }
        self.word.clear();
        self.word_length = 0;
    }
}

#[cfg(test)]
mod tests;
