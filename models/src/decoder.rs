//! What every engine that runs in this process gives: tokens in, logits out.

use crate::error::ModelError;
use crate::spec::ModelSpec;

/// Memory a decoder holds, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MemoryUse {
    /// All weights, in the type the engine computes with.
    pub weights: u64,
    /// The part of them that one decode step reads whole.
    pub weights_per_step: u64,
    /// The KV cache as filled now.
    pub kv_cache: u64,
    /// Buffers the engine keeps beside both; 0 where it allocates as it goes.
    pub workspace: u64,
}

/// A model that reads token ids and gives logits, one batch of sequences at a time.
///
/// The sequences of a batch step together. A decoder starts empty; [`prefill`](Self::prefill)
/// appends whole prompts (again, behind what is there), [`step`](Self::step) one token each. The
/// logits of the last position stay inside until the next call, so that an engine on a device need
/// not copy them out to pick a token.
pub trait Decoder: Send {
    /// The shape of the model.
    fn spec(&self) -> &ModelSpec;

    /// Most tokens a sequence can have in this engine: the model's context or less.
    fn max_context(&self) -> usize;

    /// Data type of the KV cache, as in `f32`.
    fn kv_dtype(&self) -> &'static str;

    /// Bytes that one token of one sequence adds to the KV cache.
    fn kv_bytes_per_token(&self) -> u64;

    /// Tokens that each sequence has in the KV cache.
    fn depth(&self) -> usize;

    /// Forgets all sequences.
    ///
    /// # Errors
    /// [`ModelError`] of the engine.
    fn reset(&mut self) -> Result<(), ModelError>;

    /// Appends a prompt to each sequence; the first call after a reset fixes the batch.
    ///
    /// # Shapes
    /// `prompts`: `batch` slices of token ids.
    ///
    /// # Errors
    /// [`ModelError::BeyondContext`] where a sequence would grow beyond [`max_context`](Self::max_context);
    /// [`ModelError::BadCall`] for a batch the engine cannot take.
    fn prefill(&mut self, prompts: &[&[u32]]) -> Result<(), ModelError>;

    /// Appends one token to each sequence.
    ///
    /// # Shapes
    /// `tokens`: `batch` token ids.
    ///
    /// # Errors
    /// As [`prefill`](Self::prefill).
    fn step(&mut self, tokens: &[u32]) -> Result<(), ModelError>;

    /// The likeliest next token of each sequence into `picked`.
    ///
    /// # Errors
    /// [`ModelError::BadCall`] before the first prefill.
    fn greedy(&mut self, picked: &mut Vec<u32>) -> Result<(), ModelError>;

    /// The logits of the last position, `batch` rows of `vocab` numbers.
    ///
    /// # Errors
    /// [`ModelError::BadCall`] before the first prefill.
    fn logits(&self) -> Result<Vec<Vec<f32>>, ModelError>;

    /// Waits until the device has done all it was given. Nothing to do on a CPU.
    ///
    /// # Errors
    /// [`ModelError`] of the device.
    fn synchronize(&self) -> Result<(), ModelError>;

    /// What it holds now.
    fn memory(&self) -> MemoryUse;
}
