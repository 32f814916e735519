//! `NVIDIA`'s management library, loaded at run time where there is one.
//!
//! Twenty functions of a stable C interface, most of the form (device, out) or (device, what, out); a
//! binding crate would bring all of them. Which GPU is meant, and what the answers mean
//! for energy, is not here (`gpu`).
//!
//! # Source
//! nvml.h of CUDA 12; numbers of enumerations as there.

use super::Gpus;
use freeweights_record::host::Gpu;
use freeweights_record::units::{Bytes, Celsius, Joules, Megahertz, Watts};
use libloading::Library;
use std::ffi::{CStr, c_char, c_int, c_uint, c_void};
use std::path::Path;
use thiserror::Error;

/// `nvmlTemperatureSensors_t`: the chip.
const CHIP: c_uint = 0;
/// `nvmlClockType_t`: the multiprocessors.
const MULTIPROCESSORS: c_uint = 1;
/// `NVML_NVLINK_MAX_LINKS`.
const MOST_LINKS: c_uint = 18;
/// `NVML_DEVICE_NAME_V2_BUFFER_SIZE`, the largest of the buffers for text.
const LONGEST: c_uint = 96;
type Buffer = [c_char; LONGEST as usize];

type Handle = *mut c_void;

/// Why the library cannot be asked.
#[derive(Debug, Error)]
pub enum NvmlError {
    /// There is none: no driver, or a container without it.
    #[error("no energy of the GPU: {library} cannot be loaded ({reason})")]
    Missing {
        /// The library.
        library: String,
        /// What the loader says.
        reason: String,
    },
    /// It refuses.
    #[error("no energy of the GPU: {function} fails with {code}; see whether nvidia-smi works")]
    Refused {
        /// The function.
        function: &'static str,
        /// `nvmlReturn_t`.
        code: c_int,
    },
}

/// The library, with a handle for each GPU.
#[derive(Debug)]
pub struct Nvml {
    library: Library,
    devices: Vec<Handle>,
}

// SAFETY: NVML may be called from any thread at any time (its documentation: "The NVML library is
// thread-safe"), and a handle is a name that only it looks behind.
unsafe impl Send for Nvml {}
// SAFETY: as above.
unsafe impl Sync for Nvml {}

/// `nvmlMemory_t`.
#[repr(C)]
#[derive(Debug, Default)]
struct Memory {
    total: u64,
    free: u64,
    used: u64,
}

impl Nvml {
    /// Loads the library under the name that drivers give it.
    ///
    /// # Errors
    /// [`NvmlError`]; a machine without `NVIDIA`'s driver has none.
    pub fn open() -> Result<Self, NvmlError> {
        let name = if cfg!(windows) { "nvml.dll" } else { "libnvidia-ml.so.1" };
        Self::at(Path::new(name))
    }

    /// Loads the library at a path.
    ///
    /// # Errors
    /// As [`Nvml::open`].
    pub fn at(path: &Path) -> Result<Self, NvmlError> {
        // SAFETY: the driver's own library, or the path that a caller has chosen, is code that may
        // run here; its constructors do nothing but prepare itself.
        let library = unsafe { Library::new(path) }.map_err(|error| NvmlError::Missing {
            library: path.display().to_string(),
            reason: error.to_string(),
        })?;
        let mut nvml = Self { library, devices: Vec::new() };
        nvml.command("nvmlInit_v2", c"nvmlInit_v2")?;
        nvml.devices = nvml.handles()?;
        Ok(nvml)
    }

    /// Calls a function without arguments.
    fn command(&self, function: &'static str, symbol: &CStr) -> Result<(), NvmlError> {
        // SAFETY: `nvmlReturn_t f(void)` is how nvml.h declares both functions called so.
        let code = unsafe {
            match self.library.get::<unsafe extern "C" fn() -> c_int>(symbol) {
                Ok(call) => call(),
                Err(error) => {
                    let (library, reason) = (function.to_owned(), error.to_string());
                    return Err(NvmlError::Missing { library, reason });
                }
            }
        };
        if code == 0 { Ok(()) } else { Err(NvmlError::Refused { function, code }) }
    }

    fn handles(&self) -> Result<Vec<Handle>, NvmlError> {
        let refused = |function| move |code| NvmlError::Refused { function, code };
        let mut count: c_uint = 0;
        // SAFETY: `nvmlReturn_t nvmlDeviceGetCount_v2(unsigned int *)`, and `count` outlives the call.
        unsafe {
            self.call::<unsafe extern "C" fn(*mut c_uint) -> c_int>(
                c"nvmlDeviceGetCount_v2",
                |call| call(&raw mut count),
            )
        }
        .map_err(refused("nvmlDeviceGetCount_v2"))?;
        let of_index = |index: c_uint| {
            let mut handle: Handle = std::ptr::null_mut();
            // SAFETY: `nvmlReturn_t nvmlDeviceGetHandleByIndex_v2(unsigned int, nvmlDevice_t *)`, and
            // `handle` outlives the call.
            unsafe {
                self.call::<unsafe extern "C" fn(c_uint, *mut Handle) -> c_int>(
                    c"nvmlDeviceGetHandleByIndex_v2",
                    |call| call(index, &raw mut handle),
                )
            }
            .map_err(refused("nvmlDeviceGetHandleByIndex_v2"))?;
            Ok(handle)
        };
        (0..count).map(of_index).collect()
    }

    /// Looks a function up and calls it. The code of a missing one is that of
    /// `NVML_ERROR_FUNCTION_NOT_FOUND`.
    ///
    /// # Safety
    /// `F` is the type of the function in nvml.h, and `call` keeps to what it demands.
    unsafe fn call<F>(&self, symbol: &CStr, call: impl FnOnce(&F) -> c_int) -> Result<(), c_int> {
        // SAFETY: the caller answers for the type.
        let Ok(function) = (unsafe { self.library.get::<F>(symbol) }) else { return Err(13) };
        match call(&function) {
            0 => Ok(()),
            code => Err(code),
        }
    }

    fn device(&self, index: u32) -> Option<Handle> {
        self.devices.get(usize::try_from(index).ok()?).copied()
    }

    /// What a function of the form `f(device, out)` says.
    ///
    /// # Safety
    /// `T` is what `out` points to in nvml.h.
    unsafe fn ask<T: Default>(&self, symbol: &CStr, index: u32) -> Option<T> {
        let (device, mut answer) = (self.device(index)?, T::default());
        // SAFETY: the caller answers for the type; `answer` outlives the call.
        unsafe {
            self.call::<unsafe extern "C" fn(Handle, *mut T) -> c_int>(symbol, |call| {
                call(device, &raw mut answer)
            })
        }
        .ok()?;
        Some(answer)
    }

    /// What a function of the form `f(device, what, out)` says, where `out` points to an unsigned int.
    ///
    /// # Safety
    /// The function has that form in nvml.h.
    unsafe fn ask_of(&self, symbol: &CStr, index: u32, what: c_uint) -> Option<c_uint> {
        let (device, mut answer) = (self.device(index)?, 0);
        // SAFETY: the caller answers for the form; `answer` outlives the call.
        unsafe {
            self.call::<unsafe extern "C" fn(Handle, c_uint, *mut c_uint) -> c_int>(
                symbol,
                |call| call(device, what, &raw mut answer),
            )
        }
        .ok()?;
        Some(answer)
    }

    /// Text that a function of the form `f(device, buffer, length)` writes.
    ///
    /// # Safety
    /// The function has that form in nvml.h.
    unsafe fn text_of(&self, symbol: &CStr, index: u32) -> Option<String> {
        let device = self.device(index)?;
        let mut buffer: Buffer = [0; LONGEST as usize];
        // SAFETY: the caller answers for the form; the length is that of the buffer.
        unsafe {
            self.call::<unsafe extern "C" fn(Handle, *mut c_char, c_uint) -> c_int>(
                symbol,
                |call| call(device, buffer.as_mut_ptr(), LONGEST),
            )
        }
        .ok()?;
        Some(text(&buffer))
    }

    fn driver(&self) -> Option<String> {
        let mut buffer: Buffer = [0; LONGEST as usize];
        // SAFETY: `nvmlReturn_t nvmlSystemGetDriverVersion(char *, unsigned int)`, with the length of
        // the buffer.
        unsafe {
            self.call::<unsafe extern "C" fn(*mut c_char, c_uint) -> c_int>(
                c"nvmlSystemGetDriverVersion",
                |call| call(buffer.as_mut_ptr(), LONGEST),
            )
        }
        .ok()?;
        Some(text(&buffer))
    }

    /// 12040 is 12.4.
    fn cuda(&self) -> Option<String> {
        let mut version: c_int = 0;
        // SAFETY: `nvmlReturn_t nvmlSystemGetCudaDriverVersion_v2(int *)`, and `version` outlives it.
        unsafe {
            self.call::<unsafe extern "C" fn(*mut c_int) -> c_int>(
                c"nvmlSystemGetCudaDriverVersion_v2",
                |call| call(&raw mut version),
            )
        }
        .ok()?;
        Some(format!("{}.{}", version / 1_000, version % 1_000 / 10))
    }

    /// A figure that most functions give: `f(device, unsigned int *)`.
    fn number(&self, symbol: &CStr, index: u32) -> Option<u32> {
        // SAFETY: called with names of functions of that form only.
        unsafe { self.ask::<c_uint>(symbol, index) }
    }

    fn links(&self, index: u32) -> Option<u32> {
        let up = |link| {
            // SAFETY: `nvmlReturn_t nvmlDeviceGetNvLinkState(nvmlDevice_t, unsigned int,
            // nvmlEnableState_t *)`, and that enumeration is an unsigned int.
            unsafe { self.ask_of(c"nvmlDeviceGetNvLinkState", index, link) }
        };
        let told: Vec<c_uint> = (0..MOST_LINKS).map_while(up).collect();
        let up = told.iter().filter(|state| **state == 1).count();
        (!told.is_empty()).then_some(up).and_then(|up| u32::try_from(up).ok())
    }

    fn memory(&self, index: u32) -> Option<Memory> {
        // SAFETY: `nvmlReturn_t nvmlDeviceGetMemoryInfo(nvmlDevice_t, nvmlMemory_t *)`.
        unsafe { self.ask::<Memory>(c"nvmlDeviceGetMemoryInfo", index) }
    }
}

/// Text up to its closing zero.
fn text(buffer: &Buffer) -> String {
    let bytes: Vec<u8> =
        buffer.iter().take_while(|byte| **byte != 0).map(|byte| byte.to_ne_bytes()[0]).collect();
    String::from_utf8_lossy(&bytes).into_owned()
}

impl Drop for Nvml {
    fn drop(&mut self) {
        // Nothing more can be done where it fails.
        let _ = self.command("nvmlShutdown", c"nvmlShutdown");
    }
}

impl Gpus for Nvml {
    fn count(&self) -> u32 {
        u32::try_from(self.devices.len()).unwrap_or(u32::MAX)
    }

    fn facts(&self, index: u32) -> Gpu {
        let pair = |now: &CStr, most: &CStr| self.number(now, index).zip(self.number(most, index));
        let watts = |milliwatts: u32| Watts::new(f64::from(milliwatts) / 1e3);
        Gpu {
            index,
            device: None,
            // SAFETY: `nvmlReturn_t nvmlDeviceGetName(nvmlDevice_t, char *, unsigned int)`.
            name: unsafe { self.text_of(c"nvmlDeviceGetName", index) },
            memory_bytes: self.memory(index).map(|memory| Bytes::new(memory.total)),
            power_limit: self.number(c"nvmlDeviceGetPowerManagementLimit", index).map(watts),
            driver: self.driver(),
            cuda: self.cuda(),
            pcie_generation: pair(
                c"nvmlDeviceGetCurrPcieLinkGeneration",
                c"nvmlDeviceGetMaxPcieLinkGeneration",
            ),
            pcie_lanes: pair(c"nvmlDeviceGetCurrPcieLinkWidth", c"nvmlDeviceGetMaxPcieLinkWidth"),
            nvlinks: self.links(index),
        }
    }

    fn uuid(&self, index: u32) -> Option<String> {
        // SAFETY: `nvmlReturn_t nvmlDeviceGetUUID(nvmlDevice_t, char *, unsigned int)`.
        unsafe { self.text_of(c"nvmlDeviceGetUUID", index) }
    }

    fn energy(&self, index: u32) -> Option<Joules> {
        // SAFETY: `nvmlReturn_t nvmlDeviceGetTotalEnergyConsumption(nvmlDevice_t,
        // unsigned long long *)`, in millijoules.
        let millijoules: u64 = unsafe { self.ask(c"nvmlDeviceGetTotalEnergyConsumption", index) }?;
        Some(Joules::new(millijoules as f64 / 1e3))
    }

    fn power(&self, index: u32) -> Option<Watts> {
        let milliwatts = self.number(c"nvmlDeviceGetPowerUsage", index)?;
        Some(Watts::new(f64::from(milliwatts) / 1e3))
    }

    fn memory_used(&self, index: u32) -> Option<Bytes> {
        self.memory(index).map(|memory| Bytes::new(memory.used))
    }

    fn temperature(&self, index: u32) -> Option<Celsius> {
        // SAFETY: `nvmlReturn_t nvmlDeviceGetTemperature(nvmlDevice_t, nvmlTemperatureSensors_t,
        // unsigned int *)`.
        let celsius = unsafe { self.ask_of(c"nvmlDeviceGetTemperature", index, CHIP) }?;
        Some(Celsius::new(f64::from(celsius)))
    }

    fn clock(&self, index: u32) -> Option<Megahertz> {
        // SAFETY: `nvmlReturn_t nvmlDeviceGetClockInfo(nvmlDevice_t, nvmlClockType_t,
        // unsigned int *)`.
        let clock = unsafe { self.ask_of(c"nvmlDeviceGetClockInfo", index, MULTIPROCESSORS) }?;
        Some(Megahertz::new(f64::from(clock)))
    }

    fn throttle(&self, index: u32) -> Option<u64> {
        // SAFETY: `nvmlReturn_t nvmlDeviceGetCurrentClocksThrottleReasons(nvmlDevice_t,
        // unsigned long long *)`.
        unsafe { self.ask(c"nvmlDeviceGetCurrentClocksThrottleReasons", index) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_without_the_driver_says_so() {
        let missing = Nvml::at(Path::new("/nowhere/libnvidia-ml.so.1")).unwrap_err().to_string();
        let start = "no energy of the GPU: /nowhere/libnvidia-ml.so.1 cannot be loaded (";
        assert!(missing.starts_with(start), "{missing}");
    }

    #[test]
    fn memory_is_laid_out_as_in_the_header() {
        assert_eq!(size_of::<Memory>(), 24);
        assert_eq!(std::mem::offset_of!(Memory, used), 16);
    }
}
