//! The slow, obvious product that the fast ones are held to.

use std::ops::Range;

use super::activations::Activations;
use super::formats::BLOCK;
use super::output::Output;
use super::packed::{PANEL, PackedMatrix};

/// The outputs of one panel for some rows of activations.
///
/// # Shapes
/// See [`super::multiply_panels`].
///
/// # Accuracy
/// Exact integers within a block, f32 across blocks, in order.
///
/// # Safety
/// `output` must have the shape of the product, and nobody else may write to this panel of it.
pub(super) unsafe fn panel(
    weights: &PackedMatrix,
    activations: &Activations,
    batch: &Range<usize>,
    panel: usize,
    output: &Output<'_>,
) {
    let rows = panel * PANEL..((panel + 1) * PANEL).min(weights.rows());
    for batch in batch.clone() {
        for row in rows.clone() {
            // SAFETY: the row is one of the product's, in the panel that is ours.
            unsafe { output.put(batch, row, dot(weights, row, activations, batch)) };
        }
    }
}

/// One output.
fn dot(weights: &PackedMatrix, row: usize, activations: &Activations, batch: usize) -> f32 {
    let layout = weights.layout();
    let offset = i32::from(layout.offset);
    let mut sum = 0.0;
    for block in 0..weights.blocks() {
        let weights = weights.row_of_block(row, block);
        let activation = activations.block(batch, block);
        let columns = BLOCK / if layout.two_scales { 2 } else { 1 };
        let codes = weights.codes.chunks(columns).zip(activation.codes.chunks(columns));
        for ((codes, activations), scale) in codes.zip(weights.scales) {
            let products = codes.iter().zip(activations);
            let dot: i32 = products.map(|(w, a)| (i32::from(*w) - offset) * i32::from(*a)).sum();
            sum += scale * activation.scale * dot as f32;
        }
        sum -= weights.minimum * activation.scale * activation.negative_sum() as f32;
    }
    sum
}
