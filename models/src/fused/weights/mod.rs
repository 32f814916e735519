//! The weights of a fused model: every matrix packed for the kernels, made once at load.
//!
//! Stored bytes are read in pieces by all threads, each into a buffer of its own, and packed at once:
//! beside the packed weights only these buffers stand in memory.
//!
//! Not here: the order in which they are used.

mod layer;
mod read;
mod shape;

pub(super) use layer::{FeedForward, Gated, Layer, Mixture};

use crate::error::ModelError;
use crate::spec::ModelSpec;
use crate::stored::{StoredTensors, TensorReader};
use crate::tensors::{Part, Role};
use freeweights_kernels::weights::Matrix;
use read::{Numbers, Piece};
use std::num::NonZeroUsize;

/// All weights.
pub(super) struct FusedWeights {
    /// `(vocab, hidden)`: the embedding, and the output head where there is no other.
    pub(super) embedding: Matrix,
    pub(super) layers: Vec<Layer>,
    /// `(hidden)`
    pub(super) output_norm: Vec<f32>,
    /// `(vocab, hidden)`
    pub(super) output: Option<Matrix>,
}

impl FusedWeights {
    /// Whether the kernels have code for a shape.
    ///
    /// # Errors
    /// [`ModelError::NotFused`] with the reason.
    pub(super) fn check(spec: &ModelSpec) -> Result<(), ModelError> {
        shape::check(spec)
    }

    /// Reads and packs everything.
    ///
    /// # Errors
    /// [`ModelError::NotFused`] for a shape or a type the kernels have not, [`ModelError::Weights`]
    /// if a tensor cannot be read.
    pub(super) fn load(
        spec: &ModelSpec,
        stored: &dyn StoredTensors,
        threads: NonZeroUsize,
    ) -> Result<Self, ModelError> {
        Self::check(spec)?;
        let mut reader = stored.open().map_err(read::unreadable)?;
        let mut weights = Self::without_matrices(spec, stored, reader.as_mut())?;
        drop(reader);
        let mut pieces = Vec::new();
        for (role, first_row, matrix) in weights.matrices_mut() {
            pieces.extend(Piece::of(spec, stored, role, first_row, matrix));
        }
        read::all(stored, pieces, threads)?;
        Ok(weights)
    }

    /// Everything but the contents of the large matrices.
    fn without_matrices(
        spec: &ModelSpec,
        stored: &dyn StoredTensors,
        reader: &mut dyn TensorReader,
    ) -> Result<Self, ModelError> {
        let mut numbers = Numbers { spec, stored, reader };
        let matrix = |role, rows| shape::zeroed(stored, role, rows, spec.hidden);
        let layers = (0..spec.layers).map(|n| layer(n, &mut numbers)).collect::<Result<_, _>>()?;
        let output =
            if spec.tied_embeddings { None } else { Some(matrix(Role::Output, spec.vocab)?) };
        Ok(Self {
            embedding: matrix(Role::Embedding, spec.vocab)?,
            layers,
            output_norm: numbers.vector(Role::OutputNorm)?,
            output,
        })
    }

    /// The matrices that are read in pieces: the role of each, and the row of the stored tensor at
    /// which it begins.
    fn matrices_mut(&mut self) -> Vec<(Role, usize, &mut Matrix)> {
        let mut matrices = vec![(Role::Embedding, 0, &mut self.embedding)];
        for (n, layer) in self.layers.iter_mut().enumerate() {
            let role = |part| Role::Layer(n, part);
            matrices.extend([
                (role(Part::Query), 0, &mut layer.query),
                (role(Part::Key), 0, &mut layer.key),
                (role(Part::Value), 0, &mut layer.value),
                (role(Part::AttentionOutput), 0, &mut layer.attention_output),
            ]);
            match &mut layer.feed_forward {
                FeedForward::Dense(gated) => matrices.extend([
                    (role(Part::Gate), 0, &mut gated.gate),
                    (role(Part::Up), 0, &mut gated.up),
                    (role(Part::Down), 0, &mut gated.down),
                ]),
                FeedForward::Mixture(mixture) => {
                    for (expert, gated) in mixture.experts.iter_mut().enumerate() {
                        let inner = expert * gated.gate.rows();
                        let hidden = expert * gated.down.rows();
                        matrices.extend([
                            (role(Part::ExpertGate), inner, &mut gated.gate),
                            (role(Part::ExpertUp), inner, &mut gated.up),
                            (role(Part::ExpertDown), hidden, &mut gated.down),
                        ]);
                    }
                }
            }
        }
        matrices.extend(self.output.as_mut().map(|output| (Role::Output, 0, output)));
        matrices
    }

    /// Whether what attention and the feed-forward layer give is added to the residual stream as it
    /// comes, in all layers.
    pub(super) fn adds_directly(&self, spec: &ModelSpec) -> bool {
        self.layers.iter().all(|layer| layer.adds_directly(spec) == (true, true))
    }

    /// The output head.
    pub(super) fn head(&self) -> &Matrix {
        self.output.as_ref().unwrap_or(&self.embedding)
    }

    /// Bytes of all weights as packed, and of those that a decode step of so many sequences reads,
    /// of the experts the share that was seen to be read, or else the one that is expected.
    pub(super) fn bytes(
        &self,
        spec: &ModelSpec,
        sequences: usize,
        experts_read: Option<f64>,
    ) -> (u64, u64) {
        let norm = self.output_norm.len() * size_of::<f32>();
        let (mut always, mut experts) = (norm + self.head().bytes(), 0);
        for layer in &self.layers {
            let (own, of_experts) = layer.bytes();
            (always, experts) = (always + own, experts + of_experts);
        }
        let unread = if self.output.is_some() { self.embedding.bytes() } else { 0 };
        let expected = |e: &crate::Experts| e.expected_share(sequences.max(1));
        let share = experts_read.or(spec.experts.as_ref().map(expected)).unwrap_or(1.0);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a share of a count of bytes"
        )]
        let read = (experts as f64 * share) as u64;
        ((always + experts + unread) as u64, always as u64 + read)
    }
}

/// A layer, its large matrices zero.
fn layer(n: usize, numbers: &mut Numbers<'_>) -> Result<Layer, ModelError> {
    let (spec, stored) = (numbers.spec, numbers.stored);
    let (q, kv) = (spec.query_width(), spec.kv_heads * spec.head_dim);
    let matrix = |part, rows, columns| shape::zeroed(stored, Role::Layer(n, part), rows, columns);
    let mut vector = |part| numbers.optional(Role::Layer(n, part));
    Ok(Layer {
        attention_norm: vector(Part::AttentionNorm)?,
        query: matrix(Part::Query, q, spec.hidden)?,
        key: matrix(Part::Key, kv, spec.hidden)?,
        value: matrix(Part::Value, kv, spec.hidden)?,
        query_bias: vector(Part::QueryBias)?,
        key_bias: vector(Part::KeyBias)?,
        value_bias: vector(Part::ValueBias)?,
        query_norm: vector(Part::QueryNorm)?,
        key_norm: vector(Part::KeyNorm)?,
        sinks: vector(Part::Sinks)?,
        attention_output: matrix(Part::AttentionOutput, spec.hidden, q)?,
        attention_output_bias: vector(Part::AttentionOutputBias)?,
        attention_post_norm: vector(Part::AttentionPostNorm)?,
        feed_forward_norm: vector(Part::FeedForwardNorm)?,
        feed_forward_post_norm: vector(Part::FeedForwardPostNorm)?,
        feed_forward: feed_forward(n, numbers)?,
    })
}

fn feed_forward(n: usize, numbers: &mut Numbers<'_>) -> Result<FeedForward, ModelError> {
    let (spec, stored, hidden) = (numbers.spec, numbers.stored, numbers.spec.hidden);
    let gated = |[gate, up, down]: [Part; 3], inner| {
        let matrix =
            |part, rows, columns| shape::zeroed(stored, Role::Layer(n, part), rows, columns);
        Ok(Gated {
            gate: matrix(gate, inner, hidden)?,
            up: matrix(up, inner, hidden)?,
            down: matrix(down, hidden, inner)?,
        })
    };
    let Some(experts) = spec.experts_of(n) else {
        let parts = [Part::Gate, Part::Up, Part::Down];
        return gated(parts, spec.intermediate).map(FeedForward::Dense);
    };
    let parts = [Part::ExpertGate, Part::ExpertUp, Part::ExpertDown];
    let one = |_| gated(parts, experts.intermediate);
    let all = (0..experts.count).map(one).collect::<Result<_, ModelError>>()?;
    let role = |part| Role::Layer(n, part);
    Ok(FeedForward::Mixture(Mixture {
        router: numbers.matrix(role(Part::Router), experts.count, hidden)?,
        router_bias: numbers.optional(role(Part::RouterBias))?,
        correction: numbers.optional(role(Part::RouterCorrection))?,
        experts: all,
        gate_bias: numbers.optional(role(Part::ExpertGateBias))?,
        up_bias: numbers.optional(role(Part::ExpertUpBias))?,
        down_bias: numbers.optional(role(Part::ExpertDownBias))?,
    }))
}
