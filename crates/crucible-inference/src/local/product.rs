//! Matrix products: rows of numbers times a matrix that was laid out for it once.
//!
//! The right-hand matrix lies in *panels*: a panel holds, for each step of the inner dimension,
//! the values of `VECTORS` SIMD vectors of neighbouring columns. A tile of a few rows times one
//! panel is summed up in registers alone. The layout follows Goto and van de Geijn, "Anatomy of
//! High-Performance Matrix Multiplication" (ACM TOMS 34, 2008), without the copy of the left-hand
//! rows: they are short enough to stay in the first-level cache.

use pulp::{Arch, Simd, WithSimd};

use super::pointwise::gelu;

/// Vectors side by side in a panel of weights: with eight rows they fill 24 of 32 registers.
const WIDE: usize = 3;
/// Vectors side by side where a matrix has few columns, as one head of attention has.
const NARROW: usize = 2;

/// A matrix in panels, and what is added to each of its columns.
#[derive(Debug)]
pub(crate) struct Weights {
    panels: Vec<f32>,
    bias: Vec<f32>,
    inputs: usize,
    outputs: usize,
}

impl Weights {
    /// Lays out `rows`, of shape `[outputs, inputs]`, and `bias`, of length `outputs`.
    pub(crate) fn new(arch: Arch, rows: &[f32], bias: &[f32], inputs: usize) -> Self {
        let outputs = bias.len();
        let width = WIDE * lanes(arch);
        let count = outputs.div_ceil(width);
        let mut panels = vec![0.0; count * width * inputs];
        for (column, row) in rows.chunks_exact(inputs).enumerate() {
            let panel = &mut panels[column / width * width * inputs..][..width * inputs];
            for (step, value) in panel.chunks_exact_mut(width).zip(row) {
                step[column % width] = *value;
            }
        }
        let mut bias = bias.to_vec();
        bias.resize(count * width, 0.0);
        Self {
            panels,
            bias,
            inputs,
            outputs,
        }
    }

    /// Returns the length of a row that comes out.
    pub(crate) fn outputs(&self) -> usize {
        self.outputs
    }
}

/// What happens to a product before it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Then {
    /// Nothing.
    Write,
    /// It is added to what is there.
    Add,
    /// The activation of a feed-forward layer.
    Gelu,
}

/// Multiplies `rows`, of shape `[n, inputs]`, and writes `out`, of shape `[n, outputs]`.
pub(crate) fn multiply(arch: Arch, rows: &[f32], weights: &Weights, out: &mut [f32], then: Then) {
    arch.dispatch(Product::<WIDE> {
        left: rows,
        left_stride: weights.inputs,
        depth: weights.inputs,
        panels: &weights.panels,
        bias: Some(&weights.bias),
        out_stride: weights.outputs,
        columns: weights.outputs,
        out,
        then,
    });
}

/// Some columns of a matrix whose rows are longer than that.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slice<'a> {
    /// From the first value on.
    pub values: &'a [f32],
    /// From one row to the next.
    pub stride: usize,
    /// Values in a row.
    pub columns: usize,
}

/// A matrix in narrow panels, laid out anew for each use.
#[derive(Debug, Default)]
pub(crate) struct Panels {
    values: Vec<f32>,
    depth: usize,
}

impl Panels {
    /// Takes over `source`: its rows become the inner dimension.
    pub(crate) fn take(&mut self, arch: Arch, source: Slice<'_>, rows: usize) {
        let width = self.resize(arch, rows, source.columns);
        for (depth, row) in source.values.chunks(source.stride).take(rows).enumerate() {
            for (panel, part) in row[..source.columns].chunks(width).enumerate() {
                let start = panel * width * rows + depth * width;
                self.values[start..start + part.len()].copy_from_slice(part);
            }
        }
    }

    /// Takes over `source` turned: its columns become the inner dimension.
    pub(crate) fn take_turned(&mut self, arch: Arch, source: Slice<'_>, rows: usize) {
        let width = self.resize(arch, source.columns, rows);
        for (column, row) in source.values.chunks(source.stride).take(rows).enumerate() {
            let panel = column / width * width * source.columns;
            for (depth, value) in row[..source.columns].iter().enumerate() {
                self.values[panel + depth * width + column % width] = *value;
            }
        }
    }

    /// Returns the number of columns with those that fill the last panel.
    pub(crate) fn columns_padded(&self) -> usize {
        self.values.len() / self.depth.max(1)
    }

    fn resize(&mut self, arch: Arch, depth: usize, columns: usize) -> usize {
        let width = NARROW * lanes(arch);
        self.depth = depth;
        self.values.clear();
        self.values
            .resize(columns.div_ceil(width) * width * depth, 0.0);
        width
    }
}

/// Multiplies as many rows of `left` as `out` has, `out_stride` apart, and writes `columns` of the
/// columns of `panels`.
pub(crate) fn multiply_panels(
    arch: Arch,
    left: Slice<'_>,
    panels: &Panels,
    columns: usize,
    out: &mut [f32],
    out_stride: usize,
) {
    arch.dispatch(Product::<NARROW> {
        left: left.values,
        left_stride: left.stride,
        depth: panels.depth,
        panels: &panels.values,
        bias: None,
        out,
        out_stride,
        columns,
        then: Then::Write,
    });
}

/// Returns how many numbers the machine handles at once.
pub(crate) fn lanes(arch: Arch) -> usize {
    struct Lanes;
    impl WithSimd for Lanes {
        type Output = usize;

        #[inline(always)]
        fn with_simd<S: Simd>(self, _simd: S) -> usize {
            S::F32_LANES
        }
    }
    arch.dispatch(Lanes)
}

struct Product<'a, const V: usize> {
    left: &'a [f32],
    left_stride: usize,
    depth: usize,
    panels: &'a [f32],
    bias: Option<&'a [f32]>,
    out: &'a mut [f32],
    out_stride: usize,
    columns: usize,
    then: Then,
}

impl<const V: usize> WithSimd for Product<'_, V> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let rows = self.out.len().div_ceil(self.out_stride);
        let width = V * S::F32_LANES;
        for panel in 0..self.columns.div_ceil(width) {
            let mut row = 0;
            // Eight rows need 24 sums; a machine with 16 registers has room for four.
            if S::REGISTER_COUNT >= 32 {
                while rows - row >= 8 {
                    self.tile::<S, 8>(simd, panel, row);
                    row += 8;
                }
            }
            while rows - row >= 4 {
                self.tile::<S, 4>(simd, panel, row);
                row += 4;
            }
            while rows > row {
                self.tile::<S, 1>(simd, panel, row);
                row += 1;
            }
        }
    }
}

impl<const V: usize> Product<'_, V> {
    #[inline(always)]
    fn tile<S: Simd, const M: usize>(&mut self, simd: S, panel: usize, row: usize) {
        let width = V * S::F32_LANES;
        let size = width * self.depth;
        let steps = S::as_simd_f32s(&self.panels[panel * size..][..size]).0;
        let mut sums = [[simd.splat_f32s(0.0); V]; M];
        if let Some(bias) = self.bias {
            let bias = S::as_simd_f32s(&bias[panel * width..][..width]).0;
            sums = [std::array::from_fn(|vector| bias[vector]); M];
        }
        let rows: [&[f32]; M] = std::array::from_fn(|index| {
            &self.left[(row + index) * self.left_stride..][..self.depth]
        });
        let sums = sum_up::<S, M, V>(simd, rows, steps, sums);
        let end = self.columns.min((panel + 1) * width);
        for (index, sums) in sums.iter().enumerate() {
            let start = (row + index) * self.out_stride;
            let out = &mut self.out[start + panel * width..start + end];
            for (out, sum) in out.chunks_mut(S::F32_LANES).zip(sums) {
                let value = match self.then {
                    Then::Write => *sum,
                    Then::Add => simd.add_f32s(*sum, simd.partial_load_f32s(out)),
                    Then::Gelu => gelu(simd, *sum),
                };
                simd.partial_store_f32s(out, value);
            }
        }
    }
}

/// The innermost loop: everything it writes is in registers.
#[inline(always)]
fn sum_up<S: Simd, const M: usize, const V: usize>(
    simd: S,
    rows: [&[f32]; M],
    steps: &[S::f32s],
    mut sums: [[S::f32s; V]; M],
) -> [[S::f32s; V]; M] {
    let steps = steps.as_chunks::<V>().0;
    // Said again with the length of `steps`, so that no bounds are checked inside.
    let rows = rows.map(|row| &row[..steps.len()]);
    for (depth, step) in steps.iter().enumerate() {
        for (row, sums) in rows.iter().zip(&mut sums) {
            let value = simd.splat_f32s(row[depth]);
            for (sum, step) in sums.iter_mut().zip(step) {
                *sum = simd.mul_add_e_f32s(value, *step, *sum);
            }
        }
    }
    sums
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// All instruction sets that can be tried on this machine.
    pub(in crate::local) fn archs() -> Vec<Arch> {
        let mut archs = vec![Arch::Scalar, Arch::new()];
        #[cfg(target_arch = "x86_64")]
        archs.extend(pulp::x86::V3::try_new().map(Arch::V3));
        archs
    }

    /// Numbers between -1 and 1 that look random and are the same each time.
    pub(in crate::local) fn numbers(count: usize, seed: u32) -> Vec<f32> {
        let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(1);
        let next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / 8_388_608.0 - 1.0
        };
        std::iter::repeat_with(next).take(count).collect()
    }

    #[track_caller]
    pub(in crate::local) fn assert_close(found: &[f32], expected: &[f32]) {
        assert_eq!(found.len(), expected.len());
        for (index, (found, expected)) in found.iter().zip(expected).enumerate() {
            let distance = (found - expected).abs();
            assert!(distance < 2e-5, "at {index}: {found} instead of {expected}");
        }
    }

    fn expected(rows: &[f32], matrix: &[f32], bias: &[f32], inputs: usize) -> Vec<f32> {
        rows.chunks(inputs)
            .flat_map(|row| {
                matrix.chunks(inputs).zip(bias).map(move |(column, bias)| {
                    row.iter().zip(column).map(|(a, b)| a * b).sum::<f32>() + bias
                })
            })
            .collect()
    }

    #[test]
    fn product_is_that_of_the_definition_for_sizes_that_fill_no_tile() {
        for arch in archs() {
            for (count, inputs, outputs) in [(1, 1, 1), (3, 7, 5), (13, 20, 49), (21, 33, 100)] {
                let rows = numbers(count * inputs, 1);
                let matrix = numbers(inputs * outputs, 2);
                let bias = numbers(outputs, 3);
                let expected = expected(&rows, &matrix, &bias, inputs);
                let weights = Weights::new(arch, &matrix, &bias, inputs);
                let mut out = vec![9.0; count * outputs];
                multiply(arch, &rows, &weights, &mut out, Then::Write);
                assert_close(&out, &expected);
                multiply(arch, &rows, &weights, &mut out, Then::Add);
                let doubled: Vec<f32> = expected.iter().map(|value| value * 2.0).collect();
                assert_close(&out, &doubled);
            }
        }
    }

    #[test]
    fn panels_of_a_turned_matrix_multiply_as_its_rows_do() {
        for arch in archs() {
            let (count, depth, columns) = (5, 6, 37);
            let rows = numbers(count * depth, 4);
            let matrix = numbers(columns * depth, 5);
            let expected = expected(&rows, &matrix, &vec![0.0; columns], depth);
            let slice = |values, columns| Slice {
                values,
                stride: columns,
                columns,
            };
            let mut panels = Panels::default();
            panels.take_turned(arch, slice(&matrix, depth), columns);
            let mut out = vec![0.0; count * columns];
            multiply_panels(
                arch,
                slice(&rows, depth),
                &panels,
                columns,
                &mut out,
                columns,
            );
            assert_close(&out, &expected);
            // And turned once more, by hand.
            let mut upright = vec![0.0; columns * depth];
            for (index, value) in matrix.iter().enumerate() {
                upright[index % depth * columns + index / depth] = *value;
            }
            panels.take(arch, slice(&upright, columns), depth);
            multiply_panels(
                arch,
                slice(&rows, depth),
                &panels,
                columns,
                &mut out,
                columns,
            );
            assert_close(&out, &expected);
        }
    }
}
