//! When warming up is over: told by a test for a trend, not by a count.
//!
//! Not here: drift of the samples that count, which is told of and stops nothing (`summarise`).

use freeweights_record::stats::{mann_kendall, theil_sen_drift};
use freeweights_record::units::Seconds;

/// Fewest warm-ups: fewer have no trend to test.
const FEWEST: usize = 3;

/// Most warm-ups of a case.
pub(crate) const MOST: usize = 12;

/// Latest warm-ups that are looked at: the cold ones before them need not agree.
const WINDOW: usize = 8;

/// Change over the latest warm-ups that is none.
const TOLERANCE: f64 = 0.03;

/// From so many warm-ups on a series without a trend is steady however much it scatters.
const SCATTERED: usize = 6;

/// Chance under which an order of samples is taken for a trend.
const TREND: f64 = 0.1;

/// Whether the latest warm-ups of a case neither rise nor fall.
///
/// Of three and more there is a window, reaching back up to eight, over which the median slope
/// changes the time by at most 3%, no two times are further apart than 6%, and the Mann-Kendall
/// test finds no trend at 10%. A machine that scatters more is not level; from six warm-ups on the
/// test is enough, as it then would find a trend. The cold run (page faults, cold caches, clocks that still rise) is slow and
/// comes first; the window moves past it.
pub(crate) fn is_steady(warm_ups: &[Seconds]) -> bool {
    let lengths = FEWEST..=warm_ups.len().min(WINDOW);
    lengths.map(|length| &warm_ups[warm_ups.len() - length..]).any(|latest| {
        let Ok((trend, drift)) =
            mann_kendall(latest).and_then(|trend| Ok((trend, theil_sen_drift(latest)?)))
        else {
            return false;
        };
        let level = (drift.get() - 1.0).abs() <= TOLERANCE && spread(latest) <= 2.0 * TOLERANCE;
        trend.p >= TREND && (level || latest.len() >= SCATTERED)
    })
}

/// Distance of the fastest and the slowest, as a share of the fastest.
fn spread(times: &[Seconds]) -> f64 {
    let (fastest, slowest) = times.iter().fold((f64::INFINITY, 0.0_f64), |(low, high), time| {
        (low.min(time.get()), high.max(time.get()))
    });
    slowest / fastest - 1.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steady(times: &[f64]) -> bool {
        is_steady(&times.iter().copied().map(Seconds::new).collect::<Vec<_>>())
    }

    #[test]
    fn it_takes_three_that_are_level() {
        assert!(!steady(&[]));
        assert!(!steady(&[1.0, 1.0]));
        assert!(steady(&[1.0, 1.01, 1.0]));
        assert!(!steady(&[2.0, 1.0, 1.0]));
        assert!(steady(&[2.0, 1.0, 1.01, 1.0]));
        assert!(!steady(&[1.0, 1.0, 1.2]));
    }

    #[test]
    fn a_machine_that_slowly_gets_faster_is_not_steady() {
        // 2% a run: no two neighbours are far apart, and all three fall by 4%.
        let falling: Vec<f64> = (0..8).map(|at| 0.98_f64.powi(at)).collect();
        for runs in 3..=8 {
            assert!(!steady(&falling[..runs]), "{runs}");
        }
    }

    #[test]
    fn a_machine_that_scatters_is_steady_once_a_trend_would_have_shown() {
        let scattered = [1.0, 1.2, 0.9, 1.1, 0.8, 1.15];
        assert!(!steady(&scattered[..5]));
        assert!(steady(&scattered));
    }

    /// Runs that warm up by an exponential and scatter by some percent: what is left of the
    /// warming when it is called steady, over 2,000 seeded series.
    #[test]
    fn little_of_the_warming_is_left_when_it_is_called_over() {
        use rand::rngs::SmallRng;
        use rand::{Rng, SeedableRng};
        let mut rng = SmallRng::seed_from_u64(7);
        for (noise, most) in [(0.002, 0.05), (0.01, 0.06), (0.03, 0.08)] {
            let mut left: Vec<f64> = (0..2_000)
                .map(|_| {
                    let mut series = Vec::new();
                    let warmth = |at: usize| 0.5 * (-(at as f64) / 1.2).exp();
                    while series.len() < MOST && !is_steady(&series) {
                        let scatter = noise * (rng.random::<f64>() - 0.5) * 3.46;
                        series.push(Seconds::new(1.0 + warmth(series.len()) + scatter));
                    }
                    warmth(series.len())
                })
                .collect();
            left.sort_unstable_by(f64::total_cmp);
            let (median, late) = (left[1_000], left[1_900]);
            assert!(median <= 0.03 && late <= most, "{noise}: {median} {late}");
        }
    }
}
