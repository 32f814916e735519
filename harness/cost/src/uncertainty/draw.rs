//! The distributions inputs are drawn from.

use crate::knobs::Knob;
use crate::scenario::Spread;
use rand::Rng;
use statrs::distribution::{Beta, ContinuousCDF, Normal};
use std::sync::LazyLock;

/// The 95% quantile of the standard normal distribution.
pub(super) const Z95: f64 = 1.644_853_626_951_472_2;

/// Steps of a table of quantiles.
const STEPS: usize = 1_024;

/// Quantiles at every 1,024th; the outermost stand for the tails beyond 1 in 4,096.
type Quantiles = Box<[f64; STEPS + 1]>;

/// Quantiles of the standard normal distribution.
static NORMAL: LazyLock<Quantiles> = LazyLock::new(|| {
    let normal = Normal::standard();
    quantiles(|p| normal.inverse_cdf(p))
});

fn quantiles(inverse: impl Fn(f64) -> f64) -> Quantiles {
    let mut table = Box::new([0.0; STEPS + 1]);
    let steps = STEPS as f64;
    for (step, value) in table.iter_mut().enumerate() {
        *value = inverse((step as f64).clamp(0.25, steps - 0.25) / steps);
    }
    table
}

/// A distribution as a table of its quantiles, the straight line between two of them: drawing from
/// it is a random number, two loads and a product, whatever the distribution.
#[derive(Debug, Clone)]
pub(crate) struct Sampler(Quantiles);

impl Sampler {
    /// The distribution of an input: low, value and high are its P5, P50 and P95; a beta has its
    /// mean at the value.
    pub(super) fn of(knob: &Knob) -> Self {
        let Knob { low, value, high, .. } = *knob;
        match knob.spread {
            Spread::LogNormal => Self::log_normal(0.0, low, value, high),
            Spread::AboveOne => Self::log_normal(1.0, low, value, high),
            Spread::Normal => Self::normal(low, value, high),
            Spread::Beta => match beta(value, low, high) {
                Some(beta) => Self(quantiles(|p| beta.inverse_cdf(p))),
                None => Self::fixed(value),
            },
            Spread::None => Self::fixed(value),
        }
    }

    /// Log-normal on either side of the median, of what exceeds `offset`.
    ///
    /// `offset + value * exp(z * s)`, with `s = ln(value / low) / z95` below the median and
    /// `ln(high / value) / z95` above.
    pub(super) fn log_normal(offset: f64, low: f64, value: f64, high: f64) -> Self {
        let (low, value, high) = (low - offset, value - offset, high - offset);
        if low <= 0.0 {
            return Self::fixed(value + offset);
        }
        let (below, above) = ((value / low).ln() / Z95, (high / value).ln() / Z95);
        Self::of_normal(|z| offset + value * (z * if z < 0.0 { below } else { above }).exp())
    }

    /// `value + z * s`, with another `s` on either side of the value, and -1 at the least: no more
    /// than all can go.
    fn normal(low: f64, value: f64, high: f64) -> Self {
        let (below, above) = ((value - low) / Z95, (high - value) / Z95);
        Self::of_normal(|z| (value + z * if z < 0.0 { below } else { above }).max(-1.0))
    }

    fn of_normal(shape: impl Fn(f64) -> f64) -> Self {
        let mut table = NORMAL.clone();
        for value in table.iter_mut() {
            *value = shape(*value);
        }
        Self(table)
    }

    fn fixed(value: f64) -> Self {
        Self(Box::new([value; STEPS + 1]))
    }

    pub(super) fn draw(&self, rng: &mut impl Rng) -> f64 {
        // Ten bits choose the step, the other 54 the place within it.
        let bits: u64 = rng.random();
        let step = (bits >> 54) as usize;
        let place = (bits & ((1 << 54) - 1)) as f64 * (1.0 / (1_u64 << 54) as f64);
        let (low, high) = (self.0[step], self.0[step + 1]);
        low + place * (high - low)
    }
}

/// The beta distribution with its mean at the value and 90% of it about as wide as low to high.
///
/// `sd = (high - low) / (2 * z95)`, `nu = m (1 - m) / sd^2 - 1`, `alpha = m * nu`,
/// `beta = (1 - m) * nu`. `None` where the range is too wide for a distribution with one peak, or
/// reaches beyond 0 or 1.
pub(crate) fn beta(value: f64, low: f64, high: f64) -> Option<Beta> {
    let deviation = (high - low) / (2.0 * Z95);
    let inside = low >= 0.0 && high <= 1.0 && value > 0.0 && value < 1.0 && deviation > 0.0;
    let nu = value * (1.0 - value) / (deviation * deviation) - 1.0;
    let (a, b) = (value * nu, (1.0 - value) * nu);
    // One parameter may lie below 1: a share near 0 or near 1 piles up there.
    (inside && a.max(b) >= 1.0 && a.min(b) > 0.2).then(|| Beta::new(a, b).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand::rngs::SmallRng;

    fn sorted(sampler: &Sampler) -> Vec<f64> {
        let mut rng = SmallRng::seed_from_u64(7);
        let mut draws: Vec<f64> = (0..40_000).map(|_| sampler.draw(&mut rng)).collect();
        draws.sort_by(f64::total_cmp);
        draws
    }

    fn near(a: f64, b: f64, share: f64) {
        assert!((a / b - 1.0).abs() < share, "{a} is not within {share} of {b}");
    }

    #[test]
    fn low_value_and_high_are_p5_p50_and_p95() {
        for (sampler, low, value, high) in [
            (Sampler::log_normal(0.0, 300.0, 1_000.0, 3_000.0), 300.0, 1_000.0, 3_000.0),
            (Sampler::log_normal(0.0, 0.7, 1.0, 2.0), 0.7, 1.0, 2.0),
            (Sampler::log_normal(1.0, 1.09, 1.54, 1.8), 1.09, 1.54, 1.8),
            (Sampler::normal(-0.3, 0.1, 1.0), -0.3, 0.1, 1.0),
        ] {
            let draws = sorted(&sampler);
            let width = high - low;
            for (at, want) in [(2_000, low), (20_000, value), (38_000, high)] {
                assert!((draws[at] - want).abs() < 0.02 * width, "{} {want}", draws[at]);
            }
        }
    }

    #[test]
    fn nothing_that_exceeds_one_is_drawn_below_it() {
        assert!(sorted(&Sampler::log_normal(1.0, 1.09, 1.54, 1.8))[0] > 1.0);
    }

    #[test]
    fn a_demand_that_shrinks_is_never_drawn_below_nothing() {
        let draws = sorted(&Sampler::normal(-0.9, 0.0, 3.0));
        assert!(draws[0] >= -1.0, "{}", draws[0]);
    }

    #[test]
    fn a_share_stays_a_share_and_has_its_mean() {
        // sd = 0.27 / 3.29 = 0.0821; nu = 0.8 * 0.2 / 0.00674 - 1 = 22.7; alpha 18.2, beta 4.55
        let beta = beta(0.8, 0.65, 0.92).unwrap();
        let draws = sorted(&Sampler(quantiles(|p| beta.inverse_cdf(p))));
        assert!(draws[0] > 0.0 && draws[draws.len() - 1] < 1.0);
        near(draws.iter().sum::<f64>() / draws.len() as f64, 0.8, 0.005);
        near(draws[38_000] - draws[2_000], 0.27, 0.05);
    }

    #[test]
    fn a_range_that_no_share_has_is_refused() {
        assert!(beta(0.5, 0.0, 1.0).is_none());
        assert!(beta(0.0, 0.0, 0.1).is_none());
        assert!(beta(0.5, -0.1, 0.6).is_none());
    }
}
