//! Finding blocks by what they mean: what of a block is embedded, which blocks still lack a vector, and
//! which blocks a search finds nearest.
//!
//! What is embedded is a [`Passage`]: the block's text with the headings above it and, when the note
//! gives itself one, its title. The file's name is no part of it, so that a note that is renamed or
//! moved keeps its vectors; search by words finds names. With all-MiniLM-L6-v2 on the example vault (24
//! paraphrases of what a note says, mean reciprocal rank of that note) text alone gives 0.767, headings
//! without the title 0.757, headings and title 0.774, and the file's name in the title's place 0.775: the
//! title helps a little, and what a note without one loses is within the noise. Vectors are kept elsewhere, by the passage's
//! key, and asked for through [`Nearest`].

use std::collections::HashSet;
use std::sync::Arc;

use tantivy::DocAddress;

use super::keys::{KeyCache, SegmentKeys};
use super::record::{self, Record};
use super::scope::Scope;
use super::view::{View, unreadable};
use super::{Error, NoteText, TextBlock};
use crate::keyed::{KeyMap, KeySet};

/// What of a passage is embedded at most, in bytes: some times what models read.
pub(crate) const PASSAGE_BYTES_MAX: usize = 8 * 1024;
/// Part of every key; raised when other text is embedded for the same block.
const PASSAGE_VERSION: u8 = 1;
/// How many times as many vectors are asked for when too few belong to blocks that are there.
const MORE: usize = 4;

/// Vectors by key.
pub(crate) trait Nearest {
    /// Returns the keys of the at most `count` vectors nearest to the query, with their cosines,
    /// nearest first; only keys of `allowed` when there is such a set.
    fn nearest(&self, count: usize, allowed: Option<&KeySet>) -> Vec<(u64, f32)>;
}

/// What is embedded of a block.
#[derive(Clone, Copy, Debug)]
pub(super) struct Passage<'a> {
    title: Option<&'a str>,
    heading_path: &'a [&'a str],
    text: &'a str,
}

impl<'a> Passage<'a> {
    /// The passage of a block; `None` for a block without text.
    pub(super) fn of_block(note: &NoteText<'a>, block: &TextBlock<'a>) -> Option<Self> {
        let own = note.is_title_own.then_some(note.title);
        Self::new(own, block.heading_path, block.text)
    }

    fn of_record(record: &'a Record<'a>) -> Option<Self> {
        let own = record.is_title_own.then_some(record.title);
        Self::new(own, &record.heading_path, record.text)
    }

    fn new(own: Option<&'a str>, heading_path: &'a [&'a str], text: &'a str) -> Option<Self> {
        if text.trim().is_empty() {
            return None;
        }
        let title = own.filter(|title| heading_path.first() != Some(title));
        // The first block below a heading begins with it.
        let heading_path = match heading_path.split_last() {
            Some((last, above)) if text.trim_start().lines().next() == Some(*last) => above,
            _ => heading_path,
        };
        Some(Self {
            title,
            heading_path,
            text,
        })
    }

    fn pieces(&self) -> impl Iterator<Item = &'a str> {
        let above = self
            .title
            .into_iter()
            .chain(self.heading_path.iter().copied());
        above.chain([self.text])
    }

    /// What tells this passage from others: 64 bits of BLAKE3.
    pub(super) fn key(&self) -> u64 {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&[PASSAGE_VERSION]);
        for piece in self.pieces() {
            hasher.update(piece.as_bytes());
            hasher.update(b"\n");
        }
        let mut first = [0; 8];
        first.copy_from_slice(&hasher.finalize().as_bytes()[..8]);
        u64::from_le_bytes(first)
    }

    /// The passage as it is embedded, a line for each heading.
    fn embedded(&self) -> String {
        let mut out = String::new();
        for piece in self.pieces() {
            if !out.is_empty() {
                out.push('\n');
            }
            let room = PASSAGE_BYTES_MAX.saturating_sub(out.len());
            out.push_str(&piece[..piece.floor_char_boundary(room)]);
        }
        out
    }
}

/// A block without a vector.
#[derive(Clone, Copy, Debug)]
struct Lacking {
    key: u64,
    address: DocAddress,
    /// How many blocks have this passage.
    blocks: u64,
}

/// A passage without a vector, as it is embedded.
#[derive(Debug)]
pub(crate) struct LackingText {
    pub(crate) key: u64,
    pub(crate) text: String,
    /// A note that has it.
    pub(crate) path: String,
}

/// Which blocks of one commit lack a vector.
pub(crate) struct Survey {
    view: Arc<View>,
    /// Blocks that can have a vector.
    pub(crate) blocks: u64,
    lacking: Vec<Lacking>,
    /// The keys of all blocks.
    pub(crate) keys: KeySet,
}

impl Survey {
    pub(super) fn of(
        view: Arc<View>,
        cache: &KeyCache,
        is_known: impl Fn(u64) -> bool,
    ) -> Result<Self, Error> {
        let mut blocks = 0;
        let mut lacking: Vec<Lacking> = Vec::new();
        let mut keys = KeySet::default();
        let mut places: KeyMap<usize> = KeyMap::default();
        let segments = view.keys(cache)?;
        for (ordinal, segment) in view.segments().zip(segments).rev() {
            let begins = lacking.len();
            for &(key, doc) in segment.all() {
                let address = DocAddress::new(ordinal, doc);
                if !view.is_alive(address) {
                    continue;
                }
                blocks += 1;
                keys.insert(key);
                if is_known(key) {
                    continue;
                }
                let place = *places.entry(key).or_insert(lacking.len());
                match lacking.get_mut(place) {
                    Some(lacking) => lacking.blocks += 1,
                    None => lacking.push(Lacking {
                        key,
                        address,
                        blocks: 1,
                    }),
                }
            }
            lacking[begins..].sort_unstable_by_key(|lacking| lacking.address);
        }
        Ok(Self {
            view,
            blocks,
            lacking,
            keys,
        })
    }

    /// How many blocks lack a vector.
    pub(crate) fn blocks_lacking(&self) -> u64 {
        self.lacking.iter().map(|lacking| lacking.blocks).sum()
    }

    /// How many passages lack a vector.
    pub(crate) fn passages_lacking(&self) -> usize {
        self.lacking.len()
    }

    /// How many blocks have some of the passages that lack a vector.
    pub(crate) fn blocks_of(&self, places: &[usize]) -> u64 {
        let lacking = places.iter().filter_map(|&place| self.lacking.get(place));
        lacking.map(|lacking| lacking.blocks).sum()
    }

    /// Reads some of the passages that lack a vector.
    pub(crate) fn passages(&self, places: &[usize]) -> Result<Vec<LackingText>, Error> {
        let lacking = places.iter().filter_map(|&place| self.lacking.get(place));
        lacking
            .map(|lacking| {
                let record = self.view.record(lacking.address)?;
                let record = record::decode(&record).ok_or_else(unreadable)?;
                let passage = Passage::of_record(&record).ok_or_else(unreadable)?;
                Ok(LackingText {
                    key: lacking.key,
                    text: passage.embedded(),
                    path: record.path.to_owned(),
                })
            })
            .collect()
    }
}

/// The vectors as one search sees them.
pub(super) struct Vectors<'a> {
    pub(super) keys: &'a [Arc<SegmentKeys>],
    pub(super) nearest: &'a dyn Nearest,
}

/// A note found by meaning, with its nearest block.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Near {
    pub(super) note: i64,
    pub(super) best: DocAddress,
    pub(super) cosine: f32,
}

impl Vectors<'_> {
    /// The notes of the `count` nearest blocks of a scope, each with its nearest block, nearest first.
    pub(super) fn notes(
        &self,
        view: &View,
        scope: Option<&Arc<Scope>>,
        count: usize,
    ) -> Result<Vec<Near>, Error> {
        let blocks = match scope {
            Some(scope) => self.within(view, scope, count)?,
            None => self.anywhere(view, count)?,
        };
        let mut seen = HashSet::new();
        Ok(blocks
            .into_iter()
            .filter(|block| seen.insert(block.note))
            .collect())
    }

    /// Vectors stay for a while when their last block has gone, so more are asked for when too few
    /// of the nearest have one.
    fn anywhere(&self, view: &View, count: usize) -> Result<Vec<Near>, Error> {
        let mut wanted = count;
        loop {
            let found = self.nearest.nearest(wanted, None);
            let blocks = self.blocks(view, &found, None, count)?;
            if blocks.len() >= count || found.len() < wanted {
                return Ok(blocks);
            }
            wanted *= MORE;
        }
    }

    fn within(&self, view: &View, scope: &Scope, count: usize) -> Result<Vec<Near>, Error> {
        let mut allowed = KeySet::default();
        for (ordinal, segment) in view.segments().zip(self.keys) {
            for &(key, doc) in segment.all() {
                let address = DocAddress::new(ordinal, doc);
                if view.note(address).is_some_and(|note| scope.admits(note))
                    && view.is_alive(address)
                {
                    allowed.insert(key);
                }
            }
        }
        let found = self.nearest.nearest(count, Some(&allowed));
        self.blocks(view, &found, Some(scope), count)
    }

    /// The blocks of some keys that are there and within the scope, at most `count`.
    fn blocks(
        &self,
        view: &View,
        found: &[(u64, f32)],
        scope: Option<&Scope>,
        count: usize,
    ) -> Result<Vec<Near>, Error> {
        let mut blocks = Vec::with_capacity(count);
        for &(key, cosine) in found {
            for (ordinal, segment) in view.segments().zip(self.keys) {
                for doc in segment.blocks(key) {
                    let best = DocAddress::new(ordinal, doc);
                    let note = view.note(best).ok_or_else(unreadable)?;
                    let is_meant = scope.is_none_or(|scope| scope.admits(note));
                    if is_meant && blocks.len() < count && view.is_alive(best) {
                        blocks.push(Near { note, best, cosine });
                    }
                }
            }
        }
        Ok(blocks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passage<'a>(own: Option<&'a str>, headings: &'a [&'a str], text: &'a str) -> Passage<'a> {
        Passage::new(own, headings, text).unwrap()
    }

    #[test]
    fn headings_stand_before_the_text_and_a_title_only_once() {
        let headings = ["Cold Retard", "Limits"];
        let embedded = passage(Some("Cold Retard"), &headings, "Too long.").embedded();
        assert_eq!(embedded, "Cold Retard\nLimits\nToo long.");
        let embedded = passage(Some("Retarding"), &headings, "Too long.").embedded();
        assert_eq!(embedded, "Retarding\nCold Retard\nLimits\nToo long.");
        let embedded = passage(None, &headings, "Limits\nToo long.").embedded();
        assert_eq!(embedded, "Cold Retard\nLimits\nToo long.");
        assert!(Passage::new(Some("Title"), &headings, " \n").is_none());
    }

    #[test]
    fn keys_tell_text_headings_and_titles_apart() {
        let keys = [
            passage(None, &[], "a").key(),
            passage(None, &[], "b").key(),
            passage(None, &["a"], "b").key(),
            passage(None, &["a"], "ab").key(),
        ];
        assert_eq!(keys.iter().collect::<HashSet<_>>().len(), keys.len());
        assert_eq!(passage(Some("a"), &[], "b").key(), keys[2]);
    }

    #[test]
    fn a_long_passage_is_cut_between_characters() {
        let text = "é".repeat(PASSAGE_BYTES_MAX);
        let embedded = passage(Some("T"), &[], &text).embedded();
        assert!(embedded.len() <= PASSAGE_BYTES_MAX && embedded.len() > PASSAGE_BYTES_MAX - 4);
    }
}
