//! A matrix of weights however it is stored: in blocks of integers or in floating point.
//!
//! Not here: the arithmetic; [`crate::matrix`] and [`crate::dense`] have it.

#[cfg(test)]
mod tests;

use std::ops::Range;

use crate::dense::{self, DenseMatrix, DensePanelMut, Float, Rows};
use crate::isa::Isa;
use crate::matrix::{self, Activations, Format, Forms, Output, PackError, PackedMatrix};

/// How a matrix is stored in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stored {
    /// Integers with scales.
    Blocks(Format),
    /// Numbers.
    Float(Float),
}

/// A matrix packed for the kernels.
///
/// # Shapes
/// `(rows, columns)`: a product has one output per row, and sums over the columns.
#[derive(Debug, Clone)]
pub enum Matrix {
    /// Integers with scales.
    Blocks(PackedMatrix),
    /// Numbers.
    Float(DenseMatrix),
}

/// One panel of a matrix, to be filled.
pub enum PanelMut<'a> {
    /// Of integers with scales.
    Blocks(matrix::PanelMut<'a>),
    /// Of numbers.
    Float(DensePanelMut<'a>),
}

impl Matrix {
    /// All-zero weights of the shape, to be filled panel by panel.
    ///
    /// # Errors
    /// [`PackError`] if a row is no whole number of blocks.
    pub fn zeroed(stored: Stored, rows: usize, columns: usize) -> Result<Self, PackError> {
        Ok(match stored {
            Stored::Blocks(format) => Self::Blocks(PackedMatrix::zeroed(format, rows, columns)?),
            Stored::Float(float) => Self::Float(DenseMatrix::zeroed(float, rows, columns)?),
        })
    }

    /// The panels, each to be filled by whatever thread.
    pub fn panels_mut(&mut self) -> Vec<PanelMut<'_>> {
        match self {
            Self::Blocks(matrix) => matrix.panels_mut().map(PanelMut::Blocks).collect(),
            Self::Float(matrix) => matrix.panels_mut().map(PanelMut::Float).collect(),
        }
    }

    /// Outputs of a product.
    #[must_use]
    pub fn rows(&self) -> usize {
        match self {
            Self::Blocks(matrix) => matrix.rows(),
            Self::Float(matrix) => matrix.rows(),
        }
    }

    /// Inputs of a product.
    #[must_use]
    pub fn columns(&self) -> usize {
        match self {
            Self::Blocks(matrix) => matrix.columns(),
            Self::Float(matrix) => matrix.columns(),
        }
    }

    /// Panels of 32 rows: the grain in which threads share the work.
    #[must_use]
    pub fn panels(&self) -> usize {
        match self {
            Self::Blocks(matrix) => matrix.panels(),
            Self::Float(matrix) => matrix.panels(),
        }
    }

    /// Bytes that a product reads.
    #[must_use]
    pub fn bytes(&self) -> usize {
        match self {
            Self::Blocks(matrix) => matrix.bytes(),
            Self::Float(matrix) => matrix.bytes(),
        }
    }

    /// Bytes of a row as stored in a file.
    #[must_use]
    pub fn stored_row_bytes(&self) -> usize {
        match self {
            Self::Blocks(matrix) => {
                let format = matrix.format();
                matrix.columns() / format.block_weights() * format.block_bytes()
            }
            Self::Float(matrix) => matrix.columns() * matrix.float().bytes(),
        }
    }

    /// The forms that a product with so many rows of activations wants on this set.
    #[must_use]
    pub fn forms(&self, isa: Isa, rows: usize) -> Forms {
        match self {
            Self::Blocks(matrix) => matrix.forms(isa, rows),
            Self::Float(matrix) => {
                let bf16 = matrix.wants_bf16(isa, rows);
                Forms { int8: false, bf16, f32: !bf16 }
            }
        }
    }

    /// One row as numbers: the embedding of a token.
    ///
    /// # Panics
    /// If the row is not there, or `out` has not as many places as there are columns.
    pub fn row(&self, row: usize, out: &mut [f32]) {
        match self {
            Self::Blocks(matrix) => matrix.row(row, out),
            Self::Float(matrix) => matrix.row(row, out),
        }
    }
}

impl PanelMut<'_> {
    /// Rows of this panel: 32, or fewer in the last.
    #[must_use]
    pub fn rows(&self) -> usize {
        match self {
            Self::Blocks(panel) => panel.rows(),
            Self::Float(panel) => panel.rows(),
        }
    }

    /// Fills the panel from the stored bytes of its rows.
    ///
    /// # Errors
    /// [`PackError`] if a row has not as many bytes as the shape asks for.
    pub fn fill(&mut self, rows: &[&[u8]]) -> Result<(), PackError> {
        match self {
            Self::Blocks(panel) => panel.fill(rows),
            Self::Float(panel) => panel.fill(rows),
        }
    }
}

/// Some panels of `output = activations * weights^T`: what one thread does.
///
/// # Shapes
/// `weights`: `(rows, columns)`; `activations`: `(batch, columns)` in the forms that
/// [`Matrix::forms`] names for as many rows; `output`: `(batch, rows)`.
///
/// # Accuracy
/// As [`matrix::multiply`] and [`dense::multiply`].
///
/// # Panics
/// If the shapes disagree, the form is not there, or this CPU lacks `isa`.
///
/// # Safety
/// Until it returns, nobody else may read or write the rows of these panels in the output, nor write
/// to the activations.
pub unsafe fn multiply_panels(
    isa: Isa,
    weights: &Matrix,
    activations: &Activations,
    panels: Range<usize>,
    output: &Output<'_>,
) {
    assert_eq!(output.batch(), 0..activations.rows(), "rows of activations");
    // SAFETY: as the caller vouches.
    unsafe { multiply_rows(isa, weights, activations, 0..activations.rows(), panels, output) };
}

/// [`multiply_panels`] for some rows of activations: those that a mixture of experts sends to one of
/// them.
///
/// Rows may start anywhere; [`Activations::ROW_ALIGNMENT`] says where they cost least.
///
/// # Shapes
/// As [`multiply_panels`], with the forms that [`Matrix::forms`] names for as many rows as these: who
/// has experts of many rows and of few gives the forms of both. Without one of them products are right,
/// if slower, as they take what there is. Outputs go to the same rows of `output`, counted from
/// [`Output::from_batch`]; no others are touched.
///
/// # Accuracy
/// As [`multiply_panels`].
///
/// # Panics
/// As [`multiply_panels`], and if there are no such rows, or `output` has no room for them.
///
/// # Safety
/// As [`multiply_panels`], of these rows of the output and of the activations.
pub unsafe fn multiply_rows(
    isa: Isa,
    weights: &Matrix,
    activations: &Activations,
    rows: Range<usize>,
    panels: Range<usize>,
    output: &Output<'_>,
) {
    assert_eq!(weights.columns(), activations.columns(), "columns");
    // SAFETY: as the caller vouches.
    unsafe {
        match weights {
            Matrix::Blocks(weights) => {
                matrix::multiply_rows(isa, weights, activations, rows, panels, output);
            }
            Matrix::Float(weights) => {
                let values = match (activations.bf16(), activations.f32_rows()) {
                    (Some(_), Some(values)) if !weights.wants_bf16(isa, rows.len()) => {
                        Rows::F32(values)
                    }
                    _ => Rows::of(activations),
                };
                dense::multiply_rows(isa, weights, values, rows, panels, output);
            }
        }
    }
}
