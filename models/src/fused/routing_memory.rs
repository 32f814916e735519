//! Which token goes to which expert in this layer of this pass, and where its rows lie.
//!
//! Rows of one expert are neighbours (slots), and each expert begins where products cost least.

use crate::routing::{Scratch, choose};
use crate::spec::Experts;
use freeweights_kernels::matrix::Activations;
use std::cell::UnsafeCell;
use std::ops::Range;

/// The next place at which an expert's rows may begin.
pub(super) const fn aligned(slot: usize) -> usize {
    slot.next_multiple_of(Activations::ROW_ALIGNMENT)
}

/// The choices of one layer.
#[derive(Debug, Default)]
pub(super) struct Choices {
    /// Of each chosen expert, in order, its number and its slots.
    pub(super) experts: Vec<(usize, Range<usize>)>,
    /// Of each row `active` slots, each with its expert and its weight.
    pub(super) of_rows: Vec<(usize, usize, f32)>,
    /// The row of each slot that is used.
    pub(super) rows: Vec<(usize, usize)>,
    /// Experts that were chosen so far, and those there were to choose from.
    tally: (u64, u64),
    counts: Vec<usize>,
    chosen: Vec<(usize, f32)>,
    scratch: Scratch,
}

impl Choices {
    /// Begins to count the experts that are read anew.
    pub(super) fn clear_tally(&mut self) {
        self.tally = (0, 0);
    }

    /// The share of a layer's experts that was read since, mean over layers and passes.
    pub(super) fn share_read(&self) -> Option<f64> {
        let (read, all) = self.tally;
        (all > 0).then(|| read as f64 / all as f64)
    }

    /// Makes room for so many rows, so that choosing allocates nothing.
    pub(super) fn reserve(&mut self, rows: usize, experts: &Experts) {
        let chosen = rows * experts.active;
        self.experts.reserve(experts.count.min(chosen).saturating_sub(self.experts.len()));
        self.of_rows.reserve(chosen.saturating_sub(self.of_rows.len()));
        self.rows.reserve(chosen.saturating_sub(self.rows.len()));
        self.counts.resize(experts.count, 0);
        self.chosen.reserve(experts.active);
        self.scratch.reserve(experts);
    }

    /// Chooses for `rows` rows from the router's logits, `(rows, count)`. With `forced`, experts are
    /// dealt out in turn, so that two runs that differ in rounding choose the same.
    pub(super) fn make(
        &mut self,
        experts: &Experts,
        rows: usize,
        logits: &[f32],
        correction: Option<&[f32]>,
        forced: Option<&dyn Fn(usize) -> usize>,
    ) {
        self.counts.clear();
        self.counts.resize(experts.count, 0);
        self.of_rows.clear();
        for row in 0..rows {
            if let Some(turn) = forced {
                let weight = experts.scale / experts.active as f32;
                let first = turn(row) * experts.active;
                self.chosen.clear();
                let dealt = (0..experts.active).map(|i| ((first + i) % experts.count, weight));
                self.chosen.extend(dealt);
            } else {
                let logits = &logits[row * experts.count..][..experts.count];
                choose(experts, logits, correction, &mut self.scratch, &mut self.chosen);
            }
            for &(expert, weight) in &self.chosen {
                // For now the place among the rows of this expert.
                self.of_rows.push((self.counts[expert], expert, weight));
                self.counts[expert] += 1;
            }
        }
        self.experts.clear();
        let mut slot = 0;
        for (expert, count) in self.counts.iter_mut().enumerate() {
            if *count > 0 {
                slot = aligned(slot);
                self.experts.push((expert, slot..slot + *count));
                (*count, slot) = (slot, slot + *count);
            }
        }
        self.tally.0 += self.experts.len() as u64;
        self.tally.1 += experts.count as u64;
        self.rows.clear();
        for (at, (place, expert, _)) in self.of_rows.iter_mut().enumerate() {
            *place += self.counts[*expert];
            self.rows.push((*place, at / experts.active));
        }
    }
}

/// Choices that one thread makes and all read.
#[derive(Default)]
pub(super) struct SharedChoices(UnsafeCell<Choices>);

// SAFETY: they are written by one thread while no other reads, as `make` asks.
unsafe impl Sync for SharedChoices {}

impl SharedChoices {
    /// The choices, by their owner.
    pub(super) fn get_mut(&mut self) -> &mut Choices {
        self.0.get_mut()
    }

    /// The choices, to be read.
    ///
    /// # Safety
    /// Nobody may write to them meanwhile.
    pub(super) unsafe fn read(&self) -> &Choices {
        // SAFETY: as the caller vouches.
        unsafe { &*self.0.get() }
    }

    /// The choices, to be written.
    ///
    /// # Safety
    /// Nobody else may read or write them meanwhile.
    #[expect(clippy::mut_from_ref, reason = "the caller vouches for being alone")]
    pub(super) unsafe fn write(&self) -> &mut Choices {
        // SAFETY: as the caller vouches.
        unsafe { &mut *self.0.get() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_an_expert_are_neighbours_and_begin_aligned() {
        let experts = Experts::plain(3, 2, 32);
        let mut choices = Choices::default();
        // Row 0 chooses 2 and 0, row 1 chooses 0 and 2.
        let logits = [1.0, 0.0, 2.0, 3.0, 0.0, 2.0];
        choices.make(&experts, 2, &logits, None, None);
        let second = aligned(2);
        assert_eq!(choices.experts, [(0, 0..2), (2, second..second + 2)]);
        let places: Vec<(usize, usize)> = choices.of_rows.iter().map(|c| (c.0, c.1)).collect();
        assert_eq!(places, [(second, 2), (0, 0), (1, 0), (second + 1, 2)]);
        assert_eq!(choices.rows, [(second, 0), (0, 0), (1, 1), (second + 1, 1)]);
        // Two of three experts, and again in the next layer all of them.
        assert!((choices.share_read().unwrap() - 2.0 / 3.0).abs() < 1e-12);
        choices.make(&experts, 2, &[1.0, 2.0, 0.0, 2.0, 0.0, 1.0], None, None);
        assert!((choices.share_read().unwrap() - 5.0 / 6.0).abs() < 1e-12);
        choices.clear_tally();
        assert_eq!(choices.share_read(), None);
        // Dealt out in turn: experts 0 and 1, then 2 and 0.
        choices.make(&experts, 2, &logits, None, Some(&|row| row));
        let dealt: Vec<usize> = choices.of_rows.iter().map(|c| c.1).collect();
        assert_eq!(dealt, [0, 1, 2, 0]);
    }
}
