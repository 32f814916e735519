//! Resident memory of this process: how much, of which kind, and the most there was.
//!
//! Not here: when it is read (`sampler`), and what is free on the machine (`host`).

use crate::host::resident_memory;
use crate::tree::{Gauge, Tree};
use freeweights_record::units::Bytes;
use std::fs;
use std::path::Path;

/// Resident memory by kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resident {
    /// Memory of the process's own: heaps and stacks.
    pub anonymous: Bytes,
    /// Pages of mapped files, weights among them. They are in the page cache too, once for all who map
    /// them, and the kernel may take them back and read them again.
    pub of_files: Bytes,
    /// Memory shared with other processes.
    pub shared: Bytes,
}

impl Resident {
    /// What the kernel tells now; `None` on other systems than Linux.
    #[must_use]
    pub fn now() -> Option<Self> {
        Self::parse(&Tree::here().text("/proc/self/status")?)
    }

    fn parse(status: &str) -> Option<Self> {
        Some(Self {
            anonymous: line(status, "RssAnon:")?,
            of_files: line(status, "RssFile:")?,
            shared: line(status, "RssShmem:")?,
        })
    }
}

/// A line of `/proc/self/status`: `VmHWM:    1672 kB`. A kilobyte is 1,024 bytes there.
fn line(status: &str, key: &str) -> Option<Bytes> {
    let mut words = status.lines().find_map(|line| line.strip_prefix(key))?.split_whitespace();
    let kibibytes: u64 = words.next()?.parse().ok()?;
    Some(Bytes::new(kibibytes << 10))
}

/// The highest resident memory since a moment, by the kernel's own mark: nothing is sampled, so
/// nothing is missed.
#[derive(Debug, Clone, Copy)]
pub struct HighWater {
    /// Whether the mark was lowered to what was resident at that moment.
    lowered: bool,
    before: Option<Bytes>,
}

impl HighWater {
    /// Begins now. Writing 5 to `clear_refs` lowers the mark; a kernel that refuses still tells of a
    /// peak that is higher than any before it.
    #[must_use]
    pub fn begin() -> Self {
        let lowered = fs::write("/proc/self/clear_refs", "5").is_ok();
        Self { lowered, before: mark() }
    }

    /// The highest resident memory since; `None` where nobody can tell.
    #[must_use]
    pub fn peak(&self) -> Option<Bytes> {
        self.judge(mark()?)
    }

    fn judge(&self, now: Bytes) -> Option<Bytes> {
        (self.lowered || self.before.is_some_and(|before| now > before)).then_some(now)
    }
}

fn mark() -> Option<Bytes> {
    line(&fs::read_to_string("/proc/self/status").ok()?, "VmHWM:")
}

/// Resident memory, read again and again from a file that stays open.
#[derive(Debug)]
pub(crate) struct ResidentGauge {
    statm: Option<Gauge>,
    page: u64,
}

impl ResidentGauge {
    pub(crate) fn open() -> Self {
        Self {
            statm: Gauge::open(Path::new("/proc/self/statm")).ok(),
            page: crate::host::page_size(),
        }
    }

    /// The second field of `statm` is in pages.
    pub(crate) fn read(&mut self) -> Option<Bytes> {
        let Some(statm) = &mut self.statm else { return resident_memory() };
        let pages: u64 = statm.text()?.split(' ').nth(1)?.parse().ok()?;
        Some(Bytes::new(pages * self.page))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_told_apart() {
        let status = "Name:\tx\nVmHWM:\t    1672 kB\nVmRSS:\t 9 kB\nRssAnon:\t     112 kB\nRssFile:\t    1560 kB\nRssShmem:\t       4 kB\n";
        let resident = Resident::parse(status).unwrap();
        assert_eq!(resident.anonymous, Bytes::new(112 << 10));
        assert_eq!(resident.of_files, Bytes::new(1560 << 10));
        assert_eq!(resident.shared, Bytes::new(4 << 10));
        assert_eq!(line(status, "VmHWM:"), Some(Bytes::new(1672 << 10)));
        assert_eq!(Resident::parse("Name:\tx\n"), None);
    }

    #[test]
    fn a_mark_that_cannot_be_lowered_tells_of_new_heights_only() {
        let (low, high) = (Bytes::new(10), Bytes::new(20));
        let stuck = HighWater { lowered: false, before: Some(low) };
        assert_eq!((stuck.judge(low), stuck.judge(high)), (None, Some(high)));
        let lowered = HighWater { lowered: true, before: Some(low) };
        assert_eq!(lowered.judge(low), Some(low));
        let blind = HighWater { lowered: false, before: None };
        assert_eq!(blind.judge(high), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn memory_that_came_and_went_is_seen() {
        let mut gauge = ResidentGauge::open();
        let (mark, before) = (HighWater::begin(), gauge.read().unwrap().get());
        let mut held = vec![0u8; 64 << 20];
        // Touched, or the pages would never become resident.
        held.iter_mut().step_by(4096).for_each(|byte| *byte = 1);
        let during = gauge.read().unwrap().get();
        assert!(during >= before + (60 << 20), "{before} {during} {}", held.len());
        drop(held);
        // Other tests of this process may take memory meanwhile: the peak is no lower than what was seen.
        assert!(mark.peak().unwrap().get() + (4 << 20) >= during);
        let kinds = Resident::now().unwrap();
        assert!(kinds.of_files.get() > 0 && kinds.anonymous.get() > 0);
    }
}
