//! Products of quantised weights and activations: most of what a model does.
//!
//! - [`formats`]: the blocks of GGUF files; [`dequantise`](fn@dequantise) makes numbers of them.
//! - [`PackedMatrix`]: weights in the order in which kernels read them, made once at load.
//! - [`QuantisedRows`]: activations in eight bits.
//! - [`multiply`](fn@multiply): the product, on one thread or on a [`Pool`](crate::pool::Pool).
//!
//! The arithmetic is in integers within a block of 32 columns, exact on every instruction set, and
//! in f32 across blocks; instruction sets differ in the rounding of the latter only. The exception
//! is [`Isa::Amx`](crate::isa::Isa::Amx) for many rows of activations: bf16, nearer to exact.
//!
//! # What is not here
//!
//! Weights in floating point, attention, and anything that knows of a model.

mod activations;
#[cfg(target_arch = "x86_64")]
mod amx;
#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod dequantise;
pub mod formats;
mod half;
mod lines;
mod multiply;
mod packed;
mod reference;
#[cfg(test)]
mod testing;

use self::dequantise::Affine;

pub use self::activations::QuantisedRows;
pub use self::dequantise::dequantise;
pub use self::formats::Format;
pub use self::half::F16;
pub use self::multiply::{Output, multiply, multiply_on, multiply_panels};
pub use self::packed::{PANEL, PackError, PackedMatrix};
