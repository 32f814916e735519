//! Every kernel of `kernels/cuda` beside its slow twin, over odd shapes.
//!
//! The same cases run on a device and, where tests run, on the emulation: what passes there and
//! fails on a device is a matter of the device.
//!
//! # Accuracy
//! The measure is the normalised mean squared error. What is rounded to bf16 is off by up to 2^-8 of
//! a number just above a power of two, evenly: (2^-8)^2 / 3 = 5.1e-6 if all were such numbers, and
//! about half of that of numbers as they come.
//!
//! Not here: products by a vendor's library, but for one case each that finds swapped sides.

mod attention;
mod small;

use super::gpu::{Buffer, Gpu, GpuError, Place};
use super::reference::{bf16_bytes, f32_bytes, nmse, u32_bytes};
use std::fmt;
use std::sync::Arc;

/// Error of one rounding to bf16, and little more.
const ROUNDED: f64 = 5.2e-6;

/// Error of sums in f32.
const SUMMED: f64 = 1e-11;

/// How large the cases are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sizes {
    /// Small enough for the emulation: some seconds.
    Small,
    /// Those, and shapes of real models.
    Real,
}

/// What came of one case.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// The kernel.
    pub kernel: &'static str,
    /// Its shape.
    pub shape: String,
    /// Normalised mean squared error against the twin; may be no number.
    pub error: f64,
    /// What it must not exceed.
    pub bound: f64,
}

impl Outcome {
    /// Whether the kernel is right.
    #[must_use]
    pub fn good(&self) -> bool {
        self.error <= self.bound
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = if self.good() { "good" } else { "WRONG" };
        let Self { kernel, shape, error, bound } = self;
        write!(f, "{verdict:<5} {kernel:<16} {error:>8.1e} of {bound:.0e}  {shape}")
    }
}

/// Runs all cases; `each` hears of every one as it ends.
///
/// # Errors
/// [`GpuError`] of the device.
pub fn run(
    gpu: &Arc<dyn Gpu>,
    sizes: Sizes,
    each: &mut dyn FnMut(&Outcome),
) -> Result<Vec<Outcome>, GpuError> {
    let mut bench = Bench { gpu, sizes, outcomes: Vec::new(), each };
    small::norms(&mut bench)?;
    small::gates(&mut bench)?;
    small::types(&mut bench)?;
    small::embeddings(&mut bench)?;
    small::picks(&mut bench)?;
    small::fills(&mut bench)?;
    small::matvecs(&mut bench)?;
    small::products(&mut bench)?;
    small::block_products(&mut bench)?;
    attention::ropes(&mut bench)?;
    attention::attentions(&mut bench)?;
    Ok(bench.outcomes)
}

/// Where cases run and what came of them.
struct Bench<'a> {
    gpu: &'a Arc<dyn Gpu>,
    sizes: Sizes,
    outcomes: Vec<Outcome>,
    each: &'a mut dyn FnMut(&Outcome),
}

impl Bench<'_> {
    fn gpu(&self) -> &dyn Gpu {
        self.gpu.as_ref()
    }

    /// The shapes of this run: a few, and more on a device.
    fn shapes<T: Copy>(&self, small: &[T], real: &[T]) -> Vec<T> {
        match self.sizes {
            Sizes::Small => small.to_vec(),
            Sizes::Real => [small, real].concat(),
        }
    }

    fn bf16(&self, numbers: &[f32]) -> Result<Buffer, GpuError> {
        Buffer::of(self.gpu, &bf16_bytes(numbers))
    }

    fn f32(&self, numbers: &[f32]) -> Result<Buffer, GpuError> {
        Buffer::of(self.gpu, &f32_bytes(numbers))
    }

    fn u32(&self, numbers: &[u32]) -> Result<Buffer, GpuError> {
        Buffer::of(self.gpu, &u32_bytes(numbers))
    }

    /// Room for numbers of so many bytes each, every bit set: what is not written stays no number.
    fn poisoned(&self, count: usize, bytes: usize) -> Result<Buffer, GpuError> {
        Buffer::of(self.gpu, &vec![0xff; count * bytes])
    }

    fn judge(&mut self, kernel: &'static str, shape: String, (error, bound): (f64, f64)) {
        let outcome = Outcome { kernel, shape, error, bound };
        (self.each)(&outcome);
        self.outcomes.push(outcome);
    }

    /// Compares a buffer of bf16 with what it should hold.
    fn compare_bf16(
        &mut self,
        kernel: &'static str,
        shape: String,
        out: &Buffer,
        exact: &[f64],
    ) -> Result<(), GpuError> {
        let error = nmse(&read_bf16(out)?, exact);
        self.judge(kernel, shape, (error, ROUNDED));
        Ok(())
    }

    /// Compares a buffer of f32 with what it should hold.
    fn compare_f32(
        &mut self,
        kernel: &'static str,
        shape: String,
        out: &Buffer,
        exact: &[f64],
    ) -> Result<(), GpuError> {
        let error = nmse(&read_f32(out)?, exact);
        self.judge(kernel, shape, (error, SUMMED));
        Ok(())
    }

    /// 0 where what is compared bit by bit is equal, and no number where it is not.
    fn compare_bits<T: PartialEq>(
        &mut self,
        kernel: &'static str,
        shape: String,
        found: &[T],
        expected: &[T],
    ) {
        let error = if found == expected { 0.0 } else { f64::NAN };
        self.judge(kernel, shape, (error, 0.0));
    }
}

fn read_bytes(buffer: &Buffer) -> Result<Vec<u8>, GpuError> {
    let mut bytes = vec![0; buffer.bytes()];
    buffer.read(0, &mut bytes)?;
    Ok(bytes)
}

fn read_bf16(buffer: &Buffer) -> Result<Vec<f32>, GpuError> {
    let number = |pair: &[u8; 2]| f32::from_bits(u32::from_le_bytes([0, 0, pair[0], pair[1]]));
    Ok(read_bytes(buffer)?.as_chunks::<2>().0.iter().map(number).collect())
}

fn read_f32(buffer: &Buffer) -> Result<Vec<f32>, GpuError> {
    Ok(read_bytes(buffer)?.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect())
}

fn read_u32(buffer: &Buffer) -> Result<Vec<u32>, GpuError> {
    Ok(read_bytes(buffer)?.as_chunks::<4>().0.iter().map(|b| u32::from_le_bytes(*b)).collect())
}

/// What steps take for "there is none".
const NONE: Place = Place::NONE;

fn exact(numbers: &[f32]) -> Vec<f64> {
    numbers.iter().copied().map(f64::from).collect()
}
