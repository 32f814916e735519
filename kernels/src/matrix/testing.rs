//! What the tests of this room share: random numbers, stored blocks, and the error between results.

use super::formats::Format;
use super::half::F16;

/// A few starting points.
pub(crate) fn seeds() -> impl Iterator<Item = u64> {
    (1..).map(|i: u64| i.wrapping_mul(0x9e37_79b9_7f4a_7c15))
}

/// xorshift64*: repeatable, and random enough for tests.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed | 1)
    }

    pub(crate) fn bits(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// Evenly from -1 to 1.
    pub(crate) fn number(&mut self) -> f32 {
        (self.bits() >> 40) as f32 / f32::from_bits(0x4b00_0000) - 1.0
    }
}

/// `count` numbers from -1 to 1.
pub(crate) fn random_numbers(count: usize, seed: u64) -> Vec<f32> {
    let mut random = Random::new(seed);
    (0..count).map(|_| random.number()).collect()
}

/// A stored matrix with random codes, and scales of either sign as they occur in models.
pub(crate) fn random_blocks(format: Format, rows: usize, columns: usize, seed: u64) -> Vec<u8> {
    let mut random = Random::new(seed);
    let blocks = rows * columns / format.block_weights();
    let mut bytes = Vec::with_capacity(blocks * format.block_bytes());
    for _ in 0..blocks {
        let start = bytes.len();
        bytes.extend((0..format.block_bytes()).map(|_| random.bits().to_le_bytes()[7]));
        let halves = if format.has_minimum() { 2 } else { 1 };
        // All begin with them, but one ends with it.
        let start = if format == Format::Q6_K { bytes.len() - 2 } else { start };
        for half in bytes[start..].chunks_exact_mut(2).take(halves) {
            half.copy_from_slice(&F16::from_f32(random.number() / 16.0).to_bits().to_le_bytes());
        }
    }
    bytes
}

/// Normalised mean squared error: `sum (a - b)^2 / sum b^2`.
pub(crate) fn nmse(values: &[f32], exact: &[f64]) -> f64 {
    assert_eq!(values.len(), exact.len());
    let pairs = || values.iter().zip(exact);
    let error: f64 = pairs().map(|(a, b)| (f64::from(*a) - b).powi(2)).sum();
    let size: f64 = exact.iter().map(|b| b * b).sum();
    if error == 0.0 { 0.0 } else { error / size }
}
