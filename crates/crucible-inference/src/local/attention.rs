//! Attention: each token of a text looks at all tokens of the same text, once per head.

use pulp::Arch;

use super::pointwise::softmax;
use super::product::{Panels, Slice, multiply_panels};

/// Query rows that are scored together: their scores stay in the first-level cache.
const QUERY_ROWS: usize = 16;

/// How a row is divided.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Heads {
    /// What the machine can do.
    pub arch: Arch,
    /// Heads in a row.
    pub count: usize,
    /// Length of a row.
    pub hidden: usize,
}

/// Fills `context`, the rows from `first` on, for texts of `lengths` laid end to end.
///
/// A row of `projected` has the query, the key and the value of a token, each of length `hidden`.
pub(crate) fn attend(
    heads: Heads,
    lengths: &[usize],
    projected: &[f32],
    first: usize,
    context: &mut [f32],
) {
    let end = first + context.len() / heads.hidden;
    let mut keys = Panels::default();
    let mut values = Panels::default();
    let mut scores = Vec::new();
    let mut start = 0;
    for length in lengths {
        let (from, to) = (start.max(first), (start + length).min(end));
        for head in 0..if from < to { heads.count } else { 0 } {
            let part = |kind: usize, row: usize| heads.part(projected, kind, row, head);
            keys.take_turned(heads.arch, part(1, start), *length);
            values.take(heads.arch, part(2, start), *length);
            let stride = keys.columns_padded();
            for row in (from..to).step_by(QUERY_ROWS) {
                let rows = QUERY_ROWS.min(to - row);
                scores.resize(rows * stride, 0.0);
                multiply_panels(heads.arch, part(0, row), &keys, stride, &mut scores, stride);
                softmax(heads.arch, &mut scores, stride, *length);
                let shares = Slice {
                    values: &scores,
                    stride,
                    columns: *length,
                };
                let size = heads.hidden / heads.count;
                let out = &mut context[(row - first) * heads.hidden + head * size..]
                    [..(rows - 1) * heads.hidden + size];
                multiply_panels(heads.arch, shares, &values, size, out, heads.hidden);
            }
        }
        start += length;
    }
}

impl Heads {
    /// Returns one head's queries (`kind` 0), keys (1) or values (2), from `row` on.
    fn part(self, projected: &[f32], kind: usize, row: usize, head: usize) -> Slice<'_> {
        let stride = 3 * self.hidden;
        let columns = self.hidden / self.count;
        Slice {
            values: &projected[row * stride + kind * self.hidden + head * columns..],
            stride,
            columns,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::local::product::tests::{archs, assert_close, numbers};

    /// Attention as its definition says it, number by number.
    fn expected(heads: Heads, lengths: &[usize], projected: &[f32]) -> Vec<f32> {
        let (hidden, size) = (heads.hidden, heads.hidden / heads.count);
        let value = |kind: usize, row: usize, column: usize| {
            projected[row * 3 * hidden + kind * hidden + column]
        };
        let mut context = Vec::new();
        let mut start = 0;
        for length in lengths {
            for row in start..start + length {
                for column in 0..hidden {
                    let head = column / size * size;
                    let scores = (start..start + length).map(|other| {
                        let parts = head..head + size;
                        let score: f32 = parts.map(|c| value(0, row, c) * value(1, other, c)).sum();
                        (score.exp(), value(2, other, column))
                    });
                    let sum: f32 = scores.clone().map(|(power, _)| power).sum();
                    context.push(scores.map(|(power, value)| power * value).sum::<f32>() / sum);
                }
            }
            start += length;
        }
        context
    }

    #[test]
    fn tokens_look_at_their_own_text_only_however_rows_are_shared_out() {
        for arch in archs() {
            let heads = Heads {
                arch,
                count: 3,
                hidden: 15,
            };
            let lengths = [2, 37, 5];
            let projected = numbers(44 * 45, 10);
            let expected = expected(heads, &lengths, &projected);
            for cut in [0, 1, 8, 40] {
                let mut context = vec![9.0; 44 * 15];
                let (first, rest) = context.split_at_mut(cut * 15);
                attend(heads, &lengths, &projected, 0, first);
                attend(heads, &lengths, &projected, cut, rest);
                assert_close(&context, &expected);
            }
        }
    }
}
