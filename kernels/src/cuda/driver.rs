//! Opening NVIDIA's libraries when a GPU is asked for.
//!
//! A program that was linked without them (`scripts/cuda-toolkit` says how) looks each function up at
//! its first call, among the libraries that are open then; so it starts on any machine. One that was
//! linked with them has them open, and opening them again does nothing.
//!
//! Not here: which GPU.

use super::gpu::GpuError;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::sync::OnceLock;

unsafe extern "C" {
    fn dlopen(name: *const c_char, flags: c_int) -> *mut c_void;
    fn dlerror() -> *mut c_char;
}

/// Its functions are looked up when they are called, and whoever looks for one finds it.
const LAZY_AND_GLOBAL: c_int = 1 | 0x100;

/// What the toolkit brings, in the order in which they need each other, by the names of its versions.
const LIBRARIES: [&[&CStr]; 4] = [
    &[c"libcublasLt.so.13", c"libcublasLt.so.12"],
    &[c"libcublas.so.13", c"libcublas.so.12"],
    &[c"libcurand.so.10"],
    &[c"libnvrtc.so.13", c"libnvrtc.so.12"],
];

/// Opens the driver and the libraries.
///
/// # Errors
/// [`GpuError::Failed`] naming what is missing.
pub(super) fn open() -> Result<(), GpuError> {
    static OPENED: OnceLock<Result<(), GpuError>> = OnceLock::new();
    OPENED.get_or_init(open_all).clone()
}

fn open_all() -> Result<(), GpuError> {
    open_one(&[c"libcuda.so.1"]).map_err(|reason| {
        GpuError::failed("no NVIDIA driver here", format!("{reason}; use --device cpu"))
    })?;
    for names in LIBRARIES {
        open_one(names).map_err(|reason| {
            let advice = "put the folders of CUDA 13's libraries into LD_LIBRARY_PATH";
            GpuError::failed("a CUDA library is missing", format!("{reason}; {advice}"))
        })?;
    }
    Ok(())
}

/// The first of these names that opens; else what is said of the first.
fn open_one(names: &[&CStr]) -> Result<(), String> {
    let mut first = None;
    for name in names {
        // SAFETY: the name ends in 0. Constructors of NVIDIA's libraries run, and nothing else; they
        // stay open to the end.
        let (opened, error) = unsafe {
            let opened = !dlopen(name.as_ptr(), LAZY_AND_GLOBAL).is_null();
            let error = if opened { std::ptr::null_mut() } else { dlerror() };
            (opened, error)
        };
        if opened {
            return Ok(());
        }
        if !error.is_null() && first.is_none() {
            // SAFETY: a message ends in 0, and stays until the next call of these functions here.
            first = Some(unsafe { CStr::from_ptr(error) }.to_string_lossy().into_owned());
        }
    }
    Err(first.unwrap_or_else(|| "no such library".into()))
}
