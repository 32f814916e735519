//! When warming up is over.

use freeweights_record::units::Seconds;

/// Fewest warm-ups: one sample cannot agree with anything.
const FEWEST: usize = 2;

/// Most warm-ups of a case.
pub(crate) const MOST: usize = 6;

/// How closely two samples must agree.
const TOLERANCE: f64 = 0.05;

/// Whether the last two samples took the same time within 5%.
///
/// The cold run (page faults, cold caches, clocks that still rise) is the slow one and comes first:
/// as long as each run is faster than the one before, warming up goes on.
pub(crate) fn is_steady(warm_ups: &[Seconds]) -> bool {
    let [.., before, last] = warm_ups else { return false };
    warm_ups.len() >= FEWEST && ((last.get() - before.get()) / before.get()).abs() <= TOLERANCE
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steady(times: &[f64]) -> bool {
        is_steady(&times.iter().copied().map(Seconds::new).collect::<Vec<_>>())
    }

    #[test]
    fn it_takes_two_that_agree() {
        assert!(!steady(&[]));
        assert!(!steady(&[1.0]));
        assert!(!steady(&[2.0, 1.0]));
        assert!(steady(&[2.0, 1.0, 0.96]));
        assert!(!steady(&[1.0, 1.0, 1.2]));
    }
}
