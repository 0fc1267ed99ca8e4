//! Turns a changed file into what the tables and the text index take. Pure, and the part of a
//! batch that runs on several threads.

mod context;
mod note;

use bytes::Bytes;
use crucible_notes::{Decoded, decode};
use crucible_services::data_store::{Problem, ProblemKind};
use crucible_services::note_index::{FileChange, FileContent, FileStamp};

pub(crate) use note::{ParsedNote, title_from_path};

/// One change, as far as it can be worked out without the tables.
#[derive(Debug)]
pub(crate) enum Prepared {
    /// A note with its content.
    Note {
        path: String,
        stamp: FileStamp,
        note: PreparedNote,
    },
    /// A change that needs no reading.
    Other(FileChange),
}

/// A note's content, parsed unless its hash was known.
#[derive(Debug)]
pub(crate) struct PreparedNote {
    pub(crate) hash: [u8; 32],
    bytes: Bytes,
    parsed: Option<Parsed>,
}

/// What a file named like a note turned out to be.
#[derive(Debug)]
pub(crate) enum Parsed {
    /// A note.
    Note(Box<ParsedNote>),
    /// Not a note: it is skipped.
    Skipped(Problem),
}

impl PreparedNote {
    pub(crate) fn new(bytes: Bytes) -> Self {
        Self {
            hash: blake3::hash(&bytes).into(),
            bytes,
            parsed: None,
        }
    }

    /// Returns what the file is, parsing it now if nobody did before.
    pub(crate) fn into_parsed(self, path: &str) -> Parsed {
        self.parsed.unwrap_or_else(|| parse(path, &self.bytes))
    }
}

/// Prepares changes in order. `known_hash` returns the hash that the tables hold for a path; a
/// note whose hash it is stays unparsed.
pub(crate) fn prepare(
    changes: Vec<FileChange>,
    mut known_hash: impl FnMut(&str) -> Option<[u8; 32]>,
) -> Vec<Prepared> {
    let prepare_one = |change| match change {
        FileChange::Upsert {
            path,
            stamp,
            content: FileContent::Note(bytes),
        } => {
            let mut note = PreparedNote::new(bytes);
            if known_hash(&path) != Some(note.hash) {
                note.parsed = Some(parse(&path, &note.bytes));
            }
            Prepared::Note { path, stamp, note }
        }
        other => Prepared::Other(other),
    };
    changes.into_iter().map(prepare_one).collect()
}

/// Decodes and parses the file at `path`. A panic of the parser costs only this file.
pub(crate) fn parse(path: &str, bytes: &[u8]) -> Parsed {
    std::panic::catch_unwind(|| parse_unguarded(path, bytes)).unwrap_or_else(|panic| {
        Parsed::Skipped(Problem {
            path: path.to_owned(),
            kind: ProblemKind::Unreadable,
            message: format!(
                "the parser failed on it ({}); please report this with the file",
                crucible_services::tasks::panic_message(panic.as_ref())
            ),
            line: None,
        })
    })
}

fn parse_unguarded(path: &str, bytes: &[u8]) -> Parsed {
    let problem = |kind, message| Problem {
        path: path.to_owned(),
        kind,
        message,
        line: None,
    };
    match decode(bytes) {
        Decoded::Binary => Parsed::Skipped(problem(
            ProblemKind::Binary,
            "it is named like a note but holds binary data; give it the extension of its format"
                .to_owned(),
        )),
        Decoded::Utf8(text) => Parsed::Note(Box::new(ParsedNote::new(path, text))),
        Decoded::Lossy {
            text,
            invalid,
            first,
        } => {
            let mut note = ParsedNote::new(path, &text);
            let line = line_after(&bytes[..first.min(bytes.len())]);
            let message = format!(
                "{invalid} byte sequences are not UTF-8 and were read as \u{fffd}, the first at \
                 byte {first}; save the file as UTF-8"
            );
            note.problems.push(Problem {
                line: Some(line),
                ..problem(ProblemKind::InvalidUtf8, message)
            });
            Parsed::Note(Box::new(note))
        }
        Decoded::Utf16 { text, invalid } => {
            let mut note = ParsedNote::new(path, &text);
            if invalid > 0 {
                let message = format!(
                    "{invalid} units are not UTF-16 and were read as \u{fffd}; save the file as \
                     UTF-8"
                );
                note.problems
                    .push(problem(ProblemKind::InvalidUtf8, message));
            }
            Parsed::Note(Box::new(note))
        }
    }
}

/// The line, from 1, that follows `before`.
fn line_after(before: &[u8]) -> u64 {
    before.iter().filter(|byte| **byte == b'\n').count() as u64 + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(bytes: &[u8]) -> Parsed {
        parse("folder/Some note.md", bytes)
    }

    fn note(bytes: &[u8]) -> ParsedNote {
        match parsed(bytes) {
            Parsed::Note(note) => *note,
            Parsed::Skipped(problem) => panic!("binary: {problem:?}"),
        }
    }

    fn problems(bytes: &[u8]) -> Vec<ProblemKind> {
        note(bytes)
            .problems
            .iter()
            .map(|problem| problem.kind)
            .collect()
    }

    #[test]
    fn title_is_that_of_frontmatter_else_heading_else_file() {
        assert_eq!(note(b"---\ntitle: T\n---\n# H\n").title, "T");
        assert_eq!(note(b"text\n\n## Two\n\n# One\n").title, "One");
        assert_eq!(note(b"text").title, "Some note");
        assert_eq!(note(b"---\ntitle: \"  \"\n---\n").title, "Some note");
    }

    #[test]
    fn faults_become_problems_and_the_note_stays() {
        assert_eq!(
            problems(b"---\na: [1\n---\ntext"),
            [ProblemKind::Frontmatter]
        );
        assert_eq!(problems(b"one\ncaf\xe9"), [ProblemKind::InvalidUtf8]);
        assert_eq!(note(b"one\ncaf\xe9").problems[0].line, Some(2));
        assert_eq!(problems(b"\xff\xfeA\0\n\0"), []);
        assert_eq!(problems(b"\xff\xfeA\0\n\0\0"), [ProblemKind::InvalidUtf8]);
        assert!(matches!(
            parsed(b"\x89PNG\r\n\x1a\n..."),
            Parsed::Skipped(_)
        ));
    }

    #[test]
    fn tags_are_sorted_and_each_is_there_once() {
        let note = note(b"---\ntags: [zebra, Ant]\n---\n#ant #b/c #b\n");
        assert_eq!(note.tags, ["Ant", "b", "b/c", "zebra"]);
    }

    #[test]
    fn links_of_the_frontmatter_know_their_line() {
        let note = note(b"---\ntitle: x\nup: \"[[b]]\"\n---\n");
        assert_eq!(note.facts.links[0].line, 3);
        assert_eq!(note.contexts, ["up: \"[[b]]\""]);
    }

    #[test]
    fn known_content_is_not_parsed() {
        let upsert = |text: &'static str| FileChange::Upsert {
            path: text.to_owned(),
            stamp: FileStamp {
                size: 0,
                modified_ns: 0,
                inode: 0,
            },
            content: FileContent::Note(Bytes::from_static(text.as_bytes())),
        };
        let known: [u8; 32] = blake3::hash(b"old").into();
        let prepared = prepare(vec![upsert("old"), upsert("new")], |_| Some(known));
        let parsed: Vec<bool> = prepared
            .iter()
            .map(|change| match change {
                Prepared::Note { note, .. } => note.parsed.is_some(),
                Prepared::Other(_) => panic!("not a note"),
            })
            .collect();
        assert_eq!(parsed, [false, true]);
    }
}
