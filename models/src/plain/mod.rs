//! The `candle` engine: models out of candle's own operations, without any kernel of ours.
//!
//! This is the plain baseline that a faster engine is compared with.

mod dense;
mod quantised;

pub use dense::DenseLlama;
pub use quantised::QuantisedLlama;

use crate::decoder::{Decoder, MemoryUse};
use crate::error::ModelError;
use crate::spec::ModelSpec;
use candle_core::{D, DType, Device, Tensor};

/// Positions scored at once: their logits stand in memory together.
const SCORED: usize = 128;

/// A model of candle-transformers behind one face.
pub trait PlainModel: Send {
    /// Logits of the last position.
    ///
    /// # Shapes
    /// `tokens`: `(batch, length)`; result `(batch, vocab)` in f32.
    ///
    /// # Errors
    /// Errors of candle.
    fn forward(&mut self, tokens: &Tensor, position: usize) -> candle_core::Result<Tensor>;

    /// Logits of every position, or `None` from a model that gives those of the last one only; then
    /// nothing was read.
    ///
    /// # Shapes
    /// `tokens`: `(1, length)`; result `(length, vocab)` in f32.
    ///
    /// # Errors
    /// Errors of candle.
    fn forward_all(
        &mut self,
        _tokens: &Tensor,
        _position: usize,
    ) -> candle_core::Result<Option<Tensor>> {
        Ok(None)
    }

    /// Empties the KV cache.
    ///
    /// # Errors
    /// Errors of candle.
    fn clear(&mut self) -> candle_core::Result<()>;

    /// Data type of the KV cache.
    fn kv_dtype(&self) -> DType;

    /// Most positions it has rotary tables for.
    fn max_positions(&self) -> usize;
}

/// A [`Decoder`] over a model of candle-transformers.
pub struct PlainDecoder {
    model: Box<dyn PlainModel>,
    spec: ModelSpec,
    device: Device,
    weights: u64,
    weights_per_step: u64,
    batch: usize,
    depth: usize,
    /// `(batch, vocab)` of the last position.
    logits: Option<Tensor>,
}

impl PlainDecoder {
    /// Wraps a loaded model; `weights` and `weights_per_step` as [`MemoryUse`] has them.
    #[must_use]
    pub fn new(
        model: Box<dyn PlainModel>,
        spec: ModelSpec,
        device: Device,
        weights: u64,
        weights_per_step: u64,
    ) -> Self {
        Self { model, spec, device, weights, weights_per_step, batch: 0, depth: 0, logits: None }
    }

    /// Feeds `(batch, length)` tokens.
    fn feed(&mut self, tokens: Vec<u32>, batch: usize, length: usize) -> Result<(), ModelError> {
        let wanted = self.room_for(length)?;
        let tokens = Tensor::from_vec(tokens, (batch, length), &self.device)?;
        self.logits = Some(self.model.forward(&tokens, self.depth)?);
        self.batch = batch;
        self.depth = wanted;
        Ok(())
    }

    /// The depth behind `length` more tokens.
    fn room_for(&self, length: usize) -> Result<usize, ModelError> {
        let wanted = self.depth + length;
        if wanted > self.max_context() {
            let whose =
                if self.max_context() < self.spec.context { "engine candle" } else { "the model" };
            return Err(ModelError::BeyondContext {
                wanted,
                limit: self.max_context(),
                whose: whose.into(),
            });
        }
        Ok(wanted)
    }

    /// One step a token, for models that keep the logits of the last position only.
    fn score_by_steps(
        &mut self,
        tokens: &[u32],
        each: &mut dyn FnMut(usize, &[f32]),
    ) -> Result<(), ModelError> {
        for (position, &token) in tokens.iter().enumerate() {
            self.feed(vec![token], 1, 1)?;
            for row in self.logits()? {
                each(position, &row);
            }
        }
        Ok(())
    }

    fn last_logits(&self) -> Result<&Tensor, ModelError> {
        self.logits
            .as_ref()
            .ok_or_else(|| ModelError::BadCall { reason: "no prompt was read yet".into() })
    }
}

impl Decoder for PlainDecoder {
    fn spec(&self) -> &ModelSpec {
        &self.spec
    }

    fn max_context(&self) -> usize {
        self.model.max_positions().min(self.spec.context)
    }

    fn kv_dtype(&self) -> &'static str {
        self.model.kv_dtype().as_str()
    }

    fn kv_bytes_per_token(&self) -> u64 {
        self.spec.kv_bytes_per_token(self.model.kv_dtype().size_in_bytes())
    }

    fn depth(&self) -> usize {
        self.depth
    }

    fn reset(&mut self) -> Result<(), ModelError> {
        self.model.clear()?;
        (self.batch, self.depth, self.logits) = (0, 0, None);
        Ok(())
    }

    fn prefill(&mut self, prompts: &[&[u32]]) -> Result<(), ModelError> {
        let bad = |reason: &str| Err(ModelError::BadCall { reason: reason.into() });
        let Some(length) = prompts.first().map(|prompt| prompt.len()) else {
            return bad("a batch needs at least one sequence");
        };
        if length == 0 || prompts.iter().any(|prompt| prompt.len() != length) {
            return bad(
                "candle's models batch prompts of one length only, and of one token at least",
            );
        }
        if self.batch != 0 && self.batch != prompts.len() {
            return bad("the batch cannot change before a reset");
        }
        self.feed(prompts.concat(), prompts.len(), length)
    }

    fn step(&mut self, tokens: &[u32]) -> Result<(), ModelError> {
        if tokens.len() != self.batch || tokens.is_empty() {
            let reason = format!("{} tokens for {} sequences", tokens.len(), self.batch);
            return Err(ModelError::BadCall { reason });
        }
        self.feed(tokens.to_vec(), self.batch, 1)
    }

    fn greedy(&mut self, picked: &mut Vec<u32>) -> Result<(), ModelError> {
        *picked = self.last_logits()?.argmax(D::Minus1)?.to_vec1()?;
        Ok(())
    }

    fn logits(&self) -> Result<Vec<Vec<f32>>, ModelError> {
        Ok(self.last_logits()?.to_dtype(DType::F32)?.to_vec2()?)
    }

    fn score(
        &mut self,
        tokens: &[u32],
        each: &mut dyn FnMut(usize, &[f32]),
    ) -> Result<(), ModelError> {
        self.reset()?;
        self.room_for(tokens.len())?;
        for chunk in tokens.chunks(SCORED) {
            let input = Tensor::from_slice(chunk, (1, chunk.len()), &self.device)?;
            let Some(logits) = self.model.forward_all(&input, self.depth)? else {
                return self.score_by_steps(tokens, each);
            };
            for (at, row) in logits.to_vec2()?.iter().enumerate() {
                each(self.depth + at, row);
            }
            self.logits = Some(logits.narrow(0, chunk.len() - 1, 1)?);
            (self.batch, self.depth) = (1, self.depth + chunk.len());
        }
        Ok(())
    }

    fn synchronize(&self) -> Result<(), ModelError> {
        Ok(self.device.synchronize()?)
    }

    fn memory(&self) -> MemoryUse {
        MemoryUse {
            weights: self.weights,
            weights_per_step: self.weights_per_step,
            kv_cache: self.kv_bytes_per_token() * (self.batch * self.depth) as u64,
            workspace: 0,
        }
    }
}
