//! Rotary positions: how fast each pair of columns turns, and how that is stretched for contexts
//! longer than those of training.

use serde::{Deserialize, Serialize};

/// How rotary positions are stretched.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum RopeScaling {
    /// Every angle is divided by this.
    Linear {
        /// The divisor.
        factor: f32,
    },
    /// Llama 3.1: slow rotations are slowed, fast ones kept.
    Llama3 {
        /// Slow frequencies are divided by this.
        factor: f32,
        /// Wavelengths above `original_context / low_freq_factor` are slow.
        low_freq_factor: f32,
        /// Wavelengths below `original_context / high_freq_factor` stay as they are.
        high_freq_factor: f32,
        /// Context the model was first trained at, in tokens.
        original_context: usize,
    },
    /// `YaRN`: a ramp between kept and slowed pairs, by how often they turn within the old context.
    Yarn {
        /// Slow frequencies are divided by this.
        factor: f32,
        /// Context the model was first trained at, in tokens.
        original_context: usize,
        /// Pairs that turn more often than this within it stay.
        beta_fast: f32,
        /// Pairs that turn less often than this are slowed.
        beta_slow: f32,
        /// Whether the ends of the ramp are whole pairs.
        truncate: bool,
        /// What queries and keys are multiplied by.
        magnitude: f32,
    },
    /// `LongRoPE` (Phi-3): a divisor a pair, one set for short sequences and one for long ones.
    LongRope {
        /// Divisors of sequences up to `original_context`: `(width / 2)`.
        short: Vec<f32>,
        /// Divisors of longer ones: `(width / 2)`.
        long: Vec<f32>,
        /// Context the model was first trained at, in tokens.
        original_context: usize,
        /// What queries and keys are multiplied by.
        magnitude: f32,
    },
    /// Divisors that a file gives, one a pair: `(width / 2)`.
    Divisors(Vec<f32>),
}

/// Rotary positions of some layers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rope {
    /// Base of the frequencies.
    pub theta: f32,
    /// Columns of a head that turn, from the first on.
    pub width: usize,
    /// Stretching.
    pub scaling: Option<RopeScaling>,
}

/// What `YaRN` multiplies queries and keys by: `0.1 * scale * ln(factor) + 1` for factors above 1.
///
/// # Source
/// `yarn_get_mscale` of transformers.
#[must_use]
pub fn yarn_magnitude(factor: f32, scale: f32) -> f32 {
    if factor <= 1.0 { 1.0 } else { (0.1 * scale).mul_add(factor.ln(), 1.0) }
}

/// What `LongRoPE` multiplies queries and keys by: `sqrt(1 + ln(factor) / ln(original))` for factors
/// above 1, where `factor` is the context over the original one.
///
/// # Source
/// `_compute_longrope_parameters` of transformers.
#[must_use]
pub fn long_rope_magnitude(context: usize, original_context: usize) -> f32 {
    let factor = context as f64 / original_context as f64;
    if factor <= 1.0 {
        return 1.0;
    }
    #[expect(clippy::cast_possible_truncation, reason = "tables are in f32")]
    let magnitude = (1.0 + factor.ln() / (original_context as f64).ln()).sqrt() as f32;
    magnitude
}

impl Rope {
    /// Rotary positions without stretching.
    #[must_use]
    pub fn plain(theta: f32, width: usize) -> Self {
        Self { theta, width, scaling: None }
    }

    /// Sequences longer than this turn by [`inverse_frequencies`](Self::inverse_frequencies) of
    /// `long`; `None` where length makes no difference.
    #[must_use]
    pub fn long_from(&self) -> Option<usize> {
        match &self.scaling {
            Some(RopeScaling::LongRope { original_context, .. }) => Some(*original_context),
            _ => None,
        }
    }

    /// What cosines and sines, and so queries and keys, are multiplied by.
    #[must_use]
    pub fn magnitude(&self) -> f32 {
        match &self.scaling {
            Some(RopeScaling::Yarn { magnitude, .. } | RopeScaling::LongRope { magnitude, .. }) => {
                *magnitude
            }
            _ => 1.0,
        }
    }

    /// The angle of each pair at position 1: `theta^(-2i / width)` over [`divisors`](Self::divisors).
    ///
    /// # Shapes
    /// Result: `width / 2`.
    #[must_use]
    pub fn inverse_frequencies(&self, long: bool) -> Vec<f32> {
        let divisors = self.divisors(long);
        let one = |(pair, divisor): (usize, &f64)| {
            #[expect(clippy::cast_possible_truncation, reason = "tables are in f32")]
            let frequency = (self.frequency(pair) / divisor) as f32;
            frequency
        };
        divisors.iter().enumerate().map(one).collect()
    }

    fn frequency(&self, pair: usize) -> f64 {
        f64::from(self.theta).powf(-((2 * pair) as f64) / self.width as f64)
    }

    /// What each rotary frequency is divided by, as a GGUF keeps it in `rope_freqs.weight`.
    ///
    /// # Shapes
    /// Result: `width / 2`.
    ///
    /// # Source
    /// `modeling_rope_utils.py` of transformers.
    #[must_use]
    pub fn divisors(&self, long: bool) -> Vec<f64> {
        let pairs = 0..self.width / 2;
        let given = |numbers: &[f32]| {
            pairs.clone().map(|i| numbers.get(i).map_or(1.0, |n| f64::from(*n))).collect()
        };
        match &self.scaling {
            None => vec![1.0; self.width / 2],
            Some(RopeScaling::Linear { factor }) => vec![f64::from(*factor); self.width / 2],
            Some(RopeScaling::LongRope { long: numbers, .. }) if long => given(numbers),
            Some(RopeScaling::LongRope { short: numbers, .. } | RopeScaling::Divisors(numbers)) => {
                given(numbers)
            }
            Some(RopeScaling::Llama3 {
                factor,
                low_freq_factor,
                high_freq_factor,
                original_context,
            }) => {
                let (low, high) = (f64::from(*low_freq_factor), f64::from(*high_freq_factor));
                let (factor, original) = (f64::from(*factor), *original_context as f64);
                let one = |pair| {
                    let wavelength = 2.0 * std::f64::consts::PI / self.frequency(pair);
                    if wavelength < original / high {
                        1.0
                    } else if wavelength > original / low {
                        factor
                    } else {
                        let s = (original / wavelength - low) / (high - low);
                        1.0 / ((1.0 - s) / factor + s)
                    }
                };
                pairs.map(one).collect()
            }
            Some(RopeScaling::Yarn {
                factor,
                original_context,
                beta_fast,
                beta_slow,
                truncate,
                ..
            }) => {
                let betas = (f64::from(*beta_fast), f64::from(*beta_slow));
                let ramp = self.yarn_ramp(*original_context as f64, betas, *truncate);
                let factor = f64::from(*factor);
                pairs.map(|pair| 1.0 / (ramp(pair) / factor + 1.0 - ramp(pair))).collect()
            }
        }
    }

    /// 0 for pairs that keep their frequency, 1 for those that are slowed, and between them a line.
    fn yarn_ramp(
        &self,
        original: f64,
        (fast, slow): (f64, f64),
        truncate: bool,
    ) -> impl Fn(usize) -> f64 {
        let width = self.width as f64;
        // The pair that turns so many times within the original context.
        let pair_of = |turns: f64| {
            let angle = original / (turns * 2.0 * std::f64::consts::PI);
            width * angle.ln() / (2.0 * f64::from(self.theta).ln())
        };
        let (mut low, mut high) = (pair_of(fast), pair_of(slow));
        if truncate {
            (low, high) = (low.floor(), high.ceil());
        }
        let (low, mut high) = (low.max(0.0), high.min(width - 1.0));
        if (high - low).abs() < f64::EPSILON {
            high += 0.001;
        }
        move |pair| ((pair as f64 - low) / (high - low)).clamp(0.0, 1.0)
    }

    /// The first contradiction in it.
    pub(super) fn contradiction(&self, head_dim: usize) -> Option<String> {
        let width = self.width;
        if width == 0 || !width.is_multiple_of(2) || width > head_dim {
            return Some(format!("{width} of {head_dim} columns of a head turn"));
        }
        if !(self.theta.is_finite() && self.theta > 0.0) {
            return Some(format!("the rotary base is {}", self.theta));
        }
        let lists: [&[f32]; 2] = match &self.scaling {
            Some(RopeScaling::LongRope { short, long, .. }) => [short, long],
            Some(RopeScaling::Divisors(divisors)) => [divisors, divisors],
            _ => return None,
        };
        let wrong = lists.into_iter().find(|list| list.len() != width / 2)?;
        Some(format!("{} rotary divisors are given for {} pairs", wrong.len(), width / 2))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slow_rotations_are_slowed_and_fast_ones_kept() {
        let scaling = RopeScaling::Llama3 {
            factor: 8.0,
            low_freq_factor: 1.0,
            high_freq_factor: 4.0,
            original_context: 64,
        };
        let rope = Rope { theta: 10_000.0, width: 8, scaling: Some(scaling) };
        let divisors = rope.divisors(false);
        // Wavelengths 6.28, 62.8, 628 and 6,283; short is below 64 / 4, long above 64.
        // 62.83: s = (64 / 62.83 - 1) / 3 = 0.0062; 1 / (0.9938 / 8 + 0.0062) = 7.667
        let expected = [1.0, 7.667, 8.0, 8.0];
        assert!(divisors.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-2), "{divisors:?}");
    }

    #[test]
    fn yarn_slows_pairs_that_never_turn_and_keeps_those_that_often_do() {
        let scaling = RopeScaling::Yarn {
            factor: 4.0,
            original_context: 1024,
            beta_fast: 32.0,
            beta_slow: 1.0,
            truncate: true,
            magnitude: yarn_magnitude(4.0, 1.0),
        };
        let rope = Rope { theta: 10_000.0, width: 16, scaling: Some(scaling) };
        // 16 ln(1024 / 64 pi) / (2 ln 10000) = 1.41, down to 1; 16 ln(1024 / 2 pi) / 18.42 = 4.42, up
        // to 5; between them a fourth a pair: pair 3 has half of each, 1 / (0.5 / 4 + 0.5) = 1.6.
        let divisors = rope.divisors(false);
        assert!((divisors[1] - 1.0).abs() < 1e-9 && (divisors[5] - 4.0).abs() < 1e-9);
        assert!((divisors[3] - 1.6).abs() < 1e-9, "{divisors:?}");
        assert!((rope.magnitude() - 1.138_629).abs() < 1e-6);
    }

    #[test]
    fn long_sequences_have_divisors_of_their_own() {
        let scaling = RopeScaling::LongRope {
            short: vec![1.0, 2.0],
            long: vec![1.0, 8.0],
            original_context: 4_096,
            magnitude: long_rope_magnitude(131_072, 4_096),
        };
        let rope = Rope { theta: 100.0, width: 4, scaling: Some(scaling) };
        // 100^(-2/4) = 0.1
        assert!((rope.inverse_frequencies(false)[1] - 0.05).abs() < 1e-7);
        assert!((rope.inverse_frequencies(true)[1] - 0.0125).abs() < 1e-7);
        assert_eq!(rope.long_from(), Some(4_096));
        // sqrt(1 + ln 32 / ln 4096) = sqrt(1 + 5/12)
        assert!((rope.magnitude() - 1.190_238).abs() < 1e-6);
    }
}
