//! What every engine that runs in this process gives: tokens in, logits out.

use crate::error::ModelError;
use crate::kv_state::KvState;
use crate::spec::ModelSpec;
use std::time::Duration;

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

    /// Makes room in the KV cache for so many sequences of so many tokens each, so that no growth
    /// falls into a measurement. A hint: engines that allocate as they go do nothing.
    ///
    /// # Errors
    /// [`ModelError`] of the engine.
    fn reserve(&mut self, _sequences: usize, _tokens: usize) -> Result<(), ModelError> {
        Ok(())
    }

    /// Forgets all sequences.
    ///
    /// # Errors
    /// [`ModelError`] of the engine.
    fn reset(&mut self) -> Result<(), ModelError>;

    /// Keeps what is in the KV cache now, to be put back later. `None` where the engine cannot.
    ///
    /// # Errors
    /// [`ModelError`] of the engine.
    fn keep(&mut self) -> Result<Option<KvState>, ModelError> {
        Ok(None)
    }

    /// Puts back what was kept, bit for bit; what is in the KV cache is forgotten. Logits are not
    /// kept: a prefill has to follow.
    ///
    /// # Errors
    /// [`ModelError::BadCall`] for what another engine kept.
    fn restore(&mut self, _state: &KvState) -> Result<(), ModelError> {
        Err(ModelError::BadCall { reason: "this engine keeps no state".into() })
    }

    /// Forgets what each sequence has behind its first `tokens` tokens, and its logits: a prefill has to
    /// follow. `false`, and nothing changes, where a sequence has fewer or the engine cannot.
    ///
    /// # Errors
    /// [`ModelError`] of the engine.
    fn rewind(&mut self, _tokens: usize) -> Result<bool, ModelError> {
        Ok(false)
    }

    /// The share of a layer's experts that the steps since the last prefill read, mean over layers
    /// and steps; `None` without experts or steps, or where the engine does not count.
    fn experts_read(&self) -> Option<f64> {
        None
    }

    /// Bytes of weights that one step of so many sequences reads, of experts this share; without one
    /// the share that is expected of an even router.
    fn weights_per_step(&self, _sequences: usize, _experts_read: Option<f64>) -> u64 {
        self.memory().weights_per_step
    }

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

    /// Logits of every position of one sequence, from an empty cache: `each` gets a position and the
    /// logits behind its token, in order. What was in the cache is forgotten.
    ///
    /// This default takes one step a token; engines with a faster way override it.
    ///
    /// # Errors
    /// As [`prefill`](Self::prefill).
    fn score(
        &mut self,
        tokens: &[u32],
        each: &mut dyn FnMut(usize, &[f32]),
    ) -> Result<(), ModelError> {
        self.reset()?;
        for (position, token) in tokens.iter().enumerate() {
            match position {
                0 => self.prefill(&[&[*token]])?,
                _ => self.step(&[*token])?,
            }
            for row in self.logits()? {
                each(position, &row);
            }
        }
        Ok(())
    }

    /// Waits until the device has done all it was given. Nothing to do on a CPU.
    ///
    /// # Errors
    /// [`ModelError`] of the device.
    fn synchronize(&self) -> Result<(), ModelError>;

    /// What it holds now.
    fn memory(&self) -> MemoryUse;

    /// Checks the kernels for as many rows as this batch has against slow ones, in little time: the
    /// normalised mean squared error between them, which may be no number. `None` for engines that
    /// have nothing to check. Forgets all sequences.
    ///
    /// # Errors
    /// [`ModelError`] of the engine.
    fn check(&mut self, _batch: usize) -> Result<Option<f64>, ModelError> {
        Ok(None)
    }

    /// What its user should know of how it runs, where that is not as it should be.
    fn notes(&self) -> Vec<String> {
        Vec::new()
    }

    /// Starts to count where the time goes, from nothing, or stops. Engines that cannot do nothing.
    fn set_profiling(&mut self, _on: bool) {}

    /// Each operation and the time spent in it since profiling was switched on; empty without.
    fn profile(&self) -> Vec<(&'static str, Duration)> {
        Vec::new()
    }
}
