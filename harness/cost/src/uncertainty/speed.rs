//! The spread of the measured throughput.

use super::ThroughputSpread;
use super::draw::{Sampler, Z95};
use crate::operating_point::{OperatingPoint, seconds_per_request};
use freeweights_record::CaseSamples;
use freeweights_record::units::{Fraction, Quantity as _, Tokens, TokensPerSecond};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

/// How many means are drawn from the samples once; a scenario then takes one of them.
const MEANS: usize = 4_096;

/// What a drawn throughput is, as a share of the measured one.
#[derive(Debug, Clone)]
pub(crate) enum Speed {
    /// Means of samples: the factor on the throughput, and the share of prefill with it.
    Means(Vec<(f64, Fraction)>),
    /// A distribution of the factor.
    Interval(Sampler),
    /// Always 1.
    Held,
}

impl Speed {
    /// From paired samples of the point's record, or else from its interval.
    ///
    /// Prefill and decode of one sample stay together: a slow second slows both. The means are
    /// spread by `sqrt(n / (n - 1))` around the measured one, because samples drawn from n samples
    /// vary that much less than the machine does.
    pub(crate) fn of(
        point: &OperatingPoint,
        isl: Tokens,
        osl: Tokens,
        samples: Option<&CaseSamples>,
        seed: u64,
    ) -> Self {
        let pairs = samples.and_then(|samples| pairs(samples, osl));
        match (pairs, point.requests_per_s.low, point.requests_per_s.high) {
            (Some(pairs), ..) => Self::Means(means(&pairs, isl, osl, point.prefill_share, seed)),
            (None, Some(low), Some(high)) => {
                let value = point.requests_per_s.value;
                // The interval's ends are 1.96 deviations out, those of a sampler 1.645.
                let z = Z95 / 1.959_963_984_540_054;
                let low = (low / value).min(1.0).powf(z);
                let high = (high / value).max(1.0).powf(z);
                Self::Interval(Sampler::log_normal(0.0, low, 1.0, high))
            }
            _ => Self::Held,
        }
    }

    pub(crate) const fn kind(&self) -> ThroughputSpread {
        match self {
            Self::Means(_) => ThroughputSpread::Samples,
            Self::Interval(_) => ThroughputSpread::Interval,
            Self::Held => ThroughputSpread::Held,
        }
    }

    /// A factor on the throughput, and the share of prefill where it is drawn too.
    pub(super) fn draw(&self, rng: &mut impl Rng) -> (f64, Option<Fraction>) {
        match self {
            Self::Means(means) => {
                let (factor, share) = means[rng.random_range(0..means.len())];
                (factor, Some(share))
            }
            Self::Interval(sampler) => (sampler.draw(rng), None),
            Self::Held => (1.0, None),
        }
    }
}

type Pair = (TokensPerSecond, Option<TokensPerSecond>);

/// Samples that have what the shape needs, at least two of them.
fn pairs(samples: &CaseSamples, osl: Tokens) -> Option<Vec<Pair>> {
    let CaseSamples { prefill, decode } = samples;
    let pairs: Vec<Pair> = if osl.get() > 1 {
        prefill.iter().zip(decode).map(|(prefill, decode)| (*prefill, Some(*decode))).collect()
    } else {
        prefill.iter().map(|prefill| (*prefill, None)).collect()
    };
    let positive = pairs.iter().all(|(prefill, decode)| {
        prefill.get() > 0.0 && decode.is_none_or(|decode| decode.get() > 0.0)
    });
    (pairs.len() >= 2 && positive).then_some(pairs)
}

/// The share of prefill is that of the point, shifted as the samples vary: the point may lie between
/// two records.
fn means(
    pairs: &[Pair],
    isl: Tokens,
    osl: Tokens,
    share: Option<Fraction>,
    seed: u64,
) -> Vec<(f64, Fraction)> {
    let n = pairs.len() as f64;
    let widen = (n / (n - 1.0)).sqrt();
    let centre = mean(pairs.iter());
    let time = |(prefill, decode): Pair| seconds_per_request(isl, osl, prefill, decode);
    let whole = time(centre);
    let measured = time((centre.0, None)) / whole;
    let shift = share.map_or(0.0, |share| share.get() - measured);
    let mut rng = SmallRng::seed_from_u64(seed);
    (0..MEANS)
        .map(|_| {
            let drawn = mean((0..pairs.len()).map(|_| &pairs[rng.random_range(0..pairs.len())]));
            // Never to zero or below, however far one straggler reaches.
            let spread = |drawn: TokensPerSecond, centre: TokensPerSecond| {
                let shifted = centre + (drawn - centre) * widen;
                TokensPerSecond::new(shifted.get().max(centre.get() * 0.01))
            };
            let prefill = spread(drawn.0, centre.0);
            let decode = drawn.1.zip(centre.1).map(|(drawn, centre)| spread(drawn, centre));
            let seconds = time((prefill, decode));
            let share = time((prefill, None)) / seconds + shift;
            (whole / seconds, Fraction::new(share.clamp(0.0, 1.0)))
        })
        .collect()
}

fn mean<'a>(pairs: impl Iterator<Item = &'a Pair>) -> Pair {
    let (mut count, mut prefill, mut decode) = (0.0, 0.0, None);
    for pair in pairs {
        count += 1.0;
        prefill += pair.0.as_f64();
        if let Some(rate) = pair.1 {
            decode = Some(decode.unwrap_or(0.0) + rate.as_f64());
        }
    }
    let rate = |sum: f64| TokensPerSecond::new(sum / count);
    (rate(prefill), decode.map(rate))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rates(values: &[f64]) -> Vec<TokensPerSecond> {
        values.iter().map(|value| TokensPerSecond::new(*value)).collect()
    }

    #[test]
    fn means_of_samples_spread_as_the_standard_error_does() {
        let prefill = rates(&[95.0, 105.0, 100.0, 98.0, 102.0]);
        let samples = CaseSamples { prefill, decode: Vec::new() };
        let point = crate::operating_point::tests_support::any_point();
        let one = Tokens::new(1);
        let speed = Speed::of(&point, Tokens::new(100), one, Some(&samples), 1);
        let Speed::Means(means) = &speed else { panic!("{speed:?}") };
        let count = means.len() as f64;
        let centre = means.iter().map(|(factor, _)| factor).sum::<f64>() / count;
        assert!((centre - 1.0).abs() < 0.002, "{centre}");
        // deviation of the samples: sqrt((25 + 25 + 0 + 4 + 4) / 4) = 3.808; of their mean, 1.703%
        let square = means.iter().map(|(factor, _)| (factor - centre).powi(2)).sum::<f64>();
        let deviation = (square / count).sqrt();
        assert!((deviation / 0.017_03 - 1.0).abs() < 0.05, "{deviation}");
    }

    #[test]
    fn the_share_of_prefill_is_drawn_around_that_of_the_point() {
        // 100 / 100 and 9 / 9: half of the time in this record, a quarter at the point.
        let samples =
            CaseSamples { prefill: rates(&[99.0, 101.0, 100.0]), decode: rates(&[9.1, 8.9, 9.0]) };
        let point = crate::operating_point::tests_support::any_point();
        assert_eq!(point.prefill_share.unwrap(), Fraction::new(0.25));
        let speed = Speed::of(&point, Tokens::new(100), Tokens::new(10), Some(&samples), 1);
        let Speed::Means(means) = &speed else { panic!("{speed:?}") };
        let mean = means.iter().map(|(_, share)| share.get()).sum::<f64>() / means.len() as f64;
        assert!((mean - 0.25).abs() < 1e-3, "{mean}");
    }

    #[test]
    fn without_samples_the_interval_counts_and_without_one_nothing() {
        let mut point = crate::operating_point::tests_support::any_point();
        let shape = (Tokens::new(100), Tokens::new(10));
        assert_eq!(Speed::of(&point, shape.0, shape.1, None, 1).kind(), ThroughputSpread::Interval);
        point.requests_per_s.low = None;
        assert_eq!(Speed::of(&point, shape.0, shape.1, None, 1).kind(), ThroughputSpread::Held);
    }
}
