//! Full text: which notes say these words, best first, with the piece of text that says it.
//!
//! A document of the index is a *block* of about 600 bytes; blocks collapse to notes when they
//! are ranked. The index is derived: [`Error::Damaged`] means that the folder may be moved aside
//! and everything be added again. Nothing here knows about files of the vault, SQLite or tasks;
//! every call blocks.
//!
//! Start reading at [`TextIndex`] (`index`). A text becomes words in `fold` and `analysis`, a query
//! becomes a [`query::Query`]; `search` finds candidates, `rank` makes notes of them, `snippet`
//! cuts out what is shown. `meaning` finds blocks by vectors that others keep, `fuse` makes one
//! ranking of two.

mod analysis;
mod clause;
mod fault;
mod fold;
mod fuse;
mod index;
mod keys;
mod meaning;
mod query;
mod rank;
mod record;
mod schema;
mod scope;
mod search;
mod snippet;
mod stem;
mod verify;
mod view;
mod writer;

#[cfg(test)]
mod tests;

pub(crate) use fault::{Error, is_full};
pub(crate) use index::{Mode, Settings, TextIndex};
pub(crate) use meaning::{Nearest, Survey};
pub(crate) use query::meaning;

/// A note as it is handed to the index.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NoteText<'a> {
    /// The number by which the note is replaced and deleted.
    pub(crate) note_id: i64,
    /// Where the note is, relative to the vault.
    pub(crate) path: &'a str,
    /// Its title.
    pub(crate) title: &'a str,
    /// Whether the note itself says its title, so that it is not the file's name.
    pub(crate) is_title_own: bool,
    /// Its other names.
    pub(crate) aliases: &'a [String],
    /// Its tags, without `#`.
    pub(crate) tags: &'a [String],
    /// Its blocks, in the order of the text; a note without any is found by its title.
    pub(crate) blocks: &'a [TextBlock<'a>],
}

/// A block of a note.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TextBlock<'a> {
    /// Its place among the blocks of the note, from 0.
    pub(crate) ordinal: u32,
    /// Its first line, from 1.
    pub(crate) line: u32,
    /// The headings that it stands under, outermost first.
    pub(crate) heading_path: &'a [&'a str],
    /// What can be searched.
    pub(crate) text: &'a str,
}
