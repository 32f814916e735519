//! The clock of the stopwatch: how finely it ticks, and what a look at it costs.
//!
//! Both are told and weighed against what is timed; neither is subtracted from anything.

use freeweights_record::host::Timer;
use freeweights_record::units::{Fraction, Seconds};
use std::time::Instant;

/// Looks at the clock for the resolution: the smallest step that is not zero is among them.
const STEPS: usize = 10_000;
/// Groups of looks for the cost; the median group counts, so that an interruption does not.
const GROUPS: usize = 101;
/// Looks in a group.
const LOOKS: u32 = 100;

/// Share of the shortest timed interval above which the clock is worth a warning.
pub const MOST_TIMER_SHARE: Fraction = Fraction::new(0.005);

/// Measures the clock that engines time with; some milliseconds.
#[must_use]
pub fn measure_timer() -> Option<Timer> {
    let origin = Instant::now();
    measure_by(&mut || u64::try_from(origin.elapsed().as_nanos()).unwrap_or(u64::MAX))
}

/// The same over any clock that tells nanoseconds; `None` where it stands still.
fn measure_by(clock: &mut dyn FnMut() -> u64) -> Option<Timer> {
    let mut last = clock();
    let steps = (0..STEPS).filter_map(|_| {
        let now = clock();
        let step = now.saturating_sub(last);
        last = now;
        (step > 0).then_some(step)
    });
    let resolution = steps.min()?;
    let mut groups: Vec<u64> = (0..GROUPS)
        .map(|_| {
            let begin = clock();
            for _ in 1..LOOKS {
                std::hint::black_box(clock());
            }
            clock().saturating_sub(begin)
        })
        .collect();
    groups.sort_unstable();
    let nanoseconds = |count: f64| Seconds::new(count / 1e9);
    Some(Timer {
        resolution: nanoseconds(resolution as f64),
        cost: nanoseconds(groups[GROUPS / 2] as f64 / f64::from(LOOKS)),
    })
}

/// What the clock may have added to or taken from an interval, as a share of it.
///
/// `(resolution + cost) / interval`; `None` without an interval.
#[must_use]
pub fn timer_share(timer: Timer, shortest: Seconds) -> Option<Fraction> {
    (shortest.get() > 0.0).then(|| Fraction::new((timer.resolution + timer.cost) / shortest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_coarse_clock_shows_its_step_and_its_cost() {
        // Ticks of 1,000 ns, a look takes 250 ns.
        let mut time = 0u64;
        let timer = measure_by(&mut || {
            time += 250;
            time / 1_000 * 1_000
        });
        let timer = timer.unwrap();
        assert_eq!(timer.resolution, Seconds::new(1e-6));
        // 100 looks after the first take 25 us.
        assert!((timer.cost.get() - 250e-9).abs() < 10e-9, "{timer:?}");
    }

    #[test]
    fn one_interruption_is_not_the_cost() {
        let (mut time, mut looks) = (0u64, 0);
        let timer = measure_by(&mut || {
            looks += 1;
            time += if looks == 12_000 { 5_000_000 } else { 20 };
            time
        });
        assert_eq!(
            timer,
            Some(Timer { resolution: Seconds::new(20e-9), cost: Seconds::new(20e-9) })
        );
    }

    #[test]
    fn a_clock_that_stands_still_is_none() {
        assert_eq!(measure_by(&mut || 7), None);
    }

    #[test]
    fn the_share_is_of_the_shortest_interval() {
        let timer = Timer { resolution: Seconds::new(30e-9), cost: Seconds::new(20e-9) };
        // 50 ns of 10 us
        let share = timer_share(timer, Seconds::new(10e-6)).unwrap();
        assert!((share.get() - 0.005).abs() < 1e-12);
        assert_eq!(timer_share(timer, Seconds::new(0.0)), None);
    }

    #[test]
    fn this_machine_has_a_clock() {
        let timer = measure_timer().unwrap();
        assert!(timer.resolution.get() > 0.0 && timer.cost.get() > 0.0);
    }
}
