//! Heat: what the sensors tell, and how often it slowed the CPUs down.

use super::{CPUS, cpus};
use crate::tree::Tree;
use freeweights_record::units::Celsius;

/// Drivers of the sensors inside CPUs: Intel, AMD, and AMD by another hand.
const CPU_SENSORS: [&str; 3] = ["coretemp", "k10temp", "zenpower"];
/// Types of thermal zones that are a CPU's, where there is no such driver.
const CPU_ZONES: [&str; 4] = ["x86_pkg_temp", "cpu-thermal", "cpu_thermal", "soc-thermal"];

const MONITORS: &str = "/sys/class/hwmon";
const ZONES: &str = "/sys/class/thermal";

/// How often heat has throttled, since the machine was started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct ThrottleEvents {
    /// Summed over cores.
    pub(crate) core: u64,
    /// Summed over packages, as often as the kernel lists each.
    pub(crate) package: u64,
}

impl ThrottleEvents {
    /// Reasons that came up since, as in the column `throttle_reasons`.
    pub(crate) fn since(self, earlier: Self) -> &'static str {
        match (self.core > earlier.core, self.package > earlier.package) {
            (true, true) => "cpu_core_thermal cpu_package_thermal",
            (true, false) => "cpu_core_thermal",
            (false, true) => "cpu_package_thermal",
            (false, false) => "none",
        }
    }
}

/// The counters of all CPUs; `None` where none has one: AMD, Arm, most virtual machines.
pub(crate) fn throttle_events(tree: &Tree) -> Option<ThrottleEvents> {
    let (mut events, mut any) = (ThrottleEvents::default(), false);
    for cpu in cpus(tree) {
        let count = |file: &str| -> Option<u64> {
            tree.value(&format!("{CPUS}/{cpu}/thermal_throttle/{file}"))
        };
        let (core, package) = (count("core_throttle_count"), count("package_throttle_count"));
        any |= core.is_some() || package.is_some();
        events.core += core.unwrap_or(0);
        events.package += package.unwrap_or(0);
    }
    any.then_some(events)
}

/// Every thermal zone, and every sensor inside a CPU, by name.
pub(super) fn temperatures(tree: &Tree) -> Vec<(String, Celsius)> {
    of_cpus(tree).into_iter().chain(zones(tree)).collect()
}

/// The hottest place of the CPUs.
pub(crate) fn hottest_cpu(tree: &Tree) -> Option<Celsius> {
    let inside = of_cpus(tree);
    let found = if inside.is_empty() {
        let mut zones = zones(tree);
        zones.retain(|(kind, _)| CPU_ZONES.contains(&kind.as_str()));
        zones
    } else {
        inside
    };
    found.into_iter().map(|(_, celsius)| celsius).max_by(|a, b| a.get().total_cmp(&b.get()))
}

fn of_cpus(tree: &Tree) -> Vec<(String, Celsius)> {
    let mut found = Vec::new();
    for monitor in tree.names(MONITORS) {
        let at = format!("{MONITORS}/{monitor}");
        let Some(driver) = tree.text(&format!("{at}/name")) else { continue };
        if !CPU_SENSORS.contains(&driver.as_str()) {
            continue;
        }
        for file in tree.names(&at) {
            let Some(sensor) = file.strip_suffix("_input").filter(|name| name.starts_with("temp"))
            else {
                continue;
            };
            let label = tree.text(&format!("{at}/{sensor}_label"));
            if let Some(celsius) = degrees(tree, &format!("{at}/{file}")) {
                found.push((format!("{driver} {}", label.as_deref().unwrap_or(sensor)), celsius));
            }
        }
    }
    found
}

fn zones(tree: &Tree) -> Vec<(String, Celsius)> {
    let zones = tree.names(ZONES).into_iter().filter_map(|zone| {
        let at = format!("{ZONES}/{zone}");
        Some((tree.text(&format!("{at}/type"))?, degrees(tree, &format!("{at}/temp"))?))
    });
    zones.collect()
}

/// Files hold thousandths of a degree. Sensors that are switched off say 0 or less.
fn degrees(tree: &Tree, path: &str) -> Option<Celsius> {
    let thousandths: f64 = tree.value(path)?;
    (thousandths > 0.0).then(|| Celsius::new(thousandths / 1e3))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{tree, write};
    use super::*;

    #[test]
    fn sensors_inside_the_cpu_come_before_zones() {
        let (folder, tree) = tree(&[
            ("sys/class/hwmon/hwmon0/name", "nvme\n"),
            ("sys/class/hwmon/hwmon0/temp1_input", "99000\n"),
            ("sys/class/thermal/thermal_zone0/type", "x86_pkg_temp\n"),
            ("sys/class/thermal/thermal_zone0/temp", "61000\n"),
            ("sys/class/thermal/thermal_zone1/type", "acpitz\n"),
            ("sys/class/thermal/thermal_zone1/temp", "88000\n"),
        ]);
        assert_eq!(hottest_cpu(&tree), Some(Celsius::new(61.0)));
        let root = folder.path();
        write(root, "sys/class/hwmon/hwmon1/name", "coretemp\n");
        write(root, "sys/class/hwmon/hwmon1/temp1_input", "71500\n");
        write(root, "sys/class/hwmon/hwmon1/temp1_label", "Package id 0\n");
        write(root, "sys/class/hwmon/hwmon1/temp2_input", "73000\n");
        write(root, "sys/class/hwmon/hwmon1/temp2_crit", "100000\n");
        write(root, "sys/class/hwmon/hwmon1/temp3_input", "0\n");
        assert_eq!(hottest_cpu(&tree), Some(Celsius::new(73.0)));
        let names: Vec<String> = temperatures(&tree).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["coretemp Package id 0", "coretemp temp2", "x86_pkg_temp", "acpitz"]);
    }

    #[test]
    fn a_count_that_rises_is_throttling() {
        let count = |cpu: u8, kind: &str| {
            format!("sys/devices/system/cpu/cpu{cpu}/thermal_throttle/{kind}_throttle_count")
        };
        let (core, package) = (count(0, "core"), count(1, "package"));
        let (folder, tree) = tree(&[(&core, "3\n"), (&count(1, "core"), "4\n"), (&package, "9\n")]);
        let before = throttle_events(&tree).unwrap();
        assert_eq!(before, ThrottleEvents { core: 7, package: 9 });
        assert_eq!(before.since(before), "none");
        write(folder.path(), &core, "5\n");
        let hot = throttle_events(&tree).unwrap();
        assert_eq!(hot.since(before), "cpu_core_thermal");
        write(folder.path(), &package, "10\n");
        let hotter = throttle_events(&tree).unwrap();
        assert_eq!(hotter.since(before), "cpu_core_thermal cpu_package_thermal");
        assert_eq!(hotter.since(hot), "cpu_package_thermal");
    }

    #[test]
    fn no_sensor_is_no_temperature() {
        let (_folder, tree) = tree(&[("sys/class/thermal/thermal_zone0/type", "acpitz\n")]);
        assert_eq!((hottest_cpu(&tree), throttle_events(&tree)), (None, None));
    }
}
