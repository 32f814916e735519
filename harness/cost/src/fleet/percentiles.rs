//! Percentiles of a stream in a fixed amount of memory.
//!
//! Not here: percentiles of samples that are all kept; those are in `freeweights_record::stats`.

use freeweights_record::units::Seconds;

/// Up to so many values are kept, and their percentiles are exact.
const EXACT: usize = 4_096;

/// Buckets to each doubling: 2 to the power of this.
const FRACTION_BITS: u32 = 7;

/// Bits of an f64 below the ones that choose the bucket.
const SHIFT: u32 = f64::MANTISSA_DIGITS - 1 - FRACTION_BITS;

/// The smallest power of two with buckets of its own, about a nanosecond.
const LOWEST: f64 = 1.0 / (1_u64 << 30) as f64;

/// Doublings from the lowest bucket to the highest: 34 years.
const DOUBLINGS: usize = 60;

/// Spans of time as they come, and their percentiles.
///
/// Up to 4,096 values are kept and their percentiles are exact. Of more, each is counted in one of
/// 128 buckets to a doubling, so a percentile is off by at most 1/128 of itself, and by half of that
/// on average; sums, and so means, stay exact.
#[derive(Debug, Clone)]
pub struct Percentiles {
    count: u64,
    sum: f64,
    max: f64,
    /// Values of nothing, and those below the lowest bucket.
    nothing: u64,
    kept: Vec<f64>,
    buckets: Box<[u64]>,
}

impl Default for Percentiles {
    fn default() -> Self {
        Self {
            count: 0,
            sum: 0.0,
            max: 0.0,
            nothing: 0,
            kept: Vec::new(),
            buckets: vec![0; DOUBLINGS << FRACTION_BITS].into_boxed_slice(),
        }
    }
}

impl Percentiles {
    /// The most by which a percentile of more than 4,096 values is off, as a share of it.
    pub const RELATIVE_ERROR: f64 = 1.0 / (1_u64 << FRACTION_BITS) as f64;

    /// Counts one value, in seconds.
    #[inline]
    pub(super) fn record(&mut self, value: f64) {
        self.count += 1;
        self.sum += value;
        if value > self.max {
            self.max = value;
        }
        if self.kept.len() < EXACT {
            self.kept.push(value);
        }
        if value < LOWEST {
            self.nothing += 1;
        } else {
            let bucket = (value.to_bits() >> SHIFT) - (LOWEST.to_bits() >> SHIFT);
            let last = self.buckets.len() - 1;
            #[expect(clippy::cast_possible_truncation, reason = "eleven bits and seven")]
            let bucket = (bucket as usize).min(last);
            self.buckets[bucket] += 1;
        }
    }

    /// How many values there were.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// Their sum.
    #[must_use]
    pub const fn sum(&self) -> Seconds {
        Seconds::new(self.sum)
    }

    /// Their mean; `None` of nothing.
    #[must_use]
    pub fn mean(&self) -> Option<Seconds> {
        (self.count > 0).then(|| Seconds::new(self.sum / self.count as f64))
    }

    /// The largest; `None` of nothing.
    #[must_use]
    pub fn max(&self) -> Option<Seconds> {
        (self.count > 0).then(|| Seconds::new(self.max))
    }

    /// The value that `percent` of them do not exceed, straight between two neighbours; `None` of
    /// nothing.
    ///
    /// `percent` is between 0 and 100; beyond, the ends count.
    #[must_use]
    pub fn at(&self, percent: f64) -> Option<Seconds> {
        let share = (percent / 100.0).clamp(0.0, 1.0);
        if self.count == 0 {
            return None;
        }
        let value = if self.kept.len() as u64 == self.count {
            exact(&self.kept, share)
        } else {
            self.counted(share)
        };
        Some(Seconds::new(value))
    }

    /// Straight through the bucket that holds the rank.
    fn counted(&self, share: f64) -> f64 {
        let rank = share * self.count as f64;
        let mut below = self.nothing as f64;
        if rank <= below {
            return 0.0;
        }
        for (bucket, &count) in self.buckets.iter().enumerate() {
            let count = count as f64;
            if below + count >= rank {
                let (low, high) = (edge(bucket), edge(bucket + 1));
                return (low + (high - low) * (rank - below) / count).min(self.max);
            }
            below += count;
        }
        self.max
    }
}

/// Where a bucket begins.
fn edge(bucket: usize) -> f64 {
    f64::from_bits(((LOWEST.to_bits() >> SHIFT) + bucket as u64) << SHIFT)
}

/// The linear percentile of all values.
fn exact(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    at_share(&sorted, share)
}

/// The value at `share * (n - 1)` of sorted values, of which there are some.
pub(super) fn at_share(sorted: &[f64], share: f64) -> f64 {
    let place = share * (sorted.len() - 1) as f64;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an index")]
    let below = place as usize;
    let above = (below + 1).min(sorted.len() - 1);
    sorted[below] + (sorted[above] - sorted[below]) * (place - below as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: impl IntoIterator<Item = f64>) -> Percentiles {
        let mut percentiles = Percentiles::default();
        values.into_iter().for_each(|value| percentiles.record(value));
        percentiles
    }

    #[test]
    fn few_values_are_exact() {
        // Of 1 to 5 the median is 3, and 90% lies at 1 + 0.9 * 4 = 4.6.
        let few = of([5.0, 1.0, 4.0, 2.0, 3.0]);
        assert_eq!(few.at(50.0), Some(Seconds::new(3.0)));
        assert!((few.at(90.0).unwrap().get() - 4.6).abs() < 1e-12);
        assert_eq!((few.at(100.0), few.max()), (Some(Seconds::new(5.0)), few.at(200.0)));
        assert_eq!((few.count(), few.sum(), few.mean()), (5, Seconds::new(15.0), few.at(50.0)));
    }

    #[test]
    fn many_values_are_off_by_no_more_than_is_said() {
        for scale in [1e-6, 0.37, 1.0, 5e4] {
            let many = of((1..=100_000).map(|step| scale * f64::from(step) / 1e5));
            for percent in [1.0, 25.0, 50.0, 90.0, 99.0, 99.9] {
                let off = many.at(percent).unwrap().get() / (scale * percent / 100.0) - 1.0;
                assert!(off.abs() < Percentiles::RELATIVE_ERROR, "{scale} {percent}: {off}");
            }
            assert!((many.mean().unwrap().get() / (scale * 0.500_005) - 1.0).abs() < 1e-9);
        }
    }

    #[test]
    fn nothing_waited_is_no_time_and_no_value_is_none() {
        let mut waits = of(std::iter::repeat_n(0.0, 9_000));
        waits.record(1.0);
        assert_eq!(waits.at(50.0), Some(Seconds::new(0.0)));
        assert_eq!(waits.at(100.0), Some(Seconds::new(1.0)));
        assert_eq!((Percentiles::default().at(50.0), Percentiles::default().mean()), (None, None));
    }
}
