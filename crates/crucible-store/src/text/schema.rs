//! The fields of the index, and the documents that a note becomes.
//!
//! Every block is a document with the note's number, and with title, headings and text as one field, so
//! that a word costs a search one list and not two. The *lead*, the first block of a note, also carries
//! what is asked about notes: names, tags and folders.

use tantivy::TantivyDocument;
use tantivy::schema::{
    FAST, Field, INDEXED, IndexRecordOption, STORED, Schema, TextFieldIndexing, TextOptions,
};
use tantivy::tokenizer::{TextAnalyzer, TokenizerManager};

use super::analysis::{self, BlockTokenizer};
use super::meaning::Passage;
use super::{NoteText, TextBlock, fold, record};

/// Counts changes of the schema and of the analysis: an index of another number is rebuilt.
pub(super) const FORMAT: u32 = 3;

/// The note number of the canary; no note has it.
pub(super) const CANARY_ID: i64 = i64::MIN;
/// The name of the canary: not a form that any name can fold to.
pub(super) const CANARY_NAME: &str = "\u{1}canary";

/// The field with the note's number, by the name under which columns are opened.
pub(super) const NOTE: &str = "note";
/// The field with the key of what a block means, by the name under which columns are opened.
pub(super) const PASSAGE: &str = "passage";

const TOKENIZER: &str = "crucible";

/// The fields of the index.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fields {
    /// Number of the note; indexed for deletion, a column for ranking.
    pub(super) note: Field,
    /// Lead only: title, aliases and file name, which weigh more than what is in `body`.
    pub(super) title: Field,
    /// Title, headings and text, each as a value; of the lead also aliases and file name.
    pub(super) body: Field,
    /// Lead only: [`analysis::name_key`] of title, aliases and file name.
    pub(super) name: Field,
    /// Lead only: keys of the tags and of their parents.
    pub(super) tag: Field,
    /// Lead only: keys of the folders above the note.
    pub(super) folder: Field,
    /// The key of the block's [`Passage`]; a column. Blocks without text have none.
    pub(super) passage: Field,
    /// The [`record`].
    pub(super) record: Field,
}

/// Builds the schema.
pub(super) fn schema() -> (Schema, Fields) {
    let mut builder = Schema::builder();
    let text = TextOptions::default().set_indexing_options(
        TextFieldIndexing::default()
            .set_tokenizer(TOKENIZER)
            .set_index_option(IndexRecordOption::WithFreqsAndPositions),
    );
    let key = TextOptions::default().set_indexing_options(
        TextFieldIndexing::default()
            .set_tokenizer("raw")
            .set_fieldnorms(false)
            .set_index_option(IndexRecordOption::Basic),
    );
    let fields = Fields {
        note: builder.add_i64_field(NOTE, INDEXED | FAST),
        title: builder.add_text_field("title", text.clone()),
        body: builder.add_text_field("body", text),
        name: builder.add_text_field("name", key.clone()),
        tag: builder.add_text_field("tag", key.clone()),
        folder: builder.add_text_field("folder", key),
        passage: builder.add_u64_field(PASSAGE, FAST),
        record: builder.add_text_field("record", STORED),
    };
    (builder.build(), fields)
}

/// The analyses that the schema names.
pub(super) fn tokenizers() -> TokenizerManager {
    let manager = TokenizerManager::default();
    manager.register(TOKENIZER, TextAnalyzer::from(BlockTokenizer::new()));
    manager
}

impl Fields {
    /// The documents of a note; at least one.
    pub(super) fn documents(self, note: &NoteText<'_>) -> Vec<TantivyDocument> {
        let empty = [TextBlock {
            ordinal: 0,
            line: 1,
            heading_path: &[],
            text: "",
        }];
        let blocks = if note.blocks.is_empty() {
            &empty
        } else {
            note.blocks
        };
        let lead = self.lead(note, &blocks[0]);
        let others = blocks[1..].iter().map(|block| {
            let mut document = self.document(note, block);
            document.add_text(self.record, record::encode(note, block, &[]));
            document
        });
        [lead].into_iter().chain(others).collect()
    }

    fn document(self, note: &NoteText<'_>, block: &TextBlock<'_>) -> TantivyDocument {
        let mut document = TantivyDocument::new();
        document.add_i64(self.note, note.note_id);
        document.add_text(self.body, note.title);
        for heading in block
            .heading_path
            .iter()
            .filter(|heading| **heading != note.title)
        {
            document.add_text(self.body, heading);
        }
        document.add_text(self.body, block.text);
        if let Some(passage) = Passage::of_block(note, block) {
            document.add_u64(self.passage, passage.key());
        }
        document
    }

    fn lead(self, note: &NoteText<'_>, block: &TextBlock<'_>) -> TantivyDocument {
        let mut document = self.document(note, block);
        let names = names(note);
        for (name, key) in &names {
            document.add_text(self.title, name);
            document.add_text(self.name, key);
        }
        let others: Vec<&str> = names
            .iter()
            .map(|(name, _)| *name)
            .filter(|name| *name != note.title)
            .collect();
        for name in &others {
            document.add_text(self.body, name);
        }
        document.add_text(self.record, record::encode(note, block, &others));
        let mut tags: Vec<String> = note
            .tags
            .iter()
            .flat_map(|tag| with_parents(&fold::key(tag)))
            .collect();
        tags.sort_unstable();
        tags.dedup();
        for tag in &tags {
            document.add_text(self.tag, tag);
        }
        if let Some((folder, _)) = note.path.rsplit_once('/') {
            for folder in with_parents(&fold::key(folder)) {
                document.add_text(self.folder, &folder);
            }
        }
        document
    }

    /// The document that says whether the index answers.
    pub(super) fn canary(self) -> TantivyDocument {
        let mut document = TantivyDocument::new();
        document.add_i64(self.note, CANARY_ID);
        document.add_text(self.name, CANARY_NAME);
        document
    }
}

/// Title, aliases and file name with their keys, each key once.
fn names<'a>(note: &NoteText<'a>) -> Vec<(&'a str, String)> {
    let others = note
        .aliases
        .iter()
        .map(String::as_str)
        .chain([file_name(note.path)]);
    let mut names: Vec<(&str, String)> = Vec::new();
    for name in [note.title].into_iter().chain(others) {
        if let Some(key) = analysis::name_key(name)
            && names.iter().all(|(_, known)| *known != key)
        {
            names.push((name, key));
        }
    }
    names
}

/// The file's name without folders and without `.md`.
fn file_name(path: &str) -> &str {
    let name = path.rsplit('/').next().unwrap_or(path);
    [".md", ".markdown"]
        .iter()
        .find_map(|end| name.strip_suffix(end))
        .unwrap_or(name)
}

/// `a/b/c` as `a`, `a/b`, `a/b/c`.
fn with_parents(key: &str) -> Vec<String> {
    let ends = key.match_indices('/').map(|(at, _)| at).chain([key.len()]);
    ends.filter(|&end| end > 0)
        .map(|end| key[..end].to_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_have_their_parents() {
        assert_eq!(with_parents("a/b/c"), ["a", "a/b", "a/b/c"]);
        assert_eq!(with_parents("a"), ["a"]);
        assert!(with_parents("").is_empty());
    }

    #[test]
    fn file_names_lose_folder_and_ending() {
        assert_eq!(file_name("a/b c.md"), "b c");
        assert_eq!(file_name("b.txt"), "b.txt");
    }
}
