//! What the threads of one call of a [`Pool`](crate::pool::Pool) share: phases, and the work in them.
//!
//! A token is some hundred phases of a few microseconds, each needing what the last one made. One
//! call of the pool runs them all: between phases the threads meet at a barrier that spins.
//!
//! Not here: the threads themselves, and what they work on.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use crate::pool::{Apart, spin_until};

/// The meeting point of the threads of one call. Made on the stack before each call; nothing in it
/// allocates or locks.
///
/// A thread that panics lets the others panic too, where they would wait for it forever.
#[derive(Debug)]
pub struct Team {
    threads: usize,
    /// Threads that wait at the barrier.
    arrived: Apart<AtomicUsize>,
    /// Phases ended so far.
    phase: Apart<AtomicUsize>,
    /// The first piece of this phase's rest that nobody has claimed.
    next: Apart<AtomicUsize>,
    broken: AtomicBool,
}

/// How the pieces of a phase are given out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sharing {
    /// Pieces of one size: three quarters are dealt out evenly before, neighbours together; the rest
    /// goes to who is first, so that a thread that was held up does not hold up the others.
    Even,
    /// Pieces of different sizes: each goes to who is first. Put large ones first.
    FirstCome,
}

impl Team {
    /// A team of so many threads, each of which must take part in every phase.
    #[must_use]
    pub fn new(threads: usize) -> Self {
        Self {
            threads,
            arrived: Apart::default(),
            phase: Apart::default(),
            next: Apart::default(),
            broken: AtomicBool::new(false),
        }
    }

    /// How many threads it has.
    #[must_use]
    pub const fn threads(&self) -> usize {
        self.threads
    }

    /// One phase: the pieces `0..count` are worked on by all threads, then the last thread to finish
    /// runs `alone`, then all go on.
    ///
    /// Every piece is in exactly one of the ranges given to `work`. What any thread wrote in the
    /// phase is seen by `alone`, and what `alone` wrote is seen by all threads afterwards.
    ///
    /// # Panics
    /// If another thread of the team panicked.
    pub fn phase(
        &self,
        thread: usize,
        count: usize,
        sharing: Sharing,
        mut work: impl FnMut(Range<usize>),
        alone: impl FnOnce(),
    ) {
        let guard = Guard(self);
        if self.threads == 1 {
            if count > 0 {
                work(0..count);
            }
            alone();
            std::mem::forget(guard);
            return;
        }
        let dealt = match sharing {
            Sharing::Even => count * 3 / 4 / self.threads,
            Sharing::FirstCome => 0,
        };
        if dealt > 0 {
            work(thread * dealt..(thread + 1) * dealt);
        }
        let rest = dealt * self.threads;
        loop {
            let piece = rest + self.next.0.fetch_add(1, Ordering::Relaxed);
            if piece >= count {
                break;
            }
            work(piece..piece + 1);
        }
        self.meet(alone);
        std::mem::forget(guard);
    }

    /// The barrier.
    fn meet(&self, alone: impl FnOnce()) {
        let phase = self.phase.0.load(Ordering::Relaxed);
        // Released by each arrival, acquired by the last: it sees what all have written.
        if self.arrived.0.fetch_add(1, Ordering::AcqRel) + 1 == self.threads {
            alone();
            self.arrived.0.store(0, Ordering::Relaxed);
            self.next.0.store(0, Ordering::Relaxed);
            self.phase.0.store(phase + 1, Ordering::Release);
            return;
        }
        let ended = || self.phase.0.load(Ordering::Acquire) != phase;
        spin_until(|| ended() || self.broken.load(Ordering::Relaxed), None);
        assert!(ended(), "another thread of the team panicked");
    }
}

/// Tells the team when a thread leaves a phase by a panic.
struct Guard<'a>(&'a Team);

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        debug_assert!(thread::panicking());
        self.0.broken.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pool::Pool;
    use std::num::NonZeroUsize;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    /// Each phase adds up what the one before wrote; every piece is worked on once.
    #[test]
    fn a_phase_sees_the_one_before() {
        for threads in [1, 2, 3] {
            for sharing in [Sharing::Even, Sharing::FirstCome] {
                let pool = Pool::new(NonZeroUsize::new(threads).unwrap());
                let team = Team::new(threads);
                let cells: Vec<AtomicUsize> = (0..37).map(|_| AtomicUsize::new(1)).collect();
                let total = AtomicUsize::new(0);
                pool.run(|thread, _| {
                    for _ in 0..50 {
                        let add = |pieces: Range<usize>| {
                            for cell in &cells[pieces] {
                                cell.fetch_add(total.load(Ordering::Relaxed), Ordering::Relaxed);
                            }
                        };
                        team.phase(thread, cells.len(), sharing, add, || {
                            total.fetch_add(1, Ordering::Relaxed);
                        });
                    }
                });
                assert_eq!(total.into_inner(), 50);
                // 1 + (0 + 1 + .. + 49)
                assert!(cells.into_iter().all(|cell| cell.into_inner() == 1226), "{threads}");
            }
        }
    }

    #[test]
    fn nothing_to_share_is_a_barrier() {
        let pool = Pool::new(NonZeroUsize::new(2).unwrap());
        let (team, count) = (Team::new(2), AtomicUsize::new(0));
        pool.run(|thread, _| {
            team.phase(
                thread,
                0,
                Sharing::Even,
                |_| unreachable!(),
                || {
                    count.fetch_add(1, Ordering::Relaxed);
                },
            );
        });
        assert_eq!(count.into_inner(), 1);
    }

    #[test]
    fn a_panic_ends_the_call_for_all() {
        let pool = Pool::new(NonZeroUsize::new(2).unwrap());
        for panicking in 0..2 {
            let team = Team::new(2);
            let result = catch_unwind(AssertUnwindSafe(|| {
                pool.run(|thread, _| {
                    let work = |_: Range<usize>| assert_ne!(thread, panicking, "on purpose");
                    // Enough pieces for both to be dealt some.
                    team.phase(thread, 16, Sharing::Even, work, || ());
                });
            }));
            assert!(result.is_err());
        }
        pool.run(|_, _| ());
    }
}
