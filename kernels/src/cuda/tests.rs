//! The kernels on the emulation, where there is a C++ compiler.

use super::gpu::Gpu;
use super::parity::{self, Sizes};
use super::{Arguments, Emulation};
use std::sync::Arc;

/// The emulation; without a compiler a message, and nothing is tested.
#[expect(clippy::print_stderr, reason = "a test that does nothing says so")]
fn emulation() -> Option<Arc<dyn Gpu>> {
    match Emulation::new() {
        Ok(gpu) => Some(Arc::new(gpu)),
        Err(error) => {
            eprintln!("skipped: {error}");
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
fn a_kernel_that_is_not_there_is_an_error() {
    let Some(gpu) = emulation() else { return };
    // SAFETY: nothing runs.
    let error = unsafe { gpu.launch("no_such", [1, 1, 1], 32, Arguments::new()) }.unwrap_err();
    assert_eq!(error.to_string(), "no_such: there is no such kernel");
}
