//! Where the weights of a panel lie, and how they come there.
//!
//! Not here: whole matrices, and arithmetic.

use super::float::Float;
use crate::matrix::{PANEL, PackError};

/// Columns are whole multiples of it: what a matrix tile takes at once.
pub(super) const BLOCK: usize = 32;

/// Bytes of a row that are moved at a time: a cache line, so that each is read once.
const LINE: usize = 64;

/// One panel of a [`DenseMatrix`](super::DenseMatrix), to be filled.
#[derive(Debug)]
pub struct DensePanelMut<'a> {
    pub(super) float: Float,
    pub(super) rows: usize,
    pub(super) columns: usize,
    pub(super) memory: &'a mut [u8],
}

impl DensePanelMut<'_> {
    /// Rows that the panel has: 32, or what is left for the last.
    #[must_use]
    pub const fn rows(&self) -> usize {
        self.rows
    }

    /// Writes the weights of every row.
    ///
    /// # Shapes
    /// `rows`: the rows of the panel, in the order in which the product shall have them; each the
    /// numbers of its columns, little endian.
    ///
    /// # Errors
    /// [`PackError::Bytes`] if a row has not as many bytes as its columns ask for, or the rows are
    /// not as many as the panel has. Nothing is written then.
    pub fn fill(&mut self, rows: &[&[u8]]) -> Result<(), PackError> {
        let expected = self.columns * self.float.bytes();
        if let Some(row) = rows.iter().find(|row| row.len() != expected) {
            return Err(PackError::Bytes { given: row.len(), expected });
        }
        if rows.len() != self.rows {
            let (given, expected) = (rows.len() * expected, self.rows * expected);
            return Err(PackError::Bytes { given, expected });
        }
        match element_bytes(self.float) {
            2 => transpose::<2>(rows, self.memory),
            _ => transpose::<4>(rows, self.memory),
        }
        Ok(())
    }
}

/// Bytes of what is moved as one: a number, or two neighbours in bf16.
pub(super) const fn element_bytes(float: Float) -> usize {
    match float {
        Float::Bf16 | Float::F32 => 4,
        Float::F16 => 2,
    }
}

/// Where in a panel a weight is: its first byte.
pub(super) const fn place(float: Float, row: usize, column: usize) -> usize {
    let element = element_bytes(float);
    let byte = column * float.bytes();
    (byte / element * PANEL + row) * element + byte % element
}

/// Writes rows of elements of `N` bytes as elements of rows.
fn transpose<const N: usize>(rows: &[&[u8]], memory: &mut [u8]) {
    let (elements, _) = memory.as_chunks_mut::<N>();
    let (columns, _) = elements.as_chunks_mut::<PANEL>();
    for (line, columns) in columns.chunks_exact_mut(LINE / N).enumerate() {
        for (r, row) in rows.iter().enumerate() {
            let (elements, _) = row[line * LINE..][..LINE].as_chunks::<N>();
            for (column, element) in columns.iter_mut().zip(elements) {
                column[r] = *element;
            }
        }
    }
}

const _: () = assert!((BLOCK * 2).is_multiple_of(LINE));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_by_hand() {
        // Row 3 of column 5. Bf16: pair 2, 32 pairs of 4 bytes each, the second of the pair.
        assert_eq!(place(Float::Bf16, 3, 5), 2 * 128 + 3 * 4 + 2);
        assert_eq!(place(Float::F16, 3, 5), 5 * 64 + 3 * 2);
        assert_eq!(place(Float::F32, 3, 5), 5 * 128 + 3 * 4);
    }
}
