//! The peer: two arrays and two loops.

use crate::engine::DIMENSIONS;

/// How many of the best by 8-bit numbers are compared exactly.
const RESCORED: usize = 50;

/// Vectors as 8-bit numbers, and as they are.
#[derive(Debug)]
pub(crate) struct Raw {
    rows: Vec<i8>,
    scales: Vec<f32>,
    exact: Vec<f32>,
}

impl Raw {
    pub(crate) fn of(vectors: &[Vec<f32>]) -> Self {
        let mut raw = Self {
            rows: Vec::new(),
            scales: Vec::new(),
            exact: Vec::new(),
        };
        for vector in vectors {
            let (row, scale) = quantise(vector);
            raw.rows.extend(row);
            raw.scales.push(scale);
            raw.exact.extend(vector);
        }
        raw
    }

    pub(crate) fn len(&self) -> usize {
        self.scales.len()
    }

    /// The rows nearest to a query, nearest first.
    pub(crate) fn nearest(&self, query: &[f32], count: usize) -> Vec<(f32, usize)> {
        let (quantised, _) = quantise(query);
        let rows = self.rows.chunks_exact(DIMENSIONS).zip(&self.scales);
        let scores = rows.map(|(row, scale)| {
            let products = row.iter().zip(&quantised);
            let sum: i32 = products.map(|(&a, &b)| i32::from(a) * i32::from(b)).sum();
            sum as f32 * scale
        });
        let mut best: Vec<(f32, usize)> = scores.zip(0..).collect();
        let last = RESCORED.min(best.len()).saturating_sub(1);
        if !best.is_empty() {
            best.select_nth_unstable_by(last, |a, b| b.0.total_cmp(&a.0));
        }
        best.truncate(RESCORED);
        for (score, row) in &mut best {
            let exact = &self.exact[*row * DIMENSIONS..][..DIMENSIONS];
            *score = exact.iter().zip(query).map(|(a, b)| a * b).sum();
        }
        best.sort_unstable_by(|a, b| b.0.total_cmp(&a.0));
        best.truncate(count);
        best
    }
}

fn quantise(vector: &[f32]) -> (Vec<i8>, f32) {
    let scale = vector.iter().fold(0.0_f32, |most, x| most.max(x.abs())) / 127.0;
    let row = vector.iter().map(|x| (x / scale).round() as i8).collect();
    (row, scale)
}
