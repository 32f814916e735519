//! The gate of a feed-forward layer.
//!
//! Not here: the products before and after.

#[cfg(target_arch = "x86_64")]
mod x86;

use crate::isa::Isa;

/// What a gate makes of the outputs of its two products.
///
/// # Source
/// Shazeer, *GLU Variants Improve Transformer*, 2020: `SwiGLU` and `GEGLU` without bias. The clamped
/// one: `OpenAI`, *gpt-oss model card*, 2025.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Activation {
    /// `silu(gate) * up`, with `silu(x) = x / (1 + e^-x)`.
    #[default]
    Silu,
    /// `gelu(gate) * up`, with `gelu(x) = x / 2 * (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3)))`: `PyTorch`
    /// calls it `gelu_pytorch_tanh`.
    GeluTanh,
    /// `(u + 1) * g / (1 + e^(-alpha g))`, with `g = min(gate, limit)` and
    /// `u = max(-limit, min(up, limit))`.
    ClampedSwiglu {
        /// What neither exceeds: 7 in gpt-oss.
        limit: f32,
        /// How steep the gate is: 1.702 in gpt-oss.
        alpha: f32,
    },
}

/// `sqrt(2 / pi)`.
const GELU_SLOPE: f32 = 0.797_884_6;

const GELU_CUBE: f32 = 0.044_715;

/// `out = activation(gate, up)`, as [`Activation`] says.
///
/// # Shapes
/// `gate`, `up`, `out`: all of one length, of any length.
///
/// # Accuracy
/// Relative error below 1e-6, where the result is a normal number, for [`Activation::Silu`]; where
/// the exponent `x` of a power is large, `1e-7 * |x|` is added to that for the others, as `x` itself is
/// rounded. Where a power overflows, from a gate of -88 on for `SiLU`, what is below 1e-35 in magnitude
/// before it is multiplied with `up` may be 0.
///
/// # Panics
/// If lengths differ, a limit is not above 0, or this CPU lacks `isa`.
pub fn gate_multiply(isa: Isa, activation: Activation, gate: &[f32], up: &[f32], out: &mut [f32]) {
    assert!(isa.is_available(), "this CPU has no {isa}");
    assert_eq!(gate.len(), up.len(), "gate and up");
    assert_eq!(gate.len(), out.len(), "outputs");
    if let Activation::ClampedSwiglu { limit, .. } = activation {
        assert!(limit > 0.0, "a limit of {limit}");
    }
    match isa {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the CPU was asked for the set, and the lengths agree.
        Isa::Avx512 | Isa::Amx => unsafe { x86::gate_multiply_avx512(activation, gate, up, out) },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: as above.
        Isa::Avx2 => unsafe { x86::gate_multiply_avx2(activation, gate, up, out) },
        _ => reference(activation, gate, up, out),
    }
}

/// The slow twin.
fn reference(activation: Activation, gate: &[f32], up: &[f32], out: &mut [f32]) {
    for ((out, gate), up) in out.iter_mut().zip(gate).zip(up) {
        *out = activation.of(*gate, *up);
    }
}

impl Activation {
    fn of(self, gate: f32, up: f32) -> f32 {
        match self {
            Self::Silu => gate / (1.0 + (-gate).exp()) * up,
            Self::GeluTanh => {
                // (1 + tanh x) / 2 is 1 / (1 + e^(-2 x)), and exact where the former cancels.
                let x = GELU_SLOPE * (GELU_CUBE * gate * gate).mul_add(gate, gate);
                gate / (1.0 + (-2.0 * x).exp()) * up
            }
            Self::ClampedSwiglu { limit, alpha } => {
                // What is no number stays none, which `min` would hide.
                let gate = if gate > limit { limit } else { gate };
                let up = up.clamp(-limit, limit);
                gate / (1.0 + (-alpha * gate).exp()) * (up + 1.0)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matrix::testing::{nmse, random_numbers, seeds};

    const ALL: [Activation; 3] = [
        Activation::Silu,
        Activation::GeluTanh,
        Activation::ClampedSwiglu { limit: 7.0, alpha: 1.702 },
    ];

    fn exact(activation: Activation, gate: f32, up: f32) -> f64 {
        let (gate, up) = (f64::from(gate), f64::from(up));
        match activation {
            Activation::Silu => gate / (1.0 + (-gate).exp()) * up,
            Activation::GeluTanh => {
                let x = (2.0 / std::f64::consts::PI).sqrt() * (gate + 0.044_715 * gate.powi(3));
                // Below, the sum would cancel even in f64.
                let twice = if x > -5.0 { 1.0 + x.tanh() } else { 2.0 / (1.0 + (-2.0 * x).exp()) };
                0.5 * gate * twice * up
            }
            Activation::ClampedSwiglu { limit, alpha } => {
                let gate = gate.min(f64::from(limit));
                let up = up.clamp(f64::from(-limit), f64::from(limit));
                gate / (1.0 + (-f64::from(alpha) * gate).exp()) * (up + 1.0)
            }
        }
    }

    #[test]
    fn every_set_agrees_with_exact_arithmetic() {
        for activation in ALL {
            for (length, seed) in [1, 7, 8, 15, 16, 33, 100, 1536].into_iter().zip(seeds()) {
                for size in [1.0, 8.0, 100.0] {
                    let numbers = |seed| random_numbers(length, seed).into_iter();
                    let mut gate: Vec<f32> = numbers(seed).map(|x| size * x).collect();
                    // If all were far below 0, so would be the size of what comes out.
                    gate[0] = gate[0].abs();
                    let up: Vec<f32> = numbers(seed ^ 1).map(|x| size * x).collect();
                    let pairs = gate.iter().zip(&up);
                    let exact: Vec<f64> = pairs.map(|(g, u)| exact(activation, *g, *u)).collect();
                    for isa in Isa::available() {
                        let mut out = vec![f32::NAN; length];
                        gate_multiply(isa, activation, &gate, &up, &mut out);
                        let error = nmse(&out, &exact);
                        // Relative errors of 1e-6, and of 1e-7 times the exponents of what counts:
                        // below -10 that is little.
                        assert!(error < 4e-12, "{isa} {activation:?}, {length}: {error:e}");
                    }
                }
            }
        }
    }

    #[test]
    fn each_value_is_right_from_one_end_to_the_other() {
        let gate: Vec<f32> = (-2000..=2000_i16).map(|i| f32::from(i) / 20.0).collect();
        let up = vec![-3.0; gate.len()];
        let pairs =
            ALL.into_iter().flat_map(|a| Isa::available().into_iter().map(move |isa| (a, isa)));
        for (activation, isa) in pairs {
            let mut out = vec![f32::NAN; gate.len()];
            gate_multiply(isa, activation, &gate, &up, &mut out);
            for (gate, out) in gate.iter().zip(&out) {
                let exact = exact(activation, *gate, -3.0);
                let error = (f64::from(*out) - exact).abs();
                let exponent = match activation {
                    Activation::Silu => 0.0,
                    Activation::GeluTanh => 1.6 * (gate + 0.044_715 * gate.powi(3)).abs(),
                    Activation::ClampedSwiglu { alpha, .. } => (alpha * gate).abs(),
                };
                let relative = 1e-6 + 1e-7 * f64::from(exponent);
                assert!(
                    error <= relative * exact.abs() + 1e-35,
                    "{isa} {activation:?}: {gate} gives {out}, not {exact:e}"
                );
            }
        }
    }

    #[test]
    fn far_ends_are_limits_and_what_is_no_number_stays_none() {
        let gate = [3e38, 1e13, -1e13, -3e38, f32::NAN, 1.0, f32::INFINITY];
        let up = [1.0, 1.0, 1.0, 1.0, 1.0, f32::NAN, 1.0];
        for isa in Isa::available() {
            for activation in ALL {
                let mut out = [7.0; 7];
                gate_multiply(isa, activation, &gate, &up, &mut out);
                let case = format!("{isa} {activation:?}: {out:?}");
                let clamped = matches!(activation, Activation::ClampedSwiglu { .. });
                for (gate, out) in gate[..2].iter().zip(out) {
                    assert!(
                        if clamped {
                            (out - 14.0).abs() < 1e-3
                        } else {
                            (out / gate - 1.0).abs() < 1e-6
                        },
                        "{case}"
                    );
                }
                assert!(out[2] == 0.0 && out[3] == 0.0, "{case}");
                assert!(out[4].is_nan() && out[5].is_nan(), "{case}");
                assert!(clamped || out[6] == f32::INFINITY, "{case}");
            }
        }
    }

    #[test]
    fn by_hand() {
        for isa in Isa::available() {
            let one = |activation, gate, up| {
                let mut out = [f32::NAN];
                gate_multiply(isa, activation, &[gate], &[up], &mut out);
                out[0]
            };
            // 1 / (1 + 1/e) = 0.7311; 0.5 (1 + tanh(0.7979 * 1.0447)) = 0.8412.
            assert!((one(Activation::Silu, 1.0, 2.0) - 1.462_117).abs() < 1e-6);
            assert!((one(Activation::GeluTanh, 1.0, 2.0) - 1.682_384).abs() < 1e-6);
            // Both clamped to 7: 8 * 7 / (1 + e^-11.914) = 55.9996; and -7 + 1 times as much.
            assert!((one(ALL[2], 9.0, 100.0) - 55.999_625).abs() < 1e-4);
            assert!((one(ALL[2], 9.0, -100.0) + 41.999_72).abs() < 1e-4);
        }
    }
}
