//! What makes inference fast, and probes of what the machine could do.
//!
//! - [`isa`]: which instruction sets this CPU has, found at run time. No build flag is needed: fast
//!   code is compiled for its own instruction set and entered only after the CPU was asked.
//! - [`ceilings`]: how fast this machine can read memory and multiply, measured in this process.
//! - [`matrix`]: products of quantised weights and activations.
//! - [`pool`]: threads for loops that are over in microseconds.
//!
//! Every fast inner loop sits beside a slow, obvious reference twin, and a test asserts them
//! together.
//!
//! # What is not here
//!
//! No model, no tokenizer, no KV cache, and no timing of any model: the ceilings are what a model's
//! time is later divided by.

pub mod ceilings;
pub mod isa;
pub mod matrix;
pub mod pool;
