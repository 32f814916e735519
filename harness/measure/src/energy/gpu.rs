//! GPUs: energy by counter or by power, memory, clocks, heat.
//!
//! Not here: how a driver is asked (`nvml`).

use super::{EnergySource, Reading};
use freeweights_record::host::Gpu;
use freeweights_record::units::{Bytes, Celsius, Joules, Megahertz, Seconds, Watts};
use std::sync::Arc;

/// A driver of GPUs, which are counted in the order of the PCI bus. What it cannot tell is `None`.
pub trait Gpus: Send + Sync {
    /// How many there are.
    fn count(&self) -> u32;
    /// What stays the same.
    fn facts(&self, index: u32) -> Gpu;
    /// The name that no other GPU has: `GPU-8f1c...`.
    fn uuid(&self, index: u32) -> Option<String>;
    /// Energy since the driver was loaded.
    fn energy(&self, index: u32) -> Option<Joules>;
    /// Power, averaged over what the hardware averages over.
    fn power(&self, index: u32) -> Option<Watts>;
    /// Memory in use, by all programs.
    fn memory_used(&self, index: u32) -> Option<Bytes>;
    /// Temperature of the chip.
    fn temperature(&self, index: u32) -> Option<Celsius>;
    /// Clock of the multiprocessors.
    fn clock(&self, index: u32) -> Option<Megahertz>;
    /// Why clocks are below their highest: a set of bits, see [`throttle_reasons`].
    fn throttle(&self, index: u32) -> Option<u64>;
}

/// Reasons that are throttling, with their bits. Left out are those that are not: idle (bit 0), clocks
/// that somebody has set (bits 1 and 8), and a group that keeps step (bit 4).
///
/// # Source
/// nvml.h, `nvmlClocksEventReasons`.
const REASONS: [(u64, &str); 5] = [
    (1 << 2, "sw_power_cap"),
    (1 << 3, "hw_slowdown"),
    (1 << 5, "sw_thermal"),
    (1 << 6, "hw_thermal"),
    (1 << 7, "hw_power_brake"),
];

/// Names of the bits that mean throttling, separated by spaces; `none` without any.
#[must_use]
pub fn throttle_reasons(bits: u64) -> String {
    let set: Vec<&str> =
        REASONS.iter().filter(|(bit, _)| bits & bit != 0).map(|(_, name)| *name).collect();
    if set.is_empty() { "none".into() } else { set.join(" ") }
}

/// The energy counter of one board, which `NVIDIA` has since Volta. It starts anew when the driver is
/// loaded again.
pub struct GpuCounter {
    gpus: Arc<dyn Gpus>,
    index: u32,
    last: Option<Joules>,
    lost: Joules,
}

impl GpuCounter {
    /// The counter of a GPU; `None` where it has none.
    #[must_use]
    pub fn of(gpus: Arc<dyn Gpus>, index: u32) -> Option<Self> {
        let first = gpus.energy(index).filter(|energy| energy.get() > 0.0)?;
        Some(Self { gpus, index, last: None, lost: first })
    }
}

impl EnergySource for GpuCounter {
    fn name(&self) -> String {
        "nvml:counter".into()
    }

    /// The counter is renewed every 20 to 100 ms.
    ///
    /// # Source
    /// Yang, Adamek, Armour, "Part-time Power Measurements: nvidia-smi's Lack of Attention" (2023).
    fn update(&self) -> Seconds {
        Seconds::new(0.1)
    }

    fn read(&mut self, _: Seconds) -> Option<Reading> {
        let now = self.gpus.energy(self.index)?;
        if self.last.replace(now).is_some_and(|last| now < last) {
            self.lost = now;
            return Some(Reading::Lost);
        }
        Some(Reading::Energy(now - self.lost))
    }
}

/// The power of one board. From Ampere on, A100 excepted, it is an average over one second.
pub struct GpuPower {
    gpus: Arc<dyn Gpus>,
    index: u32,
}

impl GpuPower {
    /// The power of a GPU; `None` where it tells none.
    #[must_use]
    pub fn of(gpus: Arc<dyn Gpus>, index: u32) -> Option<Self> {
        gpus.power(index)?;
        Some(Self { gpus, index })
    }
}

impl EnergySource for GpuPower {
    fn name(&self) -> String {
        "nvml:power".into()
    }

    /// What is told now is of the last second: two phases within it cannot be told apart.
    ///
    /// # Source
    /// nvml.h, `nvmlDeviceGetPowerUsage`.
    fn update(&self) -> Seconds {
        Seconds::new(1.0)
    }

    fn read(&mut self, _: Seconds) -> Option<Reading> {
        self.gpus.power(self.index).map(Reading::Power)
    }
}

/// Which GPU of the driver `cuda:N` is.
///
/// The driver counts along the PCI bus. CUDA counts what `CUDA_VISIBLE_DEVICES` lists, in its order,
/// and by itself the fastest first unless `CUDA_DEVICE_ORDER` is `PCI_BUS_ID`: with unlike GPUs and no
/// such order nobody can tell which is meant, so nothing is told.
///
/// # Errors
/// Why it cannot be told, with the remedy.
pub fn choose_gpu(
    gpus: &dyn Gpus,
    device: u32,
    visible: Option<&str>,
    order: Option<&str>,
) -> Result<u32, String> {
    let entry = match visible {
        None => device.to_string(),
        Some(list) => {
            let entry = list.split(',').map(str::trim).nth(device as usize).unwrap_or_default();
            if entry.is_empty() {
                return Err(format!("CUDA_VISIBLE_DEVICES={list} has no entry for cuda:{device}"));
            }
            entry.to_owned()
        }
    };
    if entry.starts_with("GPU-") {
        let mine = |index: &u32| gpus.uuid(*index).is_some_and(|uuid| uuid.starts_with(&entry));
        return (0..gpus.count()).find(mine).ok_or_else(|| format!("no GPU is called {entry}"));
    }
    let index: u32 = entry
        .parse()
        .map_err(|_| format!("energy of {entry} cannot be told from that of its board"))?;
    if index >= gpus.count() {
        return Err(format!("the driver has {} GPUs and none with index {index}", gpus.count()));
    }
    let mut names: Vec<_> = (0..gpus.count()).map(|index| gpus.facts(index).name).collect();
    names.dedup();
    if names.len() > 1 && order != Some("PCI_BUS_ID") {
        return Err(format!(
            "which GPU is cuda:{device} is not known, as they differ: set CUDA_DEVICE_ORDER=PCI_BUS_ID"
        ));
    }
    Ok(index)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use std::sync::Mutex;

    /// What a fake GPU tells next.
    #[derive(Debug, Clone, Default)]
    pub(crate) struct Told {
        pub(crate) name: String,
        pub(crate) uuid: String,
        pub(crate) energy: Option<f64>,
        pub(crate) power: Option<f64>,
        pub(crate) memory: Option<u64>,
        pub(crate) temperature: Option<f64>,
        pub(crate) clock: Option<f64>,
        pub(crate) throttle: Option<u64>,
    }

    /// GPUs that tell what a test has set.
    #[derive(Debug, Default)]
    pub(crate) struct Fake(pub(crate) Mutex<Vec<Told>>);

    impl Fake {
        pub(crate) fn of(told: Vec<Told>) -> Arc<Self> {
            Arc::new(Self(Mutex::new(told)))
        }

        pub(crate) fn set(&self, index: usize, change: impl FnOnce(&mut Told)) {
            change(&mut self.0.lock().unwrap()[index]);
        }

        fn told(&self, index: u32) -> Told {
            self.0.lock().unwrap()[index as usize].clone()
        }
    }

    impl Gpus for Fake {
        fn count(&self) -> u32 {
            u32::try_from(self.0.lock().unwrap().len()).unwrap()
        }
        fn facts(&self, index: u32) -> Gpu {
            Gpu { index, name: Some(self.told(index).name), ..Gpu::default() }
        }
        fn uuid(&self, index: u32) -> Option<String> {
            Some(self.told(index).uuid)
        }
        fn energy(&self, index: u32) -> Option<Joules> {
            self.told(index).energy.map(Joules::new)
        }
        fn power(&self, index: u32) -> Option<Watts> {
            self.told(index).power.map(Watts::new)
        }
        fn memory_used(&self, index: u32) -> Option<Bytes> {
            self.told(index).memory.map(Bytes::new)
        }
        fn temperature(&self, index: u32) -> Option<Celsius> {
            self.told(index).temperature.map(Celsius::new)
        }
        fn clock(&self, index: u32) -> Option<Megahertz> {
            self.told(index).clock.map(Megahertz::new)
        }
        fn throttle(&self, index: u32) -> Option<u64> {
            self.told(index).throttle
        }
    }

    fn named(name: &str, uuid: &str) -> Told {
        Told { name: name.into(), uuid: uuid.into(), ..Told::default() }
    }

    #[test]
    fn idle_and_set_clocks_are_no_throttling() {
        assert_eq!(throttle_reasons(0), "none");
        assert_eq!(throttle_reasons(0x1 | 0x2 | 0x10 | 0x100), "none");
        assert_eq!(throttle_reasons(0x1 | 0x4 | 0x40), "sw_power_cap hw_thermal");
        assert_eq!(throttle_reasons(0x8 | 0x20 | 0x80), "hw_slowdown sw_thermal hw_power_brake");
    }

    #[test]
    fn a_counter_counts_from_its_opening_and_tells_a_reload() {
        let fake = Fake::of(vec![Told { energy: Some(5_000.0), ..Told::default() }]);
        let mut counter = GpuCounter::of(fake.clone(), 0).unwrap();
        let mut read = |energy: Option<f64>| {
            fake.set(0, |told| told.energy = energy);
            counter.read(Seconds::new(0.0))
        };
        assert_eq!(read(Some(5_000.0)), Some(Reading::Energy(Joules::new(0.0))));
        assert_eq!(read(Some(5_250.0)), Some(Reading::Energy(Joules::new(250.0))));
        assert_eq!(read(None), None);
        assert_eq!(read(Some(10.0)), Some(Reading::Lost));
        assert_eq!(read(Some(30.0)), Some(Reading::Energy(Joules::new(20.0))));
    }

    #[test]
    fn an_old_board_has_power_alone_and_some_have_nothing() {
        let old = Told { energy: None, power: Some(61.5), ..Told::default() };
        let fake = Fake::of(vec![old, Told { energy: Some(0.0), ..Told::default() }]);
        assert!(GpuCounter::of(fake.clone(), 0).is_none());
        let mut power = GpuPower::of(fake.clone(), 0).unwrap();
        assert_eq!(power.read(Seconds::new(0.0)), Some(Reading::Power(Watts::new(61.5))));
        // A counter at zero does not count.
        assert!(GpuCounter::of(fake.clone(), 1).is_none());
        assert!(GpuPower::of(fake, 1).is_none());
    }

    #[test]
    fn two_gpus_are_told_apart() {
        let twins = Fake::of(vec![named("H200", "GPU-aa1"), named("H200", "GPU-bb2")]);
        let choose = |device, visible| choose_gpu(twins.as_ref(), device, visible, None);
        assert_eq!(choose(1, None), Ok(1));
        assert_eq!(choose(0, Some("1,0")), Ok(1));
        assert_eq!(choose(0, Some("GPU-bb")), Ok(1));
        assert!(choose(2, None).unwrap_err().contains("none with index 2"));
        assert!(choose(1, Some("0")).unwrap_err().contains("has no entry for cuda:1"));
        assert!(choose(0, Some("MIG-3f")).unwrap_err().contains("MIG-3f"));
        assert!(choose(0, Some("GPU-cc")).unwrap_err().contains("no GPU is called GPU-cc"));
    }

    #[test]
    fn unlike_gpus_need_an_order() {
        let unlike = Fake::of(vec![named("T400", "GPU-a"), named("A100", "GPU-b")]);
        let choose = |visible, order| choose_gpu(unlike.as_ref(), 0, visible, order);
        assert!(choose(None, None).unwrap_err().contains("CUDA_DEVICE_ORDER=PCI_BUS_ID"));
        assert_eq!(choose(None, Some("PCI_BUS_ID")), Ok(0));
        assert_eq!(choose(Some("GPU-b"), None), Ok(1));
    }
}
