//! From samples to the figures of a record.

use crate::metric;
use crate::record::Record;
use crate::sample::Sample;
use crate::seen::seen;
use crate::stats::{
    Interval, Percentile, at_another_moment, at_another_run, autocorrelation, beyond_outer_fences,
    mann_kendall, mean, median, percentile_linear, sample_stddev, series_interval, theil_sen_drift,
};
use crate::units::{Fraction, RequestsPerSecond, Seconds, Tokens, TokensPerSecond};

/// The shape of a case, as far as its figures depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Input tokens of each sequence.
    pub isl: Tokens,
    /// Output tokens of each sequence.
    pub osl: Tokens,
    /// Sequences stepped together.
    pub batch: u32,
}

/// Fills the repetitions, latencies, throughputs and resident peak of `record` from its samples.
///
/// Warm-ups are counted and left out. What the samples do not carry stays `None`; `seed` makes the
/// intervals repeatable.
pub fn summarise(record: &mut Record, samples: &[Sample], shape: Shape, seed: u64) {
    let counted: Vec<&Sample> = samples.iter().filter(|sample| !sample.warmup).collect();
    let as_count = |n: usize| u32::try_from(n).ok();
    record.repetitions = as_count(counted.len());
    record.warmups = as_count(samples.len() - counted.len());
    seen(record, samples, shape);

    let ttft: Vec<Seconds> = counted.iter().map(|sample| sample.ttft).collect();
    record.ttft_mean_s = mean(&ttft).ok();
    record.ttft_p50_s = percentile_linear(&ttft, Percentile::P50).ok();
    record.ttft_p90_s = percentile_linear(&ttft, Percentile::P90).ok();
    record.ttft_p99_s = percentile_linear(&ttft, Percentile::P99).ok();
    record.ttft_stddev_s = sample_stddev(&ttft).ok();

    let tpot: Vec<Seconds> = counted.iter().filter_map(|sample| sample.tpot().ok()).collect();
    record.tpot_mean_s = mean(&tpot).ok();
    record.tpot_p50_s = percentile_linear(&tpot, Percentile::P50).ok();
    record.tpot_p90_s = percentile_linear(&tpot, Percentile::P90).ok();
    record.tpot_p99_s = percentile_linear(&tpot, Percentile::P99).ok();

    let gaps: Vec<Seconds> =
        counted.iter().flat_map(|sample| sample.gaps.iter().copied()).collect();
    record.itl_p50_s = percentile_linear(&gaps, Percentile::P50).ok();
    record.itl_p99_s = percentile_linear(&gaps, Percentile::P99).ok();
    record.itl_max_s = gaps.iter().copied().reduce(|a, b| if b > a { b } else { a });

    let e2e: Vec<Seconds> = counted.iter().map(|sample| sample.e2e()).collect();
    record.e2e_mean_s = mean(&e2e).ok();
    steadiness(record, &e2e);
    record.e2e_p99_s = percentile_linear(&e2e, Percentile::P99).ok();
    record.requests_per_s = record
        .e2e_mean_s
        .map(|latency| RequestsPerSecond::new(f64::from(shape.batch) / latency.get()));

    let prefill: Vec<TokensPerSecond> = counted
        .iter()
        .filter_map(|s| metric::prefill_throughput(shape.batch, shape.isl, s.prefill).ok())
        .collect();
    prefill_rates(record, &prefill, seed);

    let decode: Vec<TokensPerSecond> = counted
        .iter()
        .filter_map(|s| metric::decode_throughput(shape.batch, &s.gaps).ok())
        .collect();
    decode_rates(record, &decode, seed);

    let total: Vec<TokensPerSecond> = counted
        .iter()
        .filter_map(|s| metric::total_throughput(shape.batch, shape.isl, shape.osl, s.e2e()).ok())
        .collect();
    record.total_mean_tps = mean(&total).ok();
}

/// Widens the intervals of `record` by how much the pace of the machine changed while the run
/// lasted, so that they hold another moment too.
pub fn widen(record: &mut Record, spread: Fraction) {
    record.pace_spread = Some(spread);
    each_interval(record, |interval, centre, _| Some(at_another_moment(interval, centre, spread)));
}

/// Widens the intervals of `record` by how much the rates of the same case differ between this run
/// and earlier ones on the same machine. Nothing happens with fewer than two of those.
pub fn widen_by_runs(record: &mut Record, earlier: &[&Record]) {
    let mut used = 0;
    each_interval(record, |interval, centre, rate| {
        let mut rates: Vec<TokensPerSecond> =
            earlier.iter().filter_map(|record| rate(record)).collect();
        rates.push(centre);
        let wider = at_another_run(interval, centre, &rates).ok()?;
        used = used.max(rates.len() - 1);
        Some(wider)
    });
    record.runs_beside = u32::try_from(used).ok().filter(|used| *used > 0);
}

type RateOf = fn(&Record) -> Option<TokensPerSecond>;
type RateInterval = Interval<TokensPerSecond>;

/// Offers each interval of a rate with its centre; what comes back takes its place.
fn each_interval(
    record: &mut Record,
    mut wider: impl FnMut(RateInterval, TokensPerSecond, RateOf) -> Option<RateInterval>,
) {
    let prefill: RateOf = |record| record.prefill_mean_tps;
    let decode: RateOf = |record| record.decode_mean_tps;
    for (rate, centre, low, high) in [
        (
            prefill,
            record.prefill_mean_tps,
            &mut record.prefill_ci95_low_tps,
            &mut record.prefill_ci95_high_tps,
        ),
        (
            decode,
            record.decode_mean_tps,
            &mut record.decode_ci95_low_tps,
            &mut record.decode_ci95_high_tps,
        ),
    ] {
        let (Some(centre), Some(from), Some(to)) = (centre, *low, *high) else { continue };
        let Some(wider) = wider(Interval { low: from, high: to }, centre, rate) else { continue };
        *low = Some(TokensPerSecond::new(wider.low.get().max(0.0)));
        *high = Some(wider.high);
    }
}

/// Chance under which an order of samples is taken for a drift.
const DRIFT: f64 = 0.01;

/// Fewest samples of which a drift could be more than chance: five have 2 orders of 120 that
/// rise or fall throughout, six have 2 of 720.
const DRIFT_NEEDS: usize = 6;

/// Least drift that is told of.
const LEAST_DRIFT: f64 = 0.02;

/// Fills drift and outliers of the samples that count, in the order in which they were taken.
fn steadiness(record: &mut Record, times: &[Seconds]) {
    record.outliers = beyond_outer_fences(times).ok().and_then(|count| u32::try_from(count).ok());
    let Some(trend) = mann_kendall(times).ok().filter(|_| times.len() >= DRIFT_NEEDS) else {
        return;
    };
    let Ok(drift) = theil_sen_drift(times) else { return };
    record.drift_ratio = Some(drift);
    record.drifting = Some(trend.p < DRIFT && (drift.get() - 1.0).abs() > LEAST_DRIFT);
}

/// Fills the prefill rates of `record` from those of its samples.
pub(crate) fn prefill_rates(record: &mut Record, samples: &[TokensPerSecond], seed: u64) {
    record.prefill_mean_tps = mean(samples).ok();
    record.prefill_median_tps = median(samples).ok();
    record.prefill_stddev_tps = sample_stddev(samples).ok();
    let interval = rate_interval(samples, seed);
    record.prefill_ci95_low_tps = interval.map(|i| i.low);
    record.prefill_ci95_high_tps = interval.map(|i| i.high);
}

/// Fills the decode rates of `record` from those of its samples.
pub(crate) fn decode_rates(record: &mut Record, samples: &[TokensPerSecond], seed: u64) {
    record.decode_mean_tps = mean(samples).ok();
    record.decode_median_tps = median(samples).ok();
    record.decode_stddev_tps = sample_stddev(samples).ok();
    record.autocorrelation = autocorrelation(samples).ok();
    let interval = rate_interval(samples, seed);
    record.decode_ci95_low_tps = interval.map(|i| i.low);
    record.decode_ci95_high_tps = interval.map(|i| i.high);
}

/// The interval of a mean rate. Wildly differing samples can push its lower end below zero, where
/// no rate is: cutting it there takes nothing true away.
fn rate_interval(samples: &[TokensPerSecond], seed: u64) -> Option<Interval<TokensPerSecond>> {
    let interval = series_interval(samples, seed).ok()?;
    let low = TokensPerSecond::new(interval.low.get().max(0.0));
    Some(Interval { low, ..interval })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::Readings;
    use crate::units::Bytes;

    fn sample(index: u32, warmup: bool, prefill: f64, gap: f64) -> Sample {
        Sample {
            index,
            warmup,
            offset: Seconds::new(f64::from(index)),
            prefill: Seconds::new(prefill),
            ttft: Seconds::new(prefill + 0.01),
            gaps: vec![Seconds::new(gap); 4],
            readings: Readings {
                rss_peak: Some(Bytes::new(1_000 + u64::from(index))),
                ..Readings::default()
            },
            ..Sample::default()
        }
    }

    #[test]
    fn warm_ups_count_as_warm_ups_only() {
        let shape = Shape { isl: Tokens::new(10), osl: Tokens::new(5), batch: 2 };
        let samples: Vec<_> = std::iter::once(sample(0, true, 9.0, 9.0))
            .chain((1..=5).map(|i| sample(i, false, 0.5, 0.25)))
            .collect();
        let mut record = Record::default();
        summarise(&mut record, &samples, shape, 1);
        assert_eq!((record.warmups, record.repetitions), (Some(1), Some(5)));
        // 2 * 10 / 0.5 and 2 * 4 / (4 * 0.25)
        assert_eq!(record.prefill_mean_tps, Some(TokensPerSecond::new(40.0)));
        assert_eq!(record.decode_ci95_low_tps, Some(TokensPerSecond::new(8.0)));
        assert_eq!(record.itl_max_s, Some(Seconds::new(0.25)));
        // 2 sequences in 0.51 + 4 * 0.25 s
        let rps = record.requests_per_s.unwrap().get();
        assert!((rps - 2.0 / 1.51).abs() < 1e-12);
        // five samples: no p90, no p99; 20 gaps: no p99 of those either
        assert_eq!((record.ttft_p90_s, record.ttft_p99_s, record.itl_p99_s), (None, None, None));
        assert_eq!(record.rss_peak_bytes, Some(Bytes::new(1_005)));
    }

    #[test]
    fn a_drift_is_told_and_a_straggler_counted() {
        let shape = Shape { isl: Tokens::new(10), osl: Tokens::new(5), batch: 1 };
        let of = |times: &[f64]| {
            let samples: Vec<_> =
                (0..).zip(times).map(|(i, time)| sample(i, false, time - 0.01, 0.0)).collect();
            let mut record = Record::default();
            summarise(&mut record, &samples, shape, 1);
            record
        };
        // 1.00 to 1.07 in steps of 0.01: from 1.00 to 1.07 by the line through the middle.
        let rising = of(&[1.0, 1.01, 1.02, 1.03, 1.04, 1.05, 1.06, 1.07]);
        assert_eq!((rising.drifting, rising.outliers), (Some(true), Some(0)));
        assert!((rising.drift_ratio.unwrap().get() - 1.07).abs() < 1e-9);
        let straggling = of(&[1.0, 1.01, 1.0, 5.0, 1.01, 1.0, 1.01, 1.0]);
        assert_eq!((straggling.drifting, straggling.outliers), (Some(false), Some(1)));
        // Slow is not thrown away: the mean has it.
        assert!(straggling.e2e_mean_s.unwrap().get() > 1.5);
        let few = of(&[1.0, 1.1, 1.2, 1.3, 1.4]);
        assert_eq!((few.drifting, few.drift_ratio), (None, None));
    }

    #[test]
    fn no_interval_of_a_rate_reaches_below_zero() {
        let rates = [0.1, 0.1, 0.1, 0.1, 100.0].map(TokensPerSecond::new);
        assert!(series_interval(&rates, 1).unwrap().low.get() < 0.0);
        assert_eq!(rate_interval(&rates, 1).unwrap().low, TokensPerSecond::new(0.0));
    }

    #[test]
    fn nothing_measured_is_nothing_known() {
        let shape = Shape { isl: Tokens::new(10), osl: Tokens::new(1), batch: 1 };
        let mut record = Record::default();
        summarise(&mut record, &[], shape, 1);
        assert_eq!(record.repetitions, Some(0));
        assert_eq!((record.ttft_mean_s, record.decode_mean_tps), (None, None));
        assert_eq!(record.requests_per_s, None);
    }
}
