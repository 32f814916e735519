//! Normalisation by the root of the mean square.
//!
//! Not here: layer normalisation; no model here uses it.

#[cfg(target_arch = "x86_64")]
mod x86;

use crate::isa::Isa;

/// `out = x / sqrt(mean(x^2) + eps) * weight`
///
/// # Shapes
/// `x`, `weight`, `out`: `(hidden)`, of any length.
///
/// # Accuracy
/// The squares are summed in f32, in at least 8 partial sums; the reference sums in f64. Normalised
/// mean squared error below 1e-12: two roundings a value, and a sum whose error they all share.
///
/// # Panics
/// If lengths differ, or this CPU lacks `isa`.
///
/// # Source
/// Zhang and Sennrich, *Root Mean Square Layer Normalization*, 2019.
pub fn rms_norm(isa: Isa, x: &[f32], weight: &[f32], eps: f32, out: &mut [f32]) {
    assert!(isa.is_available(), "this CPU has no {isa}");
    assert_eq!(x.len(), weight.len(), "weights");
    assert_eq!(x.len(), out.len(), "outputs");
    match isa {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the CPU was asked for the set, and the lengths agree.
        Isa::Avx512 | Isa::Amx => unsafe { x86::rms_norm_avx512(x, weight, eps, out) },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: as above.
        Isa::Avx2 => unsafe { x86::rms_norm_avx2(x, weight, eps, out) },
        _ => reference(x, weight, eps, out),
    }
}

/// The slow twin.
fn reference(x: &[f32], weight: &[f32], eps: f32, out: &mut [f32]) {
    let squares: f64 = x.iter().map(|x| f64::from(*x) * f64::from(*x)).sum();
    let factor = inverse_root(squares, x.len(), eps);
    for ((out, x), weight) in out.iter_mut().zip(x).zip(weight) {
        *out = x * factor * weight;
    }
}

/// The one factor of all values.
#[expect(clippy::cast_possible_truncation, reason = "rounded on purpose")]
fn inverse_root(squares: f64, length: usize, eps: f32) -> f32 {
    (squares / length as f64 + f64::from(eps)).sqrt().recip() as f32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matrix::testing::{nmse, random_numbers, seeds};

    #[test]
    fn a_vector_by_hand() {
        for isa in Isa::available() {
            // The mean of the squares is (9 + 16 + 0 + 0) / 4 = 6.25, its root 2.5.
            let mut out = [0.0; 4];
            rms_norm(isa, &[3.0, -4.0, 0.0, 0.0], &[1.0, 0.5, 7.0, 1.0], 0.0, &mut out);
            for (out, expected) in out.into_iter().zip([1.2, -0.8, 0.0, 0.0]) {
                assert!((out - expected).abs() < 1e-6, "{isa}: {out}");
            }
        }
    }

    #[test]
    fn every_set_agrees_with_exact_arithmetic() {
        for (length, seed) in [1, 7, 8, 15, 16, 33, 64, 100, 576, 2049].into_iter().zip(seeds()) {
            let (x, weight) = (random_numbers(length, seed), random_numbers(length, seed ^ 1));
            let squares: f64 = x.iter().map(|x| f64::from(*x).powi(2)).sum();
            let root = (squares / length as f64 + f64::from(1e-5_f32)).sqrt();
            let exact: Vec<f64> =
                x.iter().zip(&weight).map(|(x, w)| f64::from(*x) / root * f64::from(*w)).collect();
            for isa in Isa::available() {
                let mut out = vec![f32::NAN; length];
                rms_norm(isa, &x, &weight, 1e-5, &mut out);
                let error = nmse(&out, &exact);
                assert!(error < 1e-12, "{isa}, {length}: {error:e}");
            }
        }
    }

    #[test]
    fn zeros_stay_zeros() {
        for isa in Isa::available() {
            let mut out = [f32::NAN; 40];
            rms_norm(isa, &[0.0; 40], &[1.0; 40], 1e-6, &mut out);
            assert!(out.iter().all(|out| *out == 0.0), "{isa}: {out:?}");
        }
    }
}
