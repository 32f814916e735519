//! Times of any number of requests in flat memory: exact while they are few, a histogram beyond.

use crate::stats::{NoValue, Percentile, mean, percentile_linear, sample_stddev};
use crate::units::{Quantity, Seconds};
use hdrhistogram::Histogram;

/// Times that are kept as they are; beyond it a histogram takes them, within 0.1% of each.
pub const EXACT_UP_TO: usize = 100_000;

/// Shortest and longest time that the histogram tells from others, in nanoseconds: one microsecond
/// and eleven days.
const RANGE_NS: (u64, u64) = (1_000, 1_000_000_000_000_000);

/// Digits of a time that the histogram keeps.
const DIGITS: u8 = 3;

/// Times, of which mean and spread are exact always, percentiles up to [`EXACT_UP_TO`] of them.
#[derive(Debug, Clone)]
pub struct Distribution {
    exact: Vec<Seconds>,
    beyond: Option<Histogram<u64>>,
    limit: usize,
    count: u64,
    mean: f64,
    squares: f64,
    max: f64,
}

impl Default for Distribution {
    fn default() -> Self {
        Self::exact_up_to(EXACT_UP_TO)
    }
}

impl Distribution {
    /// One that keeps so many times as they are.
    #[must_use]
    pub fn exact_up_to(limit: usize) -> Self {
        Self { exact: Vec::new(), beyond: None, limit, count: 0, mean: 0.0, squares: 0.0, max: 0.0 }
    }

    /// Takes one more time.
    pub fn push(&mut self, time: Seconds) {
        let value = time.get();
        self.count += 1;
        self.max = self.max.max(value);
        // Welford: the mean moves by its share of the distance.
        let away = value - self.mean;
        self.mean += away / self.count as f64;
        self.squares += away * (value - self.mean);
        if let Some(histogram) = &mut self.beyond {
            histogram.saturating_record(nanoseconds(time));
            return;
        }
        self.exact.push(time);
        if self.exact.len() > self.limit {
            self.spill();
        }
    }

    fn spill(&mut self) {
        let mut histogram = Histogram::new_with_bounds(RANGE_NS.0, RANGE_NS.1, DIGITS)
            .expect("invariant: the bounds are in order and three digits are allowed");
        for time in self.exact.drain(..) {
            histogram.saturating_record(nanoseconds(time));
        }
        self.exact.shrink_to_fit();
        self.beyond = Some(histogram);
    }

    /// How many there are.
    #[must_use]
    pub const fn len(&self) -> u64 {
        self.count
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Whether every time is kept as it is.
    #[must_use]
    pub const fn is_exact(&self) -> bool {
        self.beyond.is_none()
    }

    /// The longest; `None` of none.
    #[must_use]
    pub fn max(&self) -> Option<Seconds> {
        (self.count > 0).then(|| Seconds::new(self.max))
    }

    /// The arithmetic mean.
    ///
    /// # Errors
    /// [`NoValue::TooFewSamples`] of none.
    pub fn mean(&self) -> Result<Seconds, NoValue> {
        if self.is_exact() {
            return mean(&self.exact);
        }
        Ok(Seconds::new(self.mean))
    }

    /// The sample standard deviation, divided by `n - 1`.
    ///
    /// # Errors
    /// [`NoValue::TooFewSamples`] below two.
    pub fn sample_stddev(&self) -> Result<Seconds, NoValue> {
        if self.is_exact() {
            return sample_stddev(&self.exact);
        }
        Ok(Seconds::new((self.squares / (self.count as f64 - 1.0)).sqrt()))
    }

    /// A percentile: by linear interpolation while exact, else the histogram's, within 0.1%.
    ///
    /// # Errors
    /// [`NoValue::TooFewSamples`] below [`Percentile::samples_needed`].
    pub fn percentile(&self, p: Percentile) -> Result<Seconds, NoValue> {
        match &self.beyond {
            None => percentile_linear(&self.exact, p),
            Some(histogram) => {
                let value = histogram.value_at_quantile(p.share());
                Ok(Seconds::from_f64(value as f64 / 1e9))
            }
        }
    }
}

fn nanoseconds(time: Seconds) -> u64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a time is at least 0, and a cast of what is too large saturates"
    )]
    let whole = (time.get() * 1e9).round() as u64;
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_are_exact_and_many_within_a_thousandth() {
        // 1 ms to 10 s, evenly: p50 = 5.0005, p99 = 9.90001
        let mut few = Distribution::exact_up_to(20_000);
        let mut many = Distribution::exact_up_to(100);
        for i in 1..=10_000 {
            let time = Seconds::new(f64::from(i) / 1e3);
            few.push(time);
            many.push(time);
        }
        assert!(few.is_exact() && !many.is_exact());
        assert!((few.percentile(Percentile::P50).unwrap().get() - 5.0005).abs() < 1e-9);
        for p in [Percentile::P50, Percentile::P90, Percentile::P99] {
            let (exact, near) = (few.percentile(p).unwrap(), many.percentile(p).unwrap());
            assert!((near / exact - 1.0).abs() < 1e-3, "{exact} {near}");
        }
        assert!((few.mean().unwrap() / many.mean().unwrap() - 1.0).abs() < 1e-12);
        let (a, b) = (few.sample_stddev().unwrap(), many.sample_stddev().unwrap());
        assert!((a / b - 1.0).abs() < 1e-9);
        assert_eq!((many.max(), many.len()), (Some(Seconds::new(10.0)), 10_000));
    }

    #[test]
    fn nothing_has_no_figures() {
        let none = Distribution::default();
        assert!(none.is_empty() && none.max().is_none() && none.mean().is_err());
        let mut some = Distribution::default();
        (0..99).for_each(|_| some.push(Seconds::new(1.0)));
        assert!(some.percentile(Percentile::P99).is_err());
        assert!(some.percentile(Percentile::P90).is_ok());
    }
}
