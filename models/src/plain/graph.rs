//! The graph of a decoder-only transformer out of candle's own operations, as its
//! [`ModelSpec`] describes it. No kernel of ours is in it: this stays the plain baseline.

use super::attention::{Attention, Masks, Norm};
use super::feed_forward::FeedForward;
use super::latent::LatentAttention;
use super::load::{Linear, Loader, Matrices};
use super::rotary::{Rotary, Turn};
use crate::error::ModelError;
use crate::spec::ModelSpec;
use crate::stored::StoredTensors;
use crate::tensors::{Part, Role};
use candle_core::{DType, Device, IndexOp, Result, Tensor};
use candle_nn::kv_cache::Cache;
use std::collections::HashMap;

/// A model in memory.
pub(super) struct Graph {
    spec: ModelSpec,
    /// `(vocab, hidden)`
    embedding: Tensor,
    layers: Vec<Layer>,
    norm: Norm,
    output: Linear,
    rotary: Rotary,
    window_rotary: Option<Rotary>,
}

struct Layer {
    attention_norm: Option<Norm>,
    attention: Attending,
    attention_post_norm: Option<Norm>,
    feed_forward_norm: Option<Norm>,
    feed_forward: FeedForward,
    feed_forward_post_norm: Option<Norm>,
}

enum Attending {
    Grouped(Box<Attention>),
    Latent(Box<LatentAttention>),
}

impl Graph {
    /// Reads every tensor. Gives the graph and the bytes that each tensor takes in it.
    pub(super) fn load(
        spec: &ModelSpec,
        stored: &dyn StoredTensors,
        matrices: Matrices,
        dtype: DType,
        device: &Device,
    ) -> std::result::Result<(Self, HashMap<Role, u64>), ModelError> {
        let mut loader = Loader::new(spec, stored, matrices, dtype, device)?;
        let (embedding, tied) = loader.embedding()?;
        let layers = (0..spec.layers).map(|n| Layer::read(&mut loader, n));
        let layers = layers.collect::<std::result::Result<Vec<_>, _>>()?;
        let norm = Norm::new(loader.dense(Role::OutputNorm)?, spec);
        let output = match tied {
            Some(head) => head,
            None => loader.linear(Role::Output, None)?,
        };
        let rotary = |rope| Rotary::new(rope, dtype, device);
        let graph = Self {
            embedding,
            layers,
            norm,
            output,
            rotary: rotary(&spec.rope)?,
            window_rotary: spec.window_rope.as_ref().map(rotary).transpose()?,
            spec: spec.clone(),
        };
        Ok((graph, loader.held))
    }

    /// The residual stream behind the last layer, normed.
    ///
    /// # Shapes
    /// `tokens`: `(batch, length)`; result `(batch, length, hidden)`.
    fn residual(&mut self, tokens: &Tensor, position: usize, whole: usize) -> Result<Tensor> {
        let (batch, length) = tokens.dims2()?;
        let turn = self.rotary.at(position, length, whole)?;
        let window_turn = self
            .window_rotary
            .as_mut()
            .map(|rotary| rotary.at(position, length, whole))
            .transpose()?;
        let mut masks = Masks::default();
        let rows = self.embedding.index_select(&tokens.flatten_all()?, 0)?;
        let mut x = rows.reshape((batch, length, self.spec.hidden))?;
        x = scaled(x, self.spec.embedding_scale)?;
        for (n, layer) in self.layers.iter_mut().enumerate() {
            let own = window_turn.as_ref().filter(|_| self.spec.window_of(n).is_some());
            let turn = self.spec.rope_of(n).map(|_| own.unwrap_or(&turn));
            x = layer.forward(&x, turn, &mut masks, self.spec.residual_scale)?;
        }
        self.norm.forward(&x)
    }

    fn head(&self, rows: &Tensor) -> Result<Tensor> {
        let logits = self.output.forward(rows)?.to_dtype(DType::F32)?;
        let logits = scaled(logits, self.spec.logit_scale)?;
        match self.spec.logit_softcap.map(f64::from) {
            Some(cap) => (logits / cap)?.tanh()? * cap,
            None => Ok(logits),
        }
    }

    /// Logits of the last position.
    ///
    /// # Shapes
    /// `tokens`: `(batch, length)`; result `(batch, vocab)` in f32.
    pub(super) fn forward(&mut self, tokens: &Tensor, position: usize) -> Result<Tensor> {
        let (_, length) = tokens.dims2()?;
        let last = self
            .residual(tokens, position, position + length)?
            .i((.., length - 1, ..))?
            .contiguous()?;
        self.head(&last)
    }

    /// Logits of every position, of a sequence that will have `whole` tokens.
    ///
    /// # Shapes
    /// `tokens`: `(1, length)`; result `(length, vocab)` in f32.
    pub(super) fn forward_all(
        &mut self,
        tokens: &Tensor,
        position: usize,
        whole: usize,
    ) -> Result<Tensor> {
        let all = self.residual(tokens, position, whole)?.squeeze(0)?.contiguous()?;
        self.head(&all)
    }

    /// The KV cache of each layer. The tensors are shared: whoever appends to one of them writes
    /// behind what all of them have.
    pub(super) fn caches(&self) -> Vec<Vec<Cache>> {
        let of = |layer: &Layer| match &layer.attention {
            Attending::Grouped(attention) => attention.caches(),
            Attending::Latent(attention) => attention.caches(),
        };
        self.layers.iter().map(of).collect()
    }

    /// Puts back what [`caches`](Self::caches) gave.
    pub(super) fn set_caches(&mut self, caches: &[Vec<Cache>]) {
        for (layer, caches) in self.layers.iter_mut().zip(caches) {
            match &mut layer.attention {
                Attending::Grouped(attention) => attention.set_caches(caches),
                Attending::Latent(attention) => attention.set_caches(caches),
            }
        }
    }

    /// Empties the KV cache.
    pub(super) fn clear(&mut self) {
        for layer in &mut self.layers {
            match &mut layer.attention {
                Attending::Grouped(attention) => attention.clear(),
                Attending::Latent(attention) => attention.clear(),
            }
        }
    }
}

impl Layer {
    fn read(loader: &mut Loader<'_>, n: usize) -> std::result::Result<Self, ModelError> {
        Ok(Self {
            attention_norm: Norm::read(loader, n, Part::AttentionNorm)?,
            attention: match loader.spec.latent {
                None => Attending::Grouped(Box::new(Attention::read(loader, n)?)),
                Some(latent) => {
                    Attending::Latent(Box::new(LatentAttention::read(loader, n, latent)?))
                }
            },
            attention_post_norm: Norm::read(loader, n, Part::AttentionPostNorm)?,
            feed_forward_norm: Norm::read(loader, n, Part::FeedForwardNorm)?,
            feed_forward: FeedForward::read(loader, n)?,
            feed_forward_post_norm: Norm::read(loader, n, Part::FeedForwardPostNorm)?,
        })
    }

    /// `x`: `(batch, length, hidden)`, in and out.
    fn forward(
        &mut self,
        x: &Tensor,
        turn: Option<&Turn>,
        masks: &mut Masks,
        residual_scale: f32,
    ) -> Result<Tensor> {
        let normed = normed(self.attention_norm.as_ref(), x)?;
        let attended = match &mut self.attention {
            Attending::Grouped(attention) => attention.forward(&normed, turn, masks)?,
            Attending::Latent(attention) => attention.forward(&normed, turn, masks)?,
        };
        let added = self::normed(self.attention_post_norm.as_ref(), &attended)?;
        let x = (x + scaled(added, residual_scale)?)?;
        let normed = self::normed(self.feed_forward_norm.as_ref(), &x)?;
        let inner = self.feed_forward.forward(&normed)?;
        let added = self::normed(self.feed_forward_post_norm.as_ref(), &inner)?;
        x + scaled(added, residual_scale)?
    }
}

fn normed(norm: Option<&Norm>, x: &Tensor) -> Result<Tensor> {
    norm.map_or_else(|| Ok(x.clone()), |norm| norm.forward(x))
}

#[expect(clippy::float_cmp, reason = "exactly one is what models without a factor have")]
fn scaled(x: Tensor, factor: f32) -> Result<Tensor> {
    if factor == 1.0 { Ok(x) } else { x * f64::from(factor) }
}
