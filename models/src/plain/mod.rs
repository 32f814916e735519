//! The `candle` engine: models out of candle's own operations, without any kernel of ours.
//!
//! This is the plain baseline that a faster engine is compared with, and what runs every family.
//! The graph is written out here once for all families (results/decisions/0012-one-graph.md says
//! why); tests hold it to the logits of the transformers library.

mod attention;
mod feed_forward;
mod graph;
mod latent;
mod load;
mod rotary;

pub use load::Matrices;

use crate::decoder::{Decoder, MemoryUse};
use crate::error::ModelError;
use crate::kv_state::{Content, KvState};
use crate::spec::ModelSpec;
use crate::stored::StoredTensors;
use crate::tensors::{Role, TensorSpec};
use candle_core::{D, DType, Device, Tensor};
use graph::Graph;
use std::collections::HashMap;

/// Positions scored at once: their logits stand in memory together.
const SCORED: usize = 128;

/// A [`Decoder`] over the plain graph.
pub struct PlainDecoder {
    graph: Graph,
    spec: ModelSpec,
    device: Device,
    /// What is computed in, and what keys and values are kept in.
    dtype: DType,
    /// Bytes of each tensor as it is held.
    held: HashMap<Role, u64>,
    batch: usize,
    depth: usize,
    /// `(batch, vocab)` of the last position.
    logits: Option<Tensor>,
}

impl PlainDecoder {
    /// Reads the weights.
    ///
    /// # Errors
    /// [`ModelError::Weights`] if a tensor cannot be read; errors of candle.
    pub(crate) fn load(
        spec: &ModelSpec,
        stored: &dyn StoredTensors,
        matrices: Matrices,
        dtype: DType,
        device: &Device,
    ) -> Result<Self, ModelError> {
        let (graph, held) = Graph::load(spec, stored, matrices, dtype, device)?;
        Ok(Self {
            graph,
            spec: spec.clone(),
            device: device.clone(),
            dtype,
            held,
            batch: 0,
            depth: 0,
            logits: None,
        })
    }

    /// Feeds `(batch, length)` tokens.
    fn feed(&mut self, tokens: Vec<u32>, batch: usize, length: usize) -> Result<(), ModelError> {
        let wanted = self.room_for(length)?;
        let vocab = self.spec.vocab;
        if let Some(token) = tokens.iter().find(|token| **token as usize >= vocab) {
            let reason = format!("token {token} is not in a vocabulary of {vocab}");
            return Err(ModelError::BadCall { reason });
        }
        let tokens = Tensor::from_vec(tokens, (batch, length), &self.device)?;
        self.logits = Some(self.graph.forward(&tokens, self.depth)?);
        self.batch = batch;
        self.depth = wanted;
        Ok(())
    }

    /// The depth behind `length` more tokens.
    fn room_for(&self, length: usize) -> Result<usize, ModelError> {
        let (wanted, limit) = (self.depth + length, self.spec.context);
        if wanted > limit {
            let whose = "the model".into();
            return Err(ModelError::BeyondContext { wanted, limit, whose });
        }
        Ok(wanted)
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
        self.spec.context
    }

    fn kv_dtype(&self) -> &'static str {
        self.dtype.as_str()
    }

    fn kv_bytes_per_token(&self) -> u64 {
        self.spec.kv_bytes_per_token(self.dtype.size_in_bytes())
    }

    fn depth(&self) -> usize {
        self.depth
    }

    fn reset(&mut self) -> Result<(), ModelError> {
        self.graph.clear();
        (self.batch, self.depth, self.logits) = (0, 0, None);
        Ok(())
    }

    fn keep(&mut self) -> Result<Option<KvState>, ModelError> {
        let bytes = self.memory().kv_cache;
        let (layers, batch, depth) = (self.graph.caches(), self.batch, self.depth);
        Ok(Some(KvState { content: Content::Plain { layers, batch, depth }, bytes }))
    }

    fn restore(&mut self, state: &KvState) -> Result<(), ModelError> {
        let Content::Plain { layers, batch, depth } = &state.content else {
            let reason = "the state is that of another engine".into();
            return Err(ModelError::BadCall { reason });
        };
        self.graph.set_caches(layers);
        (self.batch, self.depth, self.logits) = (*batch, *depth, None);
        Ok(())
    }

    fn weights_per_step(&self, sequences: usize, experts_read: Option<f64>) -> u64 {
        let held = |tensor: &TensorSpec| self.held.get(&tensor.role).copied().unwrap_or(0);
        self.spec.step_bytes(sequences, experts_read, held)
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
            let logits = self.graph.forward_all(&input, self.depth, tokens.len())?;
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
            weights: self.held.values().sum(),
            weights_per_step: self.weights_per_step(self.batch, None),
            kv_cache: self.kv_bytes_per_token() * (self.batch * self.depth) as u64,
            workspace: 0,
        }
    }
}
