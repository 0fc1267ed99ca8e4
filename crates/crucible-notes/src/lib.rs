//! A note as text: pure functions from a file's text to what it says.
//!
//! [`parse()`] reads Obsidian-flavoured Markdown and returns [`NoteFacts`]; [`decode()`] turns a
//! file's bytes into text first; [`names`] holds the rules by which link texts and headings are
//! compared. The crate touches no file, clock or network, and no input makes it fail: what is not
//! understood is taken as text. Time and memory grow linearly with the text.
//!
//! Start reading at [`parse()`]: it cuts the frontmatter (`frontmatter`), blanks comments (`mask`),
//! and walks the Markdown events of the rest (`body`). Texts are changed by [`edit`] and
//! [`rewrite_links`].
//!
//! ```
//! let facts = crucible_notes::parse("# Bread\n\n- [ ] Feed the [[starter|levain]] #daily\n");
//! assert_eq!(facts.headings[0].text, "Bread");
//! assert_eq!(facts.links[0].target, "starter");
//! assert_eq!(facts.tasks[0].text, "Feed the levain #daily");
//! assert_eq!(facts.tags[0].name, "daily");
//! ```

mod body;
mod decode;
pub mod edit;
mod facts;
mod frontmatter;
mod lines;
mod margin;
mod mask;
pub mod names;
mod parse;
mod relink;
mod spans;
mod visible;

pub use decode::{Decoded, decode};
pub use facts::{
    Block, BlockId, Callout, FrontmatterFault, Heading, InlineField, Link, LinkKind, NoteFacts,
    Tag, Task,
};
pub use parse::{markdown_options, parse};
pub use relink::{Relinked, Relocation, rewrite_links};
pub use visible::{Visible, visible};
