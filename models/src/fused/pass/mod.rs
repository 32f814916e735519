//! One pass through the model: the program that all threads run together, phase by phase.
//!
//! In each phase the threads share the work and write different places; between phases they meet.
//! What is too little to share (the norm of one row) is done by whoever comes last to the meeting,
//! while nobody else runs.
//!
//! | phase | shared by | reads | writes |
//! |---|---|---|---|
//! | embedding | rows | embedding | residual, normalised rows |
//! | projections | panels of query, key, value | normalised rows | query, key, value |
//! | rotation | rows | query, key, value | query, KV cache |
//! | attention | heads, blocks of queries or of keys | query, KV cache | attended (or parts of it) |
//! | merging | rows | parts | attended, its activations |
//! | output projection | panels | attended activations | residual (added) |
//! | norm | rows | residual | normalised rows |
//! | gate and up | pairs of panels | normalised rows | inner |
//! | rounding | rows | inner | inner activations |
//! | down projection | panels | inner activations | residual (added) |
//! | norm | rows | residual | normalised rows of the next layer |
//! | head | panels | kept rows | logits |
//!
//! Not here: which rows, and how attention is split ([`super::plan`]).

mod attention;
mod feed_forward;
mod mixture;

use super::plan::Plan;
use super::profile::{Operation, Profile};
use super::ropes::Ropes;
use super::weights::{FeedForward, FusedWeights, Layer};
use super::workspace::{Own, Workspace};
use crate::spec::ModelSpec;
use freeweights_kernels::attention::KvCache;
use freeweights_kernels::isa::Isa;
use freeweights_kernels::matrix::{Activations, Output, PANEL};
use freeweights_kernels::norm::rms_norm;
use freeweights_kernels::shared::SharedNumbers;
use freeweights_kernels::team::{Sharing, Team};
use freeweights_kernels::weights::{Matrix, multiply_panels};
use std::ops::Range;

/// Rows times columns up to which one thread does what is done row by row: sharing it would take as
/// long.
const ALONE: usize = 4096;

/// Everything a pass works with.
pub(super) struct Pass<'a> {
    pub(super) spec: &'a ModelSpec,
    pub(super) weights: &'a FusedWeights,
    /// The layers to go through: all, or the first few to check kernels with.
    pub(super) layers: &'a [Layer],
    pub(super) plan: &'a Plan,
    pub(super) memory: &'a Workspace,
    pub(super) cache: &'a KvCache,
    pub(super) ropes: &'a Ropes,
    pub(super) isa: Isa,
    pub(super) team: &'a Team,
    pub(super) profile: &'a Profile,
}

impl Pass<'_> {
    /// The program of one thread.
    pub(super) fn run(&self, thread: usize) {
        self.profile.start(thread);
        let first = &self.layers[0];
        self.rows(thread, Operation::Embedding, self.spec.hidden, |row, own| {
            self.embed(row);
            self.normalise(row, first.attention_norm.as_deref(), own);
        });
        for (n, layer) in self.layers.iter().enumerate() {
            self.project(thread, n, layer);
            self.attention(thread, n, layer);
            self.attention_output(thread, layer);
            let next = self.layers.get(n + 1);
            match &layer.feed_forward {
                FeedForward::Dense(gated) => {
                    self.gate_and_up(thread, gated);
                    self.down(thread, layer, gated, next);
                }
                FeedForward::Mixture(mixture) => {
                    self.choose(thread, layer, mixture);
                    self.gate_and_up_of_experts(thread, mixture);
                    self.down_of_experts(thread, layer, mixture, next);
                }
            }
        }
        if self.plan.heads > 0 {
            self.head(thread);
        }
    }

    /// A phase that has nothing but rows.
    fn rows(
        &self,
        thread: usize,
        operation: Operation,
        columns: usize,
        each: impl Fn(usize, &mut Own),
    ) {
        self.phase(thread, operation, 0, Sharing::Even, |_, _| (), columns, each);
    }

    /// A phase, and then something for each row that needs all of it.
    #[expect(clippy::too_many_arguments, reason = "what a phase is: work, and what follows it")]
    fn phase(
        &self,
        thread: usize,
        operation: Operation,
        count: usize,
        sharing: Sharing,
        mut work: impl FnMut(Range<usize>, &mut Own),
        columns: usize,
        then: impl Fn(usize, &mut Own),
    ) {
        let rows = self.plan.rows.len();
        // SAFETY: the number is ours, and the borrow ends with each closure.
        let own = || unsafe { self.memory.threads[thread].own() };
        let shared_work = |pieces: Range<usize>| work(pieces, own());
        if rows * columns <= ALONE {
            let alone = || (0..rows).for_each(|row| then(row, own()));
            self.team.phase(thread, count, sharing, shared_work, alone);
            self.profile.note(thread, operation);
            return;
        }
        if count > 0 {
            self.team.phase(thread, count, sharing, shared_work, || ());
            self.profile.note(thread, operation);
        }
        let each = |rows: Range<usize>| rows.for_each(|row| then(row, own()));
        self.team.phase(thread, rows, Sharing::Even, each, || ());
        self.profile.note(thread, if count > 0 { operation.rows() } else { operation });
    }

    fn embed(&self, row: usize) {
        let token = self.plan.rows[row].token as usize;
        // SAFETY: in this phase the row is ours.
        let residual = unsafe { slice_mut(&self.memory.residual, row, self.spec.hidden) };
        self.weights.embedding.row(token, residual);
        scale(residual, self.spec.embedding_scale);
    }

    /// The row of the residual stream as activations, normalised if there is a norm.
    fn normalise(&self, row: usize, norm: Option<&[f32]>, own: &mut Own) {
        // SAFETY: nobody writes to the residual stream in this phase, and the row of activations is
        // ours.
        unsafe {
            let residual = slice(&self.memory.residual, row, self.spec.hidden);
            match norm {
                Some(norm) => {
                    self.normalise_into(residual, norm, own, &self.memory.for_hidden, row);
                }
                None => self.memory.for_hidden.write_row(row, residual),
            }
        }
    }

    /// Adds to the residual stream what a branch gave for a row, once it was normed and scaled.
    fn add_branch(&self, row: usize, bias: Option<&[f32]>, norm: Option<&[f32]>, own: &mut Own) {
        let hidden = self.spec.hidden;
        // SAFETY: in this phase the row is ours.
        let (residual, branch) = unsafe {
            (
                slice_mut(&self.memory.residual, row, hidden),
                slice_mut(&self.memory.branch, row, hidden),
            )
        };
        if let Some(bias) = bias {
            add(branch, bias);
        }
        let added = match norm {
            Some(norm) => {
                rms_norm(self.isa, branch, norm, self.epsilon(), &mut own.normalised);
                &own.normalised[..]
            }
            None => branch,
        };
        let factor = self.spec.residual_scale;
        for (residual, added) in residual.iter_mut().zip(added) {
            *residual = factor.mul_add(*added, *residual);
        }
    }

    fn epsilon(&self) -> f32 {
        #[expect(clippy::cast_possible_truncation, reason = "norms are computed in f32")]
        let epsilon = self.spec.norm_eps as f32;
        epsilon
    }

    /// # Safety
    /// The row of activations must be ours.
    unsafe fn normalise_into(
        &self,
        values: &[f32],
        norm: &[f32],
        own: &mut Own,
        activations: &Activations,
        row: usize,
    ) {
        rms_norm(self.isa, values, norm, self.epsilon(), &mut own.normalised);
        // SAFETY: as the caller vouches.
        unsafe { activations.write_row(row, &own.normalised) };
    }

    /// Where a product of this pass goes.
    fn output(&self, values: &SharedNumbers, matrix: &Matrix) -> Output<'_> {
        let (rows, batch) = (matrix.rows(), self.plan.rows.len());
        assert!(values.len() >= rows * batch, "room for {batch} rows of {rows}");
        // SAFETY: there is room for the whole product.
        unsafe { Output::window(values.pointer(0), rows, 0, rows, batch) }
    }

    /// Keeps the rows whose logits are wanted, and makes activations of all that were kept if this
    /// is the pass that needs them.
    fn keep(&self, thread: usize) {
        let (memory, hidden) = (self.memory, self.spec.hidden);
        // SAFETY: no other thread runs now; the number is ours.
        unsafe {
            for &(row, place) in &self.plan.keep {
                let residual = slice(&memory.residual, row, hidden);
                slice_mut(&memory.kept, place, hidden).copy_from_slice(residual);
            }
            let own = memory.threads[thread].own();
            for place in 0..self.plan.heads {
                let kept = slice(&memory.kept, place, hidden);
                let norm = &self.weights.output_norm;
                self.normalise_into(kept, norm, own, &memory.for_head, place);
            }
        }
    }

    fn head(&self, thread: usize) {
        let (memory, matrix) = (self.memory, self.weights.head());
        let (rows, heads) = (matrix.rows(), self.plan.heads);
        assert!(memory.logits.len() >= rows * heads, "room for the logits");
        let work = |panels: Range<usize>| {
            // SAFETY: there is room for the whole product; in this phase the panels are ours, and
            // the activations are read only.
            unsafe {
                let output = Output::window(memory.logits.pointer(0), rows, 0, rows, heads);
                multiply_panels(self.isa, matrix, &memory.for_head, panels.clone(), &output);
                let columns = panels.start * PANEL..rows.min(panels.end * PANEL);
                for head in 0..heads {
                    let at = head * rows;
                    let logits = memory.logits.slice_mut(at + columns.start..at + columns.end);
                    scale(logits, self.spec.logit_scale);
                    cap(logits, self.spec.logit_softcap);
                }
            }
        };
        self.team.phase(thread, matrix.panels(), Sharing::Even, work, || ());
        self.profile.note(thread, Operation::Head);
    }
}

/// Multiplies all values, unless by one.
#[expect(clippy::float_cmp, reason = "exactly one is what models without a factor have")]
fn scale(values: &mut [f32], factor: f32) {
    if factor != 1.0 {
        for value in values {
            *value *= factor;
        }
    }
}

/// `c tanh(x / c)` of all values.
fn cap(values: &mut [f32], cap: Option<f32>) {
    if let Some(cap) = cap {
        for value in values {
            *value = cap * (*value / cap).tanh();
        }
    }
}

/// Adds one row to another.
fn add(values: &mut [f32], added: &[f32]) {
    for (value, added) in values.iter_mut().zip(added) {
        *value += added;
    }
}

/// One row of a buffer.
///
/// # Safety
/// As [`SharedNumbers::slice`].
unsafe fn slice(numbers: &SharedNumbers, row: usize, columns: usize) -> &[f32] {
    // SAFETY: as the caller vouches.
    unsafe { numbers.slice(row * columns..(row + 1) * columns) }
}

/// One row of a buffer, to be written.
///
/// # Safety
/// As [`SharedNumbers::slice_mut`].
#[expect(clippy::mut_from_ref, reason = "the caller vouches for writing alone")]
unsafe fn slice_mut(numbers: &SharedNumbers, row: usize, columns: usize) -> &mut [f32] {
    // SAFETY: as the caller vouches.
    unsafe { numbers.slice_mut(row * columns..(row + 1) * columns) }
}
