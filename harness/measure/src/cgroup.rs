//! The memory and the CPUs that control groups leave to this process: what a container or a batch
//! system grants.
//!
//! Not here: what the machine itself has free.

use crate::tree::Tree;
use std::fs;
use std::path::{Path, PathBuf};

/// Bytes that this process may still take under all its groups; `None` where none limits it.
///
/// Page cache counts as free: the kernel drops it before it refuses memory.
#[must_use]
pub(crate) fn available() -> Option<u64> {
    let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
    available_under(Path::new("/sys/fs/cgroup"), &groups)
}

/// CPUs that this process may use at a time by its groups' quotas; `None` where none limits it. A
/// group under a quota is stopped for the rest of each period once it is used up.
#[must_use]
pub(crate) fn cpus(tree: &Tree) -> Option<f64> {
    cpus_under(&tree.path("/sys/fs/cgroup"), &tree.text("/proc/self/cgroup")?)
}

fn cpus_under(root: &Path, groups: &str) -> Option<f64> {
    let of_line = |line: &str| {
        let mut fields = line.splitn(3, ':').skip(1);
        let (controllers, path) = (fields.next()?, fields.next()?);
        if controllers.is_empty() {
            return least(root, path, quota_2);
        }
        let cpu = controllers.split(',').any(|name| name == "cpu");
        // The controllers of one hierarchy share a folder, most often behind links for each.
        let folder =
            [controllers, "cpu"].map(|name| root.join(name)).into_iter().find(|at| at.is_dir());
        cpu.then_some(folder).flatten().and_then(|root| least(&root, path, quota_1))
    };
    groups.lines().filter_map(of_line).reduce(f64::min)
}

fn least(root: &Path, path: &str, quota: fn(&Path) -> Option<f64>) -> Option<f64> {
    groups_above(root, path).iter().filter_map(|group| quota(group)).reduce(f64::min)
}

/// `cpu.max` is `QUOTA PERIOD` in microseconds, or `max PERIOD`.
fn quota_2(group: &Path) -> Option<f64> {
    let text = fs::read_to_string(group.join("cpu.max")).ok()?;
    let (quota, period) = text.trim().split_once(' ')?;
    share(quota.parse().ok()?, period.parse().ok()?)
}

/// Version 1 has a file for each, and -1 for no limit.
fn quota_1(group: &Path) -> Option<f64> {
    let number = |name: &str| -> Option<f64> {
        fs::read_to_string(group.join(name)).ok()?.trim().parse().ok()
    };
    share(number("cpu.cfs_quota_us")?, number("cpu.cfs_period_us")?)
}

fn share(quota: f64, period: f64) -> Option<f64> {
    (quota > 0.0 && period > 0.0).then(|| quota / period)
}

/// Names of the files of one version.
struct Files {
    limit: &'static str,
    used: &'static str,
    /// Keys of `memory.stat` that make up the page cache on disk files.
    cache: [&'static str; 2],
}

const VERSION_1: Files = Files {
    limit: "memory.limit_in_bytes",
    used: "memory.usage_in_bytes",
    cache: ["total_inactive_file", "total_active_file"],
};

const VERSION_2: Files =
    Files { limit: "memory.max", used: "memory.current", cache: ["inactive_file", "active_file"] };

/// Lines of `/proc/self/cgroup`: `ID:CONTROLLERS:PATH`, version 2 with no controllers.
fn available_under(root: &Path, groups: &str) -> Option<u64> {
    let of_line = |line: &str| {
        let mut fields = line.splitn(3, ':').skip(1);
        let (controllers, path) = (fields.next()?, fields.next()?);
        if controllers.is_empty() {
            return tightest(root, path, &VERSION_2);
        }
        let memory = controllers.split(',').any(|name| name == "memory");
        memory.then(|| tightest(&root.join("memory"), path, &VERSION_1)).flatten()
    };
    groups.lines().filter_map(of_line).min()
}

/// The least that a group and those above it leave.
fn tightest(root: &Path, path: &str, files: &Files) -> Option<u64> {
    groups_above(root, path).iter().filter_map(|group| left_in(group, files)).min()
}

/// A group and those above it. Inside a container the path may be that of the host, of which only the
/// root is to be seen.
fn groups_above(root: &Path, path: &str) -> Vec<PathBuf> {
    let inside = Path::new(path.trim_start_matches('/'));
    let plain = inside.components().all(|part| matches!(part, std::path::Component::Normal(_)));
    let lowest = if plain { root.join(inside) } else { root.to_path_buf() };
    lowest.ancestors().take_while(|at| at.starts_with(root)).map(Path::to_path_buf).collect()
}

fn left_in(group: &Path, files: &Files) -> Option<u64> {
    let number = |name: &str| -> Option<u64> {
        fs::read_to_string(group.join(name)).ok()?.trim().parse().ok()
    };
    // "max" is no number; version 1 writes a number near 2^63 for no limit.
    let limit = number(files.limit).filter(|&limit| limit < 1 << 60)?;
    let stat = fs::read_to_string(group.join("memory.stat")).unwrap_or_default();
    let value = |key: &str| -> u64 {
        let mut lines = stat.lines().filter_map(|line| line.split_once(' '));
        lines.find(|(name, _)| *name == key).and_then(|(_, value)| value.parse().ok()).unwrap_or(0)
    };
    let cache: u64 = files.cache.iter().map(|key| value(key)).sum();
    Some(limit.saturating_sub(number(files.used)?.saturating_sub(cache)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(at: &Path, files: &[(&str, &str)]) {
        fs::create_dir_all(at).unwrap();
        for (name, text) in files {
            fs::write(at.join(name), text).unwrap();
        }
    }

    #[test]
    fn the_tightest_group_counts_and_page_cache_does_not() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        assert_eq!(available_under(root, "0::/a/b\n"), None, "no files at all");
        group(&root.join("a"), &[("memory.max", "5000\n"), ("memory.current", "4000\n")]);
        group(&root.join("a/b"), &[("memory.max", "max\n"), ("memory.current", "3000\n")]);
        assert_eq!(available_under(root, "0::/a/b\n"), Some(1_000));
        let stat = "anon 2000\nfile 1900\ninactive_file 700\nactive_file 800\nslab 1\n";
        group(&root.join("a"), &[("memory.stat", stat)]);
        // 5000 - (4000 - 1500); the 400 of `file` that are shared memory stay taken
        assert_eq!(available_under(root, "0::/a/b\n"), Some(2_500));
        group(&root.join("a/b"), &[("memory.max", "3100\n")]);
        assert_eq!(available_under(root, "0::/a/b\n"), Some(100));
        // Beyond its limit, which may have been lowered.
        group(&root.join("a/b"), &[("memory.max", "10\n")]);
        assert_eq!(available_under(root, "0::/a/b\n"), Some(0));
    }

    #[test]
    fn a_path_of_the_host_falls_back_to_the_root_that_is_seen() {
        let root = tempfile::tempdir().unwrap();
        group(root.path(), &[("memory.max", "9000"), ("memory.current", "1000")]);
        for path in ["/", "/docker/abc", "/../../other"] {
            assert_eq!(
                available_under(root.path(), &format!("0::{path}\n")),
                Some(8_000),
                "{path}"
            );
        }
    }

    #[test]
    fn version_one_has_names_of_its_own() {
        let root = tempfile::tempdir().unwrap();
        let files = [
            ("memory.limit_in_bytes", "6000\n"),
            ("memory.usage_in_bytes", "5000\n"),
            ("memory.stat", "inactive_file 1\ntotal_inactive_file 300\ntotal_active_file 200\n"),
        ];
        group(&root.path().join("memory/job"), &files);
        let unlimited = [("memory.limit_in_bytes", "9223372036854771712\n")];
        group(&root.path().join("memory"), &unlimited);
        let groups = "12:cpu,cpuacct:/job\n4:memory:/job\n0::/\n";
        assert_eq!(available_under(root.path(), groups), Some(1_500));
        assert_eq!(available_under(root.path(), "12:cpu,cpuacct:/job\n"), None);
    }

    #[test]
    fn the_tightest_quota_counts() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        group(&root.join("a"), &[("cpu.max", "400000 100000\n")]);
        group(&root.join("a/b"), &[("cpu.max", "max 100000\n")]);
        assert_eq!(cpus_under(root, "0::/a/b\n"), Some(4.0));
        group(&root.join("a/b"), &[("cpu.max", "150000 100000\n")]);
        assert_eq!(cpus_under(root, "0::/a/b\n"), Some(1.5));
        assert_eq!(cpus_under(root, "0::/other\n"), None);
    }

    #[test]
    fn version_one_has_a_quota_too() {
        let root = tempfile::tempdir().unwrap();
        let files = |quota| [("cpu.cfs_quota_us", quota), ("cpu.cfs_period_us", "100000\n")];
        group(&root.path().join("cpu,cpuacct/job"), &files("250000\n"));
        group(&root.path().join("cpu,cpuacct"), &files("-1\n"));
        assert_eq!(cpus_under(root.path(), "4:memory:/job\n3:cpu,cpuacct:/job\n"), Some(2.5));
        assert_eq!(cpus_under(root.path(), "4:memory:/job\n"), None);
    }
}
