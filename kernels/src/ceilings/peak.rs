//! How fast a loop of multiply-adds runs on every thread at once: what the three peaks share.
//!
//! Not here: the loops themselves.

use std::hint::black_box;
use std::time::Instant;

use super::lockstep;
use super::{Estimate, Options};

/// Iterations between two looks at the clock: some ten microseconds, against tens of nanoseconds
/// for the look.
const ITERATIONS: usize = 4096;

/// A trial of each loop lasts this fraction of a probe. It also wakes the wide units, which some
/// CPUs power up only once they are used.
const TRIAL: u32 = 20;

/// One way to multiply and add on this CPU: each of the lanes, once per iteration.
pub(super) struct InnerLoop<S> {
    /// The feature that the loop lives on, by its name in [`crate::isa::cpu_features`].
    pub(super) isa: &'static str,
    /// How many of the state's lanes it works on, from the first.
    pub(super) lanes: usize,
    /// Runs that many iterations.
    pub(super) run: fn(&mut S, usize),
}

/// The rate of the fastest of several loops that do the same arithmetic; `None` if there is none.
///
/// A short trial picks the loop: the widest is not always the fastest, as some CPUs have half as
/// many units of double the width and clock them lower.
pub(super) fn fastest<S>(
    loops: &[InnerLoop<S>],
    operations_per_lane: usize,
    fresh: fn() -> S,
    options: &Options,
) -> Option<(Estimate, &'static str)> {
    let rates = |inner: &InnerLoop<S>, passes, length| {
        let operations = (ITERATIONS * inner.lanes * operations_per_lane) as u64;
        let pass = |state: &mut S, until: Instant| {
            let mut done = 0;
            loop {
                (inner.run)(black_box(state), ITERATIONS);
                done += operations;
                if Instant::now() >= until {
                    black_box(state);
                    return done;
                }
            }
        };
        lockstep::rates(options.threads, passes, length, fresh, pass)
    };
    let trial = |inner: &InnerLoop<S>| {
        let rate = rates(inner, 1, options.duration_per_probe / TRIAL);
        rate.into_iter().fold(0.0, f64::max)
    };

    let (_, inner) =
        loops.iter().map(|inner| (trial(inner), inner)).max_by(|(a, _), (b, _)| a.total_cmp(b))?;
    let rates = rates(inner, options.passes(), options.pass_length());
    Some((Estimate::from_samples(rates)?, inner.isa))
}
