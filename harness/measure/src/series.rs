//! What the sampler read, over time: bounded in memory, and asked about windows afterwards.
//!
//! Not here: what is read (`memory`, `energy`), and when (`sampler`).

use freeweights_record::units::Seconds;

/// Most readings kept. At one every 10 ms that is eleven minutes; then every other one is let go, so
/// that a window of hours is still covered, with wider gaps.
const MOST: usize = 1 << 16;

/// Readings of one quantity, in the order of time.
#[derive(Debug, Default)]
pub(crate) struct Series {
    readings: Vec<(Seconds, f64)>,
}

/// A value between two readings.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Between {
    /// On the straight line between the two.
    pub(crate) value: f64,
    /// Time between the two; 0 where one of them was taken at that very moment.
    pub(crate) gap: Seconds,
}

impl Series {
    /// Adds a reading. One that is not later than the last is dropped: clocks do not go back.
    pub(crate) fn push(&mut self, at: Seconds, value: f64) {
        if self.readings.last().is_some_and(|last| at <= last.0) {
            return;
        }
        self.readings.push((at, value));
    }

    /// Forgets everything: what comes next has nothing to do with what was.
    pub(crate) fn restart(&mut self) {
        self.readings.clear();
    }

    /// Forgets all but the last reading.
    pub(crate) fn forget(&mut self) {
        let all_but_last = self.readings.len().saturating_sub(1);
        self.readings.drain(..all_but_last);
    }

    /// Lets every other reading of a running total go where there are too many.
    pub(crate) fn thin_total(&mut self) {
        self.thin_beyond(MOST, |_, kept| kept);
    }

    /// The same of a level whose peaks are wanted: the higher one of two stays.
    pub(crate) fn thin_peaks(&mut self) {
        self.thin_beyond(MOST, f64::max);
    }

    fn thin_beyond(&mut self, most: usize, of_two: impl Fn(f64, f64) -> f64) {
        if self.readings.len() < most {
            return;
        }
        // The first stays for what lies before the second; of each pair after it the later one.
        let (first, rest) = self.readings.split_at(1);
        let pairs = rest.chunks(2).map(|pair| match *pair {
            [(_, a), (at, b)] => (at, of_two(a, b)),
            _ => pair[0],
        });
        self.readings = first.iter().copied().chain(pairs).collect();
    }

    /// The value of a running total at a moment, if there are readings on both sides of it.
    pub(crate) fn at(&self, moment: Seconds) -> Option<Between> {
        let after = self.readings.partition_point(|(at, _)| *at < moment);
        let (at, value) = *self.readings.get(after)?;
        if at <= moment {
            return Some(Between { value, gap: Seconds::new(0.0) });
        }
        let (before, from) = *self.readings.get(after.checked_sub(1)?)?;
        let gap = at - before;
        let share = (moment - before) / gap;
        Some(Between { value: from + (value - from) * share, gap })
    }

    /// The highest reading of a window, its ends included; `None` where none was taken in it.
    pub(crate) fn peak(&self, from: Seconds, to: Seconds) -> Option<f64> {
        let first = self.readings.partition_point(|(at, _)| *at < from);
        let inside = self.readings[first..].iter().take_while(|(at, _)| *at <= to);
        inside.map(|(_, value)| *value).reduce(f64::max)
    }

    pub(crate) fn last(&self) -> Option<(Seconds, f64)> {
        self.readings.last().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(readings: &[(f64, f64)]) -> Series {
        let mut series = Series::default();
        for (at, value) in readings {
            series.push(Seconds::new(*at), *value);
        }
        series
    }

    fn at(series: &Series, moment: f64) -> Option<(f64, f64)> {
        series.at(Seconds::new(moment)).map(|found| (found.value, found.gap.get()))
    }

    #[test]
    fn between_two_readings_lies_a_straight_line() {
        let series = series(&[(1.0, 10.0), (2.0, 30.0), (4.0, 40.0)]);
        // a quarter of the way from 10 to 30; half of the way from 30 to 40
        assert_eq!(at(&series, 1.25), Some((15.0, 1.0)));
        assert_eq!(at(&series, 3.0), Some((35.0, 2.0)));
        // at a reading nothing is guessed
        assert_eq!(at(&series, 2.0), Some((30.0, 0.0)));
        assert_eq!(at(&series, 1.0), Some((10.0, 0.0)));
        // outside nothing is known
        assert_eq!((at(&series, 0.9), at(&series, 4.1)), (None, None));
        assert_eq!(at(&Series::default(), 1.0), None);
    }

    #[test]
    fn a_peak_is_one_that_was_read_inside() {
        let series = series(&[(1.0, 10.0), (2.0, 30.0), (3.0, 20.0), (4.0, 90.0)]);
        let peak = |from, to| series.peak(Seconds::new(from), Seconds::new(to));
        assert_eq!(peak(1.0, 3.5), Some(30.0));
        assert_eq!(peak(2.5, 4.0), Some(90.0));
        assert_eq!(peak(2.1, 2.9), None);
        assert_eq!(peak(5.0, 6.0), None);
    }

    #[test]
    fn it_stays_small_and_keeps_totals_and_peaks() {
        let mut total = series(&[(0.0, 0.0), (1.0, 10.0), (2.0, 20.0), (3.0, 30.0), (4.0, 40.0)]);
        total.thin_beyond(6, |_, kept| kept);
        assert_eq!(total.readings.len(), 5, "there is room");
        total.thin_beyond(5, |_, kept| kept);
        let kept: Vec<f64> = total.readings.iter().map(|(at, _)| at.get()).collect();
        assert_eq!(kept, [0.0, 2.0, 4.0]);
        assert_eq!(at(&total, 3.0), Some((30.0, 2.0)));
        let mut level = series(&[(0.0, 1.0), (1.0, 9.0), (2.0, 2.0), (3.0, 4.0)]);
        level.thin_beyond(4, f64::max);
        assert_eq!(level.peak(Seconds::new(0.0), Seconds::new(3.0)), Some(9.0));
        assert_eq!(level.readings.len(), 3);
    }

    #[test]
    fn hours_take_no_more_than_the_most() {
        let mut hours = Series::default();
        for tick in 0..200_000 {
            hours.push(Seconds::new(f64::from(tick) / 64.0), f64::from(tick));
            hours.thin_total();
            assert!(hours.readings.len() <= MOST);
        }
        // 1 W in these units all along: what lies between is still right.
        assert!((at(&hours, 100.5 / 64.0).unwrap().0 - 100.5).abs() < 1e-6);
        hours.forget();
        assert_eq!(hours.last(), Some((Seconds::new(199_999.0 / 64.0), 199_999.0)));
        assert_eq!(hours.readings.len(), 1);
    }

    #[test]
    fn a_clock_that_stands_still_adds_nothing() {
        let mut series = series(&[(1.0, 10.0), (1.0, 11.0), (0.5, 12.0)]);
        assert_eq!(series.last(), Some((Seconds::new(1.0), 10.0)));
        series.restart();
        assert_eq!(series.last(), None);
    }
}
