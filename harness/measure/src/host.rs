//! What the machine is, and what it is doing.

use crate::cgroup;
use crate::condition;
use crate::limits;
use crate::tree::Tree;
use freeweights_record::Host;
use freeweights_record::units::{Bytes, Megahertz, Seconds};
use std::fs;
use sysinfo::System;

/// What can be known of the machine without loading it.
#[must_use]
pub fn capture_host() -> Host {
    let mut system = System::new().ok();
    if let Some(system) = &mut system {
        system.refresh_memory();
        system.refresh_cpu_list(sysinfo::CpuRefreshKind::nothing());
    }
    let system = system.as_ref();
    let tree = Tree::here();
    let known = |text: String| (!text.trim().is_empty()).then(|| text.trim().to_owned());
    let mut host = Host {
        os: System::long_os_version().ok().and_then(known),
        kernel: System::kernel_version().ok(),
        cpu_model: system
            .and_then(|system| system.cpus().first())
            .and_then(|cpu| known(cpu.brand().to_owned())),
        cpu_cores: std::thread::available_parallelism()
            .ok()
            .and_then(|n| u32::try_from(n.get()).ok()),
        cpu_features: freeweights_kernels::isa::cpu_features()
            .into_iter()
            .map(str::to_owned)
            .collect(),
        last_level_cache_bytes: last_level_cache(),
        memory_total_bytes: system
            .map(|system| Bytes::new(system.total_memory()))
            .filter(|bytes| bytes.get() > 0),
        memory_available_bytes: available_memory(),
        transparent_huge_pages: fs::read_to_string("/sys/kernel/mm/transparent_hugepage/enabled")
            .ok()
            .and_then(|text| bracketed(&text)),
        virtualised: fs::read_to_string("/proc/cpuinfo").ok().map(|text| is_virtual(&text)),
        load_average_1m: System::load_average().ok().map(|load| load.one),
        ..Host::default()
    };
    condition::describe(&tree, &mut host);
    host
}

/// Memory that this process can have without swapping: what the machine has free, or less where a
/// control group or a limit on its address space grants less.
#[must_use]
pub fn available_memory() -> Option<Bytes> {
    let mut system = System::new().ok()?;
    system.refresh_memory();
    let machine = Some(system.available_memory()).filter(|&bytes| bytes > 0)?;
    let granted = [cgroup::available(), limits::address_space_left()];
    Some(Bytes::new(granted.into_iter().flatten().fold(machine, u64::min)))
}

/// Resident memory of this process, from the kernel.
#[must_use]
pub fn resident_memory() -> Option<Bytes> {
    #[cfg(target_os = "linux")]
    {
        // Second field of statm, in pages. A page is 4 KiB on x86-64, and read once elsewhere.
        let text = fs::read_to_string("/proc/self/statm").ok()?;
        let pages: u64 = text.split(' ').nth(1)?.parse().ok()?;
        Some(Bytes::new(pages * page_size()))
    }
    #[cfg(not(target_os = "linux"))]
    {
        let pid = sysinfo::get_current_pid().ok()?;
        let mut system = System::new().ok()?;
        let only = sysinfo::ProcessesToUpdate::Some(&[pid]);
        system.refresh_processes_specifics(
            only,
            false,
            sysinfo::ProcessRefreshKind::nothing().with_memory(),
        );
        Some(Bytes::new(system.process(pid)?.memory()))
    }
}

/// The kernel's page size, from the auxiliary vector: entry 6, `AT_PAGESZ`.
pub(crate) fn page_size() -> u64 {
    static SIZE: std::sync::OnceLock<u64> = std::sync::OnceLock::new();
    *SIZE.get_or_init(|| {
        let vector = fs::read("/proc/self/auxv").unwrap_or_default();
        let word =
            |bytes: &[u8]| bytes.iter().rev().fold(0u64, |sum, &byte| sum << 8 | u64::from(byte));
        vector
            .chunks_exact(16)
            .find(|pair| word(&pair[..8]) == 6)
            .map_or(4_096, |pair| word(&pair[8..]))
    })
}

fn first_word(path: &str) -> Option<String> {
    fs::read_to_string(path).ok()?.split_whitespace().next().map(str::to_owned)
}

/// The chosen one of `always [madvise] never`.
fn bracketed(text: &str) -> Option<String> {
    Some(text.split_once('[')?.1.split_once(']')?.0.to_owned())
}

fn is_virtual(cpuinfo: &str) -> bool {
    cpuinfo
        .lines()
        .filter(|line| line.starts_with("flags"))
        .any(|line| line.split_whitespace().any(|flag| flag == "hypervisor"))
}

/// The largest cache of the first CPU.
fn last_level_cache() -> Option<Bytes> {
    (0..8)
        .filter_map(|index| {
            first_word(&format!("/sys/devices/system/cpu/cpu0/cache/index{index}/size"))
        })
        .filter_map(|size| cache_size(&size))
        .max()
}

/// `105M` or `2048K` in bytes.
fn cache_size(text: &str) -> Option<Bytes> {
    let (number, factor) = match text.strip_suffix('M') {
        Some(number) => (number, 1 << 20),
        None => (text.strip_suffix('K')?, 1 << 10),
    };
    number.parse::<u64>().ok().map(|number| Bytes::new(number) * factor)
}

/// CPU time as the kernel counts it, read before and after something.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct HostProbe {
    total: u64,
    steal: u64,
}

impl HostProbe {
    /// Reads the counters; `None` where the system has none.
    #[must_use]
    pub fn read() -> Option<Self> {
        Self::parse(&fs::read_to_string("/proc/stat").ok()?)
    }

    /// First line of `/proc/stat`: user nice system idle iowait irq softirq steal and two more.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut words = text.lines().next()?.split_whitespace();
        if words.next() != Some("cpu") {
            return None;
        }
        let ticks: Vec<u64> = words.map_while(|word| word.parse().ok()).collect();
        // Guest time is in user time already.
        Some(Self { total: ticks.iter().take(8).sum(), steal: *ticks.get(7)? })
    }

    /// Time the hypervisor gave to others since the machine was started.
    #[must_use]
    pub(crate) fn stolen(self) -> Seconds {
        ticks(self.steal)
    }

    /// Ticks since `earlier`: all, and those the hypervisor gave to others.
    #[must_use]
    pub fn since(self, earlier: Self) -> (u64, u64) {
        (self.total.saturating_sub(earlier.total), self.steal.saturating_sub(earlier.steal))
    }
}

/// The time of so many ticks of `/proc/stat`: hundredths of a second on every Linux.
#[must_use]
pub(crate) fn ticks(count: u64) -> Seconds {
    Seconds::new(count as f64 / 100.0)
}

/// Mean clock of the CPUs, as the kernel tells it.
#[must_use]
pub(crate) fn clock() -> Option<Megahertz> {
    mean_clock(&fs::read_to_string("/proc/cpuinfo").ok()?)
}

pub(crate) fn mean_clock(cpuinfo: &str) -> Option<Megahertz> {
    let clocks: Vec<Megahertz> = cpuinfo
        .lines()
        .filter(|line| line.starts_with("cpu MHz"))
        .filter_map(|line| line.split_once(':')?.1.trim().parse().ok().map(Megahertz::new))
        .collect();
    freeweights_record::stats::mean(&clocks).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stolen_time_is_the_eighth_counter() {
        let before = HostProbe::parse("cpu  100 0 50 800 10 0 5 35 0 0\ncpu0 1 2").unwrap();
        let after = HostProbe::parse("cpu  180 0 60 880 10 0 5 65 7 0").unwrap();
        // 80 + 10 + 80 + 30 = 200 ticks, 30 of them stolen
        assert_eq!(after.since(before), (200, 30));
        assert_eq!(ticks(30), Seconds::new(0.3));
        assert_eq!(HostProbe::parse("intr 1 2 3"), None);
    }

    #[test]
    fn what_the_kernel_writes_is_read() {
        assert_eq!(cache_size("105M"), Some(Bytes::new(105 << 20)));
        assert_eq!(cache_size("2048K"), Some(Bytes::new(2 << 20)));
        assert_eq!(bracketed("always [madvise] never\n"), Some("madvise".into()));
        assert!(is_virtual("flags\t\t: fpu vme hypervisor lahf_lm\n"));
        assert!(!is_virtual("flags\t\t: fpu vme\nmodel name: hypervisor\n"));
        let cpuinfo = "cpu MHz\t\t: 2000.5\nfoo : 1\ncpu MHz\t\t: 3000.5\n";
        assert_eq!(mean_clock(cpuinfo), Some(Megahertz::new(2500.5)));
        assert_eq!(mean_clock(""), None);
    }

    #[test]
    fn this_machine_has_memory_and_cpus() {
        let host = capture_host();
        assert!(host.cpu_cores.unwrap() > 0);
        assert!(host.memory_total_bytes.unwrap() >= host.memory_available_bytes.unwrap());
        assert!(resident_memory().unwrap().get() > 1 << 20);
    }
}
