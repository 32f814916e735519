//! Attention out of candle's operations: grouped heads over a cache of keys and values.
//!
//! Not here: latent attention ([`super::latent`]).

use super::load::{Linear, Loader};
use super::rotary::Turn;
use crate::error::ModelError;
use crate::spec::{ModelSpec, QkNorm};
use crate::tensors::{Part, Role};
use candle_core::{D, DType, Result, Tensor};
use candle_nn::kv_cache::Cache;

/// The KV cache grows by this many tokens.
pub(super) const CACHE_STEP: usize = 512;

/// A norm by root mean square.
pub(super) struct Norm {
    weight: Tensor,
    epsilon: f32,
}

impl Norm {
    pub(super) fn new(weight: Tensor, spec: &ModelSpec) -> Self {
        #[expect(clippy::cast_possible_truncation, reason = "candle takes the epsilon in f32")]
        let epsilon = spec.norm_eps as f32;
        Self { weight, epsilon }
    }

    /// The norm of a layer, if the model has it.
    pub(super) fn read(
        loader: &mut Loader<'_>,
        layer: usize,
        part: Part,
    ) -> std::result::Result<Option<Self>, ModelError> {
        Ok(loader.vector(layer, part)?.map(|weight| Self::new(weight, loader.spec)))
    }

    /// `x / sqrt(mean(x^2) + epsilon) * weight` of each row.
    pub(super) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        candle_nn::ops::rms_norm(&x.contiguous()?, &self.weight, self.epsilon)
    }
}

/// How scores become weights.
pub(super) struct Scoring {
    scale: f64,
    softcap: Option<f64>,
    /// `(1, kv_heads, group, 1, 1)`
    sinks: Option<Tensor>,
    pub(super) window: Option<usize>,
}

impl Scoring {
    pub(super) fn read(
        loader: &mut Loader<'_>,
        layer: usize,
        kv_heads: usize,
    ) -> std::result::Result<Self, ModelError> {
        let spec = loader.spec;
        let sinks = loader.vector(layer, Part::Sinks)?;
        let shape = (1, kv_heads, spec.heads / kv_heads, 1, 1);
        Ok(Self {
            scale: f64::from(spec.score_scale()),
            softcap: spec.attention_softcap.map(f64::from),
            sinks: sinks.map(|sinks| sinks.reshape(shape)).transpose()?,
            window: spec.window_of(layer),
        })
    }

    /// The weighted sums of values.
    ///
    /// # Shapes
    /// `q`: `(batch, heads, length, width)`; `k`: `(batch, kv_heads, tokens, width)`; `v`:
    /// `(batch, kv_heads, tokens, value)`; result `(batch, heads, length, value)`.
    pub(super) fn attend(
        &self,
        q: &Tensor,
        k: &Tensor,
        v: &Tensor,
        masks: &mut Masks,
    ) -> Result<Tensor> {
        let (batch, heads, length, width) = q.dims4()?;
        let (_, kv_heads, tokens, _) = k.dims4()?;
        let group = heads / kv_heads;
        // What no query of these sees any more is left out.
        let seen = self.window.map_or(tokens, |window| tokens.min(window + length - 1));
        let (k, v) = (k.narrow(2, tokens - seen, seen)?, v.narrow(2, tokens - seen, seen)?);
        let q = q.contiguous()?.reshape((batch, kv_heads, group * length, width))?;
        let scores = (q.matmul(&k.t()?)?.to_dtype(DType::F32)? * self.scale)?;
        let scores = match self.softcap {
            Some(cap) => ((scores / cap)?.tanh()? * cap)?,
            None => scores,
        };
        let mut scores = scores.reshape((batch, kv_heads, group, length, seen))?;
        if let Some(mask) = masks.of(length, seen, self.window, scores.device())? {
            scores = scores.broadcast_add(&mask)?;
        }
        let weights = match &self.sinks {
            None => candle_nn::ops::softmax_last_dim(&scores)?,
            Some(sinks) => {
                let sinks = sinks.to_dtype(DType::F32)?;
                let sinks = sinks.broadcast_as((batch, kv_heads, group, length, 1))?;
                let all = Tensor::cat(&[&scores, &sinks.contiguous()?], D::Minus1)?;
                candle_nn::ops::softmax_last_dim(&all)?.narrow(D::Minus1, 0, seen)?.contiguous()?
            }
        };
        let weights = weights.reshape((batch, kv_heads, group * length, seen))?;
        let values = weights.to_dtype(v.dtype())?.matmul(&v)?;
        values.reshape((batch, heads, length, ()))
    }
}

/// Masks of one pass by what they depend on.
#[derive(Default)]
pub(super) struct Masks {
    made: Vec<(MaskShape, Tensor)>,
}

/// `(length, seen, window)`
type MaskShape = (usize, usize, Option<usize>);

impl Masks {
    /// `(length, seen)`: minus infinity where a token must not look, else 0; `None` where every
    /// token sees everything.
    fn of(
        &mut self,
        length: usize,
        seen: usize,
        window: Option<usize>,
        device: &candle_core::Device,
    ) -> Result<Option<Tensor>> {
        if length == 1 {
            return Ok(None);
        }
        let shape = (length, seen, window);
        if let Some((_, mask)) = self.made.iter().find(|(made, _)| *made == shape) {
            return Ok(Some(mask.clone()));
        }
        let mut numbers = Vec::with_capacity(length * seen);
        for row in 0..length {
            // The last row is the last token that is seen.
            let own = seen - length + row;
            let first = window.map_or(0, |window| (own + 1).saturating_sub(window));
            let visible = |key: usize| (first..=own).contains(&key);
            numbers.extend((0..seen).map(|k| if visible(k) { 0f32 } else { f32::NEG_INFINITY }));
        }
        let mask = Tensor::from_vec(numbers, (length, seen), device)?;
        self.made.push((shape, mask.clone()));
        Ok(Some(mask))
    }
}

/// Attention with keys and values of its own.
pub(super) struct Attention {
    query: Linear,
    key: Linear,
    value: Linear,
    output: Linear,
    query_norm: Option<Norm>,
    key_norm: Option<Norm>,
    by_head: bool,
    scoring: Scoring,
    heads: usize,
    kv_heads: usize,
    head_dim: usize,
    keys: Cache,
    values: Cache,
}

impl Attention {
    pub(super) fn read(
        loader: &mut Loader<'_>,
        layer: usize,
    ) -> std::result::Result<Self, ModelError> {
        let spec = loader.spec;
        let role = |part| Role::Layer(layer, part);
        Ok(Self {
            query: loader.linear(role(Part::Query), Some(role(Part::QueryBias)))?,
            key: loader.linear(role(Part::Key), Some(role(Part::KeyBias)))?,
            value: loader.linear(role(Part::Value), Some(role(Part::ValueBias)))?,
            output: loader
                .linear(role(Part::AttentionOutput), Some(role(Part::AttentionOutputBias)))?,
            query_norm: Norm::read(loader, layer, Part::QueryNorm)?,
            key_norm: Norm::read(loader, layer, Part::KeyNorm)?,
            by_head: spec.qk_norm == QkNorm::Heads,
            scoring: Scoring::read(loader, layer, spec.kv_heads)?,
            heads: spec.heads,
            kv_heads: spec.kv_heads,
            head_dim: spec.head_dim,
            keys: Cache::new(2, CACHE_STEP),
            values: Cache::new(2, CACHE_STEP),
        })
    }

    pub(super) fn caches(&self) -> Vec<Cache> {
        vec![self.keys.clone(), self.values.clone()]
    }

    pub(super) fn set_caches(&mut self, caches: &[Cache]) {
        if let [keys, values] = caches {
            (self.keys, self.values) = (keys.clone(), values.clone());
        }
    }

    pub(super) fn clear(&mut self) {
        self.keys = Cache::new(2, CACHE_STEP);
        self.values = Cache::new(2, CACHE_STEP);
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
        let q = self.heads_of(self.query.forward(x)?, self.query_norm.as_ref(), self.heads)?;
        let k = self.heads_of(self.key.forward(x)?, self.key_norm.as_ref(), self.kv_heads)?;
        let v = self.heads_of(self.value.forward(x)?, None, self.kv_heads)?;
        let (q, k) = match turn {
            Some(turn) => (turn.apply(&q)?, turn.apply(&k)?),
            None => (q, k),
        };
        self.keys.append(&k.contiguous()?)?;
        self.values.append(&v.contiguous()?)?;
        let gone = || candle_core::Error::msg("invariant: something was appended");
        let keys = self.keys.current_data()?.ok_or_else(gone)?;
        let values = self.values.current_data()?.ok_or_else(gone)?;
        let attended = self.scoring.attend(&q, &keys, &values, masks)?;
        let joined = attended.transpose(1, 2)?.reshape((batch, length, ()))?;
        self.output.forward(&joined)
    }

    /// `(batch, length, heads * head_dim)` to `(batch, heads, length, head_dim)`, normed.
    fn heads_of(&self, y: Tensor, norm: Option<&Norm>, heads: usize) -> Result<Tensor> {
        let (batch, length, _) = y.dims3()?;
        let whole = match norm.filter(|_| !self.by_head) {
            Some(norm) => norm.forward(&y)?,
            None => y,
        };
        let heads = whole.reshape((batch, length, heads, self.head_dim))?;
        let heads = match norm.filter(|_| self.by_head) {
            Some(norm) => norm.forward(&heads)?,
            None => heads,
        };
        heads.transpose(1, 2)
    }
}
