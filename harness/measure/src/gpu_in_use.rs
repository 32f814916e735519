//! A GPU while a sample runs: memory, heat, clocks, throttling.
//!
//! Not here: its energy (`energy`), and when it is looked at (`sampler`).

use crate::energy::{Gpus, throttle_reasons};
use freeweights_record::units::{Bytes, Celsius, Megahertz};
use std::sync::Arc;

/// One look at memory, heat and clocks of a GPU in so many at its energy.
const LOOKS_AT_ENERGY: u32 = 10;

/// A GPU that a run uses.
#[derive(Clone)]
pub struct GpuInUse {
    /// Its driver.
    pub gpus: Arc<dyn Gpus>,
    /// Its index there.
    pub index: u32,
    /// The device of the run: `cuda:0`.
    pub device: String,
}

/// What was seen of a GPU since the sample began.
pub(crate) struct Seen {
    gpu: GpuInUse,
    looks_to_skip: u32,
    now: SeenOfGpu,
    clocks: (f64, u32),
    throttle: Option<u64>,
}

/// What was seen of a GPU over some time.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct SeenOfGpu {
    /// Highest memory in use.
    pub(crate) memory: Option<Bytes>,
    /// Highest temperature.
    pub(crate) temperature: Option<Celsius>,
    /// Mean clock.
    pub(crate) clock: Option<Megahertz>,
    /// Every reason for which clocks were throttled; `none`.
    pub(crate) throttle: Option<String>,
}

impl Seen {
    pub(crate) fn of(gpu: GpuInUse) -> Self {
        Self { gpu, looks_to_skip: 0, now: SeenOfGpu::default(), clocks: (0.0, 0), throttle: None }
    }

    pub(crate) fn is_of(&self, device: &str) -> bool {
        self.gpu.device == device
    }

    /// Forgets what was, and looks at the next tick.
    pub(crate) fn forget(&mut self) {
        *self = Self::of(self.gpu.clone());
    }

    pub(crate) fn look(&mut self) {
        if let Some(left) = self.looks_to_skip.checked_sub(1) {
            self.looks_to_skip = left;
            return;
        }
        self.looks_to_skip = LOOKS_AT_ENERGY - 1;
        let (gpus, index) = (self.gpu.gpus.as_ref(), self.gpu.index);
        self.now.memory = self.now.memory.max(gpus.memory_used(index));
        if let Some(hot) = gpus.temperature(index)
            && self.now.temperature.is_none_or(|before| hot > before)
        {
            self.now.temperature = Some(hot);
        }
        if let Some(clock) = gpus.clock(index) {
            self.clocks = (self.clocks.0 + clock.get(), self.clocks.1 + 1);
        }
        if let Some(bits) = gpus.throttle(index) {
            self.throttle = Some(self.throttle.unwrap_or(0) | bits);
        }
    }

    pub(crate) fn told(&self) -> SeenOfGpu {
        let (sum, looks) = self.clocks;
        SeenOfGpu {
            clock: (looks > 0).then(|| Megahertz::new(sum / f64::from(looks))),
            throttle: self.throttle.map(throttle_reasons),
            ..self.now.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::energy::tests::{Fake, Told};

    #[test]
    fn a_gpu_is_seen_from_the_first_tick_of_a_sample_on() {
        let busy = Told {
            memory: Some(100),
            temperature: Some(40.0),
            clock: Some(1_000.0),
            throttle: Some(0x1),
            ..Told::default()
        };
        let fake = Fake::of(vec![Told::default(), busy]);
        let gpu = GpuInUse { gpus: fake.clone(), index: 1, device: "cuda:1".into() };
        let mut seen = Seen::of(gpu);
        seen.look();
        fake.set(1, |told| {
            told.memory = Some(700);
            told.temperature = Some(61.0);
            told.clock = Some(2_000.0);
            told.throttle = Some(0x5);
        });
        // One look in ten.
        (0..10).for_each(|_| seen.look());
        fake.set(1, |told| {
            told.memory = Some(300);
            told.temperature = Some(50.0);
        });
        let told = seen.told();
        assert_eq!(told.memory, Some(Bytes::new(700)));
        assert_eq!(told.temperature, Some(Celsius::new(61.0)));
        assert_eq!(told.clock, Some(Megahertz::new(1_500.0)));
        assert_eq!(told.throttle.as_deref(), Some("sw_power_cap"));
        seen.forget();
        assert_eq!(seen.told(), SeenOfGpu::default());
        assert!(seen.is_of("cuda:1") && !seen.is_of("cpu"));
    }
}
