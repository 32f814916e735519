//! Threads for loops that are over in microseconds.
//!
//! A token is some hundred products, each a few microseconds long and each waiting for the last.
//! Handing work to threads through the operating system would cost as much again; here they spin.
//!
//! Not here: queues, stealing, tasks of different lengths. All threads run the same closure.

use crate::pinning::pin;
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle, Thread};
use std::time::{Duration, Instant};

/// How long a thread spins for the next call before it sleeps: longer than what lies between two
/// tokens, shorter than anybody would notice on a fan.
const IDLE: Duration = Duration::from_millis(5);

/// Looks before a waiting thread lets others run: with more threads than cores it waits for one of
/// them. Some tens of microseconds, as a pause takes some ten nanoseconds to some hundred cycles.
const SPINS: u32 = 1 << 10;

/// A fixed number of threads that run closures together.
///
/// The thread that calls [`Pool::run`] is one of them. A call allocates nothing.
#[derive(Debug)]
pub struct Pool {
    shared: Arc<Shared>,
    /// Held during a call, so that calls from several threads take turns.
    turn: Mutex<()>,
    workers: Vec<JoinHandle<()>>,
}

/// A counter on cache lines of its own: threads that spin on one must not slow down the others.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct Apart<T>(pub(crate) T);

#[derive(Debug)]
struct Shared {
    threads: usize,
    /// How many calls have begun. A worker waits for the next.
    calls: Apart<AtomicUsize>,
    /// Workers that have not finished the current call.
    busy: Apart<AtomicUsize>,
    /// The closure of the current call: written before `calls`, read after it.
    job: Apart<Mutex<Option<Job>>>,
    /// One flag each: whether the worker sleeps, or is about to.
    asleep: Vec<Apart<AtomicBool>>,
    stop: AtomicBool,
    panicked: AtomicBool,
}

/// A borrowed closure, without its type and lifetime.
#[derive(Debug, Clone, Copy)]
struct Job {
    closure: *const (),
    call: unsafe fn(*const (), usize, usize),
}

// SAFETY: the closure behind the pointer is `Sync`, and outlives every use: `run` returns only when
// no worker uses it any more.
unsafe impl Send for Job {}

impl Pool {
    /// That many threads: the caller of [`Pool::run`] and one less of the pool's own.
    ///
    /// # Panics
    /// If the operating system refuses a thread.
    #[must_use]
    pub fn new(threads: NonZeroUsize) -> Self {
        Self::start_threads(threads, false)
    }

    /// [`Pool::new`], with each of the pool's own threads kept on one of the CPUs that this process
    /// may use: the second, the third, and so on.
    /// The caller stays free, as threads that it starts later would inherit its place; the system
    /// finds it the CPU that is left. Where the system refuses, threads stay free.
    ///
    /// # Panics
    /// If the operating system refuses a thread.
    #[must_use]
    pub fn pinned(threads: NonZeroUsize) -> Self {
        Self::start_threads(threads, true)
    }

    fn start_threads(threads: NonZeroUsize, pinned: bool) -> Self {
        let threads = threads.get();
        let shared = Arc::new(Shared {
            threads,
            calls: Apart::default(),
            busy: Apart::default(),
            job: Apart::default(),
            asleep: (1..threads).map(|_| Apart::default()).collect(),
            stop: AtomicBool::new(false),
            panicked: AtomicBool::new(false),
        });
        let workers = (1..threads)
            .map(|thread| {
                let shared = Arc::clone(&shared);
                thread::Builder::new()
                    .name(format!("kernels-{thread}"))
                    .spawn(move || {
                        if pinned {
                            pin(thread);
                        }
                        shared.work(thread);
                    })
                    .expect("the operating system has a thread to spare")
            })
            .collect();
        Self { shared, turn: Mutex::new(()), workers }
    }

    /// How many threads run a closure.
    #[must_use]
    pub fn threads(&self) -> usize {
        self.shared.threads
    }

    /// Runs `closure(thread, threads)` once on every thread, and returns when all have finished.
    ///
    /// What a thread wrote before the call, every thread sees in it; what threads wrote in it, the
    /// caller sees afterwards. Calls from several threads take turns; a call from within a call
    /// would wait for itself forever.
    ///
    /// # Panics
    /// If the closure panics on any thread, after all have finished.
    pub fn run<F: Fn(usize, usize) + Sync>(&self, closure: F) {
        /// # Safety
        /// `closure` must point to a live `F`.
        unsafe fn call<F: Fn(usize, usize)>(closure: *const (), thread: usize, threads: usize) {
            // SAFETY: the caller vouches for the pointer.
            let closure = unsafe { &*closure.cast::<F>() };
            closure(thread, threads);
        }

        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.workers.is_empty() {
            self.start(Job { closure: (&raw const closure).cast(), call: call::<F> });
        }
        // The workers borrow the closure: a panic here must wait for them.
        let ours = catch_unwind(AssertUnwindSafe(|| closure(0, self.shared.threads)));
        spin_until(|| self.shared.busy.0.load(Ordering::Acquire) == 0, None);
        // Before our own panic goes on: the next call must not find that of this one.
        let panicked = self.shared.panicked.swap(false, Ordering::Relaxed);
        if let Err(panic) = ours {
            resume_unwind(panic);
        }
        assert!(!panicked, "a thread of the pool panicked");
    }

    fn start(&self, job: Job) {
        let shared = &*self.shared;
        *shared.job.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(job);
        shared.busy.0.store(self.workers.len(), Ordering::Relaxed);
        self.wake(|| {
            shared.calls.0.fetch_add(1, Ordering::SeqCst);
        });
    }

    /// Tells the workers something, and wakes those that sleep.
    ///
    /// A worker raises its flag and then looks once more; we tell and then look at the flag. Both
    /// in one order (`SeqCst`), so one of the two sees the other.
    fn wake(&self, tell: impl FnOnce()) {
        tell();
        for (worker, asleep) in self.workers.iter().map(JoinHandle::thread).zip(&self.shared.asleep)
        {
            if asleep.0.load(Ordering::SeqCst) {
                Thread::unpark(worker);
            }
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.wake(|| self.shared.stop.store(true, Ordering::SeqCst));
        for worker in self.workers.drain(..) {
            // Workers catch what closures throw, so there is nothing to pass on.
            let _ = worker.join();
        }
    }
}

impl Shared {
    /// A worker's life.
    fn work(&self, thread: usize) {
        let mut seen = 0;
        while self.wait(thread, seen) {
            seen += 1;
            let job = *self.job.0.lock().unwrap_or_else(PoisonError::into_inner);
            let job = job.expect("invariant: a call has a job");
            let run = AssertUnwindSafe(|| {
                // SAFETY: `run` keeps the closure alive until `busy` is 0, which is after this.
                unsafe { (job.call)(job.closure, thread, self.threads) };
            });
            if catch_unwind(run).is_err() {
                self.panicked.store(true, Ordering::Relaxed);
            }
            self.busy.0.fetch_sub(1, Ordering::Release);
        }
    }

    /// Waits for the call after `seen`; false if the pool is being dropped.
    fn wait(&self, thread: usize, seen: usize) -> bool {
        let asleep = &self.asleep[thread - 1].0;
        let told =
            || (self.calls.0.load(Ordering::SeqCst) != seen) || self.stop.load(Ordering::SeqCst);
        if !spin_until(told, Some(IDLE)) {
            asleep.store(true, Ordering::SeqCst);
            while !told() {
                thread::park();
            }
            asleep.store(false, Ordering::SeqCst);
        }
        self.calls.0.load(Ordering::SeqCst) != seen
    }
}

/// Waits; false if the limit passed first.
pub(crate) fn spin_until(done: impl Fn() -> bool, limit: Option<Duration>) -> bool {
    for _ in 0..SPINS {
        if done() {
            return true;
        }
        std::hint::spin_loop();
    }
    let start = Instant::now();
    while !done() {
        if limit.is_some_and(|limit| start.elapsed() > limit) {
            return false;
        }
        thread::yield_now();
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool(threads: usize) -> Pool {
        Pool::new(NonZeroUsize::new(threads).unwrap())
    }

    #[test]
    fn every_thread_runs_every_call_once() {
        for threads in [1, 2, 3, 5] {
            let pool = if threads == 2 {
                Pool::pinned(NonZeroUsize::new(threads).unwrap())
            } else {
                pool(threads)
            };
            assert_eq!(pool.threads(), threads);
            let counts: Vec<AtomicUsize> = (0..threads).map(|_| AtomicUsize::new(0)).collect();
            // More threads than cores take turns at the mercy of the operating system.
            let calls = if threads <= 2 && !cfg!(miri) { 2000 } else { 100 };
            for call in 0..calls {
                pool.run(|thread, of| {
                    assert_eq!(of, threads);
                    assert_eq!(counts[thread].fetch_add(1, Ordering::Relaxed), call);
                });
            }
            for count in counts {
                assert_eq!(count.into_inner(), calls);
            }
        }
    }

    /// Each call reads what all threads wrote in the one before: a running sum, by hand.
    #[test]
    fn a_call_sees_what_the_last_one_wrote() {
        let pool = pool(3);
        let mut numbers = [1_u64, 1, 1];
        for _ in 0..40 {
            let sum: u64 = numbers.iter().sum();
            let next: Vec<Mutex<u64>> = numbers.iter().map(|_| Mutex::new(0)).collect();
            pool.run(|thread, _| *next[thread].lock().unwrap() = sum + thread as u64);
            numbers = std::array::from_fn(|i| *next[i].lock().unwrap());
        }
        // sum -> 3 * sum + 3, from 3.
        let expected = (1..40).fold(3_u64, |sum, _| 3 * sum + 3);
        assert_eq!(numbers, [expected, expected + 1, expected + 2]);
    }

    #[test]
    fn sleepers_wake() {
        let pool = pool(3);
        let count = AtomicUsize::new(0);
        for _ in 0..4 {
            thread::sleep(2 * IDLE);
            pool.run(|_, _| {
                count.fetch_add(1, Ordering::Relaxed);
            });
        }
        assert_eq!(count.into_inner(), 12);
    }

    #[test]
    fn a_panic_reaches_the_caller_and_the_pool_lives_on() {
        let pool = pool(2);
        for panicking in 0..2 {
            let result = catch_unwind(AssertUnwindSafe(|| {
                pool.run(|thread, _| assert_ne!(thread, panicking, "on purpose"));
            }));
            assert!(result.is_err());
            pool.run(|_, _| ());
        }
    }

    #[test]
    fn callers_take_turns() {
        let pool = pool(2);
        let (inside, count) = (AtomicUsize::new(0), AtomicUsize::new(0));
        thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    for _ in 0..100 {
                        pool.run(|_, _| {
                            assert!(inside.fetch_add(1, Ordering::SeqCst) < 2);
                            count.fetch_add(1, Ordering::SeqCst);
                            inside.fetch_sub(1, Ordering::SeqCst);
                        });
                    }
                });
            }
        });
        assert_eq!(count.into_inner(), 600);
    }
}
