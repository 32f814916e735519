//! Latencies of requests as servers' benchmarks summarise them.

use crate::record::Record;
use crate::units::Seconds;

/// Mean, percentiles and spread of one latency over all finished requests.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Spread {
    pub(super) mean: Option<Seconds>,
    pub(super) p50: Option<Seconds>,
    pub(super) p90: Option<Seconds>,
    pub(super) p99: Option<Seconds>,
    /// Of a sample: divided by `n - 1`.
    pub(super) stddev: Option<Seconds>,
}

impl Spread {
    /// Leaves out what so few requests cannot tell: a p90 needs 10 of them, a p99 100, a spread 2.
    pub(super) fn of_requests(self, requests: Option<u64>) -> Self {
        let enough = |needed: u64| requests.is_none_or(|count| count >= needed);
        Self {
            mean: self.mean,
            p50: self.p50.filter(|_| enough(2)),
            p90: self.p90.filter(|_| enough(10)),
            p99: self.p99.filter(|_| enough(100)),
            stddev: self.stddev.filter(|_| enough(2)),
        }
    }

    /// Into the times to first token.
    pub(super) fn ttft(self, record: &mut Record) {
        record.ttft_mean_s = self.mean;
        record.ttft_p50_s = self.p50;
        record.ttft_p90_s = self.p90;
        record.ttft_p99_s = self.p99;
        record.ttft_stddev_s = self.stddev;
    }

    /// Into the times per output token.
    pub(super) fn tpot(self, record: &mut Record) {
        record.tpot_mean_s = self.mean;
        record.tpot_p50_s = self.p50;
        record.tpot_p90_s = self.p90;
        record.tpot_p99_s = self.p99;
    }

    /// Into the whole latencies.
    pub(super) fn e2e(self, record: &mut Record) {
        record.e2e_mean_s = self.mean;
        record.e2e_p99_s = self.p99;
    }
}

/// The deviation of a sample from that of a population: `s = sigma * sqrt(n / (n - 1))`.
///
/// `NumPy` divides by `n` unless told otherwise, and so do the tools built on it.
pub(super) fn sample_stddev(population: Seconds, count: Option<u64>) -> Option<Seconds> {
    let n = count.filter(|&n| n >= 2)? as f64;
    Some(population * (n / (n - 1.0)).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_requests_have_no_far_percentiles() {
        let one = Some(Seconds::new(1.0));
        let all = Spread { mean: one, p50: one, p90: one, p99: one, stddev: one };
        assert_eq!(all.of_requests(Some(99)), Spread { p99: None, ..all });
        assert_eq!(all.of_requests(Some(1)), Spread { mean: one, ..Spread::default() });
        assert_eq!(all.of_requests(None), all);
    }

    #[test]
    fn five_values_of_a_population_deviate_more_as_a_sample() {
        // 2 * sqrt(5 / 4) = 2.2360679...
        let stddev = sample_stddev(Seconds::new(2.0), Some(5)).unwrap().get();
        assert!((stddev - 5.0_f64.sqrt()).abs() < 1e-12);
        assert_eq!(sample_stddev(Seconds::new(2.0), Some(1)), None);
    }
}
