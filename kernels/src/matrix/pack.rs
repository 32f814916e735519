//! From stored rows to records: what a load spends its time on.
//!
//! A panel at a time, so that threads can share the work, and a caller can bring rows in an order of
//! its own.

use std::fmt;

use super::formats::{BLOCK, Format};
use super::half::F16;
use super::lines::{AlignedBytes, LINE, Line, bytes_of};
use super::packed::{PANEL, PackedMatrix};
use super::record::{RecordLayout, write_codes};

/// Why bytes are no matrix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PackError {
    /// Rows are stored in whole blocks.
    Columns {
        /// What was given.
        columns: usize,
        /// What it must be a multiple of.
        multiple: usize,
    },
    /// No memory could hold the matrix.
    TooLarge {
        /// Rows that were asked for.
        rows: usize,
        /// Columns that were asked for.
        columns: usize,
    },
    /// The rows are not those of the panel.
    Rows {
        /// How many were given.
        given: usize,
        /// How many the panel has.
        expected: usize,
    },
    /// The bytes are too many or too few.
    Bytes {
        /// How many were given.
        given: usize,
        /// How many the shape asks for.
        expected: usize,
    },
}

impl fmt::Display for PackError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Columns { columns, multiple } => {
                write!(f, "a row of {columns} weights is no multiple of blocks of {multiple}")
            }
            Self::TooLarge { rows, columns } => {
                write!(f, "{rows} x {columns} weights are more than any memory holds")
            }
            Self::Rows { given, expected } => {
                write!(f, "{given} rows for a panel of {expected}")
            }
            Self::Bytes { given, expected } => {
                write!(f, "{given} bytes where the matrix has {expected}")
            }
        }
    }
}

impl std::error::Error for PackError {}

impl PackedMatrix {
    /// Repacks a matrix that is stored row after row.
    ///
    /// # Shapes
    /// `bytes`: `(rows, columns)` in stored blocks.
    ///
    /// # Errors
    /// [`PackError`] if the columns are no whole blocks, or the bytes are not as many as the shape
    /// asks for.
    pub fn pack(
        bytes: &[u8],
        format: Format,
        rows: usize,
        columns: usize,
    ) -> Result<Self, PackError> {
        let mut packed = Self::zeroed(format, rows, columns)?;
        let row_bytes = row_bytes(format, columns);
        let expected = rows.saturating_mul(row_bytes);
        if bytes.len() != expected {
            return Err(PackError::Bytes { given: bytes.len(), expected });
        }
        let stored: Vec<&[u8]> = bytes.chunks_exact(row_bytes.max(1)).collect();
        for (mut panel, stored) in packed.panels_mut().zip(stored.chunks(PANEL)) {
            panel.fill(stored)?;
        }
        Ok(packed)
    }

    /// A matrix of zeros, to be filled panel by panel.
    ///
    /// # Errors
    /// [`PackError::Columns`] if the columns are no whole blocks, [`PackError::TooLarge`] if no memory
    /// could hold them.
    pub fn zeroed(format: Format, rows: usize, columns: usize) -> Result<Self, PackError> {
        let multiple = format.block_weights();
        if !columns.is_multiple_of(multiple) {
            return Err(PackError::Columns { columns, multiple });
        }
        let layout = RecordLayout::of(format);
        let bytes = bytes_of(&[rows.div_ceil(PANEL), columns / BLOCK, layout.lines(), LINE])
            .ok_or(PackError::TooLarge { rows, columns })?;
        let memory = AlignedBytes::zeroed(bytes);
        Ok(Self { format, rows, columns, layout, memory })
    }

    /// The panels, in order. Each is memory of its own, so that threads may fill them together.
    pub fn panels_mut(&mut self) -> impl Iterator<Item = PanelMut<'_>> {
        let (format, rows, columns, layout) = (self.format, self.rows, self.columns, self.layout);
        let lines = columns / BLOCK * layout.lines();
        let panels = self.memory.lines_mut().chunks_exact_mut(lines.max(1)).enumerate();
        panels.map(move |(panel, lines)| {
            let rows = (rows - panel * PANEL).min(PANEL);
            PanelMut { format, layout, rows, columns, lines }
        })
    }
}

/// Bytes of a stored row.
const fn row_bytes(format: Format, columns: usize) -> usize {
    columns / format.block_weights() * format.block_bytes()
}

/// One panel of a matrix, to be filled.
#[derive(Debug)]
pub struct PanelMut<'a> {
    format: Format,
    layout: RecordLayout,
    rows: usize,
    columns: usize,
    lines: &'a mut [Line],
}

impl PanelMut<'_> {
    /// Rows of this panel: 32, or fewer in the last.
    #[must_use]
    pub const fn rows(&self) -> usize {
        self.rows
    }

    /// Repacks all rows of the panel.
    ///
    /// # Shapes
    /// `rows[i]`: the stored blocks of row `i` of this panel.
    ///
    /// # Errors
    /// [`PackError`] if there are not as many rows as the panel has, or one is not as long as the
    /// columns ask for. Then nothing is written.
    pub fn fill(&mut self, rows: &[&[u8]]) -> Result<(), PackError> {
        if rows.len() != self.rows {
            return Err(PackError::Rows { given: rows.len(), expected: self.rows });
        }
        let expected = row_bytes(self.format, self.columns);
        if let Some(row) = rows.iter().find(|row| row.len() != expected) {
            return Err(PackError::Bytes { given: row.len(), expected });
        }
        let mut weights = Weights::default();
        for (block, record) in self.lines.chunks_exact_mut(self.layout.lines()).enumerate() {
            for (r, row) in rows.iter().enumerate() {
                let affine = self.format.affine(row, block);
                weights.codes[r] = affine.codes;
                weights.scales[0][r] = F16::from_f32(affine.scales[0]).to_bits();
                if self.layout.two_scales {
                    weights.scales[1][r] = F16::from_f32(affine.scales[1]).to_bits();
                }
                if self.layout.minimums {
                    weights.minimums[r] = F16::from_f32(affine.minimum).to_bits();
                }
            }
            weights.write(self.layout, record);
        }
        Ok(())
    }
}

/// What becomes a record, row by row.
#[derive(Default)]
struct Weights {
    codes: [[u8; BLOCK]; PANEL],
    scales: [[u16; PANEL]; 2],
    minimums: [u16; PANEL],
}

impl Weights {
    fn write(&self, layout: RecordLayout, record: &mut [Line]) {
        let (head, codes) = record.split_at_mut(layout.head_lines());
        let second = if layout.two_scales { &self.scales[1] } else { &self.minimums };
        for (line, halves) in head.iter_mut().zip([&self.scales[0], second]) {
            let (pairs, _) = line.0.as_chunks_mut::<2>();
            for (pair, half) in pairs.iter_mut().zip(halves) {
                *pair = half.to_le_bytes();
            }
        }
        write_codes(layout.codes, &self.codes, codes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matrix::testing::random_blocks;

    #[test]
    fn panels_are_filled_in_any_order_of_rows() {
        let (rows, columns) = (70, 512);
        for format in Format::ALL {
            let bytes = random_blocks(format, rows, columns, 1);
            let packed = PackedMatrix::pack(&bytes, format, rows, columns).unwrap();
            let mut reversed = PackedMatrix::zeroed(format, rows, columns).unwrap();
            let stored: Vec<&[u8]> = bytes.chunks_exact(bytes.len() / rows).rev().collect();
            std::thread::scope(|scope| {
                for (mut panel, stored) in reversed.panels_mut().zip(stored.chunks(PANEL)) {
                    scope.spawn(move || panel.fill(stored).unwrap());
                }
            });
            let (mut one, mut other) = (vec![0.0; columns], vec![1.0; columns]);
            for row in 0..rows {
                packed.row(row, &mut one);
                reversed.row(rows - 1 - row, &mut other);
                assert_eq!(one, other, "{format}, row {row}");
            }
        }
    }

    #[test]
    fn a_panel_says_how_many_rows_it_wants() {
        let mut packed = PackedMatrix::zeroed(Format::Q4_0, 33, 32).unwrap();
        let mut last = packed.panels_mut().last().unwrap();
        assert_eq!(last.rows(), 1);
        let error = last.fill(&[[0; 18].as_slice(); 2]).unwrap_err();
        assert_eq!(error.to_string(), "2 rows for a panel of 1");
        let error = last.fill(&[&[0; 17]]).unwrap_err();
        assert_eq!(error.to_string(), "17 bytes where the matrix has 18");
    }

    #[test]
    fn wrong_shapes_say_what_is_wrong() {
        let error = PackedMatrix::pack(&[], Format::Q4_0, 1, 33).unwrap_err();
        assert_eq!(error.to_string(), "a row of 33 weights is no multiple of blocks of 32");
        let error = PackedMatrix::pack(&[0; 17], Format::Q4_0, 1, 32).unwrap_err();
        assert_eq!(error.to_string(), "17 bytes where the matrix has 18");
    }
}
