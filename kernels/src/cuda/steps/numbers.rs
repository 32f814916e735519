//! Changes of type, and weights that are made up.
//!
//! Not here: steps that compute.
//!
//! # Safety
//!
//! As in [`super`].

use crate::cuda::gpu::{Arguments, Gpu, GpuError, Place};

/// `count` numbers, an even count, from bf16 to f32.
///
/// # Safety
/// See the module.
///
/// # Errors
/// [`GpuError`] of the device.
pub unsafe fn widen(gpu: &dyn Gpu, [from, to]: [Place; 2], count: usize) -> Result<(), GpuError> {
    let arguments = Arguments::new().place(from).place(to).long(count as u64);
    // SAFETY: as the caller vouches.
    unsafe { gpu.launch("widen", [count.div_ceil(512), 1, 1], 256, arguments) }
}

/// `count` numbers, an even count, from f32 to bf16.
///
/// # Safety
/// See the module.
///
/// # Errors
/// [`GpuError`] of the device.
pub unsafe fn narrow(gpu: &dyn Gpu, [from, to]: [Place; 2], count: usize) -> Result<(), GpuError> {
    let arguments = Arguments::new().place(from).place(to).long(count as u64);
    // SAFETY: as the caller vouches.
    unsafe { gpu.launch("narrow", [count.div_ceil(512), 1, 1], 256, arguments) }
}

/// Blocks that keep a GPU filling memory.
const FILLING: usize = 4096;

/// Made-up weights: even numbers between `-most` and `most`, in bf16; `count` a multiple of 4.
///
/// # Safety
/// See the module.
///
/// # Errors
/// [`GpuError`] of the device.
pub unsafe fn fill_numbers(
    gpu: &dyn Gpu,
    out: Place,
    count: usize,
    seed: u64,
    most: f32,
) -> Result<(), GpuError> {
    let arguments = Arguments::new().place(out).long(count as u64).long(seed).float(most);
    let blocks = count.div_ceil(4 * 256).clamp(1, FILLING);
    // SAFETY: as the caller vouches.
    unsafe { gpu.launch("fill_numbers", [blocks, 1, 1], 256, arguments) }
}

/// Two bytes of a block, by their place, that are not made up: the bits of an f16.
pub type Fixed = (usize, u16);

/// Made-up blocks of `size` bytes: random bits, but for a scale and perhaps a minimum.
///
/// # Safety
/// See the module; there are `count` blocks.
///
/// # Errors
/// [`GpuError`] of the device.
pub unsafe fn fill_blocks(
    gpu: &dyn Gpu,
    out: Place,
    [count, size]: [usize; 2],
    seed: u64,
    scale: Fixed,
    minimum: Option<Fixed>,
) -> Result<(), GpuError> {
    let halves = count * size / 2;
    let (least_at, least) =
        minimum.map_or((-1, 0), |(at, bits)| (i32::try_from(at).unwrap_or(-1), i32::from(bits)));
    let arguments = Arguments::new()
        .place(out)
        .long(halves as u64)
        .long(seed)
        .int(size)
        .int(scale.0)
        .signed(i32::from(scale.1))
        .signed(least_at)
        .signed(least);
    let blocks = halves.div_ceil(256).clamp(1, FILLING);
    // SAFETY: as the caller vouches.
    unsafe { gpu.launch("fill_blocks", [blocks, 1, 1], 256, arguments) }
}
