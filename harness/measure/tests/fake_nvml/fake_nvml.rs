//! A library with the functions of NVML that freeweights calls, for two GPUs that do not exist: what
//! is called through a real loader is tested without a driver.
//!
//! The first GPU tells everything; the second, an old one, knows neither its energy nor its links.
//! Every reading of energy is 1.5 J above the last.

use std::ffi::{c_char, c_int, c_uint, c_ulonglong, c_void};
use std::sync::atomic::{AtomicU64, Ordering};

const OK: c_int = 0;
const INVALID_ARGUMENT: c_int = 2;
const NOT_SUPPORTED: c_int = 3;

/// GPU 0 has handle 1.
fn is_first(device: *mut c_void) -> bool {
    device as usize == 1
}

/// # Safety
/// `out` points to a value.
unsafe fn tell<T>(out: *mut T, value: T) -> c_int {
    // SAFETY: the caller answers for it.
    unsafe { out.write(value) };
    OK
}

/// # Safety
/// `buffer` has room for `length` characters.
unsafe fn write(buffer: *mut c_char, length: c_uint, text: &str) -> c_int {
    if text.len() >= length as usize {
        return 7; // insufficient size
    }
    for (at, byte) in text.bytes().chain([0]).enumerate() {
        // SAFETY: the text and its zero fit, as was checked.
        unsafe { buffer.add(at).write(c_char::from_ne_bytes([byte])) };
    }
    OK
}

#[unsafe(no_mangle)]
extern "C" fn nvmlInit_v2() -> c_int {
    OK
}

#[unsafe(no_mangle)]
extern "C" fn nvmlShutdown() -> c_int {
    OK
}

macro_rules! functions {
    ($($name:ident($device:ident $(, $what:ident: $kind:ty)*; $out:ident: $of:ty) = $answer:expr;)+) => {$(
        /// As in nvml.h.
        ///
        /// # Safety
        /// `$out` points to a value.
        #[unsafe(no_mangle)]
        unsafe extern "C" fn $name($device: *mut c_void $(, $what: $kind)*, $out: *mut $of) -> c_int {
            let answer: Option<$of> = $answer;
            // SAFETY: the caller answers for it.
            answer.map_or(NOT_SUPPORTED, |answer| unsafe { tell($out, answer) })
        }
    )+};
}

#[repr(C)]
struct Memory {
    total: c_ulonglong,
    free: c_ulonglong,
    used: c_ulonglong,
}

static MILLIJOULES: AtomicU64 = AtomicU64::new(7_000_000);

functions! {
    nvmlDeviceGetTotalEnergyConsumption(device; out: c_ulonglong) =
        is_first(device).then(|| MILLIJOULES.fetch_add(1_500, Ordering::Relaxed));
    nvmlDeviceGetPowerUsage(device; out: c_uint) =
        Some(if is_first(device) { 345_600 } else { 61_500 });
    nvmlDeviceGetPowerManagementLimit(device; out: c_uint) = is_first(device).then_some(700_000);
    nvmlDeviceGetMemoryInfo(device; out: Memory) = {
        let total = if is_first(device) { 150_000_000_000 } else { 4_000_000_000 };
        Some(Memory { total, free: total - 1_000_000, used: 1_000_000 })
    };
    nvmlDeviceGetTemperature(device, sensor: c_uint; out: c_uint) =
        (sensor == 0).then_some(if is_first(device) { 41 } else { 55 });
    nvmlDeviceGetClockInfo(device, clock: c_uint; out: c_uint) =
        (clock == 1).then_some(if is_first(device) { 1_980 } else { 1_400 });
    nvmlDeviceGetCurrentClocksThrottleReasons(device; out: c_ulonglong) =
        Some(if is_first(device) { 0x1 } else { 0x4 | 0x20 });
    nvmlDeviceGetCurrPcieLinkGeneration(device; out: c_uint) = is_first(device).then_some(4);
    nvmlDeviceGetMaxPcieLinkGeneration(device; out: c_uint) = is_first(device).then_some(5);
    nvmlDeviceGetCurrPcieLinkWidth(_device; out: c_uint) = Some(8);
    nvmlDeviceGetMaxPcieLinkWidth(_device; out: c_uint) = Some(16);
    nvmlDeviceGetNvLinkState(device, link: c_uint; out: c_uint) =
        (is_first(device) && link < 4).then_some(c_uint::from(link != 2));
}

/// As in nvml.h.
///
/// # Safety
/// `count` points to a value.
#[unsafe(no_mangle)]
unsafe extern "C" fn nvmlDeviceGetCount_v2(count: *mut c_uint) -> c_int {
    // SAFETY: the caller answers for it.
    unsafe { tell(count, 2) }
}

/// As in nvml.h.
///
/// # Safety
/// `device` points to a handle.
#[unsafe(no_mangle)]
unsafe extern "C" fn nvmlDeviceGetHandleByIndex_v2(
    index: c_uint,
    device: *mut *mut c_void,
) -> c_int {
    if index > 1 {
        return INVALID_ARGUMENT;
    }
    // SAFETY: the caller answers for it.
    unsafe { tell(device, std::ptr::without_provenance_mut(index as usize + 1)) }
}

/// As in nvml.h.
///
/// # Safety
/// `name` has room for `length` characters.
#[unsafe(no_mangle)]
unsafe extern "C" fn nvmlDeviceGetName(
    device: *mut c_void,
    name: *mut c_char,
    length: c_uint,
) -> c_int {
    // SAFETY: the caller answers for it.
    unsafe { write(name, length, if is_first(device) { "NVIDIA H200" } else { "Quadro P1000" }) }
}

/// As in nvml.h.
///
/// # Safety
/// `uuid` has room for `length` characters.
#[unsafe(no_mangle)]
unsafe extern "C" fn nvmlDeviceGetUUID(
    device: *mut c_void,
    uuid: *mut c_char,
    length: c_uint,
) -> c_int {
    // SAFETY: the caller answers for it.
    unsafe { write(uuid, length, if is_first(device) { "GPU-aa11" } else { "GPU-bb22" }) }
}

/// As in nvml.h.
///
/// # Safety
/// `version` has room for `length` characters.
#[unsafe(no_mangle)]
unsafe extern "C" fn nvmlSystemGetDriverVersion(version: *mut c_char, length: c_uint) -> c_int {
    // SAFETY: the caller answers for it.
    unsafe { write(version, length, "570.86.15") }
}

/// As in nvml.h.
///
/// # Safety
/// `version` points to a value.
#[unsafe(no_mangle)]
unsafe extern "C" fn nvmlSystemGetCudaDriverVersion_v2(version: *mut c_int) -> c_int {
    // SAFETY: the caller answers for it.
    unsafe { tell(version, 12_080) }
}
