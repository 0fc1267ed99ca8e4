//! The vocabulary of the Data Store: what can be asked about notes, and the answers.
//!
//! All paths are relative to the vault and use `/`. All answers are plain data that serialises,
//! so that a store in another process answers through the same trait.

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Answers questions about notes. Object-safe; every call has a bounded answer.
#[async_trait]
pub trait DataStore: Send + Sync {
    /// Finds the notes that match best, best first.
    ///
    /// # Errors
    /// [`Error::InvalidQuery`] when the query cannot be read.
    async fn search(&self, request: SearchRequest) -> Result<SearchResponse, Error>;

    /// Returns one note with its text and facts.
    ///
    /// `reference` is a vault path (with or without `.md`), a file name, a title or an alias.
    ///
    /// # Errors
    /// [`Error::NotFound`], with near names; [`Error::Ambiguous`], with the candidates.
    async fn note(&self, reference: &str) -> Result<Note, Error>;

    /// Lists notes in path order.
    ///
    /// # Errors
    /// [`Error::InvalidQuery`] when the cursor is not one that a former page gave.
    async fn list_notes(&self, request: ListRequest) -> Result<NotePage, Error>;

    /// Returns the links from and to a note; `reference` as in [`DataStore::note`].
    ///
    /// # Errors
    /// As [`DataStore::note`].
    async fn links(&self, reference: &str) -> Result<NoteLinks, Error>;

    /// Returns how much the store holds.
    ///
    /// # Errors
    /// When the store cannot be read.
    async fn stats(&self) -> Result<StoreStats, Error>;

    /// Returns what was skipped or found faulty in the vault, in path order, at most `limit`.
    ///
    /// # Errors
    /// When the store cannot be read.
    async fn problems(&self, limit: usize) -> Result<Vec<Problem>, Error>;
}

/// A search over the blocks of all notes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SearchRequest {
    /// Words, `"phrases"` and `-exclusions`; a note that matches more of them ranks higher.
    pub query: String,
    /// How many notes to return at most; from 1 to [`SearchRequest::LIMIT_MAX`].
    #[serde(default = "SearchRequest::default_limit")]
    pub limit: usize,
    /// Only notes below this folder; `None` for the whole vault.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folder: Option<String>,
    /// Only notes that carry every one of these tags (without `#`); a tag includes its children.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// How notes are matched.
    #[serde(default, skip_serializing_if = "SearchMode::is_auto")]
    pub mode: SearchMode,
}

impl SearchRequest {
    /// The most notes that one search returns.
    pub const LIMIT_MAX: usize = 100;

    /// Creates a search for `query` over the whole vault, ten notes at most.
    #[must_use]
    pub fn new(query: impl Into<String>) -> Self {
        Self {
            query: query.into(),
            limit: Self::default_limit(),
            folder: None,
            tags: Vec::new(),
            mode: SearchMode::Auto,
        }
    }

    const fn default_limit() -> usize {
        10
    }
}

/// How a search matches notes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SearchMode {
    /// [`SearchMode::Hybrid`] where vectors are at hand, else [`SearchMode::Lexical`] with a
    /// notice that says so.
    #[default]
    Auto,
    /// By words.
    Lexical,
    /// By meaning: the vectors nearest to the query's.
    Semantic,
    /// By both, the two rankings fused.
    Hybrid,
}

impl SearchMode {
    /// Returns whether this is the default.
    #[must_use]
    pub const fn is_auto(&self) -> bool {
        matches!(self, Self::Auto)
    }
}

/// The answer to a search.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SearchResponse {
    /// The notes found, best first.
    pub hits: Vec<SearchHit>,
    /// How long the search took inside the store, in microseconds.
    pub took_us: u64,
    /// How notes were matched: never [`SearchMode::Auto`].
    #[serde(default)]
    pub mode: SearchMode,
    /// What the person should know about this answer, such as an index that is still being built.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notices: Vec<String>,
}

/// One note found, with its best block.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SearchHit {
    /// Where the note is.
    pub path: String,
    /// The note's title.
    pub title: String,
    /// The headings above the best block, outermost first.
    #[serde(default)]
    pub heading_path: Vec<String>,
    /// The line of the best block, from 1.
    pub line: u64,
    /// A piece of the best block with the words found.
    pub snippet: Snippet,
    /// What the order follows, comparable within one answer only: the BM25 score of the best block
    /// with title weight in a lexical search, its cosine in a semantic one, the fused rank in a
    /// hybrid one.
    pub score: f32,
    /// The parts that the score came from.
    #[serde(default)]
    pub parts: ScoreParts,
}

/// Where a hit stood in each ranking; `None` where it was not among the candidates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct ScoreParts {
    /// Its rank by words, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lexical_rank: Option<u32>,
    /// Its BM25 score.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bm25: Option<f32>,
    /// Its rank by meaning, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub semantic_rank: Option<u32>,
    /// The cosine between the query's vector and the best block's, from -1 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cosine: Option<f32>,
}

/// A piece of text with highlighted parts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Snippet {
    /// The text, one line.
    pub text: String,
    /// Byte ranges `[start, end)` in `text` that match the query; ascending, disjoint, on
    /// character boundaries.
    pub highlights: Vec<(usize, usize)>,
}

/// One note with its text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Note {
    /// What is known about it.
    #[serde(flatten)]
    pub summary: NoteSummary,
    /// The whole file as text.
    pub text: String,
    /// Frontmatter, in the file's order; empty when there is none or it is faulty.
    pub properties: Map<String, Value>,
    /// The outline.
    pub headings: Vec<Heading>,
}

/// What is known about a note without its text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct NoteSummary {
    /// Where the note is.
    pub path: String,
    /// Frontmatter `title`, else the first heading of level 1, else the file name without `.md`.
    pub title: String,
    /// Other names, from frontmatter `aliases`.
    #[serde(default)]
    pub aliases: Vec<String>,
    /// Tags without `#`, from frontmatter and text, sorted, each once.
    #[serde(default)]
    pub tags: Vec<String>,
    /// BLAKE3 of the file's bytes, as 64 hexadecimal digits.
    pub hash: String,
    /// The file's size.
    pub size_bytes: u64,
    /// The file's modification time, milliseconds since the Unix epoch.
    pub modified_ms: i64,
}

/// One heading of an outline.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Heading {
    /// From 1 to 6.
    pub level: u8,
    /// The heading's text without markup.
    pub text: String,
    /// Its line, from 1.
    pub line: u64,
}

/// Which notes to list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ListRequest {
    /// Only notes below this folder; `None` for the whole vault.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub folder: Option<String>,
    /// Only notes that carry this tag (without `#`) or a child of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// How many notes to return; 0 stands for [`ListRequest::LIMIT_DEFAULT`], and more than
    /// [`ListRequest::LIMIT_MAX`] for that.
    pub limit: usize,
    /// Where the former page ended: its [`NotePage::next_cursor`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

impl ListRequest {
    /// How many notes a page has when the request does not say.
    pub const LIMIT_DEFAULT: usize = 100;
    /// The most notes that a page can have.
    pub const LIMIT_MAX: usize = 1000;
}

/// One page of a listing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct NotePage {
    /// The notes, in path order.
    pub notes: Vec<NoteSummary>,
    /// How many notes match in all.
    pub total: u64,
    /// Give this to get the next page; `None` when this is the last.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub next_cursor: Option<String>,
}

/// The links of one note, both ways.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct NoteLinks {
    /// Where the note is.
    pub path: String,
    /// The note's title.
    pub title: String,
    /// Links that the note makes, in the order of its text.
    pub outgoing: Vec<OutgoingLink>,
    /// Links that other notes make to it, by path and line.
    pub backlinks: Vec<Backlink>,
}

/// A link that a note makes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OutgoingLink {
    /// The target as it is written, without alias, heading and block parts.
    pub target: String,
    /// The note or file that the target names; `None` when nothing has that name.
    pub resolved: Option<String>,
    /// True when other files have that name too, and the nearest was taken.
    #[serde(default)]
    pub ambiguous: bool,
    /// The heading part, after `#`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heading: Option<String>,
    /// The block part, after `#^`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub block: Option<String>,
    /// The text shown instead of the target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alias: Option<String>,
    /// How the link is written.
    pub kind: LinkKind,
    /// The line of the link, from 1.
    pub line: u64,
}

/// How a link is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LinkKind {
    /// `[[target]]`
    Wikilink,
    /// `![[target]]`
    Embed,
    /// `[text](target.md)`
    Markdown,
    /// `![alt](image.png)`
    MarkdownEmbed,
    /// `property: "[[target]]"` in frontmatter.
    Property,
}

/// A link that another note makes to this one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Backlink {
    /// The note that links.
    pub path: String,
    /// Its title.
    pub title: String,
    /// The line of the link, from 1.
    pub line: u64,
    /// The line's text, shortened.
    pub context: String,
    /// How the link is written.
    pub kind: LinkKind,
}

/// How much a store holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StoreStats {
    /// Notes with facts.
    pub notes: u64,
    /// Their blocks.
    pub blocks: u64,
    /// Links that they make to notes and files.
    pub links: u64,
    /// Links whose target nothing has the name of.
    pub links_unresolved: u64,
    /// Distinct tags.
    pub tags: u64,
    /// Faults and skipped files.
    pub problems: u64,
    /// Notes that the text index has not taken over yet.
    pub text_pending: u64,
    /// Notes parsed since the store was opened.
    pub parsed_since_open: u64,
    /// Size of the index on disk.
    pub index_size_bytes: u64,
    /// How far the vectors of blocks are; `None` where nothing makes them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vectors: Option<VectorStats>,
}

/// How far the vectors of blocks are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct VectorStats {
    /// The model that makes them; `None` when it is not known, or cannot be used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Blocks that can have a vector; 0 until they were counted.
    pub blocks: u64,
    /// Those of them that have one.
    pub blocks_done: u64,
    /// Why none are made now although some are missing, with the cure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// Something in the vault that was skipped or is faulty.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Problem {
    /// Where; for a name that is not UTF-8, with replacement characters.
    pub path: String,
    /// What sort of fault.
    pub kind: ProblemKind,
    /// The cause and the cure, in words.
    pub message: String,
    /// The line, from 1, where one can be named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
}

/// The sorts of faults. The first group means that the file is not indexed.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ProblemKind {
    /// Skipped: the operating system refused to read it.
    Unreadable,
    /// Skipped: larger than the limit.
    TooLarge,
    /// Skipped: binary content in a file named like a note.
    Binary,
    /// Skipped: its name is not UTF-8.
    NameNotUtf8,
    /// Skipped: a link that leaves the vault or leads back into it.
    Link,
    /// Skipped: not a regular file, such as a pipe or a device.
    NotRegular,
    /// Skipped: folders nested deeper than the limit.
    TooDeep,
    /// Indexed: frontmatter cannot be parsed and was taken as text.
    Frontmatter,
    /// Indexed: bytes that are not UTF-8 were replaced.
    InvalidUtf8,
    /// Indexed: its name differs from another file's only by letter case or Unicode form.
    NameTwin,
}

impl ProblemKind {
    /// Says whether a file with this fault is left out of the index.
    #[must_use]
    pub const fn is_skipped(self) -> bool {
        !matches!(self, Self::Frontmatter | Self::InvalidUtf8 | Self::NameTwin)
    }
}

/// Why a question could not be answered. Messages read after "failed to ..: ".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(tag = "code", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Error {
    /// No note has this name.
    #[error("no note is called {reference:?}{}", did_you_mean(candidates))]
    NotFound {
        /// The name asked for.
        reference: String,
        /// Paths with a similar name, best first.
        #[serde(default)]
        candidates: Vec<String>,
    },
    /// Several notes have this name.
    #[error("several notes are called {reference:?}: {}; give the path", candidates.join(", "))]
    Ambiguous {
        /// The name asked for.
        reference: String,
        /// The paths of all of them.
        candidates: Vec<String>,
    },
    /// The request cannot be read.
    #[error("{message}")]
    InvalidQuery {
        /// What is wrong and how to mend it.
        message: String,
    },
    /// The store cannot answer now.
    #[error("the data store is unavailable: {reason}")]
    Unavailable {
        /// Why, in words.
        reason: String,
    },
    /// The store is damaged or the operating system refused.
    #[error("the data store failed: {message}")]
    Internal {
        /// What happened, in words.
        message: String,
    },
}

fn did_you_mean(candidates: &[String]) -> String {
    if candidates.is_empty() {
        String::new()
    } else {
        format!("; did you mean {}?", candidates.join(", "))
    }
}
