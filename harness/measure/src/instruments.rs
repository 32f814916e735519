//! What watches the machine while a sample runs.
//!
//! Not here: what the figures mean for a case (`record_of`), the thread that reads (`sampler`), and
//! the machine as it stands (`host`).

use crate::condition::{ThrottleEvents, hottest_cpu, throttle_events};
use crate::engine::Timing;
use crate::host::{self, HostProbe};
use crate::memory::HighWater;
use crate::sampler::Sampler;
use crate::tree::Tree;
use freeweights_record::units::{Celsius, Seconds};
use freeweights_record::{Readings, Text};
use std::sync::Arc;

/// Watches the machine around each sample. Nothing of it may run inside the timed region on the
/// timed thread.
pub trait Instruments {
    /// A sample is about to begin; `now` is the engine's clock.
    fn begin(&mut self, now: Seconds);

    /// The sample ended well: what was seen in between.
    fn end(&mut self, timing: &Timing) -> Readings;
}

/// Nothing is watched.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unwatched;

impl Instruments for Unwatched {
    fn begin(&mut self, _: Seconds) {}

    fn end(&mut self, _: &Timing) -> Readings {
        Readings::default()
    }
}

/// Everything this machine can tell: memory, energy, heat, clocks, stolen time.
pub struct HostInstruments {
    sampler: Option<Arc<Sampler>>,
    device: String,
    tree: Tree,
    begun: Option<Begun>,
}

/// The machine when a sample began.
struct Begun {
    /// On the sampler's clock.
    at: Seconds,
    /// From the engine's clock to the sampler's.
    offset: Seconds,
    /// Time the sampler had worked.
    busy: Seconds,
    mark: HighWater,
    ticks: Option<HostProbe>,
    throttle: Option<ThrottleEvents>,
    hottest: Option<Celsius>,
}

impl HostInstruments {
    /// Watches cases on a device. Without a sampler nothing is read while a sample runs, so energy and
    /// the peaks of phases stay unknown.
    #[must_use]
    pub fn new(sampler: Option<Arc<Sampler>>, device: &str) -> Self {
        Self::over(sampler, device, Tree::here())
    }

    /// The same over a tree that stands for the machine.
    #[must_use]
    pub fn over(sampler: Option<Arc<Sampler>>, device: &str, tree: Tree) -> Self {
        Self { sampler, device: device.to_owned(), tree, begun: None }
    }

    fn probe(&self) -> Option<HostProbe> {
        HostProbe::parse(&self.tree.text("/proc/stat")?)
    }
}

impl Instruments for HostInstruments {
    fn begin(&mut self, now: Seconds) {
        let at = self.sampler.as_ref().map_or(now, |sampler| sampler.now());
        let busy = self.sampler.as_ref().map_or(Seconds::new(0.0), |sampler| sampler.cost().1);
        self.begun = Some(Begun {
            at,
            offset: at - now,
            busy,
            mark: HighWater::begin(),
            ticks: self.probe(),
            throttle: throttle_events(&self.tree),
            hottest: hottest_cpu(&self.tree),
        });
        if let Some(sampler) = &self.sampler {
            sampler.forget();
            sampler.tick();
        }
    }

    fn end(&mut self, timing: &Timing) -> Readings {
        let Some(begun) = self.begun.take() else { return Readings::default() };
        let mut readings = Readings { rss_peak: begun.mark.peak(), ..Readings::default() };
        if let Some(sampler) = &self.sampler {
            // What lies between the last reading and the end is covered by one more.
            sampler.tick();
            while_it_ran(&mut readings, sampler, &self.device, &begun, timing);
        }
        let ticks = begun.ticks.zip(self.probe()).map(|(before, after)| after.since(before));
        readings.stolen = ticks.map(|(_, stolen)| host::ticks(stolen));
        readings.cpu_time = ticks.map(|(all, _)| host::ticks(all));
        let gpu = self.sampler.as_ref().and_then(|sampler| sampler.gpu(&self.device));
        if let Some(seen) = gpu {
            readings.device_peak = seen.memory;
            readings.clock = seen.clock;
            readings.temperature = seen.temperature;
            readings.throttle = seen.throttle.map(Text::from);
        } else {
            readings.clock = host::clock();
            readings.temperature = hotter(begun.hottest, hottest_cpu(&self.tree));
            let after = begun.throttle.zip(throttle_events(&self.tree));
            readings.throttle = after.map(|(before, after)| after.since(before).into());
        }
        readings
    }
}

/// Peaks and energy of the phases, from the sampler's series.
fn while_it_ran(
    readings: &mut Readings,
    sampler: &Sampler,
    device: &str,
    begun: &Begun,
    timing: &Timing,
) {
    let start = timing.started + begun.offset;
    let (read, first) = (start + timing.prefill, start + timing.ttft);
    let last = first + timing.gaps.iter().copied().sum();
    readings.rss_prefill_peak = sampler.resident_peak(start, read);
    readings.prefill_energy = sampler.energy(device, start, read);
    if !timing.gaps.is_empty() {
        readings.rss_decode_peak = sampler.resident_peak(first, last);
        readings.decode_energy = sampler.energy(device, first, last);
    }
    readings.energy_check = sampler.check(device, start, last);
    let now = sampler.now();
    // Where the kernel keeps no mark, what was read is what is known.
    readings.rss_peak = readings.rss_peak.or_else(|| sampler.resident_peak(begun.at, now));
    readings.sampler = Some((sampler.cost().1 - begun.busy, now - begun.at));
}

fn hotter(a: Option<Celsius>, b: Option<Celsius>) -> Option<Celsius> {
    a.into_iter().chain(b).max_by(|a, b| a.get().total_cmp(&b.get()))
}
