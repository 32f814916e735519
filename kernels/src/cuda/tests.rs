//! The kernels on the emulation, where there is a C++ compiler.

use super::gpu::Gpu;
use super::parity::{self, Sizes};
use super::{Arguments, Buffer, Emulation};
use std::io::Write;
use std::sync::Arc;

/// The emulation; without a compiler a message that no test runner holds back, and nothing is tested.
fn emulation() -> Option<Arc<dyn Gpu>> {
    match Emulation::new() {
        Ok(gpu) => Some(Arc::new(gpu)),
        Err(error) => {
            assert!(error.missing, "{error}");
            let _ = writeln!(std::io::stderr(), "skipped: {error}");
            None
        }
    }
}

#[test]
fn every_kernel_agrees_with_its_twin() {
    let Some(gpu) = emulation() else { return };
    let outcomes = parity::run(&gpu, Sizes::Small, &mut |_| ()).unwrap();
    let wrong: Vec<String> =
        outcomes.iter().filter(|outcome| !outcome.good()).map(ToString::to_string).collect();
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), outcomes.len(), wrong.join("\n"));
    for kernel in ["add_norm", "rope_append", "attention", "matvec", "gate_multiply", "pick"] {
        assert!(outcomes.iter().any(|outcome| outcome.kernel == kernel), "no case of {kernel}");
    }
}

#[test]
fn the_most_that_was_allocated_at_a_time_is_known() {
    let Some(gpu) = emulation() else { return };
    let first = Buffer::zeroed(&gpu, 1_000).unwrap();
    drop(Buffer::zeroed(&gpu, 500).unwrap());
    drop(first);
    let _last = Buffer::zeroed(&gpu, 1_200).unwrap();
    assert_eq!(gpu.allocated_peak(), 1_500);
}

#[test]
fn a_kernel_that_is_not_there_is_an_error() {
    let Some(gpu) = emulation() else { return };
    // SAFETY: nothing runs.
    let error = unsafe { gpu.launch("no_such", [1, 1, 1], 32, Arguments::new()) }.unwrap_err();
    assert_eq!(error.to_string(), "no_such: there is no such kernel");
}

/// A sum of place and length that wraps round must not pass for a small one.
#[test]
fn bytes_beyond_a_buffer_are_refused() {
    let Some(gpu) = emulation() else { return };
    let buffer = Buffer::zeroed(&gpu, 16).unwrap();
    let refused =
        |work: &dyn Fn()| std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).is_err();
    for at in [9, usize::MAX, usize::MAX - 7, usize::MAX - 6] {
        assert!(refused(&|| drop(buffer.write(at, &[1; 8]))), "written at {at}");
        assert!(refused(&|| drop(buffer.read(at, &mut [1; 8]))), "read at {at}");
    }
    buffer.write(8, &[1; 8]).unwrap();
}
