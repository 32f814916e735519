//! The slow, obvious twin of every kernel here.

use std::ops::Range;

use super::multiply::start;
use super::rows::Rows;
use super::weights::DenseMatrix;
use crate::matrix::{Output, PANEL};

/// The outputs of one panel for some rows of activations, one after the other.
///
/// # Shapes
/// See [`super::multiply_panels`].
///
/// # Accuracy
/// Exact products, summed in f64 and rounded once.
///
/// # Safety
/// `output` must have the shape of the product, and nobody else may write to this panel of it.
pub(super) unsafe fn panel(
    weights: &DenseMatrix,
    activations: Rows<'_>,
    batch: &Range<usize>,
    panel: usize,
    output: &Output<'_>,
) {
    let columns = weights.columns();
    let mut numbers = vec![0.0; columns];
    for row in panel * PANEL..weights.rows().min((panel + 1) * PANEL) {
        weights.row(row, &mut numbers);
        for m in batch.clone() {
            // SAFETY: an output of this panel.
            let place = unsafe { output.at(m, row) };
            // SAFETY: as above.
            let mut sum = if start(output) { f64::from(unsafe { place.read() }) } else { 0.0 };
            for (column, weight) in numbers.iter().enumerate() {
                sum += f64::from(*weight) * f64::from(activations.get(columns, m, column));
            }
            #[expect(clippy::cast_possible_truncation, reason = "the one rounding")]
            // SAFETY: as above.
            unsafe {
                place.write(sum as f32);
            }
        }
    }
}
