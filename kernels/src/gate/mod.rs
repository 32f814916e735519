//! The gate of a feed-forward layer.
//!
//! Not here: gates other than `SiLU`, and the products before and after.

#[cfg(target_arch = "x86_64")]
mod x86;

use crate::isa::Isa;

/// `out = silu(gate) * up`, with `silu(x) = x / (1 + e^-x)`.
///
/// # Shapes
/// `gate`, `up`, `out`: all of one length, of any length.
///
/// # Accuracy
/// Relative error below 1e-6 where the result is a normal number; a gate below -88 may give 0 for
/// what is above -1e-36.
///
/// # Panics
/// If lengths differ, or this CPU lacks `isa`.
///
/// # Source
/// Shazeer, *GLU Variants Improve Transformer*, 2020: `SwiGLU` without bias.
pub fn silu_multiply(isa: Isa, gate: &[f32], up: &[f32], out: &mut [f32]) {
    assert!(isa.is_available(), "this CPU has no {isa}");
    assert_eq!(gate.len(), up.len(), "gate and up");
    assert_eq!(gate.len(), out.len(), "outputs");
    match isa {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the CPU was asked for the set, and the lengths agree.
        Isa::Avx512 | Isa::Amx => unsafe { x86::silu_multiply_avx512(gate, up, out) },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: as above.
        Isa::Avx2 => unsafe { x86::silu_multiply_avx2(gate, up, out) },
        _ => reference(gate, up, out),
    }
}

/// The slow twin.
fn reference(gate: &[f32], up: &[f32], out: &mut [f32]) {
    for ((out, gate), up) in out.iter_mut().zip(gate).zip(up) {
        *out = gate / (1.0 + (-gate).exp()) * up;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matrix::testing::{nmse, random_numbers, seeds};

    fn exact(gate: f32, up: f32) -> f64 {
        let (gate, up) = (f64::from(gate), f64::from(up));
        gate / (1.0 + (-gate).exp()) * up
    }

    #[test]
    fn every_set_agrees_with_exact_arithmetic() {
        for (length, seed) in [1, 7, 8, 15, 16, 33, 100, 1536].into_iter().zip(seeds()) {
            let gate: Vec<f32> = random_numbers(length, seed).iter().map(|x| 8.0 * x).collect();
            let up = random_numbers(length, seed ^ 1);
            let exact: Vec<f64> = gate.iter().zip(&up).map(|(g, u)| exact(*g, *u)).collect();
            for isa in Isa::available() {
                let mut out = vec![f32::NAN; length];
                silu_multiply(isa, &gate, &up, &mut out);
                let error = nmse(&out, &exact);
                assert!(error < 1e-12, "{isa}, {length}: {error:e}");
            }
        }
    }

    #[test]
    fn each_value_is_right_from_one_end_to_the_other() {
        let gate: Vec<f32> = (-2000..=2000_i16).map(|i| f32::from(i) / 20.0).collect();
        let up = vec![-1.0; gate.len()];
        for isa in Isa::available() {
            let mut out = vec![f32::NAN; gate.len()];
            silu_multiply(isa, &gate, &up, &mut out);
            for (gate, out) in gate.iter().zip(&out) {
                let (exact, error) = (exact(*gate, -1.0), f64::from(*out) - exact(*gate, -1.0));
                assert!(error.abs() <= 1e-6 * exact.abs() + 1e-36, "{isa}: {gate} gives {out}");
            }
        }
    }
}
