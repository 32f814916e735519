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

use super::plan::{AttentionTask, Merge, Plan};
use super::profile::{Operation, Profile};
use super::weights::{FusedWeights, Layer};
use super::workspace::{Own, Workspace};
use crate::spec::ModelSpec;
use freeweights_kernels::attention::{
    AttentionOutput, KvCache, Part, Queries, attend, attend_part, merge_parts,
};
use freeweights_kernels::gate::silu_multiply;
use freeweights_kernels::isa::Isa;
use freeweights_kernels::matrix::{Activations, Output, PANEL};
use freeweights_kernels::norm::rms_norm;
use freeweights_kernels::rope::RopeTable;
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
    pub(super) rope: &'a RopeTable,
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
            self.normalise(row, &first.attention_norm, own);
        });
        for (n, layer) in self.layers.iter().enumerate() {
            self.project(thread, n, layer);
            self.attention(thread, n);
            let next = self.layers.get(n + 1);
            self.attention_output(thread, layer);
            self.gate_and_up(thread, layer);
            self.down(thread, layer, next);
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
    }

    /// The row of the residual stream, normalised, as activations.
    fn normalise(&self, row: usize, norm: &[f32], own: &mut Own) {
        // SAFETY: nobody writes to the residual stream in this phase, and the row of activations is
        // ours.
        unsafe {
            let residual = slice(&self.memory.residual, row, self.spec.hidden);
            self.normalise_into(residual, norm, own, &self.memory.for_hidden, row);
        }
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
        #[expect(clippy::cast_possible_truncation, reason = "norms are computed in f32")]
        let epsilon = self.spec.norm_eps as f32;
        rms_norm(self.isa, values, norm, epsilon, &mut own.normalised);
        // SAFETY: as the caller vouches.
        unsafe { activations.write_row(row, &own.normalised) };
    }

    /// Query, key and value of all rows, then rotation and the KV cache.
    fn project(&self, thread: usize, n: usize, layer: &Layer) {
        let memory = self.memory;
        let products = [
            (&layer.query, &memory.query),
            (&layer.key, &memory.key),
            (&layer.value, &memory.value),
        ];
        let count = products.iter().map(|(matrix, _)| matrix.panels()).sum();
        let work = |pieces: Range<usize>, _: &mut Own| {
            let mut first = 0;
            for (matrix, output) in products {
                let panels = matrix.panels();
                let range = pieces.start.max(first) - first
                    ..pieces.end.min(first + panels).max(first) - first;
                if !range.is_empty() {
                    let output = self.output(output, matrix);
                    // SAFETY: in this phase the panels are ours, and the activations are read only.
                    unsafe {
                        multiply_panels(self.isa, matrix, &memory.for_hidden, range, &output);
                    }
                }
                first += panels;
            }
        };
        let width = (self.spec.heads + 2 * self.spec.kv_heads) * self.spec.head_dim;
        self.phase(thread, Operation::Projections, count, Sharing::Even, work, width, |row, _| {
            self.rotate_and_append(n, row);
        });
    }

    /// Where a product of this pass goes.
    fn output(&self, values: &SharedNumbers, matrix: &Matrix) -> Output<'_> {
        let (rows, batch) = (matrix.rows(), self.plan.rows.len());
        assert!(values.len() >= rows * batch, "room for {batch} rows of {rows}");
        // SAFETY: there is room for the whole product.
        unsafe { Output::window(values.pointer(0), rows, 0, rows, batch) }
    }

    /// Turns the queries and the key of one token to its position, and keeps key and value.
    fn rotate_and_append(&self, n: usize, row: usize) {
        let (d, of) = (self.spec.head_dim, self.plan.rows[row]);
        let (q, kv) = (self.spec.heads * d, self.spec.kv_heads * d);
        // SAFETY: in this phase the row is ours, and so are the places of its token in the cache.
        unsafe {
            for head in slice_mut(&self.memory.query, row, q).chunks_exact_mut(d) {
                self.rope.rotate(self.isa, of.position, head);
            }
            let keys = slice_mut(&self.memory.key, row, kv).chunks_exact_mut(d);
            let values = slice(&self.memory.value, row, kv).chunks_exact(d);
            for (head, (key, value)) in keys.zip(values).enumerate() {
                self.rope.rotate(self.isa, of.position, key);
                self.cache.append(self.isa, n, of.sequence, head, of.position, key, value);
            }
        }
    }

    fn attention(&self, thread: usize, n: usize) {
        let tasks = &self.plan.tasks;
        let work = |pieces: Range<usize>, own: &mut Own| {
            for task in &tasks[pieces] {
                self.attend(n, task, own);
            }
        };
        let width = self.spec.heads * self.spec.head_dim;
        let count = tasks.len();
        self.phase(
            thread,
            Operation::Attention,
            count,
            Sharing::FirstCome,
            work,
            width,
            |row, _| {
                for merge in self.plan.merges.iter().filter(|merge| merge.row == row) {
                    self.merge(merge);
                }
                // SAFETY: in this phase the row is ours.
                unsafe {
                    let attended = slice(&self.memory.attended, row, width);
                    self.memory.for_attended.write_row(row, attended);
                }
            },
        );
    }

    fn attend(&self, n: usize, task: &AttentionTask, own: &mut Own) {
        let (d, group) = (self.spec.head_dim, self.spec.heads / self.spec.kv_heads);
        let stride = self.spec.heads * d;
        let first = self.plan.rows[task.rows.start];
        let at = task.rows.start * stride + task.kv_head * group * d;
        let queries = Queries {
            values: self.memory.query.pointer(at),
            row_stride: stride,
            group,
            rows: task.rows.len(),
            first_position: first.position,
        };
        #[expect(clippy::cast_possible_truncation, reason = "scores are in f32")]
        let scale = (1.0 / (d as f64).sqrt()) as f32;
        let (isa, cache, scratch) = (self.isa, self.cache, &mut own.attention);
        // SAFETY: queries and cache are only read in this phase; these heads of these rows, or this
        // part, are ours.
        unsafe {
            if let Some((keys, part)) = &task.part {
                let part = *part;
                let part = Part {
                    maxima: slice_mut(&self.memory.part_maxima, part, group),
                    sums: slice_mut(&self.memory.part_sums, part, group),
                    values: slice_mut(&self.memory.part_values, part, group * d),
                };
                let (sequence, head) = (first.sequence, task.kv_head);
                attend_part(
                    isa,
                    cache,
                    n,
                    sequence,
                    head,
                    &queries,
                    keys.clone(),
                    scale,
                    scratch,
                    part,
                );
            } else {
                let output = AttentionOutput {
                    values: self.memory.attended.pointer(at),
                    row_stride: stride,
                };
                let (sequence, head) = (first.sequence, task.kv_head);
                attend(isa, cache, n, sequence, head, &queries, scale, scratch, &output);
            }
        }
    }

    /// The attention of one row and head from its parts.
    fn merge(&self, merge: &Merge) {
        let (d, group) = (self.spec.head_dim, self.spec.heads / self.spec.kv_heads);
        let (parts, width) = (&merge.parts, self.spec.heads * d);
        let at = merge.row * width + merge.kv_head * group * d;
        // SAFETY: the parts were written in the phase before; the row is ours.
        unsafe {
            merge_parts(
                self.isa,
                d,
                group,
                self.memory.part_maxima.slice(parts.start * group..parts.end * group),
                self.memory.part_sums.slice(parts.start * group..parts.end * group),
                self.memory.part_values.slice(parts.start * group * d..parts.end * group * d),
                self.memory.attended.slice_mut(at..at + group * d),
            );
        }
    }

    fn attention_output(&self, thread: usize, layer: &Layer) {
        let (memory, matrix) = (self.memory, &layer.attention_output);
        let work = |panels: Range<usize>, _: &mut Own| {
            let output = self.output(&memory.residual, matrix).adding();
            // SAFETY: in this phase the panels are ours, and the activations are read only.
            unsafe { multiply_panels(self.isa, matrix, &memory.for_attended, panels, &output) };
        };
        let (count, hidden) = (matrix.panels(), self.spec.hidden);
        let operation = Operation::AttentionOutput;
        self.phase(thread, operation, count, Sharing::Even, work, hidden, |row, own| {
            self.normalise(row, &layer.feed_forward_norm, own);
        });
    }

    fn gate_and_up(&self, thread: usize, layer: &Layer) {
        let (memory, rows) = (self.memory, self.plan.rows.len());
        let inner = self.spec.intermediate;
        let work = |panels: Range<usize>, own: &mut Own| {
            for panel in panels {
                for (matrix, values) in [(&layer.gate, &mut own.gate), (&layer.up, &mut own.up)] {
                    // SAFETY: the window is a buffer of ours with room for one panel; the
                    // activations are read only.
                    unsafe {
                        let (first, values) = (panel * PANEL, values.as_mut_ptr());
                        let output = Output::window(values, PANEL, first, inner, rows);
                        let panels = panel..panel + 1;
                        multiply_panels(self.isa, matrix, &memory.for_hidden, panels, &output);
                    }
                }
                let pairs = own.gate.chunks_exact(PANEL).zip(own.up.chunks_exact(PANEL));
                for (row, (gate, up)) in pairs.take(rows).enumerate() {
                    let at = row * inner + panel * PANEL;
                    // SAFETY: in this phase these columns of each row are ours.
                    let out = unsafe { memory.inner.slice_mut(at..at + PANEL) };
                    silu_multiply(self.isa, gate, up, out);
                }
            }
        };
        let count = layer.gate.panels();
        self.phase(thread, Operation::GateAndUp, count, Sharing::Even, work, inner, |row, _| {
            // SAFETY: in this phase the row is ours.
            unsafe { memory.for_inner.write_row(row, slice(&memory.inner, row, inner)) };
        });
    }

    /// The down projection, and the norm before the next layer; after the last layer the rows whose
    /// logits are wanted are kept.
    fn down(&self, thread: usize, layer: &Layer, next: Option<&Layer>) {
        let (memory, matrix) = (self.memory, &layer.down);
        let work = |panels: Range<usize>, _: &mut Own| {
            let output = self.output(&memory.residual, matrix).adding();
            // SAFETY: in this phase the panels are ours, and the activations are read only.
            unsafe { multiply_panels(self.isa, matrix, &memory.for_inner, panels, &output) };
        };
        let (count, hidden) = (matrix.panels(), self.spec.hidden);
        let Some(next) = next else {
            let keep = || self.keep(thread);
            let work = |panels: Range<usize>| {
                // SAFETY: the number is ours, and the borrow ends here.
                work(panels, unsafe { memory.threads[thread].own() });
            };
            self.team.phase(thread, count, Sharing::Even, work, keep);
            self.profile.note(thread, Operation::Down);
            return;
        };
        self.phase(thread, Operation::Down, count, Sharing::Even, work, hidden, |row, own| {
            self.normalise(row, &next.attention_norm, own);
        });
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
                multiply_panels(self.isa, matrix, &memory.for_head, panels, &output);
            }
        };
        self.team.phase(thread, matrix.panels(), Sharing::Even, work, || ());
        self.profile.note(thread, Operation::Head);
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
