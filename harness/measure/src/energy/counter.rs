//! A counter that wraps, followed.

use freeweights_record::units::Seconds;

/// More than any package or its memory draws. The largest packages of 2025 are rated at 500 W and may
/// take twice that for moments.
const MOST_WATTS: f64 = 2_000.0;

/// A counter in microjoules that wraps at a range, or, where that is not known, must not.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Counter {
    range: Option<u64>,
    last: Option<(Seconds, u64)>,
    total: u64,
}

impl Counter {
    pub(crate) fn new(range: Option<u64>) -> Self {
        Self { range: range.filter(|range| *range > 0), last: None, total: 0 }
    }

    /// Microjoules since the first reading; `None` where they cannot be told.
    ///
    /// A counter below its last reading has wrapped once: `range - last + now`, as the kernel's
    /// counters run from 0 to `range`. Whether it did so more than once cannot be seen, so no more
    /// time may have passed than the range takes at 2,000 W.
    pub(crate) fn follow(&mut self, now: Seconds, reading: u64) -> Option<u64> {
        let Some((then, last)) = self.last.replace((now, reading)) else {
            return Some(self.total);
        };
        if self.range.is_some_and(|range| (now - then).get() > range as f64 / 1e6 / MOST_WATTS) {
            return None;
        }
        let risen = match (reading.checked_sub(last), self.range) {
            (Some(risen), _) => risen,
            (None, Some(range)) => range.checked_sub(last)?.checked_add(reading)?,
            (None, None) => return None,
        };
        self.total += risen;
        Some(self.total)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: f64) -> Seconds {
        Seconds::new(seconds)
    }

    #[test]
    fn it_counts_from_its_first_reading() {
        let mut counter = Counter::new(Some(262_143_328_850));
        assert_eq!(counter.follow(at(0.0), 5_000_000), Some(0));
        assert_eq!(counter.follow(at(0.1), 12_000_000), Some(7_000_000));
        assert_eq!(counter.follow(at(0.2), 12_000_000), Some(7_000_000));
    }

    #[test]
    fn one_wrap_is_seen() {
        let mut counter = Counter::new(Some(1_000_000_000));
        counter.follow(at(0.0), 999_999_000);
        // 1,000 up to the range, 500 beyond
        assert_eq!(counter.follow(at(0.1), 500), Some(1_500));
        assert_eq!(counter.follow(at(0.2), 700), Some(1_700));
    }

    #[test]
    fn where_it_may_have_wrapped_twice_nothing_is_told_and_it_starts_anew() {
        // 1,000 J at 2,000 W last half a second.
        let mut counter = Counter::new(Some(1_000_000_000));
        counter.follow(at(0.0), 100);
        assert_eq!(counter.follow(at(0.5), 200), Some(100));
        assert_eq!(counter.follow(at(1.1), 300), None);
        assert_eq!(counter.follow(at(1.2), 450), Some(250));
    }

    #[test]
    fn without_a_range_going_down_is_a_reset() {
        let mut counter = Counter::new(None);
        counter.follow(at(0.0), 900);
        assert_eq!(counter.follow(at(1e6), 950), Some(50));
        assert_eq!(counter.follow(at(1e6 + 1.0), 10), None);
        assert_eq!(counter.follow(at(1e6 + 2.0), 30), Some(70));
        // A range of 0 is none.
        let mut zero = Counter::new(Some(0));
        zero.follow(at(0.0), 5);
        assert_eq!(zero.follow(at(9.0), 6), Some(1));
    }

    #[test]
    fn a_reading_beyond_the_range_before_a_wrap_is_no_energy() {
        let mut counter = Counter::new(Some(1_000_000_000));
        counter.follow(at(0.0), 2_000_000_000);
        assert_eq!(counter.follow(at(0.1), 10), None);
    }
}
