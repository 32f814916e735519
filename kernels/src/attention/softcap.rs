//! Soft caps of scores in memory, with AVX2 and AVX-512.
//!
//! `cap * tanh(x) = cap - 2 cap / (e^(2 x) + 1)`: where the power is infinite, or 0, that is the cap, or
//! minus the cap.
//!
//! Not here: a slow twin. It is `f64::tanh` of the standard library.

use std::arch::x86_64::{
    _mm256_add_ps, _mm256_div_ps, _mm256_load_ps, _mm256_mul_ps, _mm256_set1_ps, _mm256_store_ps,
    _mm256_sub_ps, _mm512_add_ps, _mm512_div_ps, _mm512_load_ps, _mm512_mul_ps, _mm512_set1_ps,
    _mm512_store_ps, _mm512_sub_ps,
};
use std::f32::consts::{LN_2, LOG2_E};

use super::scoring::Scoring;
use crate::exp::{exp_avx2, exp_avx512};

/// `score = limit * tanh(rate / 2 * product)`.
///
/// # Accuracy
/// An absolute error of at most `2e-7 * limit`: that of the power, which is near 1 for small products.
#[derive(Debug, Clone, Copy)]
pub(super) struct Softcap {
    rate: f32,
    limit: f32,
}

impl Softcap {
    /// Of products as they are: the scale is in it.
    pub(super) fn of(scoring: &Scoring<'_>) -> Option<Self> {
        let limit = scoring.softcap?;
        Some(Self { rate: 2.0 * scoring.scale / limit, limit })
    }

    /// Of scaled products that are logarithms to base 2, as the scores shall be.
    pub(super) fn to_base_two(scoring: &Scoring<'_>) -> Option<Self> {
        let limit = scoring.softcap?;
        Some(Self { rate: 2.0 * LN_2 / limit, limit: limit * LOG2_E })
    }

    /// Caps so many products, a multiple of sixteen.
    ///
    /// # Safety
    /// They must be ours alone, from the start of a cache line.
    #[target_feature(enable = "avx512f")]
    pub(super) unsafe fn apply_avx512(self, products: *mut f32, count: usize) {
        let (rate, limit) = (_mm512_set1_ps(self.rate), _mm512_set1_ps(self.limit));
        let (one, twice) = (_mm512_set1_ps(1.0), _mm512_set1_ps(2.0 * self.limit));
        for i in (0..count).step_by(16) {
            // SAFETY: sixteen of the products.
            unsafe {
                let at = products.add(i);
                let power = exp_avx512(_mm512_mul_ps(_mm512_load_ps(at), rate));
                let below = _mm512_div_ps(twice, _mm512_add_ps(power, one));
                _mm512_store_ps(at, _mm512_sub_ps(limit, below));
            }
        }
    }

    /// Caps so many products, a multiple of eight.
    ///
    /// # Safety
    /// They must be ours alone, from the start of a cache line.
    #[target_feature(enable = "avx2,fma")]
    pub(super) unsafe fn apply_avx2(self, products: *mut f32, count: usize) {
        let (rate, limit) = (_mm256_set1_ps(self.rate), _mm256_set1_ps(self.limit));
        let (one, twice) = (_mm256_set1_ps(1.0), _mm256_set1_ps(2.0 * self.limit));
        for i in (0..count).step_by(8) {
            // SAFETY: eight of the products.
            unsafe {
                let at = products.add(i);
                let power = exp_avx2(_mm256_mul_ps(_mm256_load_ps(at), rate));
                let below = _mm256_div_ps(twice, _mm256_add_ps(power, one));
                _mm256_store_ps(at, _mm256_sub_ps(limit, below));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::isa::Isa;

    #[repr(align(64))]
    struct Products([f32; 64]);

    /// One product after the other, by each set that there is.
    fn capped(softcap: Softcap, products: [f32; 64]) -> Vec<(Isa, [f32; 64])> {
        let sets = [Isa::Avx2, Isa::Avx512].into_iter().filter(|isa| isa.is_available());
        sets.map(|isa| {
            let mut both = Products(products);
            let at = both.0.as_mut_ptr();
            // SAFETY: the set is available; all are aligned and ours.
            unsafe {
                match isa {
                    Isa::Avx2 => softcap.apply_avx2(at, 64),
                    _ => softcap.apply_avx512(at, 64),
                }
            }
            (isa, both.0)
        })
        .collect()
    }

    #[test]
    fn scores_are_right_from_one_end_to_the_other() {
        let scoring = Scoring { softcap: Some(50.0), ..Scoring::scaled(0.125) };
        for chunk in -500..500_i16 {
            let products: [f32; 64] =
                std::array::from_fn(|i| 16.0 * f32::from(chunk) + i as f32 / 4.0);
            let softcap = Softcap::of(&scoring).unwrap();
            for (isa, scores) in capped(softcap, products) {
                for (product, score) in products.into_iter().zip(scores) {
                    let exact = 50.0 * (f64::from(product) * 0.125 / 50.0).tanh();
                    let error = (f64::from(score) - exact).abs();
                    assert!(error < 2e-7 * 50.0, "{isa}: {product} gives {score}, {error:e}");
                }
            }
            let softcap = Softcap::to_base_two(&scoring).unwrap();
            for (isa, scores) in capped(softcap, products) {
                for (product, score) in products.into_iter().zip(scores) {
                    let exact = 50.0 * (f64::from(product) * 2_f64.ln() / 50.0).tanh();
                    let error = (f64::from(score) - exact / 2_f64.ln()).abs();
                    // A product rounds too, where the curve is steep.
                    assert!(error < 3e-7 * 72.2, "{isa}: {product} gives {score}, {error:e}");
                }
            }
        }
    }

    #[test]
    fn the_ends_are_the_cap() {
        let scoring = Scoring { softcap: Some(30.0), ..Scoring::scaled(1.0) };
        let mut products = [0.0; 64];
        products[..4].copy_from_slice(&[f32::INFINITY, 3e38, -3e38, f32::NEG_INFINITY]);
        products[4] = f32::NAN;
        for (isa, scores) in capped(Softcap::of(&scoring).unwrap(), products) {
            assert_eq!(scores[..4], [30.0, 30.0, -30.0, -30.0], "{isa}");
            assert!(scores[4].is_nan(), "{isa}");
            assert!(scores[5..].iter().all(|score| *score == 0.0), "{isa}");
        }
    }
}
