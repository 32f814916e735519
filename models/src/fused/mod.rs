//! The `fused` engine: the llama shape and its variations on kernels of our own.
//!
//! Weights are packed once at load ([`weights`]); every buffer is made once ([`workspace`]); a pass
//! is one program that all threads run together ([`pass`]), so a token costs one call of the pool:
//! no lock within it, and no allocation once a shape is warm.
//!
//! Not here: the arithmetic, which is in `freeweights-kernels`.

mod decoder;
mod largest;
mod pass;
mod plan;
mod profile;
mod ropes;
mod routing_memory;
mod weights;
mod workspace;

pub use decoder::{FusedDecoder, FusedOptions};
