//! The search for the highest load that keeps an objective.
//!
//! The load is doubled until it is too much, or halved until it is not, and the gap between the two
//! is halved, as a ratio, until it is small enough. Not here: what a step measures.

use freeweights_record::requests::RequestTotals;
use freeweights_record::units::Fraction;
use statrs::distribution::{Beta, ContinuousCDF};

/// What a step found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Verdict {
    /// Whether the load was borne.
    pub kept: bool,
    /// Share of the requests that were good.
    pub good: Fraction,
    /// 95% interval of that share.
    pub interval: (Fraction, Fraction),
    /// Served requests a second as a share of those offered; `None` in a closed loop.
    pub served: Option<Fraction>,
}

/// Share of the offered load that must be served: less of it, and the queue grows without end.
pub const SERVED_AT_LEAST: f64 = 0.97;

impl Verdict {
    /// Judges a step: at least `share` of its requests must keep the objective and, of an open
    /// loop, nearly all that is offered must be served.
    #[must_use]
    pub fn of(totals: &RequestTotals, share: Fraction, served: Option<Fraction>) -> Self {
        let n = totals.measured();
        let good = totals.good().unwrap_or_else(|| totals.completed());
        let seen = if n == 0 { 0.0 } else { f64::from(good) / f64::from(n) };
        let keeps_up = served.is_none_or(|served| served.get() >= SERVED_AT_LEAST);
        Self {
            kept: n > 0 && seen >= share.get() && keeps_up,
            good: Fraction::new(seen),
            interval: clopper_pearson(good, n),
            served,
        }
    }
}

/// The 95% interval of a share of which `good` of `n` were seen.
///
/// # Source
/// Clopper and Pearson (1934): from the 2.5% point of Beta(good, n - good + 1) to the 97.5% point
/// of Beta(good + 1, n - good).
#[must_use]
pub fn clopper_pearson(good: u32, n: u32) -> (Fraction, Fraction) {
    let (k, rest) = (f64::from(good), f64::from(n.saturating_sub(good)));
    let point = |a: f64, b: f64, p: f64, none: f64| {
        Beta::new(a, b).map_or(none, |beta| beta.inverse_cdf(p))
    };
    let low = if good == 0 { 0.0 } else { point(k, rest + 1.0, 0.025, 0.0) };
    let high = if good >= n { 1.0 } else { point(k + 1.0, rest, 0.975, 1.0) };
    (Fraction::new(low), Fraction::new(high))
}

/// A search under way.
#[derive(Debug, Clone)]
pub struct Search {
    next: f64,
    kept: Option<f64>,
    missed: Option<f64>,
    least: f64,
    most: f64,
    /// Loads are whole numbers: requests in flight.
    whole: bool,
    within: f64,
}

impl Search {
    /// Begins at a load, and ends when kept and missed are within a share of each other.
    #[must_use]
    pub const fn new(start: f64, (least, most): (f64, f64), whole: bool, within: Fraction) -> Self {
        let within = within.get();
        Self { next: start, kept: None, missed: None, least, most, whole, within }
    }

    /// The load to try next; `None` when the answer is near enough.
    #[must_use]
    pub fn next(&self) -> Option<f64> {
        let tried = |load: f64| {
            let same = |other: Option<f64>| other.is_some_and(|o| (o - load).abs() < 1e-9 * load);
            same(self.kept) || same(self.missed)
        };
        let load = match (self.kept, self.missed) {
            (Some(kept), Some(missed)) => {
                if missed / kept <= 1.0 + self.within {
                    return None;
                }
                (kept * missed).sqrt()
            }
            _ => self.next,
        };
        let load = if self.whole { load.round() } else { load };
        let load = load.clamp(self.least, self.most);
        (!tried(load)).then_some(load)
    }

    /// Tells what became of a load.
    pub fn tell(&mut self, load: f64, kept: bool) {
        if kept {
            self.kept = Some(self.kept.map_or(load, |best| best.max(load)));
            self.next = load * 2.0;
        } else {
            self.missed = Some(self.missed.map_or(load, |least| least.min(load)));
            self.next = load / 2.0;
        }
    }

    /// The highest load that was kept, and the lowest one that was not, so far.
    #[must_use]
    pub const fn found(&self) -> (Option<f64>, Option<f64>) {
        (self.kept, self.missed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn search(start: f64, capacity: f64, whole: bool) -> (Option<f64>, Option<f64>, usize) {
        let mut search = Search::new(start, (0.01, 1e6), whole, Fraction::new(0.05));
        let mut steps = 0;
        while let Some(load) = search.next() {
            search.tell(load, load <= capacity);
            steps += 1;
            assert!(steps < 60);
        }
        let (kept, missed) = search.found();
        (kept, missed, steps)
    }

    #[test]
    fn every_capacity_is_found_within_five_percent() {
        for capacity in [0.07, 0.9, 1.0, 13.0, 100.0, 4_321.0] {
            let (kept, missed, steps) = search(1.0, capacity, false);
            let (kept, missed) = (kept.unwrap(), missed.unwrap());
            assert!(kept <= capacity && capacity < missed, "{capacity}: {kept} {missed}");
            assert!(missed / kept <= 1.05, "{capacity}: {kept} {missed} in {steps}");
        }
    }

    #[test]
    fn whole_loads_are_found_exactly_and_ends_are_ends() {
        for capacity in [1.0, 2.0, 7.0, 12.0] {
            let (kept, missed, _) = search(4.0, capacity, true);
            assert_eq!(kept, Some(capacity), "{missed:?}");
        }
        // Not even one: nothing is kept.
        let mut none = Search::new(1.0, (1.0, 64.0), true, Fraction::new(0.05));
        none.tell(1.0, false);
        assert_eq!((none.next(), none.found()), (None, (None, Some(1.0))));
        let mut all = Search::new(32.0, (1.0, 64.0), true, Fraction::new(0.05));
        all.tell(32.0, true);
        assert_eq!(all.next(), Some(64.0));
        all.tell(64.0, true);
        assert_eq!(all.next(), None);
    }

    #[test]
    fn the_interval_of_a_share_is_that_of_the_tables() {
        let near = |a: Fraction, b: f64| (a.get() - b).abs() < 5e-4;
        // 95 of 100: 0.8872 to 0.9836; 10 of 10: 0.6915 to 1
        let (low, high) = clopper_pearson(95, 100);
        assert!(near(low, 0.8872) && near(high, 0.9836), "{low:?} {high:?}");
        let (low, high) = clopper_pearson(10, 10);
        assert!(near(low, 0.6915) && near(high, 1.0), "{low:?} {high:?}");
        assert_eq!(clopper_pearson(0, 0).0, Fraction::new(0.0));
    }
}
