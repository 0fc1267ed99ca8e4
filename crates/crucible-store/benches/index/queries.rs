//! Queries as people type them: titles, and words that stand near each other.

use std::collections::BTreeSet;

use crate::blocks::PeerBlock;
use crate::generate::Dice;

/// Picks `count` queries, the same ones every time: a third titles, the rest one to three words
/// of one block.
pub(crate) fn of_blocks(blocks: &[PeerBlock], count: usize) -> Vec<String> {
    let mut dice = Dice::new(7);
    let mut queries = BTreeSet::new();
    for attempt in 0..count * 20 {
        if queries.len() == count || blocks.is_empty() {
            break;
        }
        let block = &blocks[dice.below(blocks.len())];
        let query = if attempt % 3 == 0 {
            plain(&block.title)
        } else {
            let words: Vec<&str> = block
                .text
                .split(|c: char| !c.is_alphanumeric())
                .filter(|word| word.chars().count() > 3)
                .collect();
            let size = 1 + dice.below(3);
            let start = dice.below(words.len().max(1));
            words
                .iter()
                .skip(start)
                .step_by(2)
                .take(size)
                .copied()
                .collect::<Vec<_>>()
                .join(" ")
        };
        if !query.trim().is_empty() {
            queries.insert(query);
        }
    }
    queries.into_iter().collect()
}

/// Without the characters that mean something to the query parser of the peer.
fn plain(title: &str) -> String {
    let words: Vec<_> = title
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .collect();
    words.join(" ")
}
