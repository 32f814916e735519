//! What makes one sample differ from the next.

use rand::Rng;
use rand::rngs::SmallRng;

/// Share of the samples that a busy machine holds up.
const STRAGGLERS: f64 = 0.1;

/// The most that one is held up by.
const HELD_UP: f64 = 0.3;

/// Noise of the rate of a case.
#[derive(Debug, Clone, Copy)]
pub struct Noise {
    /// Deviation of the logarithm.
    pub deviation: f64,
    /// Whether one sample in ten takes up to 30% longer.
    pub stragglers: bool,
    /// Autocorrelation of neighbouring samples, falling by as much with each step.
    pub autocorrelation: f64,
}

impl Noise {
    /// Rates around `rate`, one after the other.
    pub fn rates(self, rate: f64, count: usize, rng: &mut SmallRng) -> Vec<f64> {
        let keep = self.autocorrelation;
        let mut level = normal(rng);
        (0..count)
            .map(|_| {
                level = keep * level + (1.0 - keep * keep).sqrt() * normal(rng);
                let held_up = self.stragglers && rng.random::<f64>() < STRAGGLERS;
                let longer = if held_up { 1.0 + HELD_UP * rng.random::<f64>() } else { 1.0 };
                rate * (self.deviation * level).exp() / longer
            })
            .collect()
    }
}

/// Box and Muller: `sqrt(-2 ln(1 - u)) cos(2 pi v)`; `1 - u` lies in (0, 1].
fn normal(rng: &mut SmallRng) -> f64 {
    let radius = (-2.0 * (1.0 - rng.random::<f64>()).ln()).sqrt();
    radius * (std::f64::consts::TAU * rng.random::<f64>()).cos()
}
