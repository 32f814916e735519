//! What makes inference fast, and probes of what the machine could do.
//!
//! - [`isa`]: which instruction sets this CPU has, found at run time. No build flag is needed: fast
//!   code is compiled for its own instruction set and entered only after the CPU was asked.
//! - [`ceilings`]: how fast this machine can read memory and multiply, measured in this process.
//! - [`matrix`]: products of quantised weights and activations.
//! - [`dense`]: products of floating-point weights and activations; [`weights`]: of either.
//! - [`pool`]: threads for loops that are over in microseconds; [`team`]: the phases they go through
//!   together; [`shared`]: the numbers they write in turns.
//! - [`attention`]: a cache of keys and values, and attention over it.
//! - [`norm`], [`rope`], [`gate`]: the small steps between products.
//! - [`cuda`]: the same steps on NVIDIA GPUs.
//!
//! Every fast inner loop sits beside a slow, obvious reference twin, and a test asserts them
//! together.
//!
//! # What is not here
//!
//! No model, no tokenizer, and no timing of any model: the ceilings are what a model's
//! time is later divided by.

pub mod attention;
pub mod ceilings;
pub mod cuda;
pub mod dense;
#[cfg(target_arch = "x86_64")]
mod exp;
pub mod gate;
pub mod isa;
pub mod matrix;
pub mod norm;
mod pinning;
pub mod pool;
pub mod rope;
pub mod shared;
pub mod team;
pub mod weights;
