//! Peak resident memory, sampled off the timed thread.

use crate::host::resident_memory;
use freeweights_record::units::{Bytes, Seconds};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How often the resident memory is read.
const PERIOD: Duration = Duration::from_millis(20);

/// A thread that reads the resident memory of the process until it is dropped.
///
/// The counter is the kernel's own (`/proc/self/statm` on Linux). A peak shorter than
/// twenty milliseconds can be missed; KV caches and weights stay for longer than that.
#[derive(Debug)]
pub struct RssSampler {
    shared: Arc<Shared>,
    started: Instant,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    stop: AtomicBool,
    peak: AtomicU64,
    reads: AtomicU64,
    busy_nanoseconds: AtomicU64,
}

impl RssSampler {
    /// Starts sampling.
    #[must_use]
    pub fn start() -> Self {
        let shared = Arc::new(Shared::default());
        let thread = {
            let shared = Arc::clone(&shared);
            std::thread::Builder::new().name("rss-sampler".into()).spawn(move || {
                while !shared.stop.load(Ordering::Relaxed) {
                    let begin = Instant::now();
                    shared.read();
                    let busy = u64::try_from(begin.elapsed().as_nanos()).unwrap_or(u64::MAX);
                    shared.busy_nanoseconds.fetch_add(busy, Ordering::Relaxed);
                    std::thread::park_timeout(PERIOD);
                }
            })
        };
        // Without the thread the peak is read at the ends of each sample only.
        Self { shared, started: Instant::now(), thread: thread.ok() }
    }

    /// Forgets the peak so far.
    pub fn reset(&self) {
        self.shared.peak.store(0, Ordering::Relaxed);
    }

    /// The highest resident memory since the last reset; `None` where the system does not tell.
    #[must_use]
    pub fn peak(&self) -> Option<Bytes> {
        self.shared.read();
        let peak = self.shared.peak.load(Ordering::Relaxed);
        (peak > 0).then(|| Bytes::new(peak))
    }

    /// How often it has read, and the share of one CPU that took.
    #[must_use]
    pub fn cost(&self) -> (u64, f64) {
        let busy = Seconds::from_duration(Duration::from_nanos(
            self.shared.busy_nanoseconds.load(Ordering::Relaxed),
        ));
        let share = busy / Seconds::from_duration(self.started.elapsed());
        (self.shared.reads.load(Ordering::Relaxed), share)
    }
}

impl Shared {
    fn read(&self) {
        if let Some(now) = resident_memory() {
            self.peak.fetch_max(now.get(), Ordering::Relaxed);
        }
        self.reads.fetch_add(1, Ordering::Relaxed);
    }
}

impl Drop for RssSampler {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // A sampler that panicked has nothing more to say.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_sees_memory_come_and_a_reset_forgets_it() {
        let sampler = RssSampler::start();
        let before = sampler.peak().unwrap().get();
        let mut held = vec![0u8; 64 << 20];
        // Touched, or the pages would never become resident.
        held.iter_mut().step_by(4096).for_each(|byte| *byte = 1);
        let during = sampler.peak().unwrap().get();
        assert!(during >= before + (60 << 20), "{before} {during} {}", held.len());
        drop(held);
        sampler.reset();
        assert!(sampler.peak().unwrap().get() < during);
        assert!(sampler.cost().0 > 0);
    }
}
