//! The machine a run was made on: `host.json`.

use crate::units::{Bytes, BytesPerSecond, Celsius, FlopsPerSecond, Megahertz, Seconds, Watts};
use serde::{Deserialize, Serialize};

/// What is known of the machine. What could not be found out is `None`.
///
/// An allow-list: no environment variable, path, user or host name is in it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Host {
    /// Operating system, with its version.
    pub os: Option<String>,
    /// Kernel release.
    pub kernel: Option<String>,
    /// CPU model name.
    pub cpu_model: Option<String>,
    /// Logical CPUs the process may use.
    pub cpu_cores: Option<u32>,
    /// Extensions found at run time.
    pub cpu_features: Vec<String>,
    /// Size of the last-level cache.
    pub last_level_cache_bytes: Option<Bytes>,
    /// Physical memory.
    pub memory_total_bytes: Option<Bytes>,
    /// Memory that was free for use when the run began.
    pub memory_available_bytes: Option<Bytes>,
    /// Frequency governor; those of all CPUs, joined by `+`, where they differ.
    pub governor: Option<String>,
    /// Transparent huge pages: the chosen setting.
    pub transparent_huge_pages: Option<String>,
    /// Whether the machine is a virtual one.
    pub virtualised: Option<bool>,
    /// Load average over one minute when the run began.
    pub load_average_1m: Option<f64>,
    /// What the machine was measured to be able to do: its CPUs.
    pub ceilings: Option<Ceilings>,
    /// What each GPU of the run was measured to be able to do.
    pub device_ceilings: Vec<DeviceCeilings>,
    /// Driver of the clocks: `intel_pstate`, `amd-pstate-epp`.
    pub scaling_driver: Option<String>,
    /// Whether clocks may rise beyond the nominal one.
    pub turbo: Option<bool>,
    /// Whether a core runs several threads.
    pub smt: Option<bool>,
    /// Lowest clock that the driver allows.
    pub clock_min: Option<Megahertz>,
    /// Highest clock that the driver allows.
    pub clock_max: Option<Megahertz>,
    /// NUMA nodes; empty where the system does not tell.
    pub numa: Vec<NumaNode>,
    /// CPUs that a control group grants; `None` where none limits them.
    pub cpu_limit: Option<f64>,
    /// Whether a laptop runs on its battery.
    pub on_battery: Option<bool>,
    /// GPUs that were looked at.
    pub gpus: Vec<Gpu>,
    /// The clock of the stopwatch.
    pub timer: Option<Timer>,
    /// The machine before the first case.
    pub before: Option<Moment>,
    /// The machine after the last case.
    pub after: Option<Moment>,
    /// Where energy was read from, part by part; empty where no counter could be read.
    pub energy: Vec<EnergyPart>,
    /// What a reader of the figures should know: counters that are there and cannot be read, say.
    pub notes: Vec<String>,
}

/// A NUMA node.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct NumaNode {
    /// Number of the node.
    pub node: u32,
    /// Its CPUs, as the kernel lists them: `0-15,32-47`.
    pub cpus: String,
    /// Its memory.
    pub memory_bytes: Option<Bytes>,
}

/// What changes while a run goes on, at one moment of it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Moment {
    /// Load average over one minute.
    pub load_average_1m: Option<f64>,
    /// Mean clock of the CPUs.
    pub clock: Option<Megahertz>,
    /// Temperatures, each with the name of its sensor.
    pub temperatures: Vec<(String, Celsius)>,
    /// Swap in use.
    pub swap_used_bytes: Option<Bytes>,
    /// How often any core or package was throttled by heat since the machine was started.
    pub throttle_events: Option<u64>,
    /// CPU time that the hypervisor gave to others since the machine was started.
    pub stolen: Option<Seconds>,
}

/// A GPU, as its driver describes it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Gpu {
    /// Index in the order of the PCI bus.
    pub index: u32,
    /// The device of the run that it is: `cuda:0`.
    pub device: Option<String>,
    /// Model name.
    pub name: Option<String>,
    /// Memory.
    pub memory_bytes: Option<Bytes>,
    /// Power that it may draw.
    pub power_limit: Option<Watts>,
    /// Driver version.
    pub driver: Option<String>,
    /// Highest CUDA version of the driver: `12.4`.
    pub cuda: Option<String>,
    /// Generation of the `PCIe` link as it is, and the highest there could be.
    pub pcie_generation: Option<(u32, u32)>,
    /// Lanes of the `PCIe` link as it is, and the most there could be.
    pub pcie_lanes: Option<(u32, u32)>,
    /// `NVLink` connections that are up.
    pub nvlinks: Option<u32>,
}

/// The clock of the stopwatch, measured at the start of a run.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Timer {
    /// Smallest difference of two readings that is not zero.
    pub resolution: Seconds,
    /// Median time of one reading.
    pub cost: Seconds,
}

/// One source of energy.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct EnergyPart {
    /// What it covers, and how: `rapl:package+dram`, `nvml:counter`, `nvml:power`.
    pub source: String,
    /// The device that it is of; `None` for what every case on this machine takes: CPUs and memory.
    pub device: Option<String>,
    /// Power before the first case, with a model in memory and nothing to do.
    pub idle_before: Option<Watts>,
    /// The same after the last case.
    pub idle_after: Option<Watts>,
}

impl Host {
    /// What the energy of a case on this device covers: sources joined by `+`, `none` without one.
    #[must_use]
    pub fn energy_source(&self, device: &str) -> String {
        let names: Vec<&str> = self.parts(device).map(|part| part.source.as_str()).collect();
        if names.is_empty() { "none".into() } else { names.join("+") }
    }

    /// Power of the idle machine: the sum over the parts that a case on this device takes; `None`
    /// where one of them is not known.
    #[must_use]
    pub fn idle_power(&self, device: &str) -> Option<Watts> {
        let parts: Option<Vec<Watts>> = self.parts(device).map(|part| part.idle_before).collect();
        parts.filter(|parts| !parts.is_empty()).map(|parts| parts.into_iter().sum())
    }

    /// Ceilings of the device that does the work of a case.
    #[must_use]
    pub fn ceilings_of(&self, device: &str) -> Option<&Ceilings> {
        if device == "cpu" {
            return self.ceilings.as_ref();
        }
        let own = self.device_ceilings.iter().find(|own| own.device == device);
        own.map(|own| &own.ceilings)
    }

    fn parts<'a>(&'a self, device: &'a str) -> impl Iterator<Item = &'a EnergyPart> {
        self.energy.iter().filter(move |part| part.takes_part(device))
    }
}

impl EnergyPart {
    /// Whether a case on this device takes energy from here: the machine's own part, and the device's.
    #[must_use]
    pub fn takes_part(&self, device: &str) -> bool {
        self.device.as_deref().is_none_or(|own| own == device)
    }
}

/// Ceilings of a device that is no CPU, measured in this run: the best of several passes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DeviceCeilings {
    /// The device: `cuda:0`.
    pub device: String,
    /// Its own memory, and its matrix units in dense bf16 and int8; one host thread.
    pub ceilings: Ceilings,
    /// Dense products of fp8; `None` where it has none.
    pub fp8_flops_per_s: Option<FlopsPerSecond>,
}

/// Ceilings measured on this machine in this run: the best of several passes, all threads.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Ceilings {
    /// Threads the ceilings were measured with.
    pub threads: u32,
    /// Streaming read over a buffer far larger than the cache.
    pub read_bytes_per_s: BytesPerSecond,
    /// Multiply-adds in f32, two operations each.
    pub f32_flops_per_s: FlopsPerSecond,
    /// Dot products in bf16; `None` where the CPU has no such instruction.
    pub bf16_flops_per_s: Option<FlopsPerSecond>,
    /// Dot products in int8, operations per second; `None` where the CPU has no such instruction.
    pub int8_ops_per_s: Option<FlopsPerSecond>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(source: &str, device: Option<&str>, idle: Option<f64>) -> EnergyPart {
        EnergyPart {
            source: source.into(),
            device: device.map(Into::into),
            idle_before: idle.map(Watts::new),
            idle_after: None,
        }
    }

    #[test]
    fn a_gpu_takes_its_own_energy_and_the_machines() {
        let energy = vec![
            part("rapl:package", None, Some(40.0)),
            part("nvml:counter", Some("cuda:0"), Some(70.0)),
            part("nvml:power", Some("cuda:1"), None),
        ];
        let host = Host { energy, ..Host::default() };
        assert_eq!(host.energy_source("cpu"), "rapl:package");
        assert_eq!(host.energy_source("cuda:0"), "rapl:package+nvml:counter");
        assert_eq!(host.idle_power("cpu"), Some(Watts::new(40.0)));
        assert_eq!(host.idle_power("cuda:0"), Some(Watts::new(110.0)));
        // A part without a figure leaves the sum unknown.
        assert_eq!(host.idle_power("cuda:1"), None);
        assert_eq!(Host::default().energy_source("cpu"), "none");
        assert_eq!(Host::default().idle_power("cpu"), None);
    }

    #[test]
    fn a_share_of_a_ceiling_is_one_of_the_device_that_did_the_work() {
        let of = |read| Ceilings {
            threads: 1,
            read_bytes_per_s: BytesPerSecond::new(read),
            f32_flops_per_s: FlopsPerSecond::new(1.0),
            bf16_flops_per_s: None,
            int8_ops_per_s: None,
        };
        let gpu = |device: &str, read| DeviceCeilings {
            device: device.into(),
            ceilings: of(read),
            fp8_flops_per_s: None,
        };
        let host = Host {
            ceilings: Some(of(20.0)),
            device_ceilings: vec![gpu("cuda:0", 4_000.0), gpu("cuda:1", 3_000.0)],
            ..Host::default()
        };
        let read = |device| host.ceilings_of(device).map(|found| found.read_bytes_per_s.get());
        assert_eq!(read("cpu"), Some(20.0));
        assert_eq!((read("cuda:0"), read("cuda:1")), (Some(4_000.0), Some(3_000.0)));
        assert_eq!(read("cuda:2"), None);
    }

    #[test]
    fn what_earlier_versions_wrote_is_read() {
        let old = r#"{"os": "Debian 13", "cpu_features": ["avx2"], "load_average_1m": 0.5}"#;
        let host: Host = serde_json::from_str(old).unwrap();
        assert_eq!((host.os.as_deref(), host.before), (Some("Debian 13"), None));
    }
}
