//! Tokens and finished requests over the time of a run, in flat memory.

use crate::units::Seconds;

/// Most bins that are kept; beyond it neighbours become one. A slice of a window has hundreds.
const MOST_BINS: usize = 16_384;

/// Width of a bin at first.
const FIRST_WIDTH: f64 = 1e-3;

/// How much of something came when, in bins that widen as the run goes on.
#[derive(Debug, Clone)]
pub struct Flow {
    bins: Vec<f64>,
    width: f64,
}

impl Default for Flow {
    fn default() -> Self {
        Self { bins: Vec::new(), width: FIRST_WIDTH }
    }
}

impl Flow {
    /// Adds `amount` that came evenly between two times; all at once where they are the same.
    pub fn add(&mut self, from: Seconds, to: Seconds, amount: f64) {
        let (from, to) = (from.get().max(0.0), to.get().max(from.get()).max(0.0));
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
        let (from, to) = (from.get().max(0.0), to.get());
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
