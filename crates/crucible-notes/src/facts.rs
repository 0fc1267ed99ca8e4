//! What a note says, as plain data.
//!
//! All byte ranges are half-open, index the text that was parsed (the whole file, frontmatter
//! included) and lie on character boundaries. Lines count from 1.

use std::ops::Range;

use serde_json::{Map, Value};

/// Everything that one pass over a note finds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NoteFacts {
    /// Frontmatter, in the file's order.
    pub properties: Map<String, Value>,
    /// Where the frontmatter is, fences included; `None` when there is none.
    pub frontmatter: Option<Range<usize>>,
    /// What is wrong with the frontmatter; then it is taken as text.
    pub frontmatter_fault: Option<FrontmatterFault>,
    /// Frontmatter `title`, if it is text.
    pub title: Option<String>,
    /// Frontmatter `aliases` (or `alias`), as a list.
    pub aliases: Vec<String>,
    /// All tags without `#`, frontmatter first, then in text order; each spelling once.
    pub tags: Vec<Tag>,
    /// Headings in order.
    pub headings: Vec<Heading>,
    /// Blocks in order; they do not overlap.
    pub blocks: Vec<Block>,
    /// Links in order, those of frontmatter first.
    pub links: Vec<Link>,
    /// Tasks in order.
    pub tasks: Vec<Task>,
    /// Callouts in order.
    pub callouts: Vec<Callout>,
    /// Inline fields `key:: value` in order.
    pub fields: Vec<InlineField>,
}

/// Why frontmatter was not understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FrontmatterFault {
    /// The cause, in words.
    pub message: String,
    /// The line in the file, where the parser names one.
    pub line: Option<u64>,
}

/// A tag and where it first stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag {
    /// The name without `#`, such as `technique/shaping`.
    pub name: String,
    /// Where, with its `#`; `None` for a tag of the frontmatter.
    pub span: Option<Range<usize>>,
}

/// A heading.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heading {
    /// From 1 to 6.
    pub level: u8,
    /// Text without markup.
    pub text: String,
    /// The whole heading.
    pub span: Range<usize>,
    /// Line of its start.
    pub line: u64,
}

/// A piece of a note that is found, shown and embedded as one: about 600 bytes of neighbouring
/// Markdown blocks under one heading; never cut inside a code fence or table below 2 kB.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// Where in the file.
    pub span: Range<usize>,
    /// Line of its start.
    pub line: u64,
    /// The heading it stands under, as an index into [`NoteFacts::headings`]; its ancestors
    /// follow from the levels. `None` before the first heading.
    pub heading: Option<usize>,
    /// What can be searched: text without markup and comments, code and math included; link
    /// aliases instead of targets where there are any.
    pub text: String,
    /// Block identifiers (`^id`, without `^`) that stand in it.
    pub ids: Vec<BlockId>,
}

/// A block identifier and what it names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockId {
    /// The identifier without `^`.
    pub id: String,
    /// The paragraph, list item, quote or table that it names.
    pub span: Range<usize>,
}

/// A link to a note or a file of the vault; links to the web are not kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// How it is written.
    pub kind: LinkKind,
    /// The note or file as written, without heading and block parts, percent-decoded for
    /// Markdown links; empty for a link within the same note.
    pub target: String,
    /// Heading parts after `#`, outermost first.
    pub headings: Vec<String>,
    /// Block part after `#^`.
    pub block: Option<String>,
    /// Text shown instead of the target.
    pub alias: Option<String>,
    /// The whole link, from the first bracket to the last; for a property, the frontmatter.
    pub span: Range<usize>,
    /// Line of its start.
    pub line: u64,
}

/// How a link is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LinkKind {
    /// `[[target]]`
    Wikilink,
    /// `![[target]]`
    Embed,
    /// `[text](target.md)`
    Markdown,
    /// `![alt](image.png)`
    MarkdownEmbed,
    /// `property: "[[target]]"`
    Property,
}

/// A task `- [ ] text`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task {
    /// The character in the brackets: a space is open, `x` is done, others are the writer's.
    pub status: char,
    /// Text without markup, nested items left out.
    pub text: String,
    /// Line of the item.
    pub line: u64,
    /// Where the character in the brackets stands.
    pub status_span: Range<usize>,
}

/// A callout `> [!kind] title`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Callout {
    /// The kind, in lower case.
    pub kind: String,
    /// The title; `None` when the writer gave none.
    pub title: Option<String>,
    /// `+` open, `-` closed; `None` when it cannot be folded.
    pub fold: Option<char>,
    /// Line of its start.
    pub line: u64,
}

/// An inline field `key:: value`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InlineField {
    /// The key as written.
    pub key: String,
    /// The value as written, trimmed; its first 4 kB.
    pub value: String,
    /// Its line.
    pub line: u64,
}
