//! What is done to numbers and rows one by one: activation, softmax, layer normalisation.

use pulp::{Arch, Simd, WithSimd};

/// Applies the Gaussian error linear unit: `x / 2 * (1 + erf(x / sqrt 2))`.
#[inline(always)]
pub(crate) fn gelu<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    let half = simd.mul_f32s(x, simd.splat_f32s(0.5));
    let scaled = simd.mul_f32s(x, simd.splat_f32s(std::f32::consts::FRAC_1_SQRT_2));
    simd.mul_add_e_f32s(half, erf(simd, scaled), half)
}

/// The error function as a quotient of two polynomials, within 5e-7.
///
/// The coefficients are those of Eigen's `generic_fast_erf_float` (Eigen 3.4,
/// `unsupported/Eigen/src/SpecialFunctions/SpecialFunctionsImpl.h`).
#[inline(always)]
fn erf<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    const ODD: [f32; 7] = [
        -2.726_142_4e-10,
        2.770_681_4e-8,
        -2.101_024e-6,
        -5.692_506_5e-5,
        -7.349_906_5e-4,
        -2.954_6e-3,
        -1.609_603_3e-2,
    ];
    const EVEN: [f32; 5] = [
        -1.456_607_2e-5,
        -2.133_740_6e-4,
        -1.682_827e-3,
        -7.373_329e-3,
        -1.426_474e-2,
    ];
    let x = simd.max_f32s(x, simd.splat_f32s(-4.0));
    let x = simd.min_f32s(x, simd.splat_f32s(4.0));
    let square = simd.mul_f32s(x, x);
    let above = simd.mul_f32s(x, polynomial(simd, square, &ODD));
    simd.div_f32s(above, polynomial(simd, square, &EVEN))
}

/// Evaluates by Horner's rule; the coefficient of the highest power comes first.
#[inline(always)]
fn polynomial<S: Simd, const N: usize>(simd: S, x: S::f32s, coefficients: &[f32; N]) -> S::f32s {
    let mut value = simd.splat_f32s(coefficients[0]);
    for coefficient in &coefficients[1..] {
        value = simd.mul_add_e_f32s(value, x, simd.splat_f32s(*coefficient));
    }
    value
}

/// Returns e to the power of `x`, which is at most 0, within 2e-7 of it; 0 below -87.
///
/// `x = n ln 2 + r`, so that `e^x = 2^n e^r` with `|r| <= ln 2 / 2`; `e^r` by its Taylor series up
/// to the seventh power, whose next term is below 6e-9.
#[inline(always)]
fn exp<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    const TAYLOR: [f32; 8] = [
        1.0 / 5040.0,
        1.0 / 720.0,
        1.0 / 120.0,
        1.0 / 24.0,
        1.0 / 6.0,
        0.5,
        1.0,
        1.0,
    ];
    /// 1.5 * 2^23: adding it leaves the nearest whole number in the lowest bits.
    const ROUND: f32 = 12_582_912.0;
    // ln 2 in two parts, the first with few bits, so that `n` times it is exact (Cody and Waite).
    const LN_2_HIGH: f32 = 0.693_359_4;
    const LN_2_LOW: f32 = -2.121_944_4e-4;
    let x = simd.max_f32s(x, simd.splat_f32s(-87.0));
    let shifted = simd.mul_add_e_f32s(
        x,
        simd.splat_f32s(std::f32::consts::LOG2_E),
        simd.splat_f32s(ROUND),
    );
    let n = simd.sub_f32s(shifted, simd.splat_f32s(ROUND));
    let rest = simd.mul_add_e_f32s(n, simd.splat_f32s(-LN_2_HIGH), x);
    let rest = simd.mul_add_e_f32s(n, simd.splat_f32s(-LN_2_LOW), rest);
    let value = polynomial(simd, rest, &TAYLOR);
    // The exponent of a float lies above its 23 bits of fraction; what overflows is the constant.
    let exponent = simd.wrapping_dyn_shl_u32s(
        simd.transmute_u32s_f32s(shifted),
        simd.splat_u32s(f32::MANTISSA_DIGITS - 1),
    );
    simd.transmute_f32s_u32s(simd.add_u32s(simd.transmute_u32s_f32s(value), exponent))
}

/// Turns the first `count` values of each row of `stride` into shares of 1; the rest becomes 0.
///
/// A row is as long as a whole number of vectors.
pub(crate) fn softmax(arch: Arch, rows: &mut [f32], stride: usize, count: usize) {
    struct Softmax<'a> {
        rows: &'a mut [f32],
        stride: usize,
        count: usize,
    }
    impl WithSimd for Softmax<'_> {
        type Output = ();

        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) {
            for row in self.rows.chunks_exact_mut(self.stride) {
                row[self.count..].fill(f32::MIN);
                let values = S::as_mut_simd_f32s(row).0;
                let mut highest = simd.splat_f32s(f32::MIN);
                for value in values.iter() {
                    highest = simd.max_f32s(highest, *value);
                }
                let highest = simd.splat_f32s(simd.reduce_max_f32s(highest));
                let mut sum = simd.splat_f32s(0.0);
                for value in values.iter_mut() {
                    *value = exp(simd, simd.sub_f32s(*value, highest));
                    sum = simd.add_f32s(sum, *value);
                }
                let share = simd.splat_f32s(1.0 / simd.reduce_sum_f32s(sum));
                for value in values {
                    *value = simd.mul_f32s(*value, share);
                }
                row[self.count..].fill(0.0);
            }
        }
    }
    arch.dispatch(Softmax {
        rows,
        stride,
        count,
    });
}

/// Scales and shifts a row after it was brought to mean 0 and variance 1.
#[derive(Debug)]
pub(crate) struct Norm {
    /// What each value is multiplied with.
    pub scale: Vec<f32>,
    /// What is added to each value.
    pub shift: Vec<f32>,
    /// Added to the variance.
    pub epsilon: f32,
}

impl Norm {
    /// Normalises each row of `rows`.
    pub(crate) fn apply(&self, arch: Arch, rows: &mut [f32]) {
        arch.dispatch(Normalise { norm: self, rows });
    }
}

struct Normalise<'a> {
    norm: &'a Norm,
    rows: &'a mut [f32],
}

impl WithSimd for Normalise<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Norm {
            scale,
            shift,
            epsilon,
        } = self.norm;
        let (scales, scales_rest) = S::as_simd_f32s(scale);
        let (shifts, shifts_rest) = S::as_simd_f32s(shift);
        let count = scale.len() as f32;
        for row in self.rows.chunks_exact_mut(scale.len()) {
            let (values, rest) = S::as_mut_simd_f32s(row);
            let mut sum = simd.splat_f32s(0.0);
            for value in values.iter() {
                sum = simd.add_f32s(sum, *value);
            }
            let mean = (simd.reduce_sum_f32s(sum) + rest.iter().sum::<f32>()) / count;
            let means = simd.splat_f32s(mean);
            let mut sum = simd.splat_f32s(0.0);
            for value in values.iter() {
                let distance = simd.sub_f32s(*value, means);
                sum = simd.mul_add_e_f32s(distance, distance, sum);
            }
            let rest_sum: f32 = rest.iter().map(|value| (value - mean).powi(2)).sum();
            let variance = (simd.reduce_sum_f32s(sum) + rest_sum) / count;
            let factor = 1.0 / (variance + epsilon).sqrt();
            let factors = simd.splat_f32s(factor);
            for ((value, scale), shift) in values.iter_mut().zip(scales).zip(shifts) {
                let normal = simd.mul_f32s(simd.sub_f32s(*value, means), factors);
                *value = simd.mul_add_e_f32s(normal, *scale, *shift);
            }
            for ((value, scale), shift) in rest.iter_mut().zip(scales_rest).zip(shifts_rest) {
                *value = (*value - mean) * factor * scale + shift;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::local::product::tests::{archs, assert_close, numbers};
    use crate::local::product::{Then, Weights, lanes, multiply};

    /// The error function by its Taylor series.
    fn erf_exactly(x: f64) -> f64 {
        let mut term = x;
        let mut sum = x;
        for n in 1..200 {
            let n = f64::from(n);
            term *= -x * x / n;
            sum += term / (2.0 * n + 1.0);
        }
        sum * std::f64::consts::FRAC_2_SQRT_PI
    }

    #[test]
    fn activation_is_within_a_millionth_of_its_definition() {
        for arch in archs() {
            let inputs: Vec<f32> = (-600..=600).map(|n| n as f32 / 100.0).collect();
            let identity = Weights::new(arch, &[1.0], &[0.0], 1);
            let mut found = vec![0.0; inputs.len()];
            multiply(arch, &inputs, &identity, &mut found, Then::Gelu);
            for (x, found) in inputs.iter().zip(found) {
                let x = f64::from(*x);
                let erf = erf_exactly((x / 2_f64.sqrt()).clamp(-4.0, 4.0));
                let distance = (f64::from(found) - x / 2.0 * (1.0 + erf)).abs();
                assert!(distance < 2e-6, "{distance} at {x}");
            }
        }
    }

    #[test]
    fn shares_add_up_to_one_and_padding_has_none() {
        for arch in archs() {
            let stride = 2 * lanes(arch) + lanes(arch);
            let count = 2 * lanes(arch) + 1;
            let mut rows = numbers(2 * stride, 6);
            rows[1] = 80.0;
            rows[stride] = -200.0;
            let expected: Vec<f32> = rows
                .chunks(stride)
                .flat_map(|row| {
                    let row = row[..count].iter().map(|value| f64::from(*value));
                    let highest = row.clone().fold(f64::MIN, f64::max);
                    let powers: Vec<f64> = row.map(|value| (value - highest).exp()).collect();
                    let sum: f64 = powers.iter().sum();
                    let mut shares: Vec<f32> = powers.iter().map(|p| (p / sum) as f32).collect();
                    shares.resize(stride, 0.0);
                    shares
                })
                .collect();
            softmax(arch, &mut rows, stride, count);
            assert_close(&rows, &expected);
        }
    }

    #[test]
    fn normalised_row_has_mean_0_and_variance_1_before_scale_and_shift() {
        for arch in archs() {
            let count = 37;
            let norm = Norm {
                scale: numbers(count, 7),
                shift: numbers(count, 8),
                epsilon: 1e-12,
            };
            let mut rows = numbers(2 * count, 9);
            let expected: Vec<f32> = rows
                .chunks(count)
                .flat_map(|row| {
                    let mean = row.iter().sum::<f32>() / count as f32;
                    let squares: f32 = row.iter().map(|value| (value - mean).powi(2)).sum();
                    let factor = (squares / count as f32 + norm.epsilon).sqrt().recip();
                    let parts = row.iter().zip(&norm.scale).zip(&norm.shift);
                    parts
                        .map(move |((value, scale), shift)| (value - mean) * factor * scale + shift)
                })
                .collect();
            norm.apply(arch, &mut rows);
            assert_close(&rows, &expected);
        }
    }
}
