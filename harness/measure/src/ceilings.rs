//! The ceilings of this machine, as the record keeps them.

use crate::host::available_memory;
use freeweights_record::host::Ceilings;
use freeweights_record::units::{BytesPerSecond, FlopsPerSecond};
use std::num::NonZeroUsize;

pub use freeweights_kernels::ceilings::Options as CeilingOptions;

/// Measures what `threads` threads of this machine can read and compute: about two seconds.
#[must_use]
pub fn measure_ceilings(threads: NonZeroUsize) -> Ceilings {
    let mut options = CeilingOptions::new(threads);
    if let Some(available) = available_memory() {
        options = options.within_memory(available.get());
    }
    let measured = freeweights_kernels::ceilings::Ceilings::measure(&options);
    let rate = |estimate: &freeweights_kernels::ceilings::Estimate| estimate.ceiling();
    Ceilings {
        threads: u32::try_from(threads.get()).unwrap_or(u32::MAX),
        read_bytes_per_s: BytesPerSecond::new(rate(&measured.read_bytes_per_s)),
        f32_flops_per_s: FlopsPerSecond::new(rate(&measured.f32_flops_per_s)),
        bf16_flops_per_s: measured.bf16_flops_per_s.as_ref().map(rate).map(FlopsPerSecond::new),
        int8_ops_per_s: measured.int8_ops_per_s.as_ref().map(rate).map(FlopsPerSecond::new),
    }
}
