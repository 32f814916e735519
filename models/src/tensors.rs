//! The tensors of a model by role: one list behind parameter counts, byte counts, dummy weights and
//! the check of a checkpoint.

use crate::quant::Quant;
use crate::spec::ModelSpec;

/// What a tensor is for. The number is the layer it belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// Token embedding, `(vocab, hidden)`.
    Embedding,
    /// Output head, `(vocab, hidden)`; absent where it is tied to the embedding.
    Output,
    /// Norm before the output head.
    OutputNorm,
    /// Norm before attention.
    AttentionNorm(usize),
    /// Query projection.
    Query(usize),
    /// Key projection.
    Key(usize),
    /// Value projection.
    Value(usize),
    /// Projection of the attention's result.
    AttentionOutput(usize),
    /// Norm before the feed-forward layer.
    FeedForwardNorm(usize),
    /// Gate of the feed-forward layer.
    Gate(usize),
    /// Up projection of the feed-forward layer.
    Up(usize),
    /// Down projection of the feed-forward layer.
    Down(usize),
}

impl Role {
    /// The layer it belongs to, if any.
    #[must_use]
    pub fn layer(self) -> Option<usize> {
        match self {
            Self::Embedding | Self::Output | Self::OutputNorm => None,
            Self::AttentionNorm(n)
            | Self::Query(n)
            | Self::Key(n)
            | Self::Value(n)
            | Self::AttentionOutput(n)
            | Self::FeedForwardNorm(n)
            | Self::Gate(n)
            | Self::Up(n)
            | Self::Down(n) => Some(n),
        }
    }

    /// Whether it is a matrix, which is quantised, or a norm, which is not.
    #[must_use]
    pub fn is_matrix(self) -> bool {
        !matches!(self, Self::OutputNorm | Self::AttentionNorm(_) | Self::FeedForwardNorm(_))
    }

    /// Its name in a GGUF file.
    #[must_use]
    pub fn gguf_name(self) -> String {
        match self {
            Self::Embedding => "token_embd.weight".into(),
            Self::Output => "output.weight".into(),
            Self::OutputNorm => "output_norm.weight".into(),
            Self::AttentionNorm(n) => format!("blk.{n}.attn_norm.weight"),
            Self::Query(n) => format!("blk.{n}.attn_q.weight"),
            Self::Key(n) => format!("blk.{n}.attn_k.weight"),
            Self::Value(n) => format!("blk.{n}.attn_v.weight"),
            Self::AttentionOutput(n) => format!("blk.{n}.attn_output.weight"),
            Self::FeedForwardNorm(n) => format!("blk.{n}.ffn_norm.weight"),
            Self::Gate(n) => format!("blk.{n}.ffn_gate.weight"),
            Self::Up(n) => format!("blk.{n}.ffn_up.weight"),
            Self::Down(n) => format!("blk.{n}.ffn_down.weight"),
        }
    }

    /// Its name in a checkpoint of the transformers library.
    #[must_use]
    pub fn checkpoint_name(self) -> String {
        let in_layer = |n: usize, rest: &str| format!("model.layers.{n}.{rest}.weight");
        match self {
            Self::Embedding => "model.embed_tokens.weight".into(),
            Self::Output => "lm_head.weight".into(),
            Self::OutputNorm => "model.norm.weight".into(),
            Self::AttentionNorm(n) => in_layer(n, "input_layernorm"),
            Self::Query(n) => in_layer(n, "self_attn.q_proj"),
            Self::Key(n) => in_layer(n, "self_attn.k_proj"),
            Self::Value(n) => in_layer(n, "self_attn.v_proj"),
            Self::AttentionOutput(n) => in_layer(n, "self_attn.o_proj"),
            Self::FeedForwardNorm(n) => in_layer(n, "post_attention_layernorm"),
            Self::Gate(n) => in_layer(n, "mlp.gate_proj"),
            Self::Up(n) => in_layer(n, "mlp.up_proj"),
            Self::Down(n) => in_layer(n, "mlp.down_proj"),
        }
    }
}

/// One tensor of a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorSpec {
    /// What it is for.
    pub role: Role,
    /// Shape, rows first; one number for a norm.
    pub shape: Vec<usize>,
    /// Layers of the whole model: mixed quantisations depend on the position in it.
    pub layers: usize,
    /// Whether the output head is this embedding.
    pub tied: bool,
}

impl TensorSpec {
    /// How many numbers it holds.
    #[must_use]
    pub fn elements(&self) -> u64 {
        self.shape.iter().map(|&n| n as u64).product()
    }

    /// Length of a row: what a quantisation's blocks must divide.
    #[must_use]
    pub fn row(&self) -> usize {
        self.shape.last().copied().unwrap_or(1)
    }

    /// Its bytes at a quantisation of the model.
    #[must_use]
    pub fn bytes(&self, quant: Quant) -> u64 {
        let dtype = quant.tensor_dtype(self);
        self.elements() / dtype.block_size() as u64 * dtype.type_size() as u64
    }
}

/// The tensors of a model of the llama shape, embedding first.
#[must_use]
pub fn llama_tensors(spec: &ModelSpec) -> Vec<TensorSpec> {
    let (hidden, inner) = (spec.hidden, spec.intermediate);
    let (q, kv) = (spec.heads * spec.head_dim, spec.kv_heads * spec.head_dim);
    let tensor = |role: Role, shape: &[usize]| TensorSpec {
        role,
        shape: shape.to_vec(),
        layers: spec.layers,
        tied: spec.tied_embeddings,
    };
    let mut tensors = vec![tensor(Role::Embedding, &[spec.vocab, hidden])];
    for n in 0..spec.layers {
        tensors.extend([
            tensor(Role::AttentionNorm(n), &[hidden]),
            tensor(Role::Query(n), &[q, hidden]),
            tensor(Role::Key(n), &[kv, hidden]),
            tensor(Role::Value(n), &[kv, hidden]),
            tensor(Role::AttentionOutput(n), &[hidden, q]),
            tensor(Role::FeedForwardNorm(n), &[hidden]),
            tensor(Role::Gate(n), &[inner, hidden]),
            tensor(Role::Up(n), &[inner, hidden]),
            tensor(Role::Down(n), &[hidden, inner]),
        ]);
    }
    tensors.push(tensor(Role::OutputNorm, &[hidden]));
    if !spec.tied_embeddings {
        tensors.push(tensor(Role::Output, &[spec.vocab, hidden]));
    }
    tensors
}
