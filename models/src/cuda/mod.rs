//! The fused engine on a GPU: llama-like models on the kernels of `freeweights_kernels::cuda`.
//!
//! Activations are bf16, the residual stream and logits f32. A few rows of bf16 weights go through a
//! matrix-vector kernel, many through the vendor's library, quantised ones through candle's kernels.
//! A step is recorded once and repeated in one call; the likeliest tokens are picked on the GPU, and
//! become its next input there.
//!
//! It runs on any [`Gpu`](freeweights_kernels::cuda::Gpu): tests run it on the emulation.
//!
//! Not here: experts, latent attention, and what else [`CudaDecoder::takes`] says no to.

mod cache;
mod check;
mod decoder;
mod pass;
mod read;
mod step;
mod takes;
#[cfg(test)]
mod tests;
mod weights;
mod workspace;

pub use decoder::CudaDecoder;
