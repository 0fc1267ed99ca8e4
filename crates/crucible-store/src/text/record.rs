//! What the index stores beside a block, so that a hit can be shown without asking anyone else.
//!
//! One byte string per block: numbers and lengths as little-endian `u32`, then the text. A record is read
//! without copying.

use super::{NoteText, TextBlock};

/// The stored form of one block, borrowed from the bytes of the index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Record<'a> {
    pub(super) line: u32,
    pub(super) ordinal: u32,
    pub(super) path: &'a str,
    pub(super) title: &'a str,
    pub(super) heading_path: Vec<&'a str>,
    /// Of the lead: the other names of the note.
    pub(super) names: Vec<&'a str>,
    pub(super) text: &'a str,
}

/// Writes the record of `block` of `note`, with other names of the note.
pub(super) fn encode(note: &NoteText<'_>, block: &TextBlock<'_>, names: &[&str]) -> Vec<u8> {
    let lists = block.heading_path.iter().chain(names);
    let lists: usize = lists.map(|text| text.len() + 4).sum();
    let texts = note.path.len() + note.title.len() + block.text.len();
    let mut out = Vec::with_capacity(28 + texts + lists);
    let counts = [length(block.heading_path.len()), length(names.len())];
    for number in [block.line, block.ordinal].into_iter().chain(counts) {
        out.extend_from_slice(&number.to_le_bytes());
    }
    let lists = block.heading_path.iter().chain(names).copied();
    for text in [note.path, note.title]
        .into_iter()
        .chain(lists)
        .chain([block.text])
    {
        out.extend_from_slice(&length(text.len()).to_le_bytes());
        out.extend_from_slice(text.as_bytes());
    }
    out
}

/// Reads a record; `None` when the bytes are not one.
pub(super) fn decode(bytes: &[u8]) -> Option<Record<'_>> {
    let mut rest = bytes;
    let line = take_number(&mut rest)?;
    let ordinal = take_number(&mut rest)?;
    let headings = take_number(&mut rest)?;
    let names = take_number(&mut rest)?;
    let path = take_text(&mut rest)?;
    let title = take_text(&mut rest)?;
    let heading_path = take_texts(&mut rest, headings)?;
    let names = take_texts(&mut rest, names)?;
    let text = take_text(&mut rest)?;
    rest.is_empty().then_some(Record {
        line,
        ordinal,
        path,
        title,
        heading_path,
        names,
        text,
    })
}

/// A length of something that is held in memory; files over 4 GiB are not notes.
fn length(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}

fn take_number(rest: &mut &[u8]) -> Option<u32> {
    let (number, tail) = rest.split_first_chunk::<4>()?;
    *rest = tail;
    Some(u32::from_le_bytes(*number))
}

fn take_texts<'a>(rest: &mut &'a [u8], count: u32) -> Option<Vec<&'a str>> {
    (0..count).map(|_| take_text(rest)).collect()
}

fn take_text<'a>(rest: &mut &'a [u8]) -> Option<&'a str> {
    let len = usize::try_from(take_number(rest)?).ok()?;
    let (text, tail) = rest.split_at_checked(len)?;
    *rest = tail;
    std::str::from_utf8(text).ok()
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
                note_id: 1, path: &path, title: &title, aliases: &[], tags: &[], blocks: &[],
            };
            let bytes = encode(&note, &block, &[&title, "x"]);
            let expected = Record {
                line, ordinal: 3, path: &path, title: &title,
                heading_path: heading_path.clone(), names: vec![&title, "x"], text: &text,
            };
            prop_assert_eq!(decode(&bytes), Some(expected));
        }

        #[test]
        fn garbage_is_refused_or_read_but_never_panics(bytes in any::<Vec<u8>>()) {
            std::hint::black_box(decode(&bytes));
        }
    }
}
