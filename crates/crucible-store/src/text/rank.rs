//! From blocks to notes: pure arithmetic on what was found.
//!
//! A note scores as its best block and a tenth of its others, times the square of how much of
//! the query it has; rare words count more. Notes that have all of the query stand before those that do
//! not, and notes that are called like the query before all.

use std::collections::HashMap;

use tantivy::DocAddress;

/// What a further block of the same note adds.
const REST_SHARE: f32 = 0.1;
/// How many further blocks add to the score.
const REST_MAX: usize = 10;

/// A block that was found.
#[derive(Clone, Copy, Debug)]
pub(super) struct Block {
    pub(super) note: i64,
    pub(super) address: DocAddress,
    pub(super) score: f32,
    /// Which parts of the query it has, a bit each.
    pub(super) units: u32,
}

/// A note with its score.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Ranked {
    pub(super) note: i64,
    pub(super) best: DocAddress,
    pub(super) score: f32,
    /// Whether the note is called like the query.
    pub(super) named: bool,
}

struct Sum {
    /// What is shown: the block that has most of the query.
    best: Block,
    best_value: f32,
    /// The highest score of a block.
    top: f32,
    rest: f32,
    rest_count: usize,
    units: u32,
    named: bool,
}

impl Sum {
    const fn new(best: Block, best_value: f32, named: bool) -> Self {
        let (top, units) = (best.score, best.units);
        Self {
            best,
            best_value,
            top,
            rest: 0.0,
            rest_count: 0,
            units,
            named,
        }
    }

    fn add(&mut self, block: Block, value: f32) {
        if self.rest_count < REST_MAX {
            self.rest += block.score;
            self.rest_count += 1;
        }
        self.units |= block.units;
        if value > self.best_value {
            (self.best, self.best_value) = (block, value);
        }
    }
}

/// Ranks the notes of `blocks`, which come best first, and of `named`, whose name is the query.
/// `weights` says how much each part of the query counts.
pub(super) fn collapse(
    blocks: &[Block],
    weights: &[f32],
    named: &[(i64, DocAddress)],
) -> Vec<Ranked> {
    let mut places: HashMap<i64, usize> = HashMap::with_capacity(blocks.len());
    let mut sums: Vec<Sum> = Vec::with_capacity(blocks.len());
    for &block in blocks {
        let value = block.score * coverage(block.units, weights);
        let place = *places.entry(block.note).or_insert(sums.len());
        match sums.get_mut(place) {
            Some(sum) => sum.add(block, value),
            None => sums.push(Sum::new(block, value, false)),
        }
    }
    for &(note, address) in named {
        let place = *places.entry(note).or_insert(sums.len());
        if let Some(sum) = sums.get_mut(place) {
            sum.named = true;
        } else {
            sums.push(Sum::new(
                Block {
                    note,
                    address,
                    score: 0.0,
                    units: 0,
                },
                0.0,
                true,
            ));
        }
    }
    in_tiers(&sums, weights)
}

/// The share of the query that `units` are, squared.
fn coverage(units: u32, weights: &[f32]) -> f32 {
    let all: f32 = weights.iter().sum();
    let has = weights
        .iter()
        .enumerate()
        .filter(|(unit, _)| units & (1 << unit) != 0);
    (has.map(|(_, weight)| weight).sum::<f32>() / all.max(f32::MIN_POSITIVE)).powi(2)
}

fn in_tiers(sums: &[Sum], weights: &[f32]) -> Vec<Ranked> {
    let everything = u32::try_from((1_u64 << weights.len().min(32)) - 1).unwrap_or(u32::MAX);
    let mut tiers: [Vec<Ranked>; 3] = Default::default();
    for sum in sums {
        let score = (sum.top + REST_SHARE * sum.rest) * coverage(sum.units, weights);
        let tier = if sum.named {
            2
        } else {
            usize::from(sum.units == everything)
        };
        tiers[tier].push(Ranked {
            note: sum.best.note,
            best: sum.best.address,
            score,
            named: sum.named,
        });
    }
    let mut ranked: Vec<Ranked> = Vec::with_capacity(sums.len());
    let mut highest = 0.0_f32;
    for mut tier in tiers {
        let lowest = tier
            .iter()
            .map(|note| note.score)
            .fold(f32::INFINITY, f32::min);
        if !ranked.is_empty() && lowest <= highest {
            let lift = highest - lowest + highest.mul_add(0.01, 0.01);
            tier.iter_mut().for_each(|note| note.score += lift);
        }
        highest = tier.iter().map(|note| note.score).fold(highest, f32::max);
        ranked.extend(tier);
    }
    ranked.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.note.cmp(&b.note)));
    ranked
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn block(note: i64, score: f32, units: u32) -> Block {
        Block {
            note,
            address: DocAddress::new(0, 0),
            score,
            units,
        }
    }

    fn order(blocks: &[Block], weights: &[f32], named: &[i64]) -> Vec<i64> {
        let named: Vec<_> = named
            .iter()
            .map(|&note| (note, DocAddress::new(0, 0)))
            .collect();
        collapse(blocks, weights, &named)
            .iter()
            .map(|note| note.note)
            .collect()
    }

    #[test]
    fn more_blocks_break_a_tie_but_do_not_beat_a_better_block() {
        let blocks = [
            block(1, 5.0, 1),
            block(2, 4.0, 1),
            block(3, 4.0, 1),
            block(3, 3.0, 1),
        ];
        assert_eq!(order(&blocks, &[1.0], &[]), [1, 3, 2]);
    }

    #[test]
    fn a_note_with_all_words_stands_before_a_note_with_one_word_often() {
        let blocks = [
            block(1, 9.0, 1),
            block(1, 9.0, 1),
            block(2, 1.0, 1),
            block(2, 0.9, 2),
        ];
        assert_eq!(order(&blocks, &[1.0, 1.0], &[]), [2, 1]);
    }

    #[test]
    fn two_words_of_three_beat_one_and_rare_words_count_more() {
        let blocks = [block(1, 4.0, 0b001), block(2, 3.0, 0b011)];
        assert_eq!(order(&blocks, &[1.0, 1.0, 1.0], &[]), [2, 1]);
        let blocks = [block(1, 3.0, 0b001), block(2, 3.0, 0b110)];
        assert_eq!(order(&blocks, &[5.0, 1.0, 1.0], &[]), [1, 2]);
    }

    #[test]
    fn a_note_called_like_the_query_wins_even_unseen() {
        let blocks = [block(1, 9.0, 3), block(2, 1.0, 1)];
        assert_eq!(order(&blocks, &[1.0, 1.0], &[7]), [7, 1, 2]);
        assert_eq!(order(&blocks, &[1.0, 1.0], &[2]), [2, 1]);
    }

    #[test]
    fn the_block_with_most_of_the_query_is_shown() {
        let at = |doc, score, units| Block {
            address: DocAddress::new(0, doc),
            ..block(1, score, units)
        };
        let ranked = collapse(&[at(1, 5.0, 1), at(2, 4.0, 3)], &[1.0, 1.0], &[]);
        assert_eq!(ranked[0].best, DocAddress::new(0, 2));
    }

    proptest! {
        #[test]
        fn scores_are_finite_and_descend_and_notes_are_unique(
            found in proptest::collection::vec((0..20_i64, 0.0..50.0_f32, 0..8_u32), 0..60),
            named in proptest::collection::vec(0..25_i64, 0..3),
        ) {
            let mut blocks: Vec<_> =
                found.iter().map(|&(note, score, units)| block(note, score, units)).collect();
            blocks.sort_by(|a, b| b.score.total_cmp(&a.score));
            let named: Vec<_> = named.iter().map(|&note| (note, DocAddress::new(0, 0))).collect();
            let ranked = collapse(&blocks, &[1.0, 2.0, 3.0], &named);
            prop_assert!(ranked.iter().all(|note| note.score.is_finite()));
            prop_assert!(ranked.is_sorted_by(|a, b| a.score >= b.score));
            let mut notes: Vec<_> = ranked.iter().map(|note| note.note).collect();
            notes.sort_unstable();
            let count = notes.len();
            notes.dedup();
            prop_assert_eq!(count, notes.len());
        }
    }
}
