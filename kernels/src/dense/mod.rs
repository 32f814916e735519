//! Products of floating-point weights and activations.
//!
//! - [`DenseMatrix`]: weights in bf16, f16 or f32, in the order in which kernels read them.
//! - [`Rows`]: activations in f32, or in bf16 as matrix tiles take them ([`Activations`](crate::matrix::Activations)).
//! - [`multiply`](fn@multiply): the product.
//!
//! Weights are widened to f32, which is exact, and sums are f32. The exception is
//! [`Isa::Amx`](crate::isa::Isa::Amx) for many rows of activations and weights in bf16: there the
//! activations are rounded to bf16 too.
//!
//! # What is not here
//!
//! Quantised weights (see [`crate::matrix`]), threads, and anything that knows of a model.

#[cfg(target_arch = "x86_64")]
mod amx;
#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod float;
mod multiply;
mod panel;
mod reference;
mod rows;
#[cfg(test)]
pub(crate) mod testing;
mod weights;

pub use self::float::Float;
pub use self::multiply::{multiply, multiply_panels, multiply_rows};
pub use self::panel::DensePanelMut;
pub use self::rows::Rows;
pub use self::weights::DenseMatrix;
