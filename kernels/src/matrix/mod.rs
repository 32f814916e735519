//! Products of quantised weights and activations: most of what a model does.
//!
//! - [`formats`]: the blocks of GGUF files; [`dequantise`](fn@dequantise) makes numbers of them.
//! - [`PackedMatrix`]: weights in the order in which kernels read them, made once at load.
//! - [`Activations`]: activations in eight bits, bf16 or f32.
//! - [`multiply`](fn@multiply): the product, on one thread or on a [`Pool`](crate::pool::Pool).
//!
//! The arithmetic is in integers within a block of 32 columns, exact on every instruction set, and
//! in f32 across blocks; instruction sets differ in the rounding of the latter only. The exception
//! is [`Isa::Amx`](crate::isa::Isa::Amx) for many rows of activations: bf16, nearer to exact.
//!
//! # What is not here
//!
//! Weights in floating point, attention, and anything that knows of a model.

pub(crate) mod activations;
#[cfg(target_arch = "x86_64")]
pub(crate) mod amx;
#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
pub(crate) mod avx512;
pub(crate) mod bf16;
mod dequantise;
pub mod formats;
mod half;
pub(crate) mod lines;
mod multiply;
mod output;
mod pack;
mod packed;
pub(crate) mod quantise;
mod record;
mod reference;
#[cfg(test)]
pub(crate) mod testing;

pub use self::activations::{Activations, Forms};
pub use self::bf16::round_to_bf16;
pub use self::dequantise::dequantise;
pub use self::formats::Format;
pub use self::half::F16;
pub use self::multiply::{multiply, multiply_on, multiply_panels, multiply_rows};
pub use self::output::Output;
pub use self::pack::{PackError, PanelMut};
pub use self::packed::{PANEL, PackedMatrix};
