//! From `cpu`, `cuda:0`, `metal` to a device.

use crate::error::ModelError;
use candle_core::Device;

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
        "cuda" => Device::new_cuda(ordinal)
            .map_err(|error| failed(format!("{error}; `nvidia-smi` lists the GPUs there are"))),
        "metal" => Device::new_metal(ordinal).map_err(|error| failed(error.to_string())),
        _ => Err(failed("known devices are cpu, cuda:N and metal".into())),
    }
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
