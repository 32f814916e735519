//! The condition of the machine: what slows it down, or makes one run differ from the next.
//!
//! Everything is read below the root of a [`Tree`]. Not here: what the machine is made of (`host`).

mod sensors;
mod warnings;

pub(crate) use sensors::{ThrottleEvents, hottest_cpu, throttle_events};
pub use warnings::warnings;

use crate::cgroup;
use crate::host::{HostProbe, mean_clock};
use crate::tree::Tree;
use freeweights_record::Host;
use freeweights_record::host::{Moment, NumaNode};
use freeweights_record::units::{Bytes, Megahertz};

const CPUS: &str = "/sys/devices/system/cpu";

/// Fills the condition of `host`, and its moment before the first case.
pub(crate) fn describe(tree: &Tree, host: &mut Host) {
    let cpu = |file: &str| format!("{CPUS}/cpu0/cpufreq/{file}");
    let clock = |file: &str| tree.value(&cpu(file)).map(|khz: f64| Megahertz::new(khz / 1e3));
    host.governor = governors(tree);
    host.scaling_driver = tree.text(&cpu("scaling_driver"));
    host.turbo = turbo(tree);
    host.smt = tree.value(&format!("{CPUS}/smt/active")).map(|active: u8| active == 1);
    host.clock_min = clock("cpuinfo_min_freq");
    host.clock_max = clock("cpuinfo_max_freq");
    host.numa = numa(tree);
    host.cpu_limit = cgroup::cpus(tree);
    host.on_battery = on_battery(tree);
    host.before = Some(moment(tree));
}

/// The machine now.
#[must_use]
pub fn moment(tree: &Tree) -> Moment {
    let load = tree.text("/proc/loadavg");
    Moment {
        load_average_1m: load.and_then(|load| load.split(' ').next()?.parse().ok()),
        clock: tree.text("/proc/cpuinfo").and_then(|cpuinfo| mean_clock(&cpuinfo)),
        temperatures: sensors::temperatures(tree),
        swap_used_bytes: swap_used(tree),
        throttle_events: throttle_events(tree).map(|events| events.core + events.package),
        stolen: tree.text("/proc/stat").and_then(|stat| Some(HostProbe::parse(&stat)?.stolen())),
    }
}

/// Names of the CPUs' folders.
fn cpus(tree: &Tree) -> impl Iterator<Item = String> {
    let is_cpu = |name: &String| {
        name.strip_prefix("cpu").is_some_and(|n| n.chars().all(|c| c.is_ascii_digit()))
    };
    tree.names(CPUS).into_iter().filter(move |name| is_cpu(name) && name.len() > 3)
}

/// The governor of all CPUs; where they differ, all there are.
fn governors(tree: &Tree) -> Option<String> {
    let mut found: Vec<String> = cpus(tree)
        .filter_map(|cpu| tree.text(&format!("{CPUS}/{cpu}/cpufreq/scaling_governor")))
        .collect();
    found.sort();
    found.dedup();
    (!found.is_empty()).then(|| found.join("+"))
}

/// Intel's own driver says when there is none, all others when there is.
fn turbo(tree: &Tree) -> Option<bool> {
    let none: Option<u8> = tree.value(&format!("{CPUS}/intel_pstate/no_turbo"));
    let boost: Option<u8> = tree.value(&format!("{CPUS}/cpufreq/boost"));
    none.map(|none| none == 0).or_else(|| boost.map(|boost| boost == 1))
}

fn numa(tree: &Tree) -> Vec<NumaNode> {
    let folder = "/sys/devices/system/node";
    let nodes = tree.names(folder).into_iter().filter_map(|name| {
        let node = name.strip_prefix("node")?.parse().ok()?;
        // `Node 0 MemTotal:  16331752 kB`
        let memory = tree.text(&format!("{folder}/{name}/meminfo")).and_then(|text| {
            let line = text.lines().find(|line| line.contains("MemTotal:"))?;
            kibibytes(line.split_once("MemTotal:")?.1)
        });
        let cpus = tree.text(&format!("{folder}/{name}/cpulist")).unwrap_or_default();
        Some(NumaNode { node, cpus, memory_bytes: memory })
    });
    nodes.collect()
}

fn kibibytes(text: &str) -> Option<Bytes> {
    let kibibytes: u64 = text.split_whitespace().next()?.parse().ok()?;
    Some(Bytes::new(kibibytes << 10))
}

fn swap_used(tree: &Tree) -> Option<Bytes> {
    let text = tree.text("/proc/meminfo")?;
    let of = |key: &str| kibibytes(text.lines().find_map(|line| line.strip_prefix(key))?);
    let (total, free) = (of("SwapTotal:")?, of("SwapFree:")?);
    Some(Bytes::new(total.get().saturating_sub(free.get())))
}

/// Whether no mains is connected; where there is no mains to ask, whether a battery empties.
fn on_battery(tree: &Tree) -> Option<bool> {
    let folder = "/sys/class/power_supply";
    let of_kind = |kind: &str| {
        let mine: Vec<String> = tree
            .names(folder)
            .into_iter()
            .map(|name| format!("{folder}/{name}"))
            .filter(|at| tree.text(&format!("{at}/type")).as_deref() == Some(kind))
            .collect();
        mine
    };
    let mains: Vec<u8> = of_kind("Mains")
        .iter()
        .filter_map(|at| tree.value::<u8>(&format!("{at}/online")))
        .collect();
    if !mains.is_empty() {
        return Some(mains.iter().all(|online| *online == 0));
    }
    let states: Vec<String> =
        of_kind("Battery").iter().filter_map(|at| tree.text(&format!("{at}/status"))).collect();
    (!states.is_empty()).then(|| states.iter().any(|state| state == "Discharging"))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use std::fs;
    use std::path::Path;

    /// A tree with these files.
    pub(crate) fn tree(files: &[(&str, &str)]) -> (tempfile::TempDir, Tree) {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in files {
            write(folder.path(), path, text);
        }
        let tree = Tree::at(folder.path());
        (folder, tree)
    }

    pub(crate) fn write(root: &Path, path: &str, text: &str) {
        let at = root.join(path);
        fs::create_dir_all(at.parent().unwrap()).unwrap();
        fs::write(at, text).unwrap();
    }

    fn described(files: &[(&str, &str)]) -> Host {
        let (_folder, tree) = tree(files);
        let mut host = Host::default();
        describe(&tree, &mut host);
        host
    }

    #[test]
    fn a_server_is_described() {
        let host = described(&[
            ("sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "performance\n"),
            ("sys/devices/system/cpu/cpu1/cpufreq/scaling_governor", "performance\n"),
            ("sys/devices/system/cpu/cpu0/cpufreq/scaling_driver", "intel_pstate\n"),
            ("sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_min_freq", "800000\n"),
            ("sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq", "3800000\n"),
            ("sys/devices/system/cpu/cpufreq/boost", "0\n"),
            ("sys/devices/system/cpu/intel_pstate/no_turbo", "0\n"),
            ("sys/devices/system/cpu/smt/active", "1\n"),
            ("sys/devices/system/node/node0/cpulist", "0-15,32-47\n"),
            (
                "sys/devices/system/node/node0/meminfo",
                "Node 0 MemTotal:       16331752 kB\nNode 0 MemFree: 1 kB\n",
            ),
            ("sys/devices/system/node/node1/cpulist", "16-31,48-63\n"),
            ("sys/devices/system/node/possible", "0-1\n"),
            ("sys/fs/cgroup/job/cpu.max", "350000 100000\n"),
            ("proc/self/cgroup", "0::/job\n"),
            ("proc/loadavg", "3.62 4.45 4.35 7/138 18035\n"),
            ("proc/meminfo", "MemTotal: 9 kB\nSwapTotal:  2048 kB\nSwapFree:  1024 kB\n"),
            ("proc/stat", "cpu  180 0 60 880 10 0 5 65 7 0\n"),
            ("proc/cpuinfo", "cpu MHz\t\t: 2000.0\n\ncpu MHz\t\t: 3000.0\n"),
        ]);
        assert_eq!(host.governor.as_deref(), Some("performance"));
        assert_eq!(host.scaling_driver.as_deref(), Some("intel_pstate"));
        // Intel's own word counts.
        assert_eq!((host.turbo, host.smt), (Some(true), Some(true)));
        assert_eq!(host.clock_min, Some(Megahertz::new(800.0)));
        assert_eq!(host.clock_max, Some(Megahertz::new(3_800.0)));
        assert_eq!(host.cpu_limit, Some(3.5));
        assert_eq!(host.numa.len(), 2);
        assert_eq!(host.numa[0].cpus, "0-15,32-47");
        assert_eq!(host.numa[0].memory_bytes, Some(Bytes::new(16_331_752 << 10)));
        assert_eq!(host.numa[1].memory_bytes, None);
        let before = host.before.unwrap();
        assert_eq!(before.load_average_1m, Some(3.62));
        assert_eq!(before.clock, Some(Megahertz::new(2_500.0)));
        assert_eq!(before.swap_used_bytes, Some(Bytes::new(1 << 20)));
        assert_eq!(before.stolen.map(freeweights_record::units::Seconds::get), Some(0.65));
        assert_eq!(before.throttle_events, None);
    }

    #[test]
    fn nothing_to_read_is_nothing_known() {
        let host = described(&[]);
        let empty = Host { before: Some(Moment::default()), ..Host::default() };
        assert_eq!(host, empty);
    }

    #[test]
    fn governors_that_differ_are_all_named() {
        let host = described(&[
            ("sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "powersave\n"),
            ("sys/devices/system/cpu/cpu1/cpufreq/scaling_governor", "performance\n"),
            ("sys/devices/system/cpu/cpu10/cpufreq/scaling_governor", "powersave\n"),
            ("sys/devices/system/cpu/cpuidle/cpufreq/scaling_governor", "none of these\n"),
            ("sys/devices/system/cpu/cpufreq/boost", "1\n"),
        ]);
        assert_eq!(host.governor.as_deref(), Some("performance+powersave"));
        assert_eq!(host.turbo, Some(true));
    }

    #[test]
    fn a_laptop_knows_where_its_power_comes_from() {
        let mains = |online| {
            described(&[
                ("sys/class/power_supply/AC/type", "Mains\n"),
                ("sys/class/power_supply/AC/online", online),
                ("sys/class/power_supply/BAT0/type", "Battery\n"),
                ("sys/class/power_supply/BAT0/status", "Discharging\n"),
            ])
        };
        assert_eq!(mains("1\n").on_battery, Some(false));
        assert_eq!(mains("0\n").on_battery, Some(true));
        let battery = described(&[
            ("sys/class/power_supply/BAT0/type", "Battery\n"),
            ("sys/class/power_supply/BAT0/status", "Discharging\n"),
        ]);
        assert_eq!(battery.on_battery, Some(true));
    }
}
