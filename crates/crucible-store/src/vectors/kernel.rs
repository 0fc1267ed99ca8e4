//! The arithmetic of vectors: quantised rows, dot products, the nearest of many.
//!
//! Written so that the compiler turns the loops into vector instructions on every target; no unsafe
//! code, no run-time dispatch. A row of 8-bit numbers is a quarter of its exact vector, so a scan reads
//! a quarter of the memory; the few best rows are then compared exactly.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

/// Numbers that an exact dot product adds up side by side.
const LANES: usize = 16;

/// Writes `vector` as 8-bit numbers to the end of `row`; a number times the scale that is returned is
/// the vector's, give or take half a scale.
pub(super) fn quantise(vector: &[f32], row: &mut Vec<i8>) -> f32 {
    let largest = vector.iter().fold(0.0_f32, |most, x| most.max(x.abs()));
    let scale = largest / 127.0;
    let factor = if scale > 0.0 { 1.0 / scale } else { 0.0 };
    #[expect(
        clippy::cast_possible_truncation,
        reason = "rounded, and from -127 to 127"
    )]
    row.extend(vector.iter().map(|x| (x * factor).round() as i8));
    scale
}

/// The dot product of two rows of one length, up to 130,000 numbers long.
pub(super) fn dot(query: &[i16], row: &[i8]) -> i32 {
    let products = query.iter().zip(row);
    products
        .map(|(&q, &r)| i32::from(q) * i32::from(i16::from(r)))
        .sum()
}

/// The dot product of two exact vectors of one length.
pub(super) fn dot_exact(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0_f32; LANES];
    let (a_parts, b_parts) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let rest = a_parts.remainder().iter().zip(b_parts.remainder());
    let rest: f32 = rest.map(|(a, b)| a * b).sum();
    for (a, b) in a_parts.zip(b_parts) {
        for lane in 0..LANES {
            sums[lane] += a[lane] * b[lane];
        }
    }
    sums.iter().sum::<f32>() + rest
}

/// Makes a vector one of unit length; `None` when it has a number that is none, or no length.
pub(super) fn unit(mut vector: Vec<f32>) -> Option<Vec<f32>> {
    let length = dot_exact(&vector, &vector).sqrt();
    if !length.is_finite() || length < 1e-6 {
        return None;
    }
    vector.iter_mut().for_each(|x| *x /= length);
    Some(vector)
}

/// A row and how near it is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Scored {
    pub(super) row: u32,
    pub(super) score: f32,
}

impl Eq for Scored {}

impl PartialOrd for Scored {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Scored {
    /// Nearer is more; of equals, the row that came first.
    fn cmp(&self, other: &Self) -> Ordering {
        self.score
            .total_cmp(&other.score)
            .then(other.row.cmp(&self.row))
    }
}

/// The `count` best of what it is shown.
#[derive(Debug)]
pub(super) struct Best {
    count: usize,
    kept: BinaryHeap<Reverse<Scored>>,
    /// What a further row must beat.
    least: f32,
}

impl Best {
    pub(super) fn of(count: usize) -> Self {
        Self {
            count,
            kept: BinaryHeap::with_capacity(count + 1),
            least: f32::NEG_INFINITY,
        }
    }

    /// Looks at a row.
    pub(super) fn see(&mut self, row: u32, score: f32) {
        if score < self.least || self.count == 0 {
            return;
        }
        self.kept.push(Reverse(Scored { row, score }));
        if self.kept.len() > self.count {
            self.kept.pop();
        }
        if self.kept.len() == self.count
            && let Some(Reverse(worst)) = self.kept.peek()
        {
            self.least = worst.score;
        }
    }

    /// What was kept, best first.
    pub(super) fn into_sorted(self) -> Vec<Scored> {
        let kept = self.kept.into_sorted_vec();
        kept.into_iter().map(|Reverse(scored)| scored).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_largest_numbers_do_not_overflow() {
        assert_eq!(dot(&[-128; 4096], &[-128; 4096]), 128 * 128 * 4096);
    }

    #[test]
    fn what_has_no_length_is_no_vector() {
        for bad in [
            vec![0.0; 8],
            vec![f32::NAN; 8],
            vec![f32::INFINITY, 1.0],
            vec![],
        ] {
            assert_eq!(unit(bad), None);
        }
        assert_eq!(unit(vec![3.0, 4.0]), Some(vec![0.6, 0.8]));
    }

    proptest! {
        #[test]
        fn dot_products_are_those_of_the_definition(
            pairs in proptest::collection::vec((-127_i8..=127, -127_i8..=127), 0..200),
        ) {
            let query: Vec<i16> = pairs.iter().map(|pair| i16::from(pair.0)).collect();
            let row: Vec<i8> = pairs.iter().map(|pair| pair.1).collect();
            let expected: i64 = pairs.iter().map(|&(a, b)| i64::from(a) * i64::from(b)).sum();
            prop_assert_eq!(i64::from(dot(&query, &row)), expected);
        }

        #[test]
        fn quantised_numbers_are_near(
            vector in proptest::collection::vec(-1.0_f32..1.0, 1..100),
        ) {
            let mut row = Vec::new();
            let scale = quantise(&vector, &mut row);
            for (x, q) in vector.iter().zip(&row) {
                prop_assert!((x - f32::from(*q) * scale).abs() <= scale * 0.501);
            }
        }

        #[test]
        fn the_best_are_those_of_a_sort(
            scores in proptest::collection::vec(-4_i8..4, 0..60),
            count in 0..20_usize,
        ) {
            let mut best = Best::of(count);
            let mut all: Vec<Scored> = Vec::new();
            for (row, score) in (0..).zip(scores) {
                best.see(row, f32::from(score));
                all.push(Scored { row, score: f32::from(score) });
            }
            all.sort_by(|a, b| b.cmp(a));
            all.truncate(count);
            prop_assert_eq!(best.into_sorted(), all);
        }
    }
}
