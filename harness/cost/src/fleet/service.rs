//! How long a replica takes: for prompts, and for a step of decode.
//!
//! Not here: where measured times come from (`measured`), and what happens when (`replica`).

use super::error::FleetError;
use super::grid::{Grid, Point};
use crate::people::{number, percent};
use freeweights_record::units::{Seconds, Tokens};
use rand::Rng;

/// How far around its depth a measured step stands for others: it is the mean of steps before and
/// after it.
const AROUND: f64 = 1.25;

/// A change by pooling that is worth a word, as a share.
const WORTH_TELLING: f64 = 0.01;

/// One measured time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MeasuredTime {
    /// Sequences together: prompts of one prefill, or sequences of one decode step.
    pub batch: u32,
    /// Input tokens of each prompt, or tokens each sequence has in its KV cache, on average.
    pub tokens: Tokens,
    /// How long that prefill or that step takes, for the whole batch.
    pub time: Seconds,
}

/// The speed of one replica over batch and length, through measured points.
///
/// A decode step takes `d(batch, depth)`, depth being the mean of tokens in the KV cache of a
/// sequence; a prefill of `n` prompts takes `p(n, isl)`, isl being their mean input. Both lie straight
/// between measured points and never fall as either rises; where measured ones do, neighbours are
/// pooled.
#[derive(Debug, Clone, PartialEq)]
pub struct ServiceCurve {
    prefill: Grid,
    decode: Grid,
    notes: Vec<String>,
}

impl ServiceCurve {
    /// A curve through measured times.
    ///
    /// # Errors
    /// [`FleetError::NoPoints`] without a point for each phase, or where a time is none.
    pub fn of_points(
        prefill: &[MeasuredTime],
        decode: &[MeasuredTime],
    ) -> Result<Self, FleetError> {
        let grid = |times: &[MeasuredTime], phase| {
            let point = |time: &MeasuredTime| Point {
                batch: time.batch,
                length: time.tokens.as_f64(),
                time: time.time.get(),
            };
            let points: Vec<Point> = times.iter().map(point).collect();
            Grid::new(&points).ok_or(FleetError::NoPoints { phase })
        };
        let prefill = grid(prefill, "prefill")?;
        let decode = grid(decode, "a decode step")?;
        let mut notes = Vec::new();
        for (grid, what) in [(&prefill, "prefill times"), (&decode, "decode step times")] {
            if grid.pooled > WORTH_TELLING {
                notes.push(format!(
                    "Some measured {what} fell as the batch or the length rose; neighbours were pooled, the most by {}.",
                    percent(grid.pooled)
                ));
            }
        }
        Ok(Self { prefill, decode, notes })
    }

    /// The largest batch of decode that was measured: no replica steps more together.
    #[must_use]
    pub const fn batch_max(&self) -> u32 {
        self.decode.batches().1
    }

    /// A decode step of `batch` sequences with so many tokens in the KV cache of each, on average.
    #[must_use]
    pub fn step(&self, batch: u32, depth: Tokens) -> Seconds {
        Seconds::new(self.decode.held(batch, depth.as_f64()))
    }

    /// A prefill of `batch` prompts of so many tokens each.
    #[must_use]
    pub fn prefill(&self, batch: u32, isl: Tokens) -> Seconds {
        Seconds::new(self.prefill.in_proportion(batch, isl.as_f64()))
    }

    /// Adds a sentence about the points.
    pub(super) fn note(&mut self, text: &str) {
        self.notes.push(text.to_owned());
    }

    /// What was done to the points, in words.
    #[must_use]
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Where requests leave what was measured, and what is taken there instead.
    #[must_use]
    pub fn range_notes(&self, shortest: Tokens, longest: Tokens, deepest: Tokens) -> Vec<String> {
        let mut notes = Vec::new();
        let (low, high) = self.prefill.lengths();
        let tokens = |count: f64| number(count);
        if longest.as_f64() > high {
            notes.push(format!(
                "Prefill was measured up to {} input tokens and prompts have up to {}: longer ones take the time per token of the longest measured, which is too little where attention grows with the length. Measure them with --isl.",
                tokens(high), tokens(longest.as_f64())
            ));
        }
        if shortest.as_f64() < low {
            notes.push(format!(
                "Prefill was measured from {} input tokens and prompts have as few as {}: shorter ones take the time per token of the shortest measured.",
                tokens(low), tokens(shortest.as_f64())
            ));
        }
        let (_, deep) = self.decode.lengths();
        if deepest.as_f64() > deep * AROUND {
            notes.push(format!(
                "Decode steps were measured with up to {} tokens in the KV cache of a sequence and requests reach {}: deeper ones take the time of the deepest measured, which is too little. Measure them with --depth.",
                tokens(deep), tokens(deepest.as_f64())
            ));
        }
        let (first, last) = self.decode.batches();
        if first > 1 {
            notes.push(format!("The smallest measured batch of decode is {first}: smaller ones take its time. Measure them with --batch 1."));
        }
        if last == 1 {
            notes.push("Only a batch of 1 was measured, so a replica serves one request at a time. Measure more with --batch 1,2,4,8.".to_owned());
        }
        let together = self.prefill.batches().1;
        if together < last {
            notes.push(format!("Prefill was measured with up to {together} prompts together: no more are read at once."));
        }
        notes
    }
}

/// How long a replica takes.
#[derive(Debug, Clone, PartialEq)]
pub enum Service {
    /// As measured.
    Curve(ServiceCurve),
    /// Every request takes this long, whatever its length: the D of queueing theory.
    Constant(Seconds),
    /// Every request takes a time drawn from an exponential distribution with this mean: the M of
    /// queueing theory.
    Exponential(Seconds),
}

impl Service {
    /// The curve, where there is one.
    #[must_use]
    pub const fn curve(&self) -> Option<&ServiceCurve> {
        match self {
            Self::Curve(curve) => Some(curve),
            Self::Constant(_) | Self::Exponential(_) => None,
        }
    }

    /// The most prompts that are read in one prefill.
    pub(super) const fn prompts_max(&self) -> u32 {
        match self {
            Self::Curve(curve) => curve.prefill.batches().1,
            Self::Constant(_) | Self::Exponential(_) => 1,
        }
    }

    /// Whether decode steps take longer with more tokens in the KV cache.
    #[inline]
    pub(super) fn flat_in_depth(&self) -> bool {
        match self {
            Self::Curve(curve) => curve.decode.is_flat(),
            Self::Constant(_) | Self::Exponential(_) => true,
        }
    }

    /// Seconds of a decode step.
    #[inline]
    pub(super) fn step_s(&self, batch: u32, depth: f64) -> f64 {
        match self {
            Self::Curve(curve) => curve.decode.held(batch, depth),
            Self::Constant(_) | Self::Exponential(_) => 0.0,
        }
    }

    /// Seconds of a prefill of `prompts` with `mean` tokens each, of which `cached` are in the cache.
    ///
    /// `max(p(n, mean) - p(n, cached), p(n, mean - cached))`: what the cache spares is the time of
    /// the part it holds, and no prompt is faster than one that is as short as what is left.
    #[inline]
    pub(super) fn prefill_s(
        &self,
        prompts: u32,
        mean: f64,
        cached: f64,
        rng: &mut impl Rng,
    ) -> f64 {
        match self {
            Self::Curve(curve) => {
                let whole = curve.prefill.in_proportion(prompts, mean);
                if cached > 0.0 {
                    let spared = curve.prefill.in_proportion(prompts, cached);
                    (whole - spared).max(curve.prefill.in_proportion(prompts, mean - cached))
                } else {
                    whole
                }
            }
            Self::Constant(time) => time.get(),
            Self::Exponential(mean) => exponential(rng) * mean.get(),
        }
    }
}

/// A draw from the exponential distribution with mean 1.
#[inline]
pub(super) fn exponential(rng: &mut impl Rng) -> f64 {
    let uniform: f64 = rng.random();
    // `random` is below 1, so the logarithm is of no zero.
    -(1.0 - uniform).ln()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand::rngs::SmallRng;

    fn at(batch: u32, tokens: u64, time: f64) -> MeasuredTime {
        MeasuredTime { batch, tokens: Tokens::new(tokens), time: Seconds::new(time) }
    }

    #[test]
    fn what_the_cache_holds_is_spared_but_no_more() {
        // 0.2 s of overhead: 100 tokens 0.3 s, 1,000 tokens 1.2 s.
        let curve =
            ServiceCurve::of_points(&[at(1, 100, 0.3), at(1, 1_000, 1.2)], &[at(1, 100, 0.02)])
                .unwrap();
        let service = Service::Curve(curve);
        let mut rng = SmallRng::seed_from_u64(1);
        let mut time = |mean, cached| service.prefill_s(1, mean, cached, &mut rng);
        assert!((time(1_000.0, 0.0) - 1.2).abs() < 1e-12);
        // 900 of 1,000 cached: 1.2 - 1.1 = 0.1, but 100 tokens take 0.3 at the least.
        assert!((time(1_000.0, 900.0) - 0.3).abs() < 1e-12);
    }

    #[test]
    fn what_leaves_the_measured_range_is_told() {
        let curve =
            ServiceCurve::of_points(&[at(2, 64, 0.06)], &[at(2, 80, 0.006), at(4, 80, 0.005)]);
        let curve = curve.unwrap();
        assert_eq!(curve.batch_max(), 4);
        let tokens = Tokens::new;
        let notes = curve.range_notes(tokens(3), tokens(14_050), tokens(14_100));
        insta::assert_snapshot!(notes.join("\n"), @r#"
Prefill was measured up to 64 input tokens and prompts have up to 14,050: longer ones take the time per token of the longest measured, which is too little where attention grows with the length. Measure them with --isl.
Prefill was measured from 64 input tokens and prompts have as few as 3: shorter ones take the time per token of the shortest measured.
Decode steps were measured with up to 80 tokens in the KV cache of a sequence and requests reach 14,100: deeper ones take the time of the deepest measured, which is too little. Measure them with --depth.
The smallest measured batch of decode is 2: smaller ones take its time. Measure them with --batch 1.
Prefill was measured with up to 2 prompts together: no more are read at once.
"#);
        insta::assert_snapshot!(curve.notes().join("\n"), @"Some measured decode step times fell as the batch or the length rose; neighbours were pooled, the most by 10%.");
        assert!(ServiceCurve::of_points(&[], &[at(1, 1, 1.0)]).is_err());
    }

    #[test]
    fn exponential_times_have_their_mean_and_spread() {
        let mut rng = SmallRng::seed_from_u64(3);
        let draws: Vec<f64> = (0..200_000).map(|_| exponential(&mut rng)).collect();
        let mean = draws.iter().sum::<f64>() / 200_000.0;
        let square = draws.iter().map(|x| x * x).sum::<f64>() / 200_000.0;
        // The mean is 1 and the mean square 2.
        assert!((mean - 1.0).abs() < 0.01 && (square - 2.0).abs() < 0.05, "{mean} {square}");
    }
}
