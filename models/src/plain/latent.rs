//! Latent attention (`DeepSeek`) out of candle's operations.
//!
//! Only the short vector and the turning key of a token are kept. Queries are brought to the width
//! of that vector instead of keys to theirs: `q . (W c) = (W^T q) . c`, so that attention is one
//! over all heads with one key.

use super::attention::{CACHE_STEP, Masks, Norm, Scoring};
use super::load::{Linear, Loader};
use super::rotary::Turn;
use crate::error::ModelError;
use crate::spec::Latent;
use crate::tensors::{Part, Role};
use candle_core::{D, Result, Tensor};
use candle_nn::kv_cache::Cache;

/// Latent attention of one layer.
pub(super) struct LatentAttention {
    query_down: Option<(Linear, Norm)>,
    query: Linear,
    down: Linear,
    norm: Norm,
    /// `(heads, still, rank)`
    key: Tensor,
    /// `(heads, rank, value)`
    value: Tensor,
    output: Linear,
    scoring: Scoring,
    shape: Latent,
    heads: usize,
    head_dim: usize,
    /// `(batch, 1, tokens, rank + turning)`
    cache: Cache,
}

impl LatentAttention {
    pub(super) fn read(
        loader: &mut Loader<'_>,
        layer: usize,
        shape: Latent,
    ) -> std::result::Result<Self, ModelError> {
        let spec = loader.spec;
        let role = |part| Role::Layer(layer, part);
        let query_down = match Norm::read(loader, layer, Part::QueryDownNorm)? {
            Some(norm) => Some((loader.linear(role(Part::QueryDown), None)?, norm)),
            None => None,
        };
        let norm = loader.dense(role(Part::LatentNorm))?;
        Ok(Self {
            query_down,
            query: loader.linear(role(Part::Query), None)?,
            down: loader.linear(role(Part::LatentDown), None)?,
            norm: Norm::new(norm, spec),
            key: loader.dense(role(Part::LatentKey))?,
            value: loader.dense(role(Part::LatentValue))?.transpose(1, 2)?.contiguous()?,
            output: loader.linear(role(Part::AttentionOutput), None)?,
            scoring: Scoring::read(loader, layer, 1)?,
            shape,
            heads: spec.heads,
            head_dim: spec.head_dim,
            cache: Cache::new(2, CACHE_STEP),
        })
    }

    pub(super) fn caches(&self) -> Vec<Cache> {
        vec![self.cache.clone()]
    }

    pub(super) fn set_caches(&mut self, caches: &[Cache]) {
        if let [cache] = caches {
            self.cache = cache.clone();
        }
    }

    pub(super) fn clear(&mut self) {
        self.cache = Cache::new(2, CACHE_STEP);
    }

    /// # Shapes
    /// `x`: `(batch, length, hidden)`, in and out.
    pub(super) fn forward(
        &mut self,
        x: &Tensor,
        turn: Option<&Turn>,
        masks: &mut Masks,
    ) -> Result<Tensor> {
        let (batch, length, _) = x.dims3()?;
        let (rank, still) = (self.shape.rank, self.shape.still);
        let turning = self.head_dim - still;
        let turned = |y: Tensor| turn.map_or(Ok(y.clone()), |turn| turn.apply(&y));

        let q = match &self.query_down {
            Some((down, norm)) => self.query.forward(&norm.forward(&down.forward(x)?)?)?,
            None => self.query.forward(x)?,
        };
        let q = q.reshape((batch, length, self.heads, self.head_dim))?.transpose(1, 2)?;
        let q_still = q.narrow(D::Minus1, 0, still)?.contiguous()?;
        let q_turning = turned(q.narrow(D::Minus1, still, turning)?)?;
        let q = Tensor::cat(&[&q_still.broadcast_matmul(&self.key)?, &q_turning], D::Minus1)?;

        let short = self.down.forward(x)?;
        let c = self.norm.forward(&short.narrow(D::Minus1, 0, rank)?)?.unsqueeze(1)?;
        let k_turning = turned(short.narrow(D::Minus1, rank, turning)?.unsqueeze(1)?)?;
        self.cache.append(&Tensor::cat(&[&c, &k_turning], D::Minus1)?)?;
        let gone = || candle_core::Error::msg("invariant: something was appended");
        let keys = self.cache.current_data()?.ok_or_else(gone)?;
        let values = keys.narrow(D::Minus1, 0, rank)?.contiguous()?;

        let attended = self.scoring.attend(&q, &keys, &values, masks)?;
        let values = attended.broadcast_matmul(&self.value)?;
        let joined = values.transpose(1, 2)?.reshape((batch, length, ()))?;
        self.output.forward(&joined)
    }
}
