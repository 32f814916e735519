//! Tokens and finished requests over the time of a run, in flat memory.

use crate::units::Seconds;

/// Most bins that are kept; beyond it neighbours become one. A slice of a window has hundreds.
const MOST_BINS: usize = 16_384;

/// Width of a bin at first.
const FIRST_WIDTH: f64 = 1e-3;

/// How much of something came when, in bins that widen as the case goes on. They count from the
/// first time that is added: a case late in a run is seen as finely as the first one.
#[derive(Debug, Clone)]
pub struct Flow {
    bins: Vec<f64>,
    width: f64,
    /// Where the bins begin, in seconds of the run.
    begin: Option<f64>,
}

impl Default for Flow {
    fn default() -> Self {
        Self { bins: Vec::new(), width: FIRST_WIDTH, begin: None }
    }
}

impl Flow {
    /// One whose bins begin at a time.
    #[must_use]
    pub fn since(begin: Seconds) -> Self {
        Self { begin: Some(begin.get()), ..Self::default() }
    }

    fn since_begin(&self, time: Seconds) -> f64 {
        (time.get() - self.begin.unwrap_or(0.0)).max(0.0)
    }

    /// Adds `amount` that came evenly between two times; all at once where they are the same.
    pub fn add(&mut self, from: Seconds, to: Seconds, amount: f64) {
        let begin = self.begin_by(from.get());
        let (from, to) = (from.get() - begin, to.get() - begin);
        let (from, to) = (from.max(0.0), to.max(from).max(0.0));
        while to / self.width >= MOST_BINS as f64 {
            self.widen();
        }
        let (first, last) = (self.bin(from), self.bin(to));
        if self.bins.len() <= last {
            self.bins.resize(last + 1, 0.0);
        }
        if first == last {
            self.bins[first] += amount;
            return;
        }
        let rate = amount / (to - from);
        for at in first..=last {
            let (begin, end) = (at as f64 * self.width, (at + 1) as f64 * self.width);
            self.bins[at] += rate * (end.min(to) - begin.max(from)).max(0.0);
        }
    }

    /// Where the bins begin, moved to the front where a time lies before all of them.
    fn begin_by(&mut self, from: f64) -> f64 {
        let mut begin = *self.begin.get_or_insert(from);
        while from < begin {
            let missing = ((begin - from) / self.width).ceil();
            if missing + self.bins.len() as f64 > MOST_BINS as f64 {
                self.widen();
                continue;
            }
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "1 <= missing <= MOST_BINS"
            )]
            let count = missing as usize;
            self.bins.splice(0..0, std::iter::repeat_n(0.0, count));
            begin -= missing * self.width;
            self.begin = Some(begin);
        }
        begin
    }

    fn bin(&self, time: f64) -> usize {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "0 <= time / width < MOST_BINS"
        )]
        let at = (time / self.width) as usize;
        at.min(MOST_BINS - 1)
    }

    fn widen(&mut self) {
        self.width *= 2.0;
        self.bins = self.bins.chunks(2).map(|pair| pair.iter().sum()).collect();
    }

    /// What came between two times; bins that are cut count by their share.
    #[must_use]
    pub fn between(&self, from: Seconds, to: Seconds) -> f64 {
        let (from, to) = (self.since_begin(from), self.since_begin(to));
        if to <= from || self.bins.is_empty() {
            return 0.0;
        }
        let (first, last) = (self.bin(from), self.bin(to).min(self.bins.len() - 1));
        let within = |at: usize| {
            let (begin, end) = (at as f64 * self.width, (at + 1) as f64 * self.width);
            ((end.min(to) - begin.max(from)) / self.width).clamp(0.0, 1.0)
        };
        (first..=last).filter_map(|at| Some(self.bins.get(at)? * within(at))).sum()
    }

    /// What came behind one time, up to and with the other: whole bins, so that what was added at
    /// one time is counted as one.
    #[must_use]
    pub fn behind(&self, from: Seconds, to: Seconds) -> f64 {
        // Before the first bin there is none, not a part of it.
        let through = |time: Seconds| {
            let is_before = self.begin.is_none_or(|begin| time.get() < begin);
            if is_before { 0 } else { self.bin(self.since_begin(time)) + 1 }
        };
        self.whole(through(from), through(to))
    }

    /// What came from one time on, up to and without the other, in whole bins.
    #[must_use]
    pub fn before(&self, from: Seconds, to: Seconds) -> f64 {
        self.whole(self.bin(self.since_begin(from)), self.bin(self.since_begin(to)))
    }

    fn whole(&self, from: usize, to: usize) -> f64 {
        let to = to.min(self.bins.len());
        self.bins.get(from..to).map_or(0.0, |bins| bins.iter().sum())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn s(value: f64) -> Seconds {
        Seconds::new(value)
    }

    #[test]
    fn what_comes_evenly_is_cut_evenly() {
        let mut flow = Flow::default();
        flow.add(s(1.0), s(3.0), 20.0);
        flow.add(s(2.0), s(2.0), 5.0);
        // 10 a second for half a second; the five at 2.0 lie in the bin from 2.000 on.
        assert!((flow.between(s(1.25), s(1.75)) - 5.0).abs() < 1e-9);
        assert!((flow.between(s(2.0), s(3.0)) - 15.0).abs() < 1e-9);
        assert!((flow.between(s(0.0), s(9.0)) - 25.0).abs() < 1e-9);
        assert!(flow.between(s(3.0), s(3.0)).abs() < 1e-12);
    }

    #[test]
    fn what_came_at_one_time_is_counted_as_one() {
        let mut flow = Flow::since(s(100.0));
        for at in [100.0, 100.5, 101.0] {
            flow.add(s(at), s(at), 1.0);
        }
        let counts = [flow.behind(s(100.0), s(101.0)), flow.before(s(100.0), s(101.0))];
        assert_eq!(counts.map(|count| count.to_string()), ["2", "2"]);
        assert!(flow.before(s(101.0), s(100.0)).abs() < 1e-12);
        // Late in a run the bins are as narrow as early in it.
        assert!((flow.width - FIRST_WIDTH).abs() < 1e-12);
    }

    #[test]
    fn what_came_before_the_first_is_not_lost() {
        let mut flow = Flow::default();
        for at in [50.0, 49.9995, 1.0, 49.0] {
            flow.add(s(at), s(at), 1.0);
        }
        assert!((flow.between(s(0.9), s(49.5)) - 2.0).abs() < 1e-9);
        assert!((flow.between(s(0.0), s(60.0)) - 4.0).abs() < 1e-9);
        assert!(flow.bins.len() <= MOST_BINS);
    }

    #[test]
    fn a_long_run_takes_no_more_room_and_loses_nothing() {
        let mut flow = Flow::default();
        for i in 0..100_000 {
            let at = s(f64::from(i) * 0.5);
            flow.add(at, at, 1.0);
        }
        assert!(flow.bins.len() <= MOST_BINS);
        assert!((flow.between(s(0.0), s(1e6)) - 100_000.0).abs() < 1e-6);
        // two a second over 10,000 s
        let tenth = flow.between(s(10_000.0), s(20_000.0));
        assert!((tenth / 20_000.0 - 1.0).abs() < 1e-3, "{tenth}");
    }
}
