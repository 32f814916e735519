//! Floating-point weights in the order in which kernels read them.
//!
//! Not here: the arithmetic.

use std::fmt;

use super::float::Float;
use super::panel::{BLOCK, DensePanelMut, place};
use super::rows::FEWEST_FOR_TILES;
use crate::isa::Isa;
use crate::matrix::lines::{AlignedBytes, bytes_of};
#[cfg(target_arch = "x86_64")]
use crate::matrix::lines::{LINE, Line};
use crate::matrix::{PANEL, PackError};

/// A floating-point matrix, repacked at load.
///
/// # Shapes
/// `(rows, columns)`: a product has one output per row, and sums over the columns.
///
/// # Layout
/// A panel is 32 neighbouring rows (those past the last are zero), column after column: of each
/// column its 32 rows, so that a vector load gives one column of 16 rows. In bf16 two columns go
/// together: of each pair of columns its 32 rows, and of each row the two neighbours. Those are a
/// matrix tile of 32 columns x 16 rows as they lie, and a shift or a mask widens them to f32.
///
/// # Accuracy
/// Numbers are kept as they are.
#[derive(Clone)]
pub struct DenseMatrix {
    float: Float,
    rows: usize,
    columns: usize,
    memory: AlignedBytes,
}

impl DenseMatrix {
    /// A matrix of zeros, to be filled by way of [`DenseMatrix::panels_mut`].
    ///
    /// # Errors
    /// [`PackError::Columns`] if the columns are no whole multiple of 32, or none;
    /// [`PackError::TooLarge`] if no memory could hold them.
    pub fn zeroed(float: Float, rows: usize, columns: usize) -> Result<Self, PackError> {
        if !columns.is_multiple_of(BLOCK) || columns == 0 {
            return Err(PackError::Columns { columns, multiple: BLOCK });
        }
        let bytes = bytes_of(&[rows.div_ceil(PANEL), PANEL, columns, float.bytes()])
            .ok_or(PackError::TooLarge { rows, columns })?;
        Ok(Self { float, rows, columns, memory: AlignedBytes::zeroed(bytes) })
    }

    /// Repacks a matrix that is stored row after row, little endian.
    ///
    /// # Shapes
    /// `bytes`: `(rows, columns)`.
    ///
    /// # Errors
    /// [`PackError`] if the columns are no whole multiple of 32, or the bytes are not as many as the
    /// shape asks for.
    pub fn pack(
        bytes: &[u8],
        float: Float,
        rows: usize,
        columns: usize,
    ) -> Result<Self, PackError> {
        let row_bytes = columns.saturating_mul(float.bytes());
        let expected = rows.saturating_mul(row_bytes);
        if columns.is_multiple_of(BLOCK) && bytes.len() != expected {
            return Err(PackError::Bytes { given: bytes.len(), expected });
        }
        let mut matrix = Self::zeroed(float, rows, columns)?;
        for (mut panel, bytes) in matrix.panels_mut().zip(bytes.chunks(PANEL * row_bytes)) {
            let rows: Vec<&[u8]> = bytes.chunks_exact(row_bytes).collect();
            panel.fill(&rows)?;
        }
        Ok(matrix)
    }

    /// Every panel, to be filled: disjoint, so that threads may share the work.
    pub fn panels_mut(&mut self) -> impl Iterator<Item = DensePanelMut<'_>> {
        let Self { float, rows, columns, .. } = *self;
        let panel_bytes = PANEL * columns * float.bytes();
        let panels = self.memory.bytes_mut().chunks_exact_mut(panel_bytes).enumerate();
        panels.map(move |(panel, memory)| {
            let rows = PANEL.min(rows - panel * PANEL);
            DensePanelMut { float, rows, columns, memory }
        })
    }

    /// What the weights are stored in.
    #[must_use]
    pub const fn float(&self) -> Float {
        self.float
    }

    /// Outputs of a product.
    #[must_use]
    pub const fn rows(&self) -> usize {
        self.rows
    }

    /// Inputs of a product.
    #[must_use]
    pub const fn columns(&self) -> usize {
        self.columns
    }

    /// Panels of 32 rows: the grain in which threads share the work.
    #[must_use]
    pub const fn panels(&self) -> usize {
        self.rows.div_ceil(PANEL)
    }

    /// Bytes that a product reads.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.memory.bytes().len()
    }

    /// One row, widened to f32: what an embedding looks up.
    ///
    /// The row is spread over its panel, so this reads as many cache lines as the row has columns
    /// (or pairs of them, in bf16). That is little beside a product, and much beside a plain copy.
    ///
    /// # Shapes
    /// `out`: `(columns)`.
    ///
    /// # Accuracy
    /// Exact.
    ///
    /// # Panics
    /// If there is no such row, or `out` is not as long as one.
    pub fn row(&self, row: usize, out: &mut [f32]) {
        assert!(row < self.rows, "row {row} of {}", self.rows);
        assert_eq!(out.len(), self.columns, "columns");
        let panel_bytes = PANEL * self.columns * self.float.bytes();
        let panel = &self.memory.bytes()[row / PANEL * panel_bytes..][..panel_bytes];
        for (column, out) in out.iter_mut().enumerate() {
            *out = self.float.read(&panel[place(self.float, row % PANEL, column)..]);
        }
    }

    /// Whether a product of so many rows of activations wants them in bf16 ([`Activations`]) on this
    /// set: matrix tiles take them so. Else it wants f32.
    ///
    /// [`Activations`]: crate::matrix::Activations
    #[must_use]
    pub fn wants_bf16(&self, isa: Isa, rows: usize) -> bool {
        isa == Isa::Amx && self.float == Float::Bf16 && rows >= FEWEST_FOR_TILES
    }

    /// The weights of a panel.
    #[cfg(target_arch = "x86_64")]
    pub(super) fn panel(&self, panel: usize) -> &[Line] {
        let lines = PANEL * self.columns * self.float.bytes() / LINE;
        &self.memory.lines()[panel * lines..][..lines]
    }
}

impl fmt::Debug for DenseMatrix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { float, rows, columns, .. } = self;
        write!(f, "DenseMatrix({float}, {rows} x {columns})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dense::testing::random_floats;
    use crate::matrix::testing::seeds;

    fn rows_of(matrix: &DenseMatrix) -> Vec<f32> {
        let mut all = vec![f32::NAN; matrix.rows() * matrix.columns()];
        for (row, out) in all.chunks_exact_mut(matrix.columns()).enumerate() {
            matrix.row(row, out);
        }
        all
    }

    #[test]
    fn every_weight_reads_back() {
        for float in Float::ALL {
            for (rows, seed) in [1, 7, 32, 33, 100].into_iter().zip(seeds()) {
                for columns in [32, 96] {
                    let (bytes, numbers) = random_floats(float, rows * columns, seed);
                    let matrix = DenseMatrix::pack(&bytes, float, rows, columns).unwrap();
                    assert_eq!(rows_of(&matrix), numbers, "{float}, {rows} x {columns}");
                    assert_eq!(matrix.panels(), rows.div_ceil(32));
                    assert_eq!(matrix.bytes(), matrix.panels() * 32 * columns * float.bytes());
                }
            }
        }
    }

    /// Panels are filled last to first, on threads, with their rows back to front.
    #[test]
    fn panels_take_rows_in_any_order() {
        let (rows, columns) = (75, 64);
        for float in Float::ALL {
            let (bytes, numbers) = random_floats(float, rows * columns, 3);
            let stored: Vec<&[u8]> = bytes.chunks_exact(columns * float.bytes()).collect();
            let mut matrix = DenseMatrix::zeroed(float, rows, columns).unwrap();
            let panels: Vec<_> = matrix.panels_mut().collect();
            std::thread::scope(|scope| {
                for (i, mut panel) in panels.into_iter().enumerate().rev() {
                    let stored = &stored;
                    scope.spawn(move || {
                        let mut rows = stored[i * PANEL..][..panel.rows()].to_vec();
                        rows.reverse();
                        panel.fill(&rows).unwrap();
                    });
                }
            });
            let permuted: Vec<f32> = numbers
                .chunks(PANEL * columns)
                .flat_map(|panel| panel.chunks(columns).rev().flatten().copied())
                .collect();
            assert_eq!(rows_of(&matrix), permuted, "{float}");
        }
    }

    #[test]
    fn wrong_shapes_say_what_is_wrong() {
        let columns = |columns| PackError::Columns { columns, multiple: 32 };
        let bytes = |given, expected| PackError::Bytes { given, expected };
        assert_eq!(DenseMatrix::zeroed(Float::F16, 1, 33).unwrap_err(), columns(33));
        assert_eq!(DenseMatrix::zeroed(Float::F16, 1, 0).unwrap_err(), columns(0));
        assert_eq!(DenseMatrix::pack(&[0; 66], Float::F16, 1, 33).unwrap_err(), columns(33));
        assert_eq!(DenseMatrix::pack(&[], Float::F16, 1, 0).unwrap_err(), columns(0));
        assert_eq!(DenseMatrix::pack(&[0; 63], Float::F16, 1, 32).unwrap_err(), bytes(63, 64));
        assert_eq!(
            DenseMatrix::pack(&[0; 64], Float::F32, 2, 32).unwrap_err().to_string(),
            "64 bytes where the matrix has 256"
        );
        let mut matrix = DenseMatrix::zeroed(Float::Bf16, 2, 32).unwrap();
        let mut panel = matrix.panels_mut().next().unwrap();
        assert_eq!(panel.rows(), 2);
        assert_eq!(panel.fill(&[&[0; 64], &[0; 62]]), Err(bytes(62, 64)));
        assert_eq!(panel.fill(&[&[0; 64]]), Err(bytes(64, 128)));
        assert_eq!(panel.fill(&[[0_u8; 64].as_slice(); 3]), Err(bytes(192, 128)));
    }

    #[test]
    fn a_matrix_without_rows_is_empty() {
        let mut matrix = DenseMatrix::pack(&[], Float::F32, 0, 32).unwrap();
        assert_eq!((matrix.panels(), matrix.bytes()), (0, 0));
        assert_eq!(matrix.panels_mut().count(), 0);
    }

    #[test]
    fn only_tiles_want_bf16() {
        for float in Float::ALL {
            let matrix = DenseMatrix::zeroed(float, 1, 32).unwrap();
            for isa in Isa::ALL {
                assert!(!matrix.wants_bf16(isa, 1));
                let tiles = isa == Isa::Amx && float == Float::Bf16;
                assert_eq!(matrix.wants_bf16(isa, 32), tiles, "{float} {isa}");
            }
        }
    }
}
