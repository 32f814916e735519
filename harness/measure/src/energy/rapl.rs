//! CPU packages and memory, by the kernel's powercap files.
//!
//! Intel has these counters since 2011, AMD under the same names since Zen. Counted are the packages
//! and, where there is one, the memory of each (`dram`). The parts of a package (`core`, `uncore`)
//! are in it already. The platform (`psys`) holds the packages, and what else it holds is the
//! maker's choice, so it is never added. The memory plane is measured beside the package; where
//! memory sits on the package (Lunar Lake) it may be in both, and `dram` in the name tells.
//!
//! Not here: power supply, fans, disks and network, which no counter of the CPU sees.
//!
//! # Source
//! Linux, `Documentation/power/powercap/powercap.rst`; Khan et al., "RAPL in Action" (2018), for what
//! the planes hold.

use super::counter::Counter;
use super::{EnergySource, Reading};
use crate::tree::{Gauge, names};
use freeweights_record::units::{Joules, Seconds};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// The counters are renewed about once a millisecond ("RAPL in Action", section 4).
const UPDATE: Seconds = Seconds::new(0.001);

/// Why there is no energy of the CPUs.
#[derive(Debug, Error)]
pub enum RaplError {
    /// No counters: most virtual machines, containers without `/sys`, other systems.
    #[error("no energy counter of the CPUs: nothing in {folder}")]
    Missing {
        /// Where they would be.
        folder: PathBuf,
    },
    /// Kernels since 2020 let only root read them, as they leak what other programs compute.
    #[error(
        "the energy counters of the CPUs are there and may not be read; `sudo chmod a+r {folder}/intel-rapl:*/energy_uj` grants it until the next restart"
    )]
    Denied {
        /// Where they are.
        folder: PathBuf,
    },
    /// A file that should hold a number does not.
    #[error("the energy counter {path} cannot be read: {reason}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A counter that never moves is no counter. Virtual machines have such ones.
    #[error("the energy counter {name} does not move, so it is not believed")]
    Still {
        /// Which.
        name: String,
    },
}

impl RaplError {
    /// The same without a path, for a file that may be published.
    #[must_use]
    pub fn in_short(&self) -> String {
        let what = match self {
            Self::Missing { .. } => "are not there",
            Self::Denied { .. } => "may not be read",
            Self::Unreadable { .. } => "cannot be read",
            Self::Still { .. } => "do not move",
        };
        format!("energy counters of the CPUs {what}")
    }
}

/// The packages of the machine and their memory, summed.
#[derive(Debug)]
pub struct Rapl {
    zones: Vec<Zone>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Plane {
    Package,
    Memory,
}

#[derive(Debug)]
struct Zone {
    plane: Plane,
    name: String,
    gauge: Gauge,
    counter: Counter,
}

impl Rapl {
    /// Opens the counters in a folder, `/sys/class/powercap` on most machines. `wait` lets some time
    /// pass, in which a counter that counts must move. With it come notes for people.
    ///
    /// # Errors
    /// [`RaplError`] where there is no counter to be believed; energy is then not known.
    pub fn open(folder: &Path, wait: impl FnOnce()) -> Result<(Self, Vec<String>), RaplError> {
        Self::open_by(folder, wait, Gauge::open)
    }

    fn open_by(
        folder: &Path,
        wait: impl FnOnce(),
        open: impl Fn(&Path) -> io::Result<Gauge>,
    ) -> Result<(Self, Vec<String>), RaplError> {
        let (mut zones, mut notes) = (Vec::new(), Vec::new());
        for (name, plane, at) in planes(folder) {
            match zone(folder, &name, plane, &at, &open) {
                Ok(zone) => zones.push(zone),
                Err(error) if plane == Plane::Package => return Err(error),
                Err(error) => notes.push(without_memory(&error)),
            }
        }
        if !zones.iter().any(|zone| zone.plane == Plane::Package) {
            return Err(RaplError::Missing { folder: folder.to_path_buf() });
        }
        let before: Vec<Option<u64>> = zones.iter_mut().map(|zone| zone.gauge.number()).collect();
        wait();
        let mut still = Vec::new();
        for (zone, before) in zones.iter_mut().zip(before) {
            if zone.gauge.number() == before {
                still.push((zone.plane, zone.name.clone()));
            }
        }
        if let Some((_, name)) = still.iter().find(|(plane, _)| *plane == Plane::Package) {
            return Err(RaplError::Still { name: name.clone() });
        }
        if let Some((_, name)) = still.first() {
            notes.push(without_memory(&RaplError::Still { name: name.clone() }));
        }
        // Memory of some packages only would be neither with nor without.
        if !notes.is_empty() {
            zones.retain(|zone| zone.plane == Plane::Package);
        }
        Ok((Self { zones }, notes))
    }
}

fn without_memory(error: &RaplError) -> String {
    format!("memory is not in the energy: {error}")
}

/// Packages and memory planes under one driver: the same package may be listed once for each way to
/// reach it (`intel-rapl` by registers, `intel-rapl-mmio` by memory), and must count once.
fn planes(folder: &Path) -> Vec<(String, Plane, PathBuf)> {
    let of_driver = |driver: &str| -> Vec<(String, Plane, PathBuf)> {
        let mine = names(folder).into_iter().filter_map(|entry| {
            entry.strip_prefix(driver)?.strip_prefix(':')?;
            let at = folder.join(entry);
            let name = fs::read_to_string(at.join("name")).ok()?.trim().to_owned();
            let plane = match name.as_str() {
                name if name.starts_with("package") => Plane::Package,
                "dram" => Plane::Memory,
                _ => return None,
            };
            Some((name, plane, at))
        });
        mine.collect()
    };
    let by_registers = of_driver("intel-rapl");
    if by_registers.is_empty() { of_driver("intel-rapl-mmio") } else { by_registers }
}

fn zone(
    folder: &Path,
    name: &str,
    plane: Plane,
    at: &Path,
    open: &impl Fn(&Path) -> io::Result<Gauge>,
) -> Result<Zone, RaplError> {
    let path = at.join("energy_uj");
    let mut gauge = open(&path).map_err(|error| match error.kind() {
        io::ErrorKind::PermissionDenied => RaplError::Denied { folder: folder.to_path_buf() },
        _ => RaplError::Unreadable { path: path.clone(), reason: error.to_string() },
    })?;
    if gauge.number().is_none() {
        return Err(RaplError::Unreadable { path, reason: "it holds no number".into() });
    }
    let range = fs::read_to_string(at.join("max_energy_range_uj")).ok();
    let counter = Counter::new(range.and_then(|range| range.trim().parse().ok()));
    Ok(Zone { plane, name: name.to_owned(), gauge, counter })
}

impl EnergySource for Rapl {
    fn name(&self) -> String {
        let memory = self.zones.iter().any(|zone| zone.plane == Plane::Memory);
        if memory { "rapl:package+dram".into() } else { "rapl:package".into() }
    }

    fn update(&self) -> Seconds {
        UPDATE
    }

    fn read(&mut self, now: Seconds) -> Option<Reading> {
        let (mut total, mut lost, mut missed) = (0, false, false);
        for zone in &mut self.zones {
            match zone.gauge.number().map(|reading| zone.counter.follow(now, reading)) {
                Some(Some(microjoules)) => total += microjoules,
                Some(None) => lost = true,
                None => missed = true,
            }
        }
        match (lost, missed) {
            (true, _) => Some(Reading::Lost),
            (_, true) => None,
            _ => Some(Reading::Energy(Joules::new(total as f64 / 1e6))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A powercap folder, its zones as `(entry, name, microjoules)`.
    fn tree(zones: &[(&str, &str, u64)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (entry, name, energy) in zones {
            let at = folder.path().join(entry);
            fs::create_dir_all(&at).unwrap();
            fs::write(at.join("name"), format!("{name}\n")).unwrap();
            fs::write(at.join("max_energy_range_uj"), "1000000000\n").unwrap();
            fs::write(at.join("energy_uj"), format!("{energy}\n")).unwrap();
        }
        fs::create_dir_all(folder.path().join("intel-rapl")).unwrap();
        folder
    }

    fn set(folder: &tempfile::TempDir, entry: &str, energy: u64) {
        fs::write(folder.path().join(entry).join("energy_uj"), format!("{energy}\n")).unwrap();
    }

    fn joules(rapl: &mut Rapl, now: f64) -> Option<f64> {
        match rapl.read(Seconds::new(now)) {
            Some(Reading::Energy(energy)) => Some(energy.get()),
            _ => None,
        }
    }

    /// Two sockets with all their planes, and the platform.
    fn server() -> tempfile::TempDir {
        tree(&[
            ("intel-rapl:0", "package-0", 1_000),
            ("intel-rapl:0:0", "core", 500),
            ("intel-rapl:0:1", "dram", 200),
            ("intel-rapl:1", "package-1", 3_000),
            ("intel-rapl:1:0", "dram", 400),
            ("intel-rapl:2", "psys", 90_000),
            ("intel-rapl-mmio:0", "package-0", 1_000),
        ])
    }

    #[test]
    fn two_packages_and_their_memory_are_summed_and_nothing_twice() {
        let folder = server();
        let all_move = || {
            for (entry, energy) in [
                ("intel-rapl:0", 2_000),
                ("intel-rapl:0:1", 300),
                ("intel-rapl:1", 4_000),
                ("intel-rapl:1:0", 500),
            ] {
                set(&folder, entry, energy);
            }
        };
        let (mut rapl, notes) = Rapl::open(folder.path(), all_move).unwrap();
        assert_eq!((rapl.name().as_str(), notes.len()), ("rapl:package+dram", 0));
        assert_eq!(joules(&mut rapl, 0.0), Some(0.0));
        set(&folder, "intel-rapl:0", 7_002_000);
        set(&folder, "intel-rapl:0:0", 6_000_000);
        set(&folder, "intel-rapl:0:1", 1_000_300);
        set(&folder, "intel-rapl:1", 5_004_000);
        set(&folder, "intel-rapl:2", 999_000_000);
        set(&folder, "intel-rapl-mmio:0", 7_002_000);
        // 7 + 1 + 5 J: no core, no psys, no second way to the first package
        assert_eq!(joules(&mut rapl, 0.1), Some(13.0));
    }

    #[test]
    fn each_package_wraps_by_itself() {
        let folder = server();
        let near = 999_999_000;
        let all_move = || {
            for entry in ["intel-rapl:0", "intel-rapl:0:1", "intel-rapl:1", "intel-rapl:1:0"] {
                set(&folder, entry, near);
            }
        };
        let (mut rapl, _) = Rapl::open(folder.path(), all_move).unwrap();
        joules(&mut rapl, 0.0);
        set(&folder, "intel-rapl:1", 1_000_000);
        // 1,000 uJ to the range and 1,000,000 beyond
        assert_eq!(joules(&mut rapl, 0.1), Some(1.001));
        // 1,000 J last half a second at 2,000 W: after that a wrap may have gone unseen.
        assert_eq!(rapl.read(Seconds::new(0.7)), Some(Reading::Lost));
        assert_eq!(joules(&mut rapl, 0.8), Some(1.001));
    }

    #[test]
    fn where_there_is_none_it_says_so() {
        let nowhere = tempfile::tempdir().unwrap();
        let missing = Rapl::open(&nowhere.path().join("powercap"), || ()).unwrap_err();
        assert_eq!(missing.in_short(), "energy counters of the CPUs are not there");
        let platform_only = tree(&[("intel-rapl:0", "psys", 5)]);
        let missing = Rapl::open(platform_only.path(), || ()).unwrap_err();
        assert!(missing.to_string().starts_with("no energy counter of the CPUs: "), "{missing}");
    }

    #[test]
    fn without_permission_it_tells_how_to_grant_it() {
        let folder = server();
        let root_only =
            |_: &Path| -> io::Result<Gauge> { Err(io::ErrorKind::PermissionDenied.into()) };
        let denied = Rapl::open_by(folder.path(), || (), root_only).unwrap_err().to_string();
        let remedy = format!("`sudo chmod a+r {}/intel-rapl:*/energy_uj`", folder.path().display());
        assert!(denied.contains(&remedy), "{denied}");
    }

    #[test]
    fn memory_that_only_root_may_read_is_left_out_by_name() {
        let folder = server();
        let package_only = |path: &Path| {
            if path.to_string_lossy().contains(":0:1") {
                return Err(io::ErrorKind::PermissionDenied.into());
            }
            Gauge::open(path)
        };
        let all_move = || {
            for entry in ["intel-rapl:0", "intel-rapl:1", "intel-rapl:1:0"] {
                set(&folder, entry, 9_000);
            }
        };
        let (rapl, notes) = Rapl::open_by(folder.path(), all_move, package_only).unwrap();
        assert_eq!(rapl.name(), "rapl:package");
        assert_eq!(rapl.zones.len(), 2);
        assert!(notes[0].starts_with("memory is not in the energy: "), "{notes:?}");
    }

    #[test]
    fn a_counter_that_never_moves_is_none() {
        let folder = tree(&[("intel-rapl:0", "package-0", 0)]);
        let still = Rapl::open(folder.path(), || ()).unwrap_err();
        assert_eq!(
            still.to_string(),
            "the energy counter package-0 does not move, so it is not believed"
        );
    }

    #[test]
    fn memory_that_never_moves_is_left_out() {
        let folder = tree(&[("intel-rapl:0", "package-0", 1), ("intel-rapl:0:0", "dram", 0)]);
        let (rapl, notes) = Rapl::open(folder.path(), || set(&folder, "intel-rapl:0", 2)).unwrap();
        assert_eq!(rapl.name(), "rapl:package");
        assert_eq!(
            notes,
            [
                "memory is not in the energy: the energy counter dram does not move, so it is not believed"
            ]
        );
    }

    #[test]
    fn a_file_without_a_number_is_named() {
        let folder = tree(&[("intel-rapl:0", "package-0", 1)]);
        fs::write(folder.path().join("intel-rapl:0/energy_uj"), "many\n").unwrap();
        let error = Rapl::open(folder.path(), || ()).unwrap_err().to_string();
        assert!(error.ends_with("energy_uj cannot be read: it holds no number"), "{error}");
    }

    #[test]
    fn a_reading_that_fails_is_missed_and_a_later_one_has_it_all() {
        let folder = tree(&[("intel-rapl:0", "package-0", 1)]);
        let (mut rapl, _) = Rapl::open(folder.path(), || set(&folder, "intel-rapl:0", 2)).unwrap();
        joules(&mut rapl, 0.0);
        fs::write(folder.path().join("intel-rapl:0/energy_uj"), "").unwrap();
        assert_eq!(rapl.read(Seconds::new(0.1)), None);
        set(&folder, "intel-rapl:0", 3_000_002);
        assert_eq!(joules(&mut rapl, 0.2), Some(3.0));
    }

    #[test]
    fn by_memory_where_there_are_no_registers() {
        let folder = tree(&[("intel-rapl-mmio:0", "package-0", 1)]);
        let (rapl, _) = Rapl::open(folder.path(), || set(&folder, "intel-rapl-mmio:0", 2)).unwrap();
        assert_eq!(rapl.zones.len(), 1);
    }
}
