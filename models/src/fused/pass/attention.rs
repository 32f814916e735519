//! Attention of one layer: projections, rotation, the KV cache, and what is read out of it.
//!
//! Not here: the arithmetic of scores ([`freeweights_kernels::attention`]), and how it is shared out
//! ([`crate::fused::plan`]).

use super::{Pass, add, slice, slice_mut};
use crate::fused::plan::{Attending, AttentionTask, Merge};
use crate::fused::profile::Operation;
use crate::fused::weights::Layer;
use crate::fused::workspace::Own;
use freeweights_kernels::attention::{
    AttentionOutput, Part, Queries, Scoring, attend, attend_part, merge_parts,
};
use freeweights_kernels::norm::rms_norm;
use freeweights_kernels::team::Sharing;
use freeweights_kernels::weights::multiply_panels;
use std::num::NonZeroUsize;
use std::ops::Range;

impl Pass<'_> {
    /// Query, key and value of all rows, then rotation and the KV cache.
    pub(super) fn project(&self, thread: usize, n: usize, layer: &Layer) {
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
        self.phase(
            thread,
            Operation::Projections,
            count,
            Sharing::Even,
            work,
            width,
            |row, own| {
                self.rotate_and_append(n, layer, row, own);
            },
        );
    }

    /// Biases, norms and turns the queries and the key of one token, and keeps key and value.
    fn rotate_and_append(&self, n: usize, layer: &Layer, row: usize, own: &mut Own) {
        let (d, of) = (self.spec.head_dim, self.plan.rows[row]);
        let (q, kv) = (self.spec.query_width(), self.spec.kv_heads * d);
        // SAFETY: in this phase the row is ours.
        let (queries, keys, values) = unsafe {
            (
                slice_mut(&self.memory.query, row, q),
                slice_mut(&self.memory.key, row, kv),
                slice_mut(&self.memory.value, row, kv),
            )
        };
        for (values, bias) in [
            (&mut *queries, &layer.query_bias),
            (&mut *keys, &layer.key_bias),
            (&mut *values, &layer.value_bias),
        ] {
            if let Some(bias) = bias {
                add(values, bias);
            }
        }
        self.norm_heads(queries, layer.query_norm.as_deref(), own);
        self.norm_heads(keys, layer.key_norm.as_deref(), own);
        if let Some(rope) = self.ropes.of(self.spec, n, of.long) {
            for head in queries.chunks_exact_mut(d).chain(keys.chunks_exact_mut(d)) {
                rope.rotate(self.isa, of.position, head);
            }
        }
        let heads = keys.chunks_exact(d).zip(values.chunks_exact(d));
        for (head, (key, value)) in heads.enumerate() {
            // SAFETY: the places of this token in the cache are ours.
            unsafe {
                self.cache.append(self.isa, n, of.sequence, head, of.position, key, value);
            }
        }
    }

    /// Norms as many values together as there are weights.
    fn norm_heads(&self, values: &mut [f32], norm: Option<&[f32]>, own: &mut Own) {
        let Some(norm) = norm else { return };
        let copy = &mut own.heads[..norm.len()];
        for head in values.chunks_exact_mut(norm.len()) {
            copy.copy_from_slice(head);
            rms_norm(self.isa, copy, norm, self.epsilon(), head);
        }
    }

    /// How scores come about for one head of keys.
    fn scoring<'l>(&self, n: usize, layer: &'l Layer, kv_head: usize) -> Scoring<'l> {
        let group = self.spec.heads / self.spec.kv_heads;
        let sinks =
            layer.sinks.as_ref().map(|sinks| &sinks[kv_head * group..(kv_head + 1) * group]);
        Scoring {
            scale: self.spec.score_scale(),
            softcap: self.spec.attention_softcap,
            window: self.spec.window_of(n).and_then(NonZeroUsize::new),
            sinks,
        }
    }

    /// How attention is shared out in a layer.
    fn sharing(&self, n: usize) -> &Attending {
        match self.spec.window_of(n) {
            Some(_) => &self.plan.windowed,
            None => &self.plan.whole,
        }
    }

    pub(super) fn attention(&self, thread: usize, n: usize, layer: &Layer) {
        let Attending { tasks, merges, .. } = self.sharing(n);
        let work = |pieces: Range<usize>, own: &mut Own| {
            for task in &tasks[pieces] {
                self.attend(n, layer, task, own);
            }
        };
        let width = self.spec.query_width();
        let count = tasks.len();
        self.phase(
            thread,
            Operation::Attention,
            count,
            Sharing::FirstCome,
            work,
            width,
            |row, _| {
                for merge in merges.iter().filter(|merge| merge.row == row) {
                    self.merge(n, layer, merge);
                }
                // SAFETY: in this phase the row is ours.
                unsafe {
                    let attended = slice(&self.memory.attended, row, width);
                    self.memory.for_attended.write_row(row, attended);
                }
            },
        );
    }

    fn attend(&self, n: usize, layer: &Layer, task: &AttentionTask, own: &mut Own) {
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
        let scoring = self.scoring(n, layer, task.kv_head);
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
                    &scoring,
                    scratch,
                    part,
                );
            } else {
                let output = AttentionOutput {
                    values: self.memory.attended.pointer(at),
                    row_stride: stride,
                };
                let (sequence, head) = (first.sequence, task.kv_head);
                attend(isa, cache, n, sequence, head, &queries, &scoring, scratch, &output);
            }
        }
    }

    /// The attention of one row and head from its parts.
    fn merge(&self, n: usize, layer: &Layer, merge: &Merge) {
        let (d, group) = (self.spec.head_dim, self.spec.heads / self.spec.kv_heads);
        let (parts, width) = (&merge.parts, self.spec.heads * d);
        let at = merge.row * width + merge.kv_head * group * d;
        let sinks = self.scoring(n, layer, merge.kv_head).sinks;
        // SAFETY: the parts were written in the phase before; the row is ours.
        unsafe {
            merge_parts(
                self.isa,
                d,
                group,
                self.memory.part_maxima.slice(parts.start * group..parts.end * group),
                self.memory.part_sums.slice(parts.start * group..parts.end * group),
                self.memory.part_values.slice(parts.start * group * d..parts.end * group * d),
                sinks,
                self.memory.attended.slice_mut(at..at + group * d),
            );
        }
    }

    /// The output projection, what it gives added to the residual stream, and the norm before the
    /// feed-forward layer.
    pub(super) fn attention_output(&self, thread: usize, layer: &Layer) {
        let (memory, matrix) = (self.memory, &layer.attention_output);
        let (direct, _) = layer.adds_directly(self.spec);
        let work = |panels: Range<usize>, _: &mut Own| {
            let output = if direct {
                self.output(&memory.residual, matrix).adding()
            } else {
                self.output(&memory.branch, matrix)
            };
            // SAFETY: in this phase the panels are ours, and the activations are read only.
            unsafe { multiply_panels(self.isa, matrix, &memory.for_attended, panels, &output) };
        };
        let (count, hidden) = (matrix.panels(), self.spec.hidden);
        let operation = Operation::AttentionOutput;
        self.phase(thread, operation, count, Sharing::Even, work, hidden, |row, own| {
            if !direct {
                let bias = layer.attention_output_bias.as_deref();
                self.add_branch(row, bias, layer.attention_post_norm.as_deref(), own);
            }
            self.normalise(row, layer.feed_forward_norm.as_deref(), own);
        });
    }
}
