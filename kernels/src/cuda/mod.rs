//! Kernels for NVIDIA GPUs, and what calls them.
//!
//! - [`Gpu`]: a place where kernels run: an NVIDIA GPU (`Device`, under the feature `cuda`), or
//!   this CPU ([`Emulation`]), which runs the same sources for tests.
//! - [`steps`]: each step of a model as one call: it chooses the shape of the launch.
//! - [`parity`]: every kernel beside its slow twin, over odd shapes, for either place.
//! - `measure_ceilings`: what a GPU could do at best, under the feature `cuda`.
//!
//! The sources are in `kernels/cuda`; nvcc compiles them under the feature, and nothing does without.
//!
//! # What is not here
//!
//! Any model, and the order in which its steps come.

#[cfg(feature = "cuda")]
mod ceilings;
#[cfg(feature = "cuda")]
mod device;
#[cfg(all(feature = "cuda", unix))]
mod driver;
mod emulation;
mod gpu;
pub mod parity;
#[cfg(feature = "cuda")]
mod products;
mod reference;
pub mod steps;
#[cfg(test)]
mod tests;

#[cfg(feature = "cuda")]
pub use self::ceilings::{DeviceCeilings, measure_ceilings};
#[cfg(feature = "cuda")]
pub use self::device::Device;
pub use self::emulation::{Emulation, NoCompiler};
pub use self::gpu::{
    Arguments, BlockProduct, Buffer, Gpu, GpuError, NumberType, Place, Product, Recording,
};
