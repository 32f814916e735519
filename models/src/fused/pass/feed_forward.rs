//! A feed-forward layer that all tokens use.
//!
//! Not here: experts ([`super::mixture`]).

use super::{Pass, slice};
use crate::fused::profile::Operation;
use crate::fused::weights::{Gated, Layer};
use crate::fused::workspace::Own;
use crate::spec;
use freeweights_kernels::gate::{Activation, gate_multiply};
use freeweights_kernels::matrix::{Output, PANEL};
use freeweights_kernels::team::Sharing;
use freeweights_kernels::weights::multiply_panels;
use std::ops::Range;

impl Pass<'_> {
    pub(super) fn gate_and_up(&self, thread: usize, gated: &Gated) {
        let (memory, rows) = (self.memory, self.plan.rows.len());
        let (inner, activation) = (self.spec.intermediate, self.activation());
        let work = |panels: Range<usize>, own: &mut Own| {
            for panel in panels {
                for (matrix, values) in [(&gated.gate, &mut own.gate), (&gated.up, &mut own.up)] {
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
                    gate_multiply(self.isa, activation, gate, up, out);
                }
            }
        };
        let count = gated.gate.panels();
        self.phase(thread, Operation::GateAndUp, count, Sharing::Even, work, inner, |row, _| {
            // SAFETY: in this phase the row is ours.
            unsafe { memory.for_inner.write_row(row, slice(&memory.inner, row, inner)) };
        });
    }

    /// What the kernels call the model's activation.
    pub(super) fn activation(&self) -> Activation {
        match self.spec.activation {
            spec::Activation::Silu => Activation::Silu,
            spec::Activation::GeluTanh => Activation::GeluTanh,
            spec::Activation::ClampedSwiglu => {
                Activation::ClampedSwiglu { limit: 7.0, alpha: 1.702 }
            }
        }
    }

    /// The down projection, and the norm before the next layer; after the last layer the rows whose
    /// logits are wanted are kept.
    pub(super) fn down(&self, thread: usize, layer: &Layer, gated: &Gated, next: Option<&Layer>) {
        let (memory, matrix) = (self.memory, &gated.down);
        let (_, direct) = layer.adds_directly(self.spec);
        let work = |panels: Range<usize>, _: &mut Own| {
            let output = if direct {
                self.output(&memory.residual, matrix).adding()
            } else {
                self.output(&memory.branch, matrix)
            };
            // SAFETY: in this phase the panels are ours, and the activations are read only.
            unsafe { multiply_panels(self.isa, matrix, &memory.for_inner, panels, &output) };
        };
        let count = matrix.panels();
        if direct && next.is_none() {
            let keep = || self.keep(thread);
            let work = |panels: Range<usize>| {
                // SAFETY: the number is ours, and the borrow ends here.
                work(panels, unsafe { memory.threads[thread].own() });
            };
            self.team.phase(thread, count, Sharing::Even, work, keep);
            self.profile.note(thread, Operation::Down);
            return;
        }
        let hidden = self.spec.hidden;
        self.phase(thread, Operation::Down, count, Sharing::Even, work, hidden, |row, own| {
            if !direct {
                self.add_branch(row, None, layer.feed_forward_post_norm.as_deref(), own);
            }
            if let Some(next) = next {
                self.normalise(row, next.attention_norm.as_deref(), own);
            }
        });
        if next.is_none() {
            self.team.phase(thread, 0, Sharing::Even, |_| (), || self.keep(thread));
            self.profile.note(thread, Operation::Down);
        }
    }
}
