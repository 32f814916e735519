//! Several threads that start each pass together, and the rate they reach together.
//!
//! Not here: what a pass does. Threads are not pinned to cores: the operating system places them,
//! as it will place those of the engine.

use std::num::NonZeroUsize;
use std::sync::{Barrier, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

/// What one thread did in one pass.
struct Stint {
    start: Instant,
    end: Instant,
    work: u64,
}

/// Runs `passes` passes of `length` on every thread at once: work per second, one rate a pass.
///
/// Each thread builds its own state with `prepare`, so that memory is first touched by the thread
/// that uses it. `pass` works until the instant it is given and returns the work it did.
///
/// A rate is all the work of a pass over the time from the first start to the last end. The delay
/// between the threads' starts therefore counts against the rate, never for it.
///
/// # Panics
/// If the operating system refuses to start a thread: fewer threads would be another measurement.
pub(super) fn rates<S>(
    threads: NonZeroUsize,
    passes: usize,
    length: Duration,
    prepare: impl Fn() -> S + Sync,
    pass: impl Fn(&mut S, Instant) -> u64 + Sync,
) -> Vec<f64> {
    // Opened once every thread was started, or with `None` if one was not: a barrier that waits
    // for a thread that never came would wait for ever.
    let gate: OnceLock<Option<Barrier>> = OnceLock::new();
    let member = || {
        let Some(barrier) = gate.wait() else {
            return Vec::new();
        };
        let mut state = prepare();
        (0..passes)
            .map(|_| {
                barrier.wait();
                let start = Instant::now();
                let work = pass(&mut state, start + length);
                let end = Instant::now();
                Stint { start, end, work }
            })
            .collect()
    };

    let stints: Vec<Vec<Stint>> = thread::scope(|scope| {
        let members: Vec<_> = (0..threads.get())
            .map_while(|_| thread::Builder::new().spawn_scoped(scope, member).ok())
            .collect();
        let complete = members.len() == threads.get();
        gate.get_or_init(|| complete.then(|| Barrier::new(threads.get())));
        assert!(
            complete,
            "the operating system started only {} of {threads} threads; ask for fewer",
            members.len()
        );
        members
            .into_iter()
            .map(|member| member.join().expect("invariant: a pass does not panic"))
            .collect()
    });

    (0..passes).map(|pass| rate(&stints, pass)).collect()
}

/// The rate of one pass over all threads.
fn rate(stints: &[Vec<Stint>], pass: usize) -> f64 {
    let of_pass = || stints.iter().map(|thread| &thread[pass]);
    let work: u64 = of_pass().map(|stint| stint.work).sum();
    let start = of_pass().map(|stint| stint.start).min();
    let end = of_pass().map(|stint| stint.end).max();
    let elapsed = match (start, end) {
        (Some(start), Some(end)) => end.duration_since(start),
        _ => Duration::ZERO,
    };
    // A clock too coarse to see the pass must not make the rate infinite.
    work as f64 / elapsed.max(Duration::from_nanos(1)).as_secs_f64()
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "every value used here is exact")]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn a_rate_is_all_work_over_first_start_to_last_end() {
        let zero = Instant::now();
        let stint = |start, end, work| Stint {
            start: zero + Duration::from_secs(start),
            end: zero + Duration::from_secs(end),
            work,
        };
        let stints =
            [vec![stint(0, 1, 10), stint(10, 12, 30)], vec![stint(0, 2, 20), stint(11, 14, 50)]];
        // (10 + 20) / (2 - 0), then (30 + 50) / (14 - 10)
        assert_eq!(rate(&stints, 0), 15.0);
        assert_eq!(rate(&stints, 1), 20.0);
    }

    #[test]
    fn a_pass_that_took_no_time_has_a_finite_rate() {
        let start = Instant::now();
        let stint = Stint { start, end: start, work: 3 };
        // 3 / 1 ns
        assert!((rate(&[vec![stint]], 0) - 3e9).abs() < 1.0);
    }

    #[test]
    fn every_thread_prepares_once_and_runs_every_pass() {
        let threads = NonZeroUsize::new(3).unwrap();
        let prepared = AtomicUsize::new(0);
        let passed = AtomicUsize::new(0);
        let prepare = || prepared.fetch_add(1, Ordering::Relaxed);
        let pass = |_: &mut usize, _: Instant| {
            passed.fetch_add(1, Ordering::Relaxed);
            1
        };
        let rates = rates(threads, 4, Duration::ZERO, prepare, pass);
        assert_eq!(rates.len(), 4);
        assert!(rates.iter().all(|rate| rate.is_finite() && *rate > 0.0));
        assert_eq!(prepared.into_inner(), 3);
        assert_eq!(passed.into_inner(), 3 * 4);
    }
}
