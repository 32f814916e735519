//! The weights of one block, as the kernels want them.

use crate::fused::routing_memory::aligned;
use crate::spec::ModelSpec;
use freeweights_kernels::weights::Matrix;

/// Numbers that are added or scaled with; none where the model has none.
pub(in crate::fused) type Vector = Option<Vec<f32>>;

/// One transformer block.
pub(in crate::fused) struct Layer {
    /// `(hidden)`
    pub(in crate::fused) attention_norm: Vector,
    /// `(heads * head_dim, hidden)`, rotary pairs in halves.
    pub(in crate::fused) query: Matrix,
    /// `(kv_heads * head_dim, hidden)`, rotary pairs in halves.
    pub(in crate::fused) key: Matrix,
    /// `(kv_heads * head_dim, hidden)`
    pub(in crate::fused) value: Matrix,
    /// `(heads * head_dim)`, and of keys and values `(kv_heads * head_dim)`.
    pub(in crate::fused) query_bias: Vector,
    pub(in crate::fused) key_bias: Vector,
    pub(in crate::fused) value_bias: Vector,
    /// `(head_dim)`, or of all heads together.
    pub(in crate::fused) query_norm: Vector,
    pub(in crate::fused) key_norm: Vector,
    /// `(heads)`
    pub(in crate::fused) sinks: Vector,
    /// `(hidden, heads * head_dim)`
    pub(in crate::fused) attention_output: Matrix,
    /// `(hidden)`
    pub(in crate::fused) attention_output_bias: Vector,
    pub(in crate::fused) attention_post_norm: Vector,
    pub(in crate::fused) feed_forward_norm: Vector,
    pub(in crate::fused) feed_forward: FeedForward,
    pub(in crate::fused) feed_forward_post_norm: Vector,
}

/// The feed-forward layer of a block.
pub(in crate::fused) enum FeedForward {
    /// One for all tokens.
    Dense(Gated),
    /// Experts, of which a token chooses some.
    Mixture(Mixture),
}

/// Gate, up and down projection.
pub(in crate::fused) struct Gated {
    /// `(inner, hidden)`
    pub(in crate::fused) gate: Matrix,
    /// `(inner, hidden)`
    pub(in crate::fused) up: Matrix,
    /// `(hidden, inner)`
    pub(in crate::fused) down: Matrix,
}

/// Experts and their router.
pub(in crate::fused) struct Mixture {
    /// `(experts, hidden)`, in f32: a choice is all or nothing.
    pub(in crate::fused) router: Matrix,
    /// `(experts)`
    pub(in crate::fused) router_bias: Vector,
    pub(in crate::fused) correction: Vector,
    pub(in crate::fused) experts: Vec<Gated>,
    /// `(experts, inner)`
    pub(in crate::fused) gate_bias: Vector,
    pub(in crate::fused) up_bias: Vector,
    /// `(experts, hidden)`
    pub(in crate::fused) down_bias: Vector,
}

impl Gated {
    pub(in crate::fused) fn matrices(&self) -> [&Matrix; 3] {
        [&self.gate, &self.up, &self.down]
    }

    fn bytes(&self) -> usize {
        self.matrices().into_iter().map(Matrix::bytes).sum()
    }
}

impl Layer {
    /// The matrices that read the normed residual: those of attention, and the dense feed-forward
    /// layer's or the router.
    pub(in crate::fused) fn of_hidden(&self) -> impl Iterator<Item = &Matrix> {
        let (first, second) = match &self.feed_forward {
            FeedForward::Dense(gated) => (&gated.gate, Some(&gated.up)),
            FeedForward::Mixture(mixture) => (&mixture.router, None),
        };
        [&self.query, &self.key, &self.value, first].into_iter().chain(second)
    }

    /// Its experts, if it has any.
    pub(in crate::fused) fn mixture(&self) -> Option<&Mixture> {
        match &self.feed_forward {
            FeedForward::Dense(_) => None,
            FeedForward::Mixture(mixture) => Some(mixture),
        }
    }

    /// Whether what attention gives, and what the feed-forward layer gives, is added to the residual
    /// stream as it comes.
    #[expect(clippy::float_cmp, reason = "exactly one is what models without a factor have")]
    pub(in crate::fused) fn adds_directly(&self, spec: &ModelSpec) -> (bool, bool) {
        let plain = spec.residual_scale == 1.0;
        let attention = self.attention_post_norm.is_none() && self.attention_output_bias.is_none();
        let feed_forward = self.feed_forward_post_norm.is_none() && self.mixture().is_none();
        (plain && attention, plain && feed_forward)
    }

    fn vectors(&self) -> [&Vector; 11] {
        [
            &self.attention_norm,
            &self.query_bias,
            &self.key_bias,
            &self.value_bias,
            &self.query_norm,
            &self.key_norm,
            &self.sinks,
            &self.attention_output_bias,
            &self.attention_post_norm,
            &self.feed_forward_norm,
            &self.feed_forward_post_norm,
        ]
    }

    /// Bytes of what every token reads, and of the experts.
    pub(in crate::fused) fn bytes(&self) -> (usize, usize) {
        let attention = [&self.query, &self.key, &self.value, &self.attention_output];
        let attention: usize = attention.into_iter().map(Matrix::bytes).sum();
        let vectors: usize = self.vectors().into_iter().map(vector_bytes).sum();
        match &self.feed_forward {
            FeedForward::Dense(gated) => (attention + vectors + gated.bytes(), 0),
            FeedForward::Mixture(mixture) => {
                let own = [&mixture.router_bias, &mixture.correction];
                let own: usize = own.into_iter().map(vector_bytes).sum();
                let biases = [&mixture.gate_bias, &mixture.up_bias, &mixture.down_bias];
                let biases: usize = biases.into_iter().map(vector_bytes).sum();
                let experts: usize = mixture.experts.iter().map(Gated::bytes).sum();
                (attention + vectors + mixture.router.bytes() + own, experts + biases)
            }
        }
    }
}

fn vector_bytes(vector: &Vector) -> usize {
    vector.as_ref().map_or(0, |vector| vector.len() * size_of::<f32>())
}

impl Mixture {
    /// Slots that so many rows take at most, each choosing so many experts.
    pub(in crate::fused) fn most_slots(&self, rows: usize, active: usize) -> usize {
        let chosen = rows * active;
        // Every expert that is chosen at all begins at a multiple of the alignment.
        chosen.min(self.experts.len()) * (aligned(1) - 1) + chosen
    }
}
