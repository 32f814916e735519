//! By how much one side is faster: the middle of all pairwise ratios, with an interval.
//!
//! Logarithms of rates go in and come out: a ratio of rates is a difference of these.

use super::mann_whitney::pairs_outside;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

/// Resamples of the bootstrap.
const RESAMPLES: usize = 500;

/// How exactly the median of a resample is found: a ten thousandth of a percent.
const RESAMPLE_PRECISION: f64 = 1e-6;

/// Samples a side up to which there is a bootstrap: beyond it the interval by ranks is as good.
const BOOTSTRAP_UP_TO: usize = 200;

/// An estimate and its 95% interval, where there are enough samples for one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Shift {
    pub(super) estimate: f64,
    pub(super) interval: Option<(f64, f64)>,
}

impl Shift {
    /// The shift of Hodges and Lehmann from `base` to `new`: the median of all differences
    /// `new_j - base_i`.
    ///
    /// Its interval is that of the seeded percentile bootstrap, with no end nearer than the interval
    /// by ranks (the one that the test of Mann and Whitney inverts to) puts it, and `sqrt(inflation)`
    /// times as far where samples depend on each other. None where either side is empty.
    ///
    /// # Source
    /// Hodges and Lehmann, Estimates of location based on rank tests (1963); why both intervals:
    /// results/decisions/0014-compare.md.
    pub(super) fn of(base: &[f64], new: &[f64], inflation: f64, seed: u64) -> Option<Self> {
        if base.is_empty() || new.is_empty() {
            return None;
        }
        let differences = Differences::of(base.to_vec(), new.to_vec());
        let estimate = differences.median();
        let interval = pairs_outside(base.len(), new.len()).map(|outside| {
            let low = differences.smallest(outside);
            let high = differences.smallest(differences.count() + 1 - outside);
            let (low, high) = match bootstrap(base, new, seed) {
                Some((below, above)) => (low.min(below), high.max(above)),
                None => (low, high),
            };
            let wider = inflation.max(1.0).sqrt();
            (estimate + (low - estimate) * wider, estimate + (high - estimate) * wider)
        });
        Some(Self { estimate, interval })
    }
}

fn bootstrap(base: &[f64], new: &[f64], seed: u64) -> Option<(f64, f64)> {
    if base.len().max(new.len()) > BOOTSTRAP_UP_TO {
        return None;
    }
    let mut rng = SmallRng::seed_from_u64(seed);
    let mut again = |side: &[f64]| -> Vec<f64> {
        side.iter().map(|_| side[rng.random_range(0..side.len())]).collect()
    };
    let mut medians: Vec<f64> = (0..RESAMPLES)
        .map(|_| {
            let differences = Differences::of(again(base), again(new));
            differences.smallest_within(differences.count().div_ceil(2), RESAMPLE_PRECISION)
        })
        .collect();
    medians.sort_unstable_by(f64::total_cmp);
    let outside = RESAMPLES / 40;
    Some((medians[outside], medians[RESAMPLES - 1 - outside]))
}

/// All differences between two sides, which are never written out: of a thousand samples a side
/// there are a million.
struct Differences {
    base: Vec<f64>,
    new: Vec<f64>,
}

impl Differences {
    fn of(mut base: Vec<f64>, mut new: Vec<f64>) -> Self {
        base.sort_unstable_by(f64::total_cmp);
        new.sort_unstable_by(f64::total_cmp);
        Self { base, new }
    }

    fn count(&self) -> usize {
        self.base.len() * self.new.len()
    }

    /// How many are at or below a value. With both sides sorted, one walk over each.
    fn at_most(&self, value: f64) -> usize {
        let (mut count, mut above) = (0, self.base.len());
        // The larger `new_j`, the fewer `base_i` are small enough to keep the difference above.
        for new in self.new.iter().rev() {
            while above > 0 && new - self.base[above - 1] <= value {
                above -= 1;
            }
            count += self.base.len() - above;
        }
        count
    }

    /// The `k`-th smallest, from 1.
    fn smallest(&self, k: usize) -> f64 {
        self.smallest_within(k, 0.0)
    }

    /// The `k`-th smallest, or up to `precision` above it, found by halving the range until it is so
    /// narrow or nothing lies between.
    fn smallest_within(&self, k: usize, precision: f64) -> f64 {
        let last = |side: &[f64]| side.last().copied().unwrap_or(0.0);
        let mut low = self.new[0] - last(&self.base);
        let mut high = last(&self.new) - self.base[0];
        if self.at_most(low) >= k {
            return low;
        }
        // `low` is too low and `high` is not.
        loop {
            let middle = low + (high - low) / 2.0;
            if high - low <= precision || middle <= low || middle >= high {
                return high;
            }
            if self.at_most(middle) >= k {
                high = middle;
            } else {
                low = middle;
            }
        }
    }

    fn median(&self) -> f64 {
        let count = self.count();
        let upper = self.smallest(count / 2 + 1);
        if count % 2 == 1 { upper } else { f64::midpoint(self.smallest(count / 2), upper) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{prop, prop_assert, proptest};

    #[test]
    fn it_is_the_median_of_all_differences() {
        // 10 - 1, 10 - 2, 10 - 4, 13 - 1, 13 - 2, 13 - 4: 6, 8, 9, 9, 11, 12; half of 9 + 9
        let shift = Shift::of(&[2.0, 1.0, 4.0], &[13.0, 10.0], 1.0, 1).unwrap();
        assert!((shift.estimate - 9.0).abs() < 1e-12, "{shift:?}");
        assert_eq!(shift.interval, None);
        assert_eq!(Shift::of(&[], &[1.0], 1.0, 1), None);
    }

    #[test]
    fn the_interval_of_four_and_four_is_the_whole_range() {
        // One pair of 16 outside on each side is the outermost: 4.0 - 0.4 and 5.5 - 0.0.
        let base = [0.0, 0.1, 0.2, 0.4];
        let new = [4.0, 4.2, 5.0, 5.5];
        let (low, high) = Shift::of(&base, &new, 1.0, 1).unwrap().interval.unwrap();
        assert!((low - 3.6).abs() < 1e-9 && (high - 5.5).abs() < 1e-9, "{low} to {high}");
    }

    #[test]
    fn one_straggler_hardly_moves_it() {
        let base = [1.00, 1.01, 0.99, 1.02, 0.98, 1.00];
        let mut new = base;
        new[3] -= 0.3;
        let shift = Shift::of(&base, &new, 1.0, 1).unwrap();
        assert!(shift.estimate.abs() < 0.011, "{shift:?}");
    }

    #[test]
    fn dependence_widens_the_interval_and_leaves_the_estimate() {
        let base: Vec<f64> = (0..12).map(|i| f64::from(i * 7 % 12)).collect();
        let new: Vec<f64> = base.iter().map(|x| x + 1.0).collect();
        let plain = Shift::of(&base, &new, 1.0, 1).unwrap();
        let wider = Shift::of(&base, &new, 4.0, 1).unwrap();
        let width = |shift: &Shift| shift.interval.map(|(low, high)| high - low).unwrap();
        assert!((width(&wider) - 2.0 * width(&plain)).abs() < 1e-9);
        assert!((wider.estimate - 1.0).abs() < 1e-9);
    }

    proptest! {
        #[test]
        fn the_halving_finds_what_sorting_finds(
            base in prop::collection::vec(-3.0..3.0_f64, 1..12),
            new in prop::collection::vec(-3.0..3.0_f64, 1..12),
            k in 0.0..1.0_f64,
        ) {
            let mut all: Vec<f64> =
                new.iter().flat_map(|y| base.iter().map(move |x| y - x)).collect();
            all.sort_unstable_by(f64::total_cmp);
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a place")]
            let place = (k * all.len() as f64) as usize;
            let found = Differences::of(base, new).smallest(place + 1);
            prop_assert!((found - all[place]).abs() < 1e-12);
        }
    }
}
