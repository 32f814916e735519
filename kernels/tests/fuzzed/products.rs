//! Where a product goes: which panels, which rows of activations, what window, and what was there.

use std::ops::Range;

use freeweights_kernels::isa::Isa;
use freeweights_kernels::matrix::{Output, PANEL};

use crate::placed::Placed;
use crate::random::Random;
use crate::tally::{Tally, ratio};

/// A drawn place.
pub struct Place {
    /// Rows of the weights.
    pub rows: usize,
    pub panels: Range<usize>,
    /// Rows of activations.
    pub batch: Range<usize>,
    stride: usize,
    pub adding: bool,
    before: Vec<f32>,
}

impl Place {
    pub fn draw(random: &mut Random, rows: usize, batch: usize) -> Self {
        let all = rows.div_ceil(PANEL);
        let some = |random: &mut Random, all: usize| {
            let start = if random.once_in(3) { random.between(0, all) } else { 0 };
            let end = if random.once_in(3) { random.between(start, all) } else { all };
            start..end
        };
        let (panels, batch) = (some(random, all), some(random, batch));
        let width = rows.min(panels.end * PANEL).saturating_sub(panels.start * PANEL);
        let stride = width + if random.once_in(2) { random.between(0, 20) } else { 0 };
        let adding = random.once_in(3);
        // The last row ends with its last output.
        let count = if batch.is_empty() { 0 } else { (batch.len() - 1) * stride + width };
        let before = random.numbers(count, 20);
        Self { rows, panels, batch, stride, adding, before }
    }

    /// The outputs that a product wrote into what was there, and whether it left the rest alone.
    pub fn fill(&self, random: &mut Random, product: impl FnOnce(&Output<'_>)) -> Filled {
        let mut values = Placed::new(random, &self.before);
        let (pointer, first) = (values.get_mut().as_mut_ptr(), self.panels.start * PANEL);
        // SAFETY: the window has room for the panels' outputs of every row of the batch, and lives as
        // long as `values`, which nobody else uses until the product returned.
        let output =
            unsafe { Output::window(pointer, self.stride, first, self.rows, self.batch.len()) };
        let output = output.from_batch(self.batch.start);
        product(&if self.adding { output.adding() } else { output });
        Filled { is_intact: values.is_intact(), values: values.get().to_vec() }
    }

    /// Compares with the twin; `allowed` is asked for a row of activations and one of the weights, and
    /// of what size a number was there that the output is added to.
    pub fn judge(
        &self,
        (kernel, isa): (&str, Isa),
        tally: &mut Tally,
        fast: &Filled,
        slow: &Filled,
        allowed: impl Fn(usize, usize, f64) -> f64,
    ) {
        let mut worst = if fast.is_intact && slow.is_intact { 0.0 } else { f64::INFINITY };
        let mut place = (0, 0);
        let first = self.panels.start * PANEL;
        let width = self.rows.min(self.panels.end * PANEL).saturating_sub(first);
        for (at, (fast, slow)) in fast.values.iter().zip(&slow.values).enumerate() {
            let (b, r) = (at / self.stride, at % self.stride);
            let ratio = if r < width {
                let before = if self.adding { f64::from(self.before[at]).abs() } else { 0.0 };
                ratio(*fast, *slow, allowed(self.batch.start + b, first + r, before))
            } else if fast.to_bits() == self.before[at].to_bits() {
                0.0
            } else {
                f64::INFINITY
            };
            if ratio > worst || ratio.is_nan() {
                (worst, place) = (ratio, (b, r));
            }
        }
        tally.judge(kernel, isa, worst, || {
            let Self { rows, panels, batch, stride, adding, .. } = self;
            format!(
                "{rows} rows, panels {panels:?}, batch {batch:?}, stride {stride}, adding {adding}, \
                 at {place:?}"
            )
        });
    }
}

/// What came of a product.
pub struct Filled {
    values: Vec<f32>,
    is_intact: bool,
}
