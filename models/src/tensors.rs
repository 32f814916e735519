//! The tensors of a model by role: one list behind parameter counts, byte counts, dummy weights,
//! the loading of every engine and the check of a file.
//!
//! Not here: what files call them ([`crate::families`] and [`crate::stored`]).

use crate::quant::Quant;
use crate::spec::{Experts, ModelSpec, QkNorm};

/// What a tensor is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// Token embedding, `(vocab, hidden)`.
    Embedding,
    /// Output head, `(vocab, hidden)`; absent where it is tied to the embedding.
    Output,
    /// Norm before the output head.
    OutputNorm,
    /// A part of one layer, counted from 0.
    Layer(usize, Part),
}

/// What a tensor of a layer is for. Matrices are `(out, in)`; those of experts `(experts, out, in)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Part {
    /// Norm before attention.
    AttentionNorm,
    /// Query projection; from the shortened vector where there is one.
    Query,
    /// Key projection.
    Key,
    /// Value projection.
    Value,
    /// Bias of the queries.
    QueryBias,
    /// Bias of the keys.
    KeyBias,
    /// Bias of the values.
    ValueBias,
    /// Norm of queries.
    QueryNorm,
    /// Norm of keys.
    KeyNorm,
    /// One more score a head.
    Sinks,
    /// Projection of the attention's result.
    AttentionOutput,
    /// Bias of the attention's result.
    AttentionOutputBias,
    /// Norm behind attention.
    AttentionPostNorm,
    /// Latent attention: shortens what queries are made from.
    QueryDown,
    /// Latent attention: norm of it.
    QueryDownNorm,
    /// Latent attention: the short vector and the turning key, `(rank + turning, hidden)`.
    LatentDown,
    /// Latent attention: norm of the short vector.
    LatentNorm,
    /// Latent attention: the still columns of all keys, `(heads, still, rank)`.
    LatentKey,
    /// Latent attention: all values, `(heads, value, rank)`.
    LatentValue,
    /// Norm before the feed-forward layer.
    FeedForwardNorm,
    /// Gate of the feed-forward layer.
    Gate,
    /// Up projection of the feed-forward layer.
    Up,
    /// Down projection of the feed-forward layer.
    Down,
    /// Scores of the experts, `(experts, hidden)`.
    Router,
    /// Bias of the scores.
    RouterBias,
    /// What is added to scores for the choice only.
    RouterCorrection,
    /// Gates of the experts.
    ExpertGate,
    /// Up projections of the experts.
    ExpertUp,
    /// Down projections of the experts.
    ExpertDown,
    /// Biases of the experts' gates, `(experts, width)`.
    ExpertGateBias,
    /// Biases of the experts' up projections, `(experts, width)`.
    ExpertUpBias,
    /// Biases of the experts' down projections, `(experts, hidden)`.
    ExpertDownBias,
    /// Gate of what every token uses.
    SharedGate,
    /// Up projection of what every token uses.
    SharedUp,
    /// Down projection of what every token uses.
    SharedDown,
    /// Norm behind the feed-forward layer.
    FeedForwardPostNorm,
}

impl Role {
    /// The layer it belongs to, if any.
    #[must_use]
    pub fn layer(self) -> Option<usize> {
        match self {
            Self::Layer(n, _) => Some(n),
            _ => None,
        }
    }

    /// What it is in its layer, if it is in one.
    #[must_use]
    pub fn part(self) -> Option<Part> {
        match self {
            Self::Layer(_, part) => Some(part),
            _ => None,
        }
    }

    /// Whether it is multiplied with, and so quantised, or added or scaled with, and so not.
    #[must_use]
    pub fn is_matrix(self) -> bool {
        match self {
            Self::Embedding | Self::Output => true,
            Self::OutputNorm => false,
            Self::Layer(_, part) => part.is_matrix(),
        }
    }

    /// Whether a token uses only some of it: the matrices and biases of chosen experts.
    #[must_use]
    pub fn of_experts(self) -> bool {
        matches!(
            self.part(),
            Some(
                Part::ExpertGate
                    | Part::ExpertUp
                    | Part::ExpertDown
                    | Part::ExpertGateBias
                    | Part::ExpertUpBias
                    | Part::ExpertDownBias
            )
        )
    }

    /// Whether its numbers scale what was normed.
    #[must_use]
    pub fn is_norm(self) -> bool {
        match self {
            Self::Embedding | Self::Output => false,
            Self::OutputNorm => true,
            Self::Layer(_, part) => part.is_norm(),
        }
    }
}

impl Part {
    fn is_matrix(self) -> bool {
        matches!(
            self,
            Self::Query
                | Self::Key
                | Self::Value
                | Self::AttentionOutput
                | Self::QueryDown
                | Self::LatentDown
                | Self::LatentKey
                | Self::LatentValue
                | Self::Gate
                | Self::Up
                | Self::Down
                | Self::Router
                | Self::ExpertGate
                | Self::ExpertUp
                | Self::ExpertDown
                | Self::SharedGate
                | Self::SharedUp
                | Self::SharedDown
        )
    }

    fn is_norm(self) -> bool {
        matches!(
            self,
            Self::AttentionNorm
                | Self::QueryNorm
                | Self::KeyNorm
                | Self::AttentionPostNorm
                | Self::QueryDownNorm
                | Self::LatentNorm
                | Self::FeedForwardNorm
                | Self::FeedForwardPostNorm
        )
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

    /// How many rows it has, those of all experts or heads together.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.shape.iter().rev().skip(1).product()
    }

    /// Its bytes at a quantisation of the model.
    #[must_use]
    pub fn bytes(&self, quant: Quant) -> u64 {
        let dtype = quant.tensor_dtype(self);
        self.elements() / dtype.block_size() as u64 * dtype.type_size() as u64
    }
}

/// The tensors of a model of this shape, embedding first.
#[must_use]
pub fn tensors_of(spec: &ModelSpec) -> Vec<TensorSpec> {
    let tensor = |role: Role, shape: &[usize]| TensorSpec {
        role,
        shape: shape.to_vec(),
        layers: spec.layers,
        tied: spec.tied_embeddings,
    };
    let mut tensors = vec![tensor(Role::Embedding, &[spec.vocab, spec.hidden])];
    for n in 0..spec.layers {
        let mut add = |part: Part, shape: &[usize]| {
            tensors.push(tensor(Role::Layer(n, part), shape));
        };
        attention(spec, &mut add);
        feed_forward(spec, n, &mut add);
    }
    tensors.push(tensor(Role::OutputNorm, &[spec.hidden]));
    if !spec.tied_embeddings {
        tensors.push(tensor(Role::Output, &[spec.vocab, spec.hidden]));
    }
    tensors
}

fn attention(spec: &ModelSpec, add: &mut impl FnMut(Part, &[usize])) {
    let (hidden, heads) = (spec.hidden, spec.heads);
    let (q, kv) = (spec.query_width(), spec.kv_heads * spec.head_dim);
    if spec.norms.before() {
        add(Part::AttentionNorm, &[hidden]);
    }
    if let Some(latent) = spec.latent {
        if let Some(rank) = latent.query_rank {
            add(Part::QueryDown, &[rank, hidden]);
            add(Part::QueryDownNorm, &[rank]);
        }
        add(Part::Query, &[q, latent.query_rank.unwrap_or(hidden)]);
        add(Part::LatentDown, &[latent.rank + spec.rope.width, hidden]);
        add(Part::LatentNorm, &[latent.rank]);
        add(Part::LatentKey, &[heads, latent.still, latent.rank]);
        add(Part::LatentValue, &[heads, latent.value, latent.rank]);
    } else {
        add(Part::Query, &[q, hidden]);
        add(Part::Key, &[kv, hidden]);
        add(Part::Value, &[kv, hidden]);
    }
    if spec.qkv_bias {
        add(Part::QueryBias, &[q]);
        add(Part::KeyBias, &[kv]);
        add(Part::ValueBias, &[kv]);
    }
    let (query_norm, key_norm) = match spec.qk_norm {
        QkNorm::None => (0, 0),
        QkNorm::Heads => (spec.head_dim, spec.head_dim),
        QkNorm::Whole => (q, kv),
    };
    if query_norm > 0 {
        add(Part::QueryNorm, &[query_norm]);
        add(Part::KeyNorm, &[key_norm]);
    }
    if spec.sinks {
        add(Part::Sinks, &[heads]);
    }
    add(Part::AttentionOutput, &[hidden, spec.attended_width()]);
    if spec.output_bias {
        add(Part::AttentionOutputBias, &[hidden]);
    }
    if spec.norms.behind() {
        add(Part::AttentionPostNorm, &[hidden]);
    }
}

fn feed_forward(spec: &ModelSpec, layer: usize, add: &mut impl FnMut(Part, &[usize])) {
    let (hidden, inner) = (spec.hidden, spec.intermediate);
    if spec.norms.before() {
        add(Part::FeedForwardNorm, &[hidden]);
    }
    if let Some(experts) = spec.experts_of(layer) {
        mixture(hidden, experts, add);
    } else {
        add(Part::Gate, &[inner, hidden]);
        add(Part::Up, &[inner, hidden]);
        add(Part::Down, &[hidden, inner]);
    }
    if spec.norms.behind() {
        add(Part::FeedForwardPostNorm, &[hidden]);
    }
}

fn mixture(hidden: usize, experts: &Experts, add: &mut impl FnMut(Part, &[usize])) {
    let (count, inner, shared) = (experts.count, experts.intermediate, experts.shared_intermediate);
    add(Part::Router, &[count, hidden]);
    if experts.corrected {
        add(Part::RouterCorrection, &[count]);
    }
    add(Part::ExpertGate, &[count, inner, hidden]);
    add(Part::ExpertUp, &[count, inner, hidden]);
    add(Part::ExpertDown, &[count, hidden, inner]);
    if experts.biases {
        add(Part::RouterBias, &[count]);
        add(Part::ExpertGateBias, &[count, inner]);
        add(Part::ExpertUpBias, &[count, inner]);
        add(Part::ExpertDownBias, &[count, hidden]);
    }
    if shared > 0 {
        add(Part::SharedGate, &[shared, hidden]);
        add(Part::SharedUp, &[shared, hidden]);
        add(Part::SharedDown, &[hidden, shared]);
    }
}
