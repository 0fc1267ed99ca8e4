//! A note as text: pure functions from a file's text to what it says.
//!
//! [`parse`] reads Obsidian-flavoured Markdown and returns [`NoteFacts`]; [`decode()`] turns a
//! file's bytes into text first; [`names`] holds the rules by which link texts and headings are
//! compared. The crate touches no file, clock or network, and no input makes it fail: what is not
//! understood is taken as text.
//!
//! Start reading at [`parse`]: it cuts the frontmatter (`frontmatter`), blanks comments (`mask`),
//! and walks the Markdown events of the rest (`body`).

mod body;
mod decode;
mod facts;
mod frontmatter;
mod lines;
mod mask;
pub mod names;
mod parse;
mod spans;

pub use decode::{Decoded, decode};
pub use facts::{
    Block, BlockId, Callout, FrontmatterFault, Heading, InlineField, Link, LinkKind, NoteFacts,
    Tag, Task,
};
pub use parse::{markdown_options, parse};
