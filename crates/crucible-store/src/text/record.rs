//! What the index stores beside a block, so that a hit can be shown without asking anyone else.
//!
//! One text per block: a line of numbers (places, counts, and the lengths of the texts), then the texts,
//! one after the other. The library reads a stored text as a whole, but stored bytes one by one.

use std::fmt::Write;

use super::{NoteText, TextBlock};

/// The stored form of one block, borrowed from what the library returns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Record<'a> {
    pub(super) line: u32,
    pub(super) ordinal: u32,
    pub(super) path: &'a str,
    pub(super) title: &'a str,
    pub(super) is_title_own: bool,
    pub(super) heading_path: Vec<&'a str>,
    /// Of the lead: the other names of the note.
    pub(super) names: Vec<&'a str>,
    pub(super) text: &'a str,
}

/// Writes the record of `block` of `note`, with other names of the note.
pub(super) fn encode(note: &NoteText<'_>, block: &TextBlock<'_>, names: &[&str]) -> String {
    let lists = || block.heading_path.iter().chain(names).copied();
    let texts = || {
        [note.path, note.title]
            .into_iter()
            .chain(lists())
            .chain([block.text])
    };
    let bytes: usize = texts().map(|text| text.len() + 5).sum();
    let mut out = String::with_capacity(bytes + 16);
    let counts = [
        usize::from(note.is_title_own),
        block.heading_path.len(),
        names.len(),
    ];
    let _ = write!(out, "{} {}", block.line, block.ordinal);
    for number in counts.into_iter().chain(texts().map(str::len)) {
        let _ = write!(out, " {number}");
    }
    out.push('\n');
    out.extend(texts());
    out
}

/// Reads a record; `None` when the text is not one.
pub(super) fn decode(record: &str) -> Option<Record<'_>> {
    let (numbers, mut rest) = record.split_once('\n')?;
    let mut numbers = numbers.split(' ');
    let line = numbers.next()?.parse().ok()?;
    let ordinal = numbers.next()?.parse().ok()?;
    let is_title_own = numbers.next()? == "1";
    let headings = numbers.next()?.parse().ok()?;
    let names = numbers.next()?.parse().ok()?;
    let mut text = || {
        let (text, tail) = rest.split_at_checked(numbers.next()?.parse().ok()?)?;
        rest = tail;
        Some(text)
    };
    let (path, title) = (text()?, text()?);
    let heading_path = texts(&mut text, headings)?;
    let names = texts(&mut text, names)?;
    let text = text()?;
    let is_all = rest.is_empty() && numbers.next().is_none();
    is_all.then_some(Record {
        line,
        ordinal,
        path,
        title,
        is_title_own,
        heading_path,
        names,
        text,
    })
}

fn texts<'a>(mut next: impl FnMut() -> Option<&'a str>, count: usize) -> Option<Vec<&'a str>> {
    (0..count).map(|_| next()).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn records_come_back_as_they_were(
            path in any::<String>(),
            title in any::<String>(),
            headings in proptest::collection::vec(any::<String>(), 0..4),
            text in any::<String>(),
            line in any::<u32>(),
        ) {
            let heading_path: Vec<&str> = headings.iter().map(String::as_str).collect();
            let block = TextBlock { ordinal: 3, line, heading_path: &heading_path, text: &text };
            let note = NoteText {
                note_id: 1, path: &path, title: &title, is_title_own: line % 2 == 0,
                aliases: &[], tags: &[], blocks: &[],
            };
            let record = encode(&note, &block, &[&title, "x"]);
            let expected = Record {
                line, ordinal: 3, path: &path, title: &title, is_title_own: line % 2 == 0,
                heading_path: heading_path.clone(), names: vec![&title, "x"], text: &text,
            };
            prop_assert_eq!(decode(&record), Some(expected));
        }

        #[test]
        fn garbage_is_refused_or_read_but_never_panics(
            garbage in "([0-9]{1,20} ?){0,8}\n?.{0,20}",
        ) {
            std::hint::black_box(decode(&garbage));
        }
    }
}
