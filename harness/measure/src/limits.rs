//! What the system grants a process by its resource limits (`ulimit`).

use std::fs;

/// Bytes of address space that this process may still take; `None` where nothing limits it, or where
/// that is not told.
#[must_use]
pub(crate) fn address_space_left() -> Option<u64> {
    let limit = soft_limit(&fs::read_to_string("/proc/self/limits").ok()?, "Max address space")?;
    let status = fs::read_to_string("/proc/self/status").ok()?;
    Some(limit.saturating_sub(in_use(&status)?))
}

/// A line of `limits` is the name, the soft limit, the hard one and the unit; `unlimited` is no number.
fn soft_limit(limits: &str, name: &str) -> Option<u64> {
    let line = limits.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Address space in use, of `status`, in kibibytes there.
fn in_use(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmSize:"))?;
    line.split_whitespace().next()?.parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_and_use_are_read_from_what_the_kernel_writes() {
        let limits = "Limit                     Soft Limit           Hard Limit           Units     \n\
            Max data size             unlimited            unlimited            bytes     \n\
            Max address space         2048000000           unlimited            bytes     \n";
        assert_eq!(soft_limit(limits, "Max address space"), Some(2_048_000_000));
        assert_eq!(soft_limit(limits, "Max data size"), None);
        assert_eq!(soft_limit("", "Max address space"), None);
        assert_eq!(in_use("Name:\tx\nVmPeak:\t  9 kB\nVmSize:\t    2000 kB\n"), Some(2_048_000));
    }
}
