//! One ranking out of two: pure arithmetic.
//!
//! Reciprocal rank fusion (Cormack, Clarke and Büttcher, "Reciprocal Rank Fusion outperforms Condorcet
//! and individual Rank Learning Methods", SIGIR 2009): a note scores the sum of `weight / (60 + rank)`
//! over the rankings that have it. Scores of words and of vectors are never compared with each other.

use std::collections::HashMap;

use crucible_services::data_store::ScoreParts;
use tantivy::DocAddress;

use super::meaning::Near;
use super::rank::Ranked;

/// The constant of the paper.
const K: f32 = 60.0;
/// What puts a note that is called like the query before all others: more than ranks can add up to.
const NAMED: f32 = 1.0;

/// A note as it will be shown.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Shown {
    pub(super) note: i64,
    pub(super) best: DocAddress,
    pub(super) score: f32,
    pub(super) parts: ScoreParts,
}

/// The ranking by words, to be shown alone.
pub(super) fn lexical(ranked: &[Ranked]) -> Vec<Shown> {
    let show = |(rank, note): (u32, &Ranked)| Shown {
        note: note.note,
        best: note.best,
        score: note.score,
        parts: ScoreParts {
            lexical_rank: Some(rank),
            bm25: Some(note.score),
            ..ScoreParts::default()
        },
    };
    (1..).zip(ranked).map(show).collect()
}

/// The ranking by meaning, to be shown alone.
pub(super) fn semantic(near: &[Near]) -> Vec<Shown> {
    let show = |(rank, note): (u32, &Near)| Shown {
        note: note.note,
        best: note.best,
        score: note.cosine,
        parts: ScoreParts {
            semantic_rank: Some(rank),
            cosine: Some(note.cosine),
            ..ScoreParts::default()
        },
    };
    (1..).zip(near).map(show).collect()
}

/// Both rankings as one, best first; ranks by words count `lexical_weight` times.
///
/// A note that both have is shown with the block that has its words.
pub(super) fn fuse(ranked: &[Ranked], near: &[Near], lexical_weight: f32) -> Vec<Shown> {
    let mut shown = lexical(ranked);
    for (note, ranked) in shown.iter_mut().zip(ranked) {
        let name = if ranked.named { NAMED } else { 0.0 };
        note.score = name + lexical_weight * share(note.parts.lexical_rank);
    }
    let places: HashMap<i64, usize> = shown.iter().map(|note| note.note).zip(0..).collect();
    for mut note in semantic(near) {
        note.score = share(note.parts.semantic_rank);
        match places.get(&note.note) {
            Some(&place) => {
                let known = &mut shown[place];
                known.score += note.score;
                known.parts.semantic_rank = note.parts.semantic_rank;
                known.parts.cosine = note.parts.cosine;
            }
            None => shown.push(note),
        }
    }
    shown.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.note.cmp(&b.note)));
    shown
}

fn share(rank: Option<u32>) -> f32 {
    #[expect(clippy::cast_precision_loss, reason = "ranks are small")]
    rank.map_or(0.0, |rank| 1.0 / (K + rank as f32))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ranked(notes: &[i64]) -> Vec<Ranked> {
        let ranked = |&note| Ranked {
            note,
            best: DocAddress::new(0, 1),
            score: 3.0,
            named: false,
        };
        notes.iter().map(ranked).collect()
    }

    fn near(notes: &[i64]) -> Vec<Near> {
        let near = |&note| Near {
            note,
            best: DocAddress::new(0, 2),
            cosine: 0.5,
        };
        notes.iter().map(near).collect()
    }

    fn order(shown: &[Shown]) -> Vec<i64> {
        shown.iter().map(|note| note.note).collect()
    }

    #[test]
    fn a_note_that_both_rankings_have_beats_the_first_of_one() {
        let shown = fuse(&ranked(&[1, 2]), &near(&[3, 2]), 1.0);
        assert_eq!(order(&shown), [2, 1, 3]);
        assert_eq!(shown[0].best, DocAddress::new(0, 1));
        let parts = shown[0].parts;
        assert_eq!(
            (parts.lexical_rank, parts.semantic_rank),
            (Some(2), Some(2))
        );
        assert_eq!((parts.bm25, parts.cosine), (Some(3.0), Some(0.5)));
        assert!((shown[0].score - 2.0 / 62.0).abs() < 1e-6);
        assert_eq!(shown[2].parts.bm25, None);
        assert_eq!(shown[2].best, DocAddress::new(0, 2));
    }

    #[test]
    fn a_note_called_like_the_query_stands_first() {
        let mut words = ranked(&[1, 2]);
        words[1].named = true;
        assert_eq!(order(&fuse(&words, &near(&[1, 3]), 1.0)), [2, 1, 3]);
    }

    #[test]
    fn words_can_be_given_more_weight() {
        assert_eq!(order(&fuse(&ranked(&[1, 2]), &near(&[3]), 1.0)), [1, 3, 2]);
        assert_eq!(order(&fuse(&ranked(&[1, 2]), &near(&[3]), 2.0)), [1, 2, 3]);
    }
}
