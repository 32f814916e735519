//! Keeping a thread on one CPU.
//!
//! Not here: which thread goes where; the pool gives each the CPU of its number.

/// A bit for each CPU, up to 1,024 of them.
#[cfg(all(target_os = "linux", target_arch = "x86_64", not(miri)))]
type Mask = [u64; 16];

/// Keeps this thread on one CPU from now on: of those it may run on, the one numbered `place` from 0.
/// False if there are not so many, or the system refuses or is not known.
///
/// # Source
/// Linux, `sched_setaffinity(2)` and `sched_getaffinity(2)`.
#[cfg(all(target_os = "linux", target_arch = "x86_64", not(miri)))]
pub(crate) fn pin(place: usize) -> bool {
    const SCHED_SETAFFINITY: i64 = 203;
    const SCHED_GETAFFINITY: i64 = 204;

    let mut allowed: Mask = [0; 16];
    if affinity(SCHED_GETAFFINITY, &mut allowed) < 0 {
        return false;
    }
    let mut cpus = (0..64 * allowed.len()).filter(|cpu| allowed[cpu / 64] >> (cpu % 64) & 1 == 1);
    let Some(cpu) = cpus.nth(place) else { return false };
    let mut only: Mask = [0; 16];
    only[cpu / 64] = 1 << (cpu % 64);
    affinity(SCHED_SETAFFINITY, &mut only) == 0
}

/// One of the two calls, for the calling thread: what the system answers.
#[cfg(all(target_os = "linux", target_arch = "x86_64", not(miri)))]
fn affinity(call: i64, mask: &mut Mask) -> i64 {
    let result: i64;
    // SAFETY: the calls read or write the mask, as many bytes as are named, and touch no other
    // memory. The instruction clobbers RCX and R11.
    unsafe {
        std::arch::asm!(
            "syscall",
            inlateout("rax") call => result,
            in("rdi") 0,
            in("rsi") size_of::<Mask>(),
            in("rdx") mask.as_mut_ptr(),
            lateout("rcx") _,
            lateout("r11") _,
            options(nostack),
        );
    }
    result
}

/// Elsewhere nobody has looked into it; Miri knows no system calls.
#[cfg(not(all(target_os = "linux", target_arch = "x86_64", not(miri))))]
pub(crate) fn pin(_cpu: usize) -> bool {
    false
}

#[cfg(test)]
#[cfg(all(target_os = "linux", target_arch = "x86_64", not(miri)))]
mod tests {
    use super::*;

    /// The kernel tells where a thread may run.
    #[test]
    fn a_pinned_thread_may_run_on_one_cpu() {
        let allowed = std::thread::spawn(|| {
            assert!(!pin(1 << 20), "there is no such CPU");
            pin(0).then(|| std::fs::read_to_string("/proc/thread-self/status").unwrap_or_default())
        });
        // Some sandboxes refuse: then there is nothing to see.
        let Some(status) = allowed.join().expect("pinning does not panic") else { return };
        if let Some(line) = status.lines().find(|line| line.starts_with("Cpus_allowed_list")) {
            let cpus = line.split_whitespace().last().unwrap_or_default();
            assert!(!cpus.contains(['-', ',']), "{cpus}");
        }
    }
}
