//! A note as text: pure functions from a file's text to what it says.
//!
//! `parse` reads Obsidian-flavoured Markdown in one pass and returns [`NoteFacts`]. The crate
//! touches no file, clock or network.

mod facts;

pub use facts::{
    Block, BlockId, Callout, FrontmatterFault, Heading, InlineField, Link, LinkKind, NoteFacts,
    Tag, Task,
};
