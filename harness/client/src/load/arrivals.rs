//! Gaps between requests of an open loop.

use freeweights_record::units::{RequestsPerSecond, Seconds};
use rand::Rng;
use rand_distr::{Distribution as _, Gamma};
use std::fmt;
use std::str::FromStr;

/// How requests of an open loop follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Arrivals {
    /// Independent of each other, as of many people: exponential gaps.
    #[default]
    Poisson,
    /// One every `1 / rate`.
    Constant,
    /// Gamma gaps of this shape: below 1 burstier than Poisson, above it more even.
    Gamma(f64),
}

impl FromStr for Arrivals {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let shape = |text: &str| text.parse().ok().filter(|shape| (0.01..=1_000.0).contains(shape));
        match (text, text.strip_prefix("gamma:").and_then(shape)) {
            ("poisson", _) => Ok(Self::Poisson),
            ("constant", _) => Ok(Self::Constant),
            (_, Some(shape)) => Ok(Self::Gamma(shape)),
            _ => Err("give poisson, constant or gamma:SHAPE as in gamma:0.5".into()),
        }
    }
}

impl fmt::Display for Arrivals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Poisson => f.write_str("poisson"),
            Self::Constant => f.write_str("constant"),
            Self::Gamma(shape) => write!(f, "gamma:{shape}"),
        }
    }
}

/// A rate and how requests follow each other at it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate {
    /// On average.
    pub rate: RequestsPerSecond,
    /// Around it.
    pub arrivals: Arrivals,
}

impl Rate {
    /// The next gap; `1 / rate` on average.
    pub(crate) fn gap(&self, random: &mut impl Rng) -> Seconds {
        let mean = 1.0 / self.rate.get();
        let gamma = |shape: f64, random: &mut _| {
            // A gamma's mean is its shape times its scale.
            let gamma = Gamma::new(shape, mean / shape).expect("invariant: both are above 0");
            gamma.sample(random)
        };
        Seconds::new(match self.arrivals {
            Arrivals::Constant => mean,
            Arrivals::Poisson => gamma(1.0, random),
            Arrivals::Gamma(shape) => gamma(shape, random),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand::rngs::SmallRng;

    /// Mean and coefficient of variation of a hundred thousand gaps at 20 requests a second.
    fn gaps(arrivals: Arrivals) -> (f64, f64) {
        let rate = Rate { rate: RequestsPerSecond::new(20.0), arrivals };
        let mut random = SmallRng::seed_from_u64(7);
        let all: Vec<f64> = (0..100_000).map(|_| rate.gap(&mut random).get()).collect();
        let mean = all.iter().sum::<f64>() / all.len() as f64;
        let variance = all.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / all.len() as f64;
        (mean, variance.sqrt() / mean)
    }

    #[test]
    fn every_process_keeps_its_rate_and_its_spread() {
        // The coefficient of variation of a gamma is 1 / sqrt(shape).
        for (arrivals, spread) in
            [(Arrivals::Constant, 0.0), (Arrivals::Poisson, 1.0), (Arrivals::Gamma(0.25), 2.0)]
        {
            let (mean, variation) = gaps(arrivals);
            assert!((mean / 0.05 - 1.0).abs() < 0.03, "{arrivals} {mean}");
            assert!((variation - spread).abs() < 0.05, "{arrivals} {variation}");
            assert_eq!(arrivals.to_string().parse(), Ok(arrivals));
        }
        assert!("gamma:0".parse::<Arrivals>().is_err() && "uniform".parse::<Arrivals>().is_err());
    }
}
