//! Reads a tokenizer from `tokenizer.json`, or from the older `vocab.txt`.

use std::collections::HashMap;
use std::path::Path;

use serde::Deserialize;

use super::{Form, Tokenizer};
use crate::local::shape::{read_json, read_small};

/// The longest tokenizer file that is read; one with 30,000 pieces has 500 kB.
const BYTES_MAX: u64 = 64 << 20;
const UNKNOWN: &str = "[UNK]";
const FIRST: &str = "[CLS]";
const LAST: &str = "[SEP]";
const PREFIX: &str = "##";
const WORD_MAX: usize = 100;

/// `tokenizer.json`, as far as it matters here.
#[derive(Debug, Deserialize)]
struct TokenizerFile {
    normalizer: Option<Normalizer>,
    model: Model,
}

#[derive(Debug, Deserialize)]
struct Normalizer {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default = "yes")]
    clean_text: bool,
    #[serde(default = "yes")]
    handle_chinese_chars: bool,
    strip_accents: Option<bool>,
    #[serde(default = "yes")]
    lowercase: bool,
}

#[derive(Debug, Deserialize)]
struct Model {
    #[serde(rename = "type")]
    kind: Option<String>,
    unk_token: Option<String>,
    continuing_subword_prefix: Option<String>,
    max_input_chars_per_word: Option<usize>,
    vocab: HashMap<String, u32>,
}

/// `tokenizer_config.json`, as far as it matters beside `vocab.txt`.
#[derive(Debug, Default, Deserialize)]
struct TokenizerConfig {
    do_lower_case: Option<bool>,
    strip_accents: Option<bool>,
    tokenize_chinese_chars: Option<bool>,
}

/// Reads the tokenizer of the model in `folder`.
pub(super) fn read(folder: &Path) -> Result<Tokenizer, String> {
    if let Some(file) = read_json::<TokenizerFile>(folder, "tokenizer.json", BYTES_MAX)? {
        return from_json(file);
    }
    let words = read_small(&folder.join("vocab.txt"), BYTES_MAX)
        .map_err(|error| format!("vocab.txt: {error}"))?
        .ok_or("has neither tokenizer.json nor vocab.txt: its tokenizer is missing")?;
    let words = String::from_utf8(words).map_err(|_| "vocab.txt: not UTF-8")?;
    let config: TokenizerConfig =
        read_json(folder, "tokenizer_config.json", BYTES_MAX)?.unwrap_or_default();
    let is_lowercased = config.do_lower_case.unwrap_or(true);
    let form = Form {
        is_cleaned: true,
        is_chinese_split: config.tokenize_chinese_chars.unwrap_or(true),
        are_accents_stripped: config.strip_accents.unwrap_or(is_lowercased),
        is_lowercased,
    };
    let vocabulary = words.lines().zip(0..);
    build(
        vocabulary.map(|(word, id)| (word.to_owned(), id)),
        PREFIX,
        UNKNOWN,
        form,
        WORD_MAX,
    )
}

fn from_json(file: TokenizerFile) -> Result<Tokenizer, String> {
    let TokenizerFile { normalizer, model } = file;
    if model
        .kind
        .as_deref()
        .is_some_and(|kind| kind != "WordPiece")
    {
        return Err(format!(
            "has a tokenizer of the kind {:?}; only WordPiece is read here",
            model.kind.unwrap_or_default()
        ));
    }
    let normalizer = normalizer
        .filter(|normalizer| normalizer.kind == "BertNormalizer")
        .ok_or("has a tokenizer without BERT's normalisation; only that one is done here")?;
    let form = Form {
        is_cleaned: normalizer.clean_text,
        is_chinese_split: normalizer.handle_chinese_chars,
        are_accents_stripped: normalizer.strip_accents.unwrap_or(normalizer.lowercase),
        is_lowercased: normalizer.lowercase,
    };
    let prefix = model.continuing_subword_prefix.as_deref().unwrap_or(PREFIX);
    let unknown = model.unk_token.as_deref().unwrap_or(UNKNOWN);
    let word_max = model.max_input_chars_per_word.unwrap_or(WORD_MAX);
    build(model.vocab.into_iter(), prefix, unknown, form, word_max)
}

fn build(
    vocabulary: impl Iterator<Item = (String, u32)>,
    prefix: &str,
    unknown: &str,
    form: Form,
    word_max: usize,
) -> Result<Tokenizer, String> {
    let mut beginnings = HashMap::new();
    let mut continuations = HashMap::new();
    for (piece, id) in vocabulary {
        match piece.strip_prefix(prefix).filter(|rest| !rest.is_empty()) {
            Some(rest) => continuations.insert(rest.into(), id),
            None => beginnings.insert(piece.into_boxed_str(), id),
        };
    }
    let mark = |name: &str| {
        beginnings
            .get(name)
            .copied()
            .ok_or_else(|| format!("has a vocabulary without {name}: it is not BERT's"))
    };
    Ok(Tokenizer {
        unknown: mark(unknown)?,
        first: mark(FIRST)?,
        last: mark(LAST)?,
        beginnings,
        continuations,
        form,
        word_max: word_max.clamp(1, 1000),
    })
}

fn yes() -> bool {
    true
}
