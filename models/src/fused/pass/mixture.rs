//! Experts: which token goes to which, and what they make of it.
//!
//! | phase | shared by | reads | writes |
//! |---|---|---|---|
//! | router | panels | normalised rows | scores |
//! | choice | one thread | scores | choices |
//! | slots | used slots | residual | normalised rows in slots |
//! | gate and up | panels of chosen experts | slots | inner of slots |
//! | rounding | used slots | inner of slots | its activations |
//! | down | panels of chosen experts | inner activations | what experts give |
//! | sum | rows | what experts give | residual, normalised rows of the next layer |

use super::{Pass, add, slice, slice_mut};
use crate::fused::profile::Operation;
use crate::fused::routing_memory::Choices;
use crate::fused::weights::{Layer, Mixture};
use crate::fused::workspace::Own;
use crate::spec::Experts;
use freeweights_kernels::gate::gate_multiply;
use freeweights_kernels::matrix::{Output, PANEL};
use freeweights_kernels::team::Sharing;
use freeweights_kernels::weights::{multiply_panels, multiply_rows};
use std::ops::Range;

impl Pass<'_> {
    fn experts(&self) -> &Experts {
        self.spec.experts.as_ref().expect("invariant: a layer with experts is of a model with some")
    }

    /// The choices of this layer.
    fn choices(&self) -> &Choices {
        // SAFETY: they are written by one thread at the end of a phase that all others wait for.
        unsafe { self.memory.choices.read() }
    }

    /// Scores the experts for each row, chooses, and writes the rows into the slots of the chosen.
    pub(super) fn choose(&self, thread: usize, layer: &Layer, mixture: &Mixture) {
        let (memory, matrix) = (self.memory, &mixture.router);
        let work = |panels: Range<usize>| {
            let output = self.output(&memory.scores, matrix);
            // SAFETY: in this phase the panels are ours, and the activations are read only.
            unsafe { multiply_panels(self.isa, matrix, &memory.for_hidden, panels, &output) };
        };
        let choose = || self.make_choices(mixture);
        self.team.phase(thread, matrix.panels(), Sharing::Even, work, choose);
        let norm = layer.feed_forward_norm.as_deref();
        let slots = &self.choices().rows;
        let fill = |pieces: Range<usize>| {
            // SAFETY: the number is ours, and the borrow ends with the closure.
            let own = unsafe { memory.threads[thread].own() };
            for &(slot, row) in &slots[pieces] {
                // SAFETY: nobody writes to the residual stream in this phase, and the slot is ours.
                unsafe {
                    let residual = slice(&memory.residual, row, self.spec.hidden);
                    match norm {
                        Some(norm) => {
                            self.normalise_into(residual, norm, own, &memory.for_experts, slot);
                        }
                        None => memory.for_experts.write_row(slot, residual),
                    }
                }
            }
        };
        self.team.phase(thread, slots.len(), Sharing::Even, fill, || ());
        self.profile.note(thread, Operation::Routing);
    }

    fn make_choices(&self, mixture: &Mixture) {
        let (experts, rows) = (self.experts(), self.plan.rows.len());
        // SAFETY: all others wait until the choice is made.
        unsafe {
            let scores = self.memory.scores.slice_mut(0..rows * experts.count);
            if let Some(bias) = &mixture.router_bias {
                scores.chunks_exact_mut(experts.count).for_each(|scores| add(scores, bias));
            }
            let turn = |row: usize| self.plan.rows[row].position;
            let dealt: Option<&dyn Fn(usize) -> usize> =
                if self.plan.dealt { Some(&turn) } else { None };
            let correction = mixture.correction.as_deref();
            self.memory.choices.write().make(experts, rows, scores, correction, dealt);
        }
    }

    pub(super) fn gate_and_up_of_experts(&self, thread: usize, mixture: &Mixture) {
        let (memory, inner) = (self.memory, self.experts().intermediate);
        let panels = inner.div_ceil(PANEL);
        let chosen = &self.choices().experts;
        let work = |pieces: Range<usize>| {
            // SAFETY: the number is ours, and the borrow ends with the closure.
            let own = unsafe { memory.threads[thread].own() };
            for piece in pieces {
                let (expert, slots) = &chosen[piece / panels];
                self.gate_panel(mixture, *expert, slots, piece % panels, own);
            }
        };
        self.team.phase(thread, chosen.len() * panels, Sharing::Even, work, || ());
        self.profile.note(thread, Operation::GateAndUp);
        let slots = &self.choices().rows;
        let round = |pieces: Range<usize>| {
            for &(slot, _) in &slots[pieces] {
                // SAFETY: in this phase the slot is ours.
                unsafe {
                    memory.for_expert_inner.write_row(slot, slice(&memory.inner, slot, inner));
                }
            }
        };
        self.team.phase(thread, slots.len(), Sharing::Even, round, || ());
        self.profile.note(thread, Operation::InnerRows);
    }

    /// One panel of the inner layer of one expert, for its slots.
    fn gate_panel(
        &self,
        mixture: &Mixture,
        expert: usize,
        slots: &Range<usize>,
        panel: usize,
        own: &mut Own,
    ) {
        let (memory, inner) = (self.memory, self.experts().intermediate);
        let gated = &mixture.experts[expert];
        let columns = panel * PANEL..inner.min((panel + 1) * PANEL);
        let of_expert = expert * inner + columns.start..expert * inner + columns.end;
        for (matrix, values, bias) in [
            (&gated.gate, &mut own.gate, &mixture.gate_bias),
            (&gated.up, &mut own.up, &mixture.up_bias),
        ] {
            // SAFETY: the window is a buffer of ours with room for one panel of so many rows; the
            // activations are read only.
            unsafe {
                let (first, pointer) = (panel * PANEL, values.as_mut_ptr());
                let output = Output::window(pointer, PANEL, first, inner, slots.len());
                let output = output.from_batch(slots.start);
                let panels = panel..panel + 1;
                let rows = slots.clone();
                multiply_rows(self.isa, matrix, &memory.for_experts, rows, panels, &output);
            }
            if let Some(bias) = bias {
                let rows = values.chunks_exact_mut(PANEL).take(slots.len());
                rows.for_each(|row| add(row, &bias[of_expert.clone()]));
            }
        }
        let pairs = own.gate.chunks_exact(PANEL).zip(own.up.chunks_exact(PANEL));
        for (slot, (gate, up)) in slots.clone().zip(pairs) {
            let at = slot * inner + columns.start..slot * inner + columns.end;
            let width = columns.len();
            // SAFETY: in this phase these columns of each slot are ours.
            let out = unsafe { memory.inner.slice_mut(at) };
            gate_multiply(self.isa, self.activation(), &gate[..width], &up[..width], out);
        }
    }

    /// The down projections, what the experts of a row give summed up, and the norm before the next
    /// layer; after the last layer the rows whose logits are wanted are kept.
    pub(super) fn down_of_experts(
        &self,
        thread: usize,
        layer: &Layer,
        mixture: &Mixture,
        next: Option<&Layer>,
    ) {
        let (memory, hidden) = (self.memory, self.spec.hidden);
        let panels = hidden.div_ceil(PANEL);
        let chosen = &self.choices().experts;
        let work = |pieces: Range<usize>, _: &mut Own| {
            for piece in pieces {
                let (expert, slots) = &chosen[piece / panels];
                let matrix = &mixture.experts[*expert].down;
                let panels = piece % panels..piece % panels + 1;
                let (rows, activations) = (slots.clone(), &memory.for_expert_inner);
                // SAFETY: there is room for all slots; in this phase these panels of them are ours.
                unsafe {
                    let values = memory.of_experts.pointer(slots.start * hidden);
                    let output = Output::window(values, hidden, 0, hidden, slots.len());
                    let output = output.from_batch(slots.start);
                    multiply_rows(self.isa, matrix, activations, rows, panels, &output);
                }
            }
        };
        let count = chosen.len() * panels;
        self.phase(thread, Operation::Down, count, Sharing::Even, work, hidden, |row, own| {
            self.sum_experts(row, mixture);
            self.add_branch(row, None, layer.feed_forward_post_norm.as_deref(), own);
            if let Some(next) = next {
                self.normalise(row, next.attention_norm.as_deref(), own);
            }
        });
        if next.is_none() {
            self.team.phase(thread, 0, Sharing::Even, |_| (), || self.keep(thread));
            self.profile.note(thread, Operation::Down);
        }
    }

    /// What the experts of a row give, weighted, into its branch.
    fn sum_experts(&self, row: usize, mixture: &Mixture) {
        let (hidden, active) = (self.spec.hidden, self.experts().active);
        // SAFETY: in this phase the row is ours, and what experts gave is read only.
        let branch = unsafe { slice_mut(&self.memory.branch, row, hidden) };
        branch.fill(0.0);
        for &(slot, expert, weight) in &self.choices().of_rows[row * active..(row + 1) * active] {
            // SAFETY: as above.
            let given = unsafe { slice(&self.memory.of_experts, slot, hidden) };
            for (sum, given) in branch.iter_mut().zip(given) {
                *sum = weight.mul_add(*given, *sum);
            }
            if let Some(bias) = &mixture.down_bias {
                for (sum, bias) in branch.iter_mut().zip(&bias[expert * hidden..]) {
                    *sum = weight.mul_add(*bias, *sum);
                }
            }
        }
    }
}
