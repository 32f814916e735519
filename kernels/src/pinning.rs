//! Keeping a thread on one CPU.
//!
//! Not here: which thread goes where; the pool gives each the CPU of its number.

/// Keeps this thread on CPU `cpu` from now on; false if the system refuses or is not known.
///
/// # Source
/// Linux, `sched_setaffinity(2)`: process 0 is the calling thread, the mask has a bit for each CPU.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub(crate) fn pin(cpu: usize) -> bool {
    const SCHED_SETAFFINITY: i64 = 203;
    const WORDS: usize = 16;

    let mut mask = [0_u64; WORDS];
    let Some(word) = mask.get_mut(cpu / 64) else { return false };
    *word = 1 << (cpu % 64);
    let result: i64;
    // SAFETY: the call reads the mask, as many bytes as are named, and touches no other memory. The
    // instruction clobbers RCX and R11.
    unsafe {
        std::arch::asm!(
            "syscall",
            inlateout("rax") SCHED_SETAFFINITY => result,
            in("rdi") 0,
            in("rsi") size_of_val(&mask),
            in("rdx") mask.as_ptr(),
            lateout("rcx") _,
            lateout("r11") _,
            options(nostack, readonly),
        );
    }
    result == 0
}

/// Elsewhere nobody has looked into it.
#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
pub(crate) fn pin(_cpu: usize) -> bool {
    false
}

#[cfg(all(test, target_os = "linux", target_arch = "x86_64"))]
mod tests {
    use super::*;

    /// The kernel tells where a thread may run.
    #[test]
    fn a_pinned_thread_may_run_on_one_cpu() {
        let allowed = std::thread::spawn(|| {
            assert!(!pin(1 << 20), "there is no such CPU");
            pin(0).then(|| std::fs::read_to_string("/proc/thread-self/status").unwrap_or_default())
        });
        // CPU 0 may be outside of what this process was given: then there is nothing to see.
        let Some(status) = allowed.join().unwrap() else { return };
        if let Some(line) = status.lines().find(|line| line.starts_with("Cpus_allowed_list")) {
            assert_eq!(line.split_whitespace().last(), Some("0"));
        }
    }
}
