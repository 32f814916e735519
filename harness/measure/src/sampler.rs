//! The sampler: one thread that reads memory, energy and GPUs again and again while cases run.
//!
//! Not here: which window of time is which phase (`instruments`), and what a source is (`energy`).

use crate::energy::{Meter, Part};
use crate::gpu_in_use::{GpuInUse, Seen, SeenOfGpu};
use crate::memory::ResidentGauge;
use crate::series::Series;
use crate::tree::Gauge;
use freeweights_record::host::EnergyPart;
use freeweights_record::units::{Bytes, Joules, Seconds, Watts};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How often memory is read.
const PERIOD: Duration = Duration::from_millis(20);
/// How often where there is energy to be read: a phase takes ten periods to be told from the next.
const PERIOD_OF_ENERGY: Duration = Duration::from_millis(10);
/// Shortest time over which idle power is measured.
const IDLE: Seconds = Seconds::new(3.0);
/// Power that idle machines differ by without a remark, before and after.
const SAME_IDLE: f64 = 0.1;

/// A clock of the sampler's own.
pub type Clock = Box<dyn Fn() -> Seconds + Send + Sync>;

/// Reads memory, energy and GPUs until it is dropped.
pub struct Sampler {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
    /// What the kernel knows of the thread.
    account: Mutex<Option<Gauge>>,
}

struct Shared {
    core: Mutex<Core>,
    clock: Clock,
    stop: AtomicBool,
    reads: AtomicU64,
    busy_nanoseconds: AtomicU64,
}

struct Core {
    memory: ResidentGauge,
    resident: Series,
    parts: Vec<Metered>,
    gpus: Vec<Seen>,
}

struct Metered {
    meter: Meter,
    check: Option<Meter>,
    facts: EnergyPart,
}

impl Sampler {
    /// Starts the thread. Without one (the system refuses) readings are taken around samples only.
    #[must_use]
    pub fn start(parts: Vec<Part>, gpus: Vec<GpuInUse>) -> Self {
        let origin = Instant::now();
        let clock = Box::new(move || Seconds::from_duration(origin.elapsed()));
        let period = if parts.is_empty() { PERIOD } else { PERIOD_OF_ENERGY };
        let mut sampler = Self::by_hand(parts, gpus, clock);
        let shared = Arc::clone(&sampler.shared);
        let (tell, told) = sync_channel(1);
        let sample = move || {
            // Where nobody waits for it any more, nobody wants it.
            let _ = tell.send(Gauge::open(Path::new("/proc/thread-self/schedstat")).ok());
            while !shared.stop.load(Ordering::Relaxed) {
                shared.tick();
                std::thread::park_timeout(period);
            }
        };
        sampler.thread = std::thread::Builder::new().name("sampler".into()).spawn(sample).ok();
        *lock(&sampler.account) = told.recv().ok().flatten();
        sampler
    }

    /// A sampler without a thread, over a clock of the caller's: it reads when it is told to.
    #[must_use]
    pub fn by_hand(parts: Vec<Part>, gpus: Vec<GpuInUse>, clock: Clock) -> Self {
        let core = Core {
            memory: ResidentGauge::open(),
            resident: Series::default(),
            parts: parts.into_iter().map(Metered::of).collect(),
            gpus: gpus.into_iter().map(Seen::of).collect(),
        };
        let shared = Shared {
            core: Mutex::new(core),
            clock,
            stop: AtomicBool::new(false),
            reads: AtomicU64::new(0),
            busy_nanoseconds: AtomicU64::new(0),
        };
        Self { shared: Arc::new(shared), thread: None, account: Mutex::new(None) }
    }

    /// Reads everything once.
    pub fn tick(&self) {
        self.shared.tick();
    }

    /// Time on the sampler's clock.
    #[must_use]
    pub fn now(&self) -> Seconds {
        (self.shared.clock)()
    }

    /// Forgets what was: a sample begins.
    pub(crate) fn forget(&self) {
        let mut core = self.shared.core();
        core.resident.forget();
        for part in &mut core.parts {
            part.meter.forget();
            part.check.iter_mut().for_each(Meter::forget);
        }
        core.gpus.iter_mut().for_each(Seen::forget);
    }

    /// Highest resident memory of a window; `None` where it was not read in it.
    pub(crate) fn resident_peak(&self, from: Seconds, to: Seconds) -> Option<Bytes> {
        let peak = self.shared.core().resident.peak(from, to)?;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a count of bytes below 2^53 that came in as a whole number"
        )]
        let bytes = peak as u64;
        Some(Bytes::new(bytes))
    }

    /// Energy of a window on a device: the sum over its parts; `None` where one is not known.
    pub(crate) fn energy(&self, device: &str, from: Seconds, to: Seconds) -> Option<Joules> {
        let core = self.shared.core();
        let mine: Vec<&Metered> = core.of(device).collect();
        if mine.is_empty() {
            return None;
        }
        mine.into_iter().map(|part| part.meter.energy(from, to)).sum()
    }

    /// Energy of a window by counter and by power, over the parts that have both.
    pub(crate) fn check(
        &self,
        device: &str,
        from: Seconds,
        to: Seconds,
    ) -> Option<(Joules, Joules)> {
        let core = self.shared.core();
        let both = core.of(device).filter_map(|part| {
            Some((part.meter.energy(from, to)?, part.check.as_ref()?.energy(from, to)?))
        });
        both.reduce(|sum, next| (sum.0 + next.0, sum.1 + next.1))
    }

    /// What was seen of the GPU of a device since the sample began.
    pub(crate) fn gpu(&self, device: &str) -> Option<SeenOfGpu> {
        let core = self.shared.core();
        core.gpus.iter().find(|seen| seen.is_of(device)).map(Seen::told)
    }

    /// The sources of energy.
    #[must_use]
    pub fn parts(&self) -> Vec<EnergyPart> {
        self.shared.core().parts.iter().map(|part| part.facts.clone()).collect()
    }

    /// How long to let the machine idle for its power to be known; `None` where nothing tells energy.
    #[must_use]
    pub fn idle_time(&self) -> Option<Seconds> {
        let core = self.shared.core();
        let slowest = core.parts.iter().map(|part| part.meter.update().get()).reduce(f64::max)?;
        Some(Seconds::new(IDLE.get().max(10.5 * slowest)))
    }

    /// Mean power of each part in a window, in the order of [`Sampler::parts`].
    #[must_use]
    pub fn power(&self, from: Seconds, to: Seconds) -> Vec<Option<Watts>> {
        self.shared.core().parts.iter().map(|part| part.meter.power(from, to)).collect()
    }

    /// How often it has read, and the CPU time that took: the kernel's account of the thread, or the
    /// time between begin and end of each reading where there is no such account.
    #[must_use]
    pub fn cost(&self) -> (u64, Seconds) {
        let read = self.shared.reads.load(Ordering::Relaxed);
        let by_kernel = lock(&self.account).as_mut().and_then(|account| {
            // Time on a CPU in nanoseconds, time of waiting for one, turns.
            account.text()?.split(' ').next()?.parse().ok()
        });
        let nanoseconds =
            by_kernel.unwrap_or_else(|| self.shared.busy_nanoseconds.load(Ordering::Relaxed));
        (read, Seconds::from_duration(Duration::from_nanos(nanoseconds)))
    }
}

/// What to say where a machine idles at another power after the run than before it.
#[must_use]
pub fn idle_differs(part: &EnergyPart) -> Option<String> {
    let (before, after) = (part.idle_before?, part.idle_after?);
    let apart = (after - before).get().abs() > SAME_IDLE * before.get();
    apart.then(|| {
        format!(
            "idle power of {} was {:.1} W before the cases and {:.1} W after them: something else has begun or ended meanwhile, or the machine had not come to rest",
            part.source,
            before.get(),
            after.get()
        )
    })
}

/// What a reader that panicked left behind is still a series of readings.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    fn core(&self) -> MutexGuard<'_, Core> {
        lock(&self.core)
    }

    fn tick(&self) {
        let mut core = self.core();
        // Waiting for the lock is no work.
        let begin = Instant::now();
        core.read(self.clock.as_ref());
        drop(core);
        let busy = u64::try_from(begin.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.busy_nanoseconds.fetch_add(busy, Ordering::Relaxed);
        self.reads.fetch_add(1, Ordering::Relaxed);
    }
}

impl Core {
    fn read(&mut self, clock: &dyn Fn() -> Seconds) {
        if let Some(resident) = self.memory.read() {
            self.resident.push(clock(), resident.as_f64());
            self.resident.thin_peaks();
        }
        for part in &mut self.parts {
            part.meter.read(clock);
            part.check.iter_mut().for_each(|check| check.read(clock));
        }
        self.gpus.iter_mut().for_each(Seen::look);
    }

    fn of(&self, device: &str) -> impl Iterator<Item = &Metered> {
        self.parts.iter().filter(move |part| part.facts.takes_part(device))
    }
}

impl Metered {
    fn of(part: Part) -> Self {
        let meter = Meter::of(part.source);
        let facts =
            EnergyPart { source: meter.name(), device: part.device, ..EnergyPart::default() };
        Self { meter, check: part.check.map(Meter::of), facts }
    }
}

impl Drop for Sampler {
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
    use crate::energy::tests::{Fake, Told};
    use crate::energy::{GpuCounter, GpuPower};

    fn by_hand(parts: Vec<Part>, gpus: Vec<GpuInUse>) -> (Sampler, Arc<AtomicU64>) {
        let clock = Arc::new(AtomicU64::new(0));
        let of_sampler = Arc::clone(&clock);
        let tell = move || Seconds::new(f64::from_bits(of_sampler.load(Ordering::Relaxed)));
        (Sampler::by_hand(parts, gpus, Box::new(tell)), clock)
    }

    fn at(clock: &AtomicU64, seconds: f64) {
        clock.store(seconds.to_bits(), Ordering::Relaxed);
    }

    #[test]
    fn a_counter_is_held_against_the_integral_of_power() {
        let board = Told { energy: Some(1_000.0), power: Some(90.0), ..Told::default() };
        let fake = Fake::of(vec![board]);
        let part = Part {
            source: Box::new(GpuCounter::of(fake.clone(), 0).unwrap()),
            check: Some(Box::new(GpuPower::of(fake.clone(), 0).unwrap())),
            device: Some("cuda:0".into()),
        };
        let (sampler, clock) = by_hand(vec![part], Vec::new());
        assert_eq!(sampler.idle_time(), Some(Seconds::new(3.0)));
        for tick in 0..=80 {
            at(&clock, f64::from(tick) / 4.0);
            fake.set(0, |told| told.energy = Some(1_000.0 + 25.0 * f64::from(tick)));
            sampler.tick();
        }
        let window = (Seconds::new(5.0), Seconds::new(15.0));
        // 100 W by the counter, 90 W by the meter
        assert_eq!(sampler.energy("cuda:0", window.0, window.1), Some(Joules::new(1_000.0)));
        let both = Some((Joules::new(1_000.0), Joules::new(900.0)));
        assert_eq!(sampler.check("cuda:0", window.0, window.1), both);
        assert_eq!(sampler.power(window.0, window.1), [Some(Watts::new(100.0))]);
        // Nine seconds cannot be checked: power is an average over one.
        let short = (Seconds::new(5.0), Seconds::new(14.0));
        assert!(sampler.energy("cuda:0", short.0, short.1).is_some());
        assert_eq!(sampler.check("cuda:0", short.0, short.1), None);
        // No part of it is the CPU's.
        assert_eq!(sampler.energy("cpu", window.0, window.1), None);
    }

    #[test]
    fn power_alone_needs_a_longer_rest() {
        let fake = Fake::of(vec![Told { power: Some(90.0), ..Told::default() }]);
        let source = Box::new(GpuPower::of(fake, 0).unwrap());
        let (sampler, _) = by_hand(vec![Part { source, check: None, device: None }], Vec::new());
        assert_eq!(sampler.idle_time(), Some(Seconds::new(10.5)));
        assert_eq!(sampler.parts()[0].source, "nvml:power");
        assert_eq!(by_hand(Vec::new(), Vec::new()).0.idle_time(), None);
    }

    #[test]
    fn idle_power_that_moved_is_told() {
        let part = |after| EnergyPart {
            source: "rapl:package".into(),
            device: None,
            idle_before: Some(Watts::new(50.0)),
            idle_after: after,
        };
        assert_eq!(idle_differs(&part(Some(Watts::new(54.9)))), None);
        assert_eq!(idle_differs(&part(None)), None);
        let told = idle_differs(&part(Some(Watts::new(44.0)))).unwrap();
        assert!(
            told.starts_with("idle power of rapl:package was 50.0 W before the cases and 44.0 W"),
            "{told}"
        );
    }

    #[test]
    fn a_thread_reads_by_itself_until_it_is_dropped() {
        let sampler = Sampler::start(Vec::new(), Vec::new());
        let begin = sampler.now();
        while sampler.cost().0 < 3 {
            std::thread::yield_now();
        }
        assert!(sampler.cost().1 > Seconds::new(0.0));
        if cfg!(target_os = "linux") {
            assert!(sampler.resident_peak(begin, sampler.now()).is_some());
        }
        drop(sampler);
    }
}
