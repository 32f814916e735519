//! The ceilings of this machine, as the record keeps them.

use crate::host::available_memory;
use freeweights_models::ModelError;
use freeweights_record::host::{Ceilings, DeviceCeilings};
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

/// What a device was measured to be able to do.
#[derive(Debug, Clone, PartialEq)]
pub struct OfDevice {
    /// As records keep it: of a GPU, read bandwidth of its own memory, and peaks of its tensor cores.
    pub ceilings: DeviceCeilings,
    /// Everything that was measured, with all samples, for a file.
    pub details: serde_json::Value,
}

/// Measures a GPU: about two seconds.
///
/// # Errors
/// [`ModelError::Device`] where there is no such GPU; [`ModelError::Gpu`] of its failures.
#[cfg(feature = "cuda")]
pub fn measure_device_ceilings(device: &str) -> Result<OfDevice, ModelError> {
    use freeweights_kernels::ceilings::Estimate;
    use freeweights_kernels::cuda::{Device, measure_ceilings};

    let unopened = |reason: String| ModelError::Device { device: device.to_owned(), reason };
    let ordinal = device.split_once(':').map_or("0", |(_, ordinal)| ordinal).parse();
    let ordinal = ordinal.map_err(|_| unopened("write cuda:0".into()))?;
    let gpu = Device::new(ordinal).map_err(|error| unopened(error.to_string()))?;
    let found = measure_ceilings(&std::sync::Arc::new(gpu))?;
    let flops = |estimate: &Estimate| FlopsPerSecond::new(estimate.ceiling());
    let samples = |estimate: Option<&Estimate>| estimate.map(|estimate| estimate.samples.clone());
    Ok(OfDevice {
        ceilings: DeviceCeilings {
            device: device.to_owned(),
            ceilings: Ceilings {
                threads: 1,
                read_bytes_per_s: BytesPerSecond::new(found.read_bytes_per_s.ceiling()),
                f32_flops_per_s: flops(&found.f32_flops_per_s),
                bf16_flops_per_s: Some(flops(&found.bf16_flops_per_s)),
                int8_ops_per_s: found.int8_ops_per_s.as_ref().map(flops),
            },
            fp8_flops_per_s: found.fp8_flops_per_s.as_ref().map(flops),
        },
        details: serde_json::json!({
            "device": device,
            "name": found.name,
            "memory_bytes": found.memory_bytes,
            "buffer_bytes": found.buffer_bytes,
            "read_bytes_per_s": samples(Some(&found.read_bytes_per_s)),
            "f32_flops_per_s": samples(Some(&found.f32_flops_per_s)),
            "bf16_flops_per_s": samples(Some(&found.bf16_flops_per_s)),
            "fp8_flops_per_s": samples(found.fp8_flops_per_s.as_ref()),
            "int8_ops_per_s": samples(found.int8_ops_per_s.as_ref()),
        }),
    })
}

/// Without CUDA there is no GPU to measure.
///
/// # Errors
/// [`ModelError::Device`].
#[cfg(not(feature = "cuda"))]
pub fn measure_device_ceilings(device: &str) -> Result<OfDevice, ModelError> {
    let reason = "this build measures the ceilings of CPUs only".into();
    Err(ModelError::Device { device: device.to_owned(), reason })
}
