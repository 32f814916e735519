//! The shape of a model: everything its graph is built from, whatever family it is of.
//!
//! Not here: what a family calls things ([`crate::families`]), the list of tensors
//! ([`crate::tensors`]).

mod arithmetic;
mod experts;
mod layers;
mod rope;
#[cfg(test)]
mod tests;

pub use experts::{Experts, Groups, Scores};
pub use layers::LayerSet;
pub use rope::{Rope, RopeScaling, long_rope_magnitude, yarn_magnitude};

use crate::error::ModelError;
use serde::{Deserialize, Serialize};

/// Far more than any model has; in bytes still a number.
const MOST_PARAMETERS: u128 = 1 << 56;

/// More layers than any model has. Lists of a model's layers are made for no more than these.
pub(crate) const MOST_LAYERS: usize = 10_000;

/// Where the norms of a block stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Norms {
    /// Before attention and before the feed-forward layer: llama and most others.
    Before,
    /// Behind both, before the result is added: `OLMo` 2.
    Behind,
    /// Before and behind both: Gemma 2 and 3, GLM-4.
    Around,
}

impl Norms {
    /// Whether something is normed before it goes into attention or the feed-forward layer.
    #[must_use]
    pub fn before(self) -> bool {
        self != Self::Behind
    }

    /// Whether what comes out is normed.
    #[must_use]
    pub fn behind(self) -> bool {
        self != Self::Before
    }
}

/// Norms of queries and keys before they turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum QkNorm {
    /// None.
    None,
    /// Each head by itself: Qwen3, Gemma 3.
    Heads,
    /// All heads together: `OLMo` 2.
    Whole,
}

/// What the gate of the feed-forward layer goes through.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub enum Activation {
    /// `x * sigmoid(x)`
    Silu,
    /// `0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3)))`: Gemma.
    GeluTanh,
    /// `x * sigmoid(1.702 x)` of a gate of at most 7, times one more than an up projection between
    /// -7 and 7: gpt-oss.
    ClampedSwiglu,
}

/// Latent attention (DeepSeek): keys and values of all heads are made from one short vector a token,
/// and only that is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Latent {
    /// Width of the vector that queries are made from; without, they are made from the residual.
    pub query_rank: Option<usize>,
    /// Width of the vector that keys and values are made from.
    pub rank: usize,
    /// Columns of a query or key that do not turn. [`ModelSpec::head_dim`] is these and the turning
    /// ones, of which all heads share one key.
    pub still: usize,
    /// Width of a value.
    pub value: usize,
}

/// The shape of a decoder-only transformer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "models have each of these or not")]
pub struct ModelSpec {
    /// Family: `llama`.
    pub architecture: String,
    /// Width of the residual stream.
    pub hidden: usize,
    /// Transformer blocks.
    pub layers: usize,
    /// Query heads.
    pub heads: usize,
    /// Key and value heads; fewer than `heads` under grouped-query attention.
    pub kv_heads: usize,
    /// Width of one head of queries and keys.
    pub head_dim: usize,
    /// Width of the feed-forward layer; of the dense layers, where others have experts.
    pub intermediate: usize,
    /// Rows of the embedding.
    pub vocab: usize,
    /// Most tokens the model was made for.
    pub context: usize,
    /// Whether the output head is the embedding.
    pub tied_embeddings: bool,
    /// Epsilon of the root-mean-square norms.
    pub norm_eps: f64,
    /// Where norms stand.
    pub norms: Norms,
    /// Norms of queries and keys.
    pub qk_norm: QkNorm,
    /// Whether query, key and value have biases.
    pub qkv_bias: bool,
    /// Whether the attention's output has a bias.
    pub output_bias: bool,
    /// Activation of the feed-forward layer.
    pub activation: Activation,
    /// Rotary positions.
    pub rope: Rope,
    /// Rotary positions of the layers with a window, where they have their own (Gemma 3).
    pub window_rope: Option<Rope>,
    /// Layers that know no positions (`SmolLM3`).
    pub unrotated: LayerSet,
    /// How many tokens, itself included, a token sees in the layers of `windowed`.
    pub window: Option<usize>,
    /// The layers with a window.
    pub windowed: LayerSet,
    /// What scores are multiplied by; without, one over the square root of the head's width.
    pub attention_scale: Option<f32>,
    /// Scores `s` become `c tanh(s / c)` (Gemma 2).
    pub attention_softcap: Option<f32>,
    /// Whether each head has one more score, of nothing, in its softmax (gpt-oss).
    pub sinks: bool,
    /// What embeddings are multiplied by.
    pub embedding_scale: f32,
    /// What the result of attention and of the feed-forward layer is multiplied by before it is
    /// added.
    pub residual_scale: f32,
    /// What logits are multiplied by.
    pub logit_scale: f32,
    /// Logits `l` become `c tanh(l / c)` (Gemma 2).
    pub logit_softcap: Option<f32>,
    /// Latent attention.
    pub latent: Option<Latent>,
    /// Experts.
    pub experts: Option<Experts>,
}

impl ModelSpec {
    /// A shape of no size with everything as llama has it.
    pub(crate) fn llama(architecture: &str) -> Self {
        Self {
            architecture: architecture.into(),
            hidden: 0,
            layers: 0,
            heads: 0,
            kv_heads: 0,
            head_dim: 0,
            intermediate: 0,
            vocab: 0,
            context: 0,
            tied_embeddings: false,
            norm_eps: 1e-5,
            norms: Norms::Before,
            qk_norm: QkNorm::None,
            qkv_bias: false,
            output_bias: false,
            activation: Activation::Silu,
            rope: Rope::plain(10_000.0, 0),
            window_rope: None,
            unrotated: LayerSet::None,
            window: None,
            windowed: LayerSet::None,
            attention_scale: None,
            attention_softcap: None,
            sinks: false,
            embedding_scale: 1.0,
            residual_scale: 1.0,
            logit_scale: 1.0,
            logit_softcap: None,
            latent: None,
            experts: None,
        }
    }

    /// Refuses shapes that no model can have, before anything is allocated for them.
    ///
    /// # Errors
    /// [`ModelError::BadShape`] naming the contradiction.
    pub fn validate(&self) -> Result<(), ModelError> {
        self.contradiction().map_or(Ok(()), |reason| Err(ModelError::BadShape { reason }))
    }

    fn contradiction(&self) -> Option<String> {
        for (name, value, most) in [
            ("hidden size", self.hidden, 1 << 20),
            ("number of layers", self.layers, MOST_LAYERS),
            ("number of heads", self.heads, 1 << 16),
            ("number of key-value heads", self.kv_heads, 1 << 16),
            ("head size", self.head_dim, 1 << 14),
            ("feed-forward size", self.intermediate, 1 << 22),
            ("vocabulary", self.vocab, 1 << 24),
            ("context", self.context, 1 << 28),
        ] {
            if value == 0 || value > most {
                return Some(format!("the {name} is {value}"));
            }
        }
        if let Some(reason) = self.too_large() {
            return Some(reason);
        }
        let (heads, kv_heads) = (self.heads, self.kv_heads);
        if !heads.is_multiple_of(kv_heads) {
            return Some(format!("{heads} heads do not divide into {kv_heads} key-value heads"));
        }
        if !self.head_dim.is_multiple_of(2) {
            return Some(format!("the head size {} is odd", self.head_dim));
        }
        if let Some(window) = self.window.filter(|window| *window == 0 || *window > 1 << 28) {
            return Some(format!("a sliding window holds {window} tokens"));
        }
        let windows = self.window_rope.as_ref().and_then(|rope| rope.contradiction(self.head_dim));
        let experts = self.experts.as_ref().and_then(|experts| experts.contradiction(self.layers));
        self.rope
            .contradiction(self.head_dim)
            .or(windows)
            .or(experts)
            .or_else(|| self.latent.and_then(|latent| self.latent_contradiction(latent)))
    }

    /// More parameters than anybody has: sums of them must stay numbers.
    fn too_large(&self) -> Option<String> {
        let wide = |n: usize| n as u128;
        let heads = wide(self.heads + 2 * self.kv_heads) * wide(self.head_dim);
        let experts = self.experts.as_ref().map_or(0, |experts| {
            wide(experts.count) * wide(experts.intermediate) + wide(experts.shared_intermediate)
        });
        let inner = wide(self.intermediate) + experts + heads;
        let layers = wide(self.layers) * 4 * inner * wide(self.hidden);
        let all = layers + 2 * wide(self.vocab) * wide(self.hidden);
        (all > MOST_PARAMETERS).then(|| format!("it would have some {all} parameters"))
    }

    fn latent_contradiction(&self, latent: Latent) -> Option<String> {
        for (name, width) in [
            ("key-value rank", latent.rank),
            ("query rank", latent.query_rank.unwrap_or(1)),
            ("size of a value", latent.value),
        ] {
            if width == 0 || width > 1 << 20 {
                return Some(format!("the {name} is {width}"));
            }
        }
        let (still, turning) = (latent.still, self.rope.width);
        if still + turning != self.head_dim || self.heads != self.kv_heads {
            return Some(format!(
                "{still} still and {turning} turning columns do not make a head of {}",
                self.head_dim
            ));
        }
        None
    }

    /// The window of a layer, if it has one.
    #[must_use]
    pub fn window_of(&self, layer: usize) -> Option<usize> {
        self.window.filter(|_| self.windowed.contains(layer))
    }

    /// The rotary positions of a layer, if it knows any.
    #[must_use]
    pub fn rope_of(&self, layer: usize) -> Option<&Rope> {
        if self.unrotated.contains(layer) {
            return None;
        }
        let own = self.window_rope.as_ref().filter(|_| self.window_of(layer).is_some());
        Some(own.unwrap_or(&self.rope))
    }

    /// The experts of a layer, if it has any.
    #[must_use]
    pub fn experts_of(&self, layer: usize) -> Option<&Experts> {
        self.experts.as_ref().filter(|experts| layer >= experts.dense_layers)
    }

    /// What scores are multiplied by.
    #[must_use]
    pub fn score_scale(&self) -> f32 {
        #[expect(clippy::cast_possible_truncation, reason = "scores are in f32")]
        self.attention_scale.unwrap_or_else(|| (1.0 / (self.head_dim as f64).sqrt()) as f32)
    }

    /// Width of all queries of a token.
    #[must_use]
    pub fn query_width(&self) -> usize {
        self.heads * self.head_dim
    }

    /// Width of what attention gives for a token.
    #[must_use]
    pub fn attended_width(&self) -> usize {
        self.heads * self.latent.map_or(self.head_dim, |latent| latent.value)
    }
}
