//! What a pass through the model writes to: made once, used for every token.
//!
//! Threads write different places of the same buffers, phase by phase; which places is said where
//! they are written (see [`super::pass`]).

use super::routing_memory::SharedChoices;
use super::weights::{FeedForward, FusedWeights, Layer};
use crate::spec::ModelSpec;
use freeweights_kernels::attention::AttentionScratch;
use freeweights_kernels::isa::Isa;
use freeweights_kernels::matrix::{Activations, Forms, PANEL};
use freeweights_kernels::shared::SharedNumbers;
use std::cell::UnsafeCell;

/// The buffers of a pass over some rows, one row a token.
#[derive(Default)]
pub(super) struct Workspace {
    /// `(rows, hidden)`: the residual stream.
    pub(super) residual: SharedNumbers,
    /// `(rows, heads * head_dim)`
    pub(super) query: SharedNumbers,
    /// `(rows, kv_heads * head_dim)`
    pub(super) key: SharedNumbers,
    /// `(rows, kv_heads * head_dim)`
    pub(super) value: SharedNumbers,
    /// `(rows, heads * head_dim)`: what attention gives.
    pub(super) attended: SharedNumbers,
    /// `(rows, hidden)`: what attention or the feed-forward layer gives, where more is to be done
    /// with it than adding it to the residual stream.
    pub(super) branch: SharedNumbers,
    /// `(rows, intermediate)`: the gated inner layer; of experts `(slots, width)`.
    pub(super) inner: SharedNumbers,
    /// `(rows, experts)`: what the router says.
    pub(super) scores: SharedNumbers,
    /// `(slots, hidden)`: what experts give.
    pub(super) of_experts: SharedNumbers,
    /// Which row goes to which expert, in which slot.
    pub(super) choices: SharedChoices,
    /// `(kept rows, hidden)`: the residual stream of the rows whose logits are wanted.
    pub(super) kept: SharedNumbers,
    /// `(kept rows, vocab)`
    pub(super) logits: SharedNumbers,
    /// Normalised rows, for the projections of attention and of the inner layer.
    pub(super) for_hidden: Activations,
    /// For the output projection of attention.
    pub(super) for_attended: Activations,
    /// For the down projection.
    pub(super) for_inner: Activations,
    /// Normalised rows in the slots of experts, and their inner layers.
    pub(super) for_experts: Activations,
    pub(super) for_expert_inner: Activations,
    /// For the output head.
    pub(super) for_head: Activations,
    /// Parts of attention that is split over threads: `(parts, group)`, `(parts, group)` and
    /// `(parts, group, head_dim)`.
    pub(super) part_maxima: SharedNumbers,
    pub(super) part_sums: SharedNumbers,
    pub(super) part_values: SharedNumbers,
    pub(super) threads: Vec<ThreadMemory>,
}

/// What one thread works in.
pub(super) struct ThreadMemory(UnsafeCell<Own>);

// SAFETY: each thread of a pool uses the memory of its own number only.
unsafe impl Sync for ThreadMemory {}

/// Buffers of one thread.
pub(super) struct Own {
    /// `(hidden)`
    pub(super) normalised: Vec<f32>,
    /// `(heads * head_dim)`: heads that are being normed.
    pub(super) heads: Vec<f32>,
    /// `(rows, 32)`: one panel of the gate.
    pub(super) gate: Vec<f32>,
    /// `(rows, 32)`: one panel of the up projection.
    pub(super) up: Vec<f32>,
    pub(super) attention: AttentionScratch,
}

impl ThreadMemory {
    fn new(spec: &ModelSpec) -> Self {
        Self(UnsafeCell::new(Own {
            normalised: vec![0.0; spec.hidden],
            heads: vec![0.0; spec.query_width()],
            gate: Vec::new(),
            up: Vec::new(),
            attention: AttentionScratch::new(spec.head_dim, spec.heads / spec.kv_heads),
        }))
    }

    /// The buffers.
    ///
    /// # Safety
    /// Only the thread of this number may ask, and it may not hold the answer of an earlier call.
    #[expect(clippy::mut_from_ref, reason = "the caller vouches for being alone")]
    pub(super) unsafe fn own(&self) -> &mut Own {
        // SAFETY: as the caller vouches.
        unsafe { &mut *self.0.get() }
    }
}

/// How many rows of what a pass has.
#[derive(Debug, Clone, Copy)]
pub(super) struct Extent {
    /// Tokens of the pass.
    pub(super) rows: usize,
    /// Rows whose logits are wanted at the end; 0 if none are yet.
    pub(super) heads: usize,
    /// Rows that are kept for the head, this pass and those before.
    pub(super) kept: usize,
    /// Parts of split attention.
    pub(super) parts: usize,
}

impl Workspace {
    pub(super) fn new(spec: &ModelSpec, threads: usize) -> Self {
        Self { threads: (0..threads).map(|_| ThreadMemory::new(spec)).collect(), ..Self::default() }
    }

    /// Bytes of the buffers of numbers: most of what there is beside weights and cache.
    pub(super) fn bytes(&self) -> usize {
        let shared = [
            &self.residual,
            &self.query,
            &self.key,
            &self.value,
            &self.attended,
            &self.branch,
            &self.inner,
            &self.scores,
            &self.of_experts,
            &self.kept,
            &self.logits,
            &self.part_maxima,
            &self.part_sums,
            &self.part_values,
        ];
        shared.iter().map(|numbers| numbers.len() * size_of::<f32>()).sum()
    }

    /// Makes room for a pass and says in which forms its activations are kept. Allocates only for
    /// more rows than ever before.
    pub(super) fn shape(
        &mut self,
        spec: &ModelSpec,
        weights: &FusedWeights,
        isa: Isa,
        extent: Extent,
    ) {
        let Extent { rows, heads, kept, parts } = extent;
        let (q, kv) = (spec.heads * spec.head_dim, spec.kv_heads * spec.head_dim);
        let group = spec.heads / spec.kv_heads;
        self.residual.reserve(rows * spec.hidden);
        self.query.reserve(rows * q);
        self.key.reserve(rows * kv);
        self.value.reserve(rows * kv);
        self.attended.reserve(rows * q);
        if !weights.adds_directly(spec) {
            self.branch.reserve(rows * spec.hidden);
        }
        self.inner.reserve(rows * spec.intermediate);
        self.kept.reserve(kept * spec.hidden);
        self.logits.reserve(heads * spec.vocab);
        self.part_maxima.reserve(parts * group);
        self.part_sums.reserve(parts * group);
        self.part_values.reserve(parts * group * spec.head_dim);
        let forms = forms(weights, isa, rows);
        self.for_hidden.shape(isa, forms.hidden, rows, spec.hidden);
        self.for_attended.shape(isa, forms.attended, rows, q);
        self.for_inner.shape(isa, forms.inner, rows, spec.intermediate);
        self.shape_for_experts(spec, weights, isa, rows);
        if heads > 0 {
            self.for_head.shape(isa, weights.head().forms(isa, heads), heads, spec.hidden);
        }
        for memory in &mut self.threads {
            let own = memory.0.get_mut();
            for panel in [&mut own.gate, &mut own.up] {
                panel.resize(panel.len().max(rows * PANEL), 0.0);
            }
        }
    }

    fn shape_for_experts(
        &mut self,
        spec: &ModelSpec,
        weights: &FusedWeights,
        isa: Isa,
        rows: usize,
    ) {
        let Some(experts) = &spec.experts else { return };
        let Some(mixture) = weights.layers.iter().find_map(Layer::mixture) else { return };
        let slots = mixture.most_slots(rows, experts.active);
        self.scores.reserve(rows * experts.count);
        self.inner.reserve(slots * experts.intermediate);
        self.of_experts.reserve(slots * spec.hidden);
        self.choices.get_mut().reserve(rows, experts);
        // An expert has one row or as many as there are: both forms are wanted.
        let (mut hidden, mut inner) = (Forms::default(), Forms::default());
        for mixture in weights.layers.iter().filter_map(Layer::mixture) {
            // All of a layer are stored alike.
            if let Some(gated) = mixture.experts.first() {
                for count in [1, rows] {
                    let [gate, up, down] = gated.matrices();
                    hidden = hidden | gate.forms(isa, count) | up.forms(isa, count);
                    inner = inner | down.forms(isa, count);
                }
            }
        }
        self.for_experts.shape(isa, hidden, slots, spec.hidden);
        self.for_expert_inner.shape(isa, inner, slots, experts.intermediate);
    }
}

/// In which forms activations are wanted.
#[derive(Default)]
struct Wanted {
    hidden: Forms,
    attended: Forms,
    inner: Forms,
}

/// The forms that the matrices of all layers want together: of normalised rows, of what attention
/// gives, and of the inner layer.
fn forms(weights: &FusedWeights, isa: Isa, rows: usize) -> Wanted {
    let mut wanted = Wanted::default();
    for layer in &weights.layers {
        for matrix in layer.of_hidden() {
            wanted.hidden = wanted.hidden | matrix.forms(isa, rows);
        }
        wanted.attended = wanted.attended | layer.attention_output.forms(isa, rows);
        if let FeedForward::Dense(gated) = &layer.feed_forward {
            wanted.inner = wanted.inner | gated.down.forms(isa, rows);
        }
    }
    wanted
}
