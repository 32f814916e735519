//! The exponential function of many numbers at once.
//!
//! `e^x = 2^n * e^r` with `n` the nearest integer to `x / ln 2`, so that `|r| <= ln 2 / 2`; `e^r` is a
//! polynomial of degree six.
//!
//! # Accuracy
//! Relative error below 2e-7 from -87 to 88. Below -87.33, where results would be subnormal, exactly
//! 0, also for minus infinity; above 88.73 infinite; a NaN stays one.
//!
//! Not here: a slow twin. It is `f64::exp` of the standard library.

use std::arch::x86_64::{
    __m256, __m512, _CMP_NLT_UQ, _MM_FROUND_NO_EXC, _MM_FROUND_TO_NEAREST_INT, _mm256_add_epi32,
    _mm256_and_ps, _mm256_castsi256_ps, _mm256_cmp_ps, _mm256_cvtps_epi32, _mm256_fmadd_ps,
    _mm256_fnmadd_ps, _mm256_max_ps, _mm256_min_ps, _mm256_mul_ps, _mm256_round_ps,
    _mm256_set1_epi32, _mm256_set1_ps, _mm256_slli_epi32, _mm256_srai_epi32, _mm256_sub_epi32,
    _mm512_cmp_ps_mask, _mm512_fmadd_ps, _mm512_fnmadd_ps, _mm512_maskz_scalef_ps, _mm512_min_ps,
    _mm512_mul_ps, _mm512_roundscale_ps, _mm512_set1_ps,
};
use std::f32::consts::LOG2_E;

const NEAREST: i32 = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;

/// Below this, `e^x` is no normal number: `ln(2^-126)`.
const LOWEST: f32 = -87.336_54;
/// Beyond the logarithm of the largest number, 88.72.
const HIGHEST: f32 = 89.0;

/// ln 2 in two parts; products of the first with integers below 2^9 are exact.
const LN_2_HIGH: f32 = 0.693_359_4;
const LN_2_LOW: f32 = -2.121_944_4e-4;

/// From the highest power: fitted so that the largest relative error over `|r| <= 0.347` is least,
/// 3e-9, with the last two held at 1. The series of `1 / k!` would be off by 1.2e-7.
const COEFFICIENTS: [f32; 7] =
    [1.381_446_4e-3, 8.368_782e-3, 4.166_839_3e-2, 1.666_652e-1, 0.499_999_94, 1.0, 1.0];

#[inline]
#[target_feature(enable = "avx512f")]
pub(crate) fn exp_avx512(x: __m512) -> __m512 {
    let normal = _mm512_cmp_ps_mask::<_CMP_NLT_UQ>(x, _mm512_set1_ps(LOWEST));
    // The second operand is what comes out if one is a NaN.
    let x = _mm512_min_ps(_mm512_set1_ps(HIGHEST), x);
    let n = _mm512_roundscale_ps::<NEAREST>(_mm512_mul_ps(x, _mm512_set1_ps(LOG2_E)));
    let r = _mm512_fnmadd_ps(n, _mm512_set1_ps(LN_2_HIGH), x);
    let r = _mm512_fnmadd_ps(n, _mm512_set1_ps(LN_2_LOW), r);
    let mut power = _mm512_set1_ps(COEFFICIENTS[0]);
    for coefficient in &COEFFICIENTS[1..] {
        power = _mm512_fmadd_ps(power, r, _mm512_set1_ps(*coefficient));
    }
    _mm512_maskz_scalef_ps(normal, power, n)
}

#[inline]
#[target_feature(enable = "avx2,fma")]
pub(crate) fn exp_avx2(x: __m256) -> __m256 {
    let normal = _mm256_cmp_ps::<_CMP_NLT_UQ>(x, _mm256_set1_ps(LOWEST));
    let x = _mm256_min_ps(_mm256_set1_ps(HIGHEST), x);
    let x = _mm256_max_ps(_mm256_set1_ps(LOWEST), x);
    let n = _mm256_round_ps::<NEAREST>(_mm256_mul_ps(x, _mm256_set1_ps(LOG2_E)));
    let r = _mm256_fnmadd_ps(n, _mm256_set1_ps(LN_2_HIGH), x);
    let r = _mm256_fnmadd_ps(n, _mm256_set1_ps(LN_2_LOW), r);
    let mut power = _mm256_set1_ps(COEFFICIENTS[0]);
    for coefficient in &COEFFICIENTS[1..] {
        power = _mm256_fmadd_ps(power, r, _mm256_set1_ps(*coefficient));
    }
    // In two steps, because 2^128 is no number but `power * 2^128` may be.
    let n = _mm256_cvtps_epi32(n);
    let half = _mm256_srai_epi32::<1>(n);
    for n in [half, _mm256_sub_epi32(n, half)] {
        let exponent = _mm256_add_epi32(n, _mm256_set1_epi32(127));
        let scale = _mm256_castsi256_ps(_mm256_slli_epi32::<23>(exponent));
        power = _mm256_mul_ps(power, scale);
    }
    _mm256_and_ps(power, normal)
}

#[cfg(test)]
mod tests {
    use std::arch::x86_64::{_mm256_loadu_ps, _mm256_storeu_ps, _mm512_loadu_ps, _mm512_storeu_ps};

    use super::*;
    use crate::isa::Isa;

    #[target_feature(enable = "avx2,fma")]
    fn avx2(x: [f32; 16]) -> [f32; 16] {
        let mut y = [0.0; 16];
        for half in [0, 8] {
            // SAFETY: eight of sixteen; neither asks for alignment.
            unsafe {
                let x = _mm256_loadu_ps(x[half..].as_ptr());
                _mm256_storeu_ps(y[half..].as_mut_ptr(), exp_avx2(x));
            }
        }
        y
    }

    #[target_feature(enable = "avx512f")]
    fn avx512(x: [f32; 16]) -> [f32; 16] {
        let mut y = [0.0; 16];
        // SAFETY: all sixteen; neither asks for alignment.
        unsafe { _mm512_storeu_ps(y.as_mut_ptr(), exp_avx512(_mm512_loadu_ps(x.as_ptr()))) };
        y
    }

    type Sixteen = fn([f32; 16]) -> [f32; 16];

    fn kernels() -> Vec<(Isa, Sixteen)> {
        // SAFETY: each is called only if the CPU has its set, as the filter sees to.
        let kernels: [(Isa, Sixteen); 2] = [
            (Isa::Avx2, |x| unsafe { avx2(x) }),
            // SAFETY: as above.
            (Isa::Avx512, |x| unsafe { avx512(x) }),
        ];
        kernels.into_iter().filter(|(isa, _)| isa.is_available()).collect()
    }

    #[test]
    fn relative_error_is_small_over_all_normal_results() {
        for (isa, exp) in kernels() {
            let mut worst = 0.0_f64;
            for step in 0..175_000 {
                let x: [f32; 16] =
                    std::array::from_fn(|i| -87.0 + (step * 16 + i) as f32 / 16_000.0);
                for (x, y) in x.into_iter().zip(exp(x)) {
                    let exact = f64::from(x).exp();
                    worst = worst.max((f64::from(y) / exact - 1.0).abs());
                }
            }
            assert!(worst < 2e-7, "{isa}: {worst:e}");
        }
    }

    #[test]
    fn the_ends_are_zero_and_infinity() {
        for (isa, exp) in kernels() {
            let mut x = [0.0; 16];
            let ends = [-88.0, -104.0, -1e30, f32::NEG_INFINITY, 88.8, 1e30, f32::INFINITY];
            x[..7].copy_from_slice(&ends);
            x[7] = f32::NAN;
            let y = exp(x);
            assert_eq!(y[..4], [0.0; 4], "{isa}");
            assert_eq!(y[4..7], [f32::INFINITY; 3], "{isa}");
            assert!(y[7].is_nan(), "{isa}");
            assert_eq!(y[8..], [1.0; 8], "{isa}");
        }
    }
}
