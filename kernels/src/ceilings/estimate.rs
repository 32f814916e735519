//! A rate that was measured several times.
//!
//! Not here: intervals and standard deviations. The samples are kept, so whoever wants those can
//! compute them.

/// A rate per second, with every sample that it rests on.
#[derive(Debug, Clone, PartialEq)]
pub struct Estimate {
    /// The median of the samples; with an even count, the mean of the middle two.
    pub median: f64,
    /// The highest sample.
    pub best: f64,
    /// Every sample, in the order it was measured.
    pub samples: Vec<f64>,
}

impl Estimate {
    /// Summarises samples; `None` if there is none, or if one is not a finite rate above zero.
    #[must_use]
    pub fn from_samples(samples: Vec<f64>) -> Option<Self> {
        let is_rate = |rate: &f64| rate.is_finite() && *rate > 0.0;
        if samples.is_empty() || !samples.iter().all(is_rate) {
            return None;
        }
        let mut sorted = samples.clone();
        sorted.sort_unstable_by(f64::total_cmp);
        let middle = sorted.len() / 2;
        let median = if sorted.len() % 2 == 1 {
            sorted[middle]
        } else {
            f64::midpoint(sorted[middle - 1], sorted[middle])
        };
        Some(Self { median, best: sorted[sorted.len() - 1], samples })
    }

    /// The value to divide by: the best sample.
    ///
    /// A ceiling is the highest rate that the machine was seen to sustain. What disturbs a sample
    /// (another process, a neighbour on the same host, a clock that has yet to rise) only ever
    /// makes it slower, so the best sample is the one least disturbed; the median would put the
    /// ceiling lower on a busy machine and flatter whatever is measured against it, even above
    /// 100%. No sample can come out too fast: it counts work that was done, over the time from the
    /// first thread's start to the last thread's end, and each sample lasts long enough (tens of
    /// milliseconds) that a burst does not pass for a rate. The median says how disturbed the
    /// machine was: far below the best, measure again.
    #[must_use]
    pub const fn ceiling(&self) -> f64 {
        self.best
    }
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "every value used here is exact")]
mod tests {
    use super::*;

    #[test]
    fn odd_and_even_medians_and_the_order_of_samples() {
        let odd = Estimate::from_samples(vec![5.0, 1.0, 3.0]).unwrap();
        assert_eq!((odd.median, odd.best), (3.0, 5.0));
        assert_eq!(odd.samples, [5.0, 1.0, 3.0]);
        assert_eq!(odd.ceiling(), 5.0);
        // (2 + 3) / 2
        let even = Estimate::from_samples(vec![4.0, 1.0, 3.0, 2.0]).unwrap();
        assert_eq!((even.median, even.best), (2.5, 4.0));
    }

    #[test]
    fn what_is_no_rate_makes_no_estimate() {
        for samples in [vec![], vec![1.0, 0.0], vec![f64::NAN], vec![f64::INFINITY]] {
            assert_eq!(Estimate::from_samples(samples), None);
        }
    }
}
