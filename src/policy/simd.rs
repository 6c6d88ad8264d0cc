//! The innermost loops, written once over any vector width: tiles of a matrix product, and the exponential.
//!
//! Each element of a tile is one chain of fused multiply-adds in ascending order of depth, so its bits do not depend on the
//! tile's size, on the vector width, or on the processor. No closure may surround vector code: it would be compiled as a function
//! of its own, without the instructions.
#![expect(clippy::inline_always, reason = "a vector kernel must be compiled inside the function that enables the instructions")]

use pulp::Simd;

/// The vectors that the kernels use on this processor.
pub fn vectors() -> &'static str {
    #[cfg(target_arch = "x86_64")]
    if pulp::x86::V4::try_new().is_some() {
        return "AVX-512";
    } else if pulp::x86::V3::try_new().is_some() {
        return "AVX2 and FMA";
    }
    "those every processor of this kind has"
}

/// Columns of a panel of weights, and of a panel of attention queries.
pub const PANEL: usize = 32;
/// Rows of a panel of activations.
pub const ROWS: usize = 12;

/// 1.5·2²³: adding it leaves the nearest integer in the low bits.
const ROUND: f32 = 12_582_912.0;

/// `R` rows from `FIRST` on by one panel of `V` vectors.
#[inline(always)]
pub fn tile<S: Simd, const FIRST: usize, const R: usize, const V: usize>(
    simd: S,
    rows: &[[f32; ROWS]],
    columns: &[[S::f32s; V]],
) -> [[S::f32s; V]; R] {
    let mut sums = [[simd.splat_f32s(0.0); V]; R];
    for (row, column) in rows.iter().zip(columns) {
        for r in 0..R {
            let factor = simd.splat_f32s(row[FIRST + r]);
            for v in 0..V {
                sums[r][v] = simd.mul_add_f32s(factor, column[v], sums[r][v]);
            }
        }
    }
    sums
}

/// `e^x` to about one unit in the last place; zero below −87, and `x` is taken as 88 above 88.
#[inline(always)]
pub fn exponential<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    let round = simd.splat_f32s(ROUND);
    let small = simd.less_than_f32s(x, simd.splat_f32s(-87.0));
    let x = simd.min_f32s(x, simd.splat_f32s(88.0));
    let shifted = simd.mul_add_f32s(x, simd.splat_f32s(std::f32::consts::LOG2_E), round);
    let whole = simd.sub_f32s(shifted, round);
    let rest = simd.mul_add_f32s(whole, simd.splat_f32s(-0.693_359_4), x);
    let rest = simd.mul_add_f32s(whole, simd.splat_f32s(2.121_944_4e-4), rest);
    let mut sum = simd.splat_f32s(1.987_569_1e-4);
    for coefficient in [1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 0.5, 1.0, 1.0] {
        sum = simd.mul_add_f32s(sum, rest, simd.splat_f32s(coefficient));
    }
    let power = simd.wrapping_dyn_shl_u32s(simd.transmute_u32s_f32s(shifted), simd.splat_u32s(23));
    let scaled = simd.transmute_f32s_u32s(simd.add_u32s(simd.transmute_u32s_f32s(sum), power));
    simd.select_f32s(small, simd.splat_f32s(0.0), scaled)
}

/// `2^x` for `x` at or below zero, to about one unit in the last place; zero below −125.
#[inline(always)]
pub fn power_of_two<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    let round = simd.splat_f32s(ROUND);
    let small = simd.less_than_f32s(x, simd.splat_f32s(-125.0));
    let shifted = simd.add_f32s(x, round);
    let rest = simd.sub_f32s(x, simd.sub_f32s(shifted, round));
    // least relative error on ±½, computed by exchange
    let mut sum = simd.splat_f32s(0.001_327_647_2);
    for coefficient in [0.009_675_541, 0.055_507_13, 0.240_221_2, 0.693_146_94, 1.0] {
        sum = simd.mul_add_f32s(sum, rest, simd.splat_f32s(coefficient));
    }
    let power = simd.wrapping_dyn_shl_u32s(simd.transmute_u32s_f32s(shifted), simd.splat_u32s(23));
    let scaled = simd.transmute_f32s_u32s(simd.add_u32s(simd.transmute_u32s_f32s(sum), power));
    simd.select_f32s(small, simd.splat_f32s(0.0), scaled)
}

/// `x / (1 + e^−x)`.
#[inline(always)]
pub fn swish<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    let one = simd.splat_f32s(1.0);
    let below = simd.add_f32s(one, exponential(simd, simd.neg_f32s(x)));
    simd.div_f32s(x, below)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Exponentials<'a>(&'a mut [f32]);

    struct Powers<'a>(&'a mut [f32]);

    impl pulp::WithSimd for Powers<'_> {
        type Output = ();

        fn with_simd<S: Simd>(self, simd: S) {
            for vector in S::as_mut_simd_f32s(self.0).0 {
                *vector = power_of_two(simd, *vector);
            }
        }
    }

    #[test]
    fn power_of_two_agrees_with_the_standard_one_and_is_zero_far_below() {
        let inputs: Vec<f32> = (0..1600_u16).map(|i| f32::from(i) * -0.077).collect();
        let mut outputs = inputs.clone();
        pulp::Arch::new().dispatch(Powers(&mut outputs));
        for (x, y) in inputs.iter().zip(&outputs) {
            assert!((f64::from(*y) / f64::from(*x).exp2() - 1.0).abs() < 3e-7, "{x}: {y}");
        }
        let mut far = [f32::NEG_INFINITY; 16];
        pulp::Arch::new().dispatch(Powers(&mut far));
        assert_eq!(far.map(f32::to_bits), [0; 16]);
    }

    impl pulp::WithSimd for Exponentials<'_> {
        type Output = ();

        fn with_simd<S: Simd>(self, simd: S) {
            let (vectors, rest) = S::as_mut_simd_f32s(self.0);
            assert!(rest.is_empty());
            for vector in vectors {
                *vector = exponential(simd, *vector);
            }
        }
    }

    #[test]
    fn exponential_agrees_with_the_standard_one_and_is_zero_far_below() {
        let inputs: Vec<f32> = (0..1600_u16).map(|i| f32::from(i) * 0.1 - 80.0).collect();
        let mut outputs = inputs.clone();
        pulp::Arch::new().dispatch(Exponentials(&mut outputs));
        for (x, y) in inputs.iter().zip(&outputs) {
            let exact = f64::from(*x).exp();
            assert!((f64::from(*y) / exact - 1.0).abs() < 3e-7, "{x}: {y} {exact}");
        }
        let mut far = [f32::NEG_INFINITY; 16];
        pulp::Arch::new().dispatch(Exponentials(&mut far));
        assert_eq!(far.map(f32::to_bits), [0; 16]);
    }
}
