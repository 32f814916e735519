//! From `cpu`, `cuda:0`, `metal` to a device.

use crate::error::ModelError;
use candle_core::Device;
use freeweights_kernels::cuda::{Emulation, Gpu};
use std::sync::Arc;

/// Opens a device by name.
///
/// # Errors
/// [`ModelError::Device`] where the name is unknown, the build lacks its support or the machine
/// lacks the device.
pub fn open_device(name: &str) -> Result<Device, ModelError> {
    let failed = |reason: String| ModelError::Device { device: name.to_owned(), reason };
    let (kind, ordinal) = name.split_once(':').unwrap_or((name, "0"));
    let ordinal: usize = ordinal
        .parse()
        .map_err(|_| failed(format!("{ordinal:?} is no device number; write cuda:0")))?;
    match kind {
        "cpu" => Ok(Device::Cpu),
        "cuda" if !cfg!(feature = "cuda") => Err(failed(
            "this build has no CUDA; build with `cargo build --release --features cuda`".into(),
        )),
        "metal" if !cfg!(feature = "metal") => Err(failed(
            "this build has no Metal; build with `cargo build --release --features metal`".into(),
        )),
        "cuda" => open_cuda(ordinal).map_err(failed),
        "metal" => Device::new_metal(ordinal).map_err(|error| failed(error.to_string())),
        _ => Err(failed("known devices are cpu, cuda:N and metal".into())),
    }
}

/// A GPU for candle, behind the driver and the libraries, which are opened first.
#[cfg(feature = "cuda")]
fn open_cuda(ordinal: usize) -> Result<Device, String> {
    freeweights_kernels::cuda::Device::open_driver().map_err(|error| error.to_string())?;
    Device::new_cuda(ordinal)
        .map_err(|error| format!("{error}; `nvidia-smi` lists the GPUs there are"))
}

#[cfg(not(feature = "cuda"))]
fn open_cuda(_ordinal: usize) -> Result<Device, String> {
    Err("this build has no CUDA".into())
}

/// The name of the emulation of a GPU on this CPU, which only checks of kernels run on.
pub const EMULATED: &str = "emulated";

/// Opens the GPU of a name like `cuda:0`, or [`EMULATED`], for the kernels.
///
/// # Errors
/// [`ModelError::Device`] as of [`open_device`], and for devices that are no GPU of this kind.
pub fn open_gpu(name: &str) -> Result<Arc<dyn Gpu>, ModelError> {
    let failed = |reason: String| ModelError::Device { device: name.to_owned(), reason };
    if name == EMULATED {
        let emulation = Emulation::new().map_err(|error| failed(error.to_string()))?;
        return Ok(Arc::new(emulation));
    }
    let ordinal = match name.split_once(':').unwrap_or((name, "0")) {
        ("cuda", ordinal) => ordinal.parse::<usize>().ok(),
        _ => None,
    };
    let ordinal = ordinal.ok_or_else(|| failed("write cuda:0 for the first NVIDIA GPU".into()))?;
    open_kernels(ordinal).map_err(failed)
}

#[cfg(feature = "cuda")]
fn open_kernels(ordinal: usize) -> Result<Arc<dyn Gpu>, String> {
    let device = freeweights_kernels::cuda::Device::new(ordinal);
    device.map(|device| Arc::new(device) as Arc<dyn Gpu>).map_err(|error| error.to_string())
}

#[cfg(not(feature = "cuda"))]
fn open_kernels(_ordinal: usize) -> Result<Arc<dyn Gpu>, String> {
    Err("this build has no CUDA; build with `cargo build --release --features cuda`".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_that_is_not_there_says_what_to_do() {
        assert!(open_device("cpu").is_ok());
        let error = open_device("tpu").unwrap_err().to_string();
        assert!(error.contains("known devices are cpu, cuda:N and metal"), "{error}");
        assert!(open_device("cuda:x").is_err());
        if !cfg!(feature = "cuda") {
            let error = open_device("cuda:0").unwrap_err().to_string();
            assert!(error.contains("--features cuda"), "{error}");
        }
    }
}
