//! Weights in the order in which kernels read them.
//!
//! Not here: how they get there, and the arithmetic.

use std::fmt;

use super::dequantise::Affine;
use super::formats::{BLOCK, Format};
use super::half::F16;
use super::lines::{AlignedBytes, Line};
use super::record::{RecordLayout, codes_of_row};

/// Output rows of a panel: two vectors of sixteen 32-bit sums.
pub const PANEL: usize = 32;

/// A quantised matrix, repacked at load.
///
/// # Shapes
/// `(rows, columns)`: a product has one output per row, and sums over the columns.
///
/// # Layout
/// A panel is 32 neighbouring rows (those past the last are zero). A panel is the records of its
/// blocks of 32 columns, in order, so that a kernel reads one stream from front to back. A record is
/// whole cache lines:
///
/// 1. one line: the scales of the 32 rows, f16; for `Q6_K`, which has a scale for each 16 columns, a
///    second line for columns 16..32;
/// 2. for formats with minimums one line: those, f16;
/// 3. the codes, unsigned, in the order in which dot-product instructions take them. Memory is what
///    bounds products with few activations, so codes take as many bits as they have: four bits are
///    eight lines of nibbles, five bits two more lines, six bits four more lines, and eight bits
///    sixteen lines of bytes.
///
/// A weight is `scale * (code - offset) + minimum`; the offset is that of the format. The codes are
/// unsigned because the instruction multiplies unsigned with signed bytes; what the offset adds to a
/// sum, `offset * (sum of the activations)`, is subtracted once per block.
///
/// # Accuracy
/// Codes are exact, and so are scales and minimums but for the K formats: there the product of a
/// half and a six-bit integer is rounded to a half, at most 2^-11 relative or 2^-25 absolute, so a
/// normalised mean squared error below 2.4e-7 where scales are no subnormal halves.
#[derive(Clone)]
pub struct PackedMatrix {
    pub(super) format: Format,
    pub(super) rows: usize,
    pub(super) columns: usize,
    pub(super) layout: RecordLayout,
    pub(super) memory: AlignedBytes,
}

impl PackedMatrix {
    /// How the matrix was stored.
    #[must_use]
    pub const fn format(&self) -> Format {
        self.format
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

    /// One row as numbers: what an embedding looks up.
    ///
    /// # Accuracy
    /// See [`PackedMatrix`]; the arithmetic is f32, with two roundings per weight.
    ///
    /// # Panics
    /// If there is no such row, or `out` is not one number for each column.
    pub fn row(&self, row: usize, out: &mut [f32]) {
        assert!(row < self.rows, "row {row} of {}", self.rows);
        assert_eq!(out.len(), self.columns, "columns");
        let offset = f32::from(self.layout.offset);
        let (blocks, _) = out.as_chunks_mut::<BLOCK>();
        for (block, out) in blocks.iter_mut().enumerate() {
            *out = self.row_of_block(row, block).weights(offset);
        }
    }

    /// Blocks of a row.
    pub(super) const fn blocks(&self) -> usize {
        self.columns / BLOCK
    }

    pub(super) const fn layout(&self) -> RecordLayout {
        self.layout
    }

    /// The records of a panel.
    pub(super) fn panel(&self, panel: usize) -> &[Line] {
        let lines = self.blocks() * self.layout.lines();
        &self.memory.lines()[panel * lines..][..lines]
    }

    /// One row of one block, read back.
    #[inline]
    pub(super) fn row_of_block(&self, row: usize, block: usize) -> Affine {
        let (layout, r) = (self.layout, row % PANEL);
        let record = &self.panel(row / PANEL)[block * layout.lines()..][..layout.lines()];
        let (head, lines) = record.split_at(layout.head_lines());
        let half = |line: &Line| {
            F16::from_bits(u16::from_le_bytes([line.0[2 * r], line.0[2 * r + 1]])).to_f32()
        };
        let first = half(&head[0]);
        Affine {
            codes: codes_of_row(layout.codes, lines, r),
            scales: [first, if layout.two_scales { half(&head[1]) } else { first }],
            minimum: if layout.minimums { half(&head[1]) } else { 0.0 },
        }
    }
}

impl fmt::Debug for PackedMatrix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { format, rows, columns, .. } = self;
        write!(f, "PackedMatrix({format}, {rows} x {columns})")
    }
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "what was written is read")]
mod tests {
    use super::*;
    use crate::matrix::testing::{nmse, random_blocks, seeds};

    #[test]
    fn every_weight_reads_back() {
        for format in Format::ALL {
            for (rows, seed) in [1, 7, 32, 33].into_iter().zip(seeds()) {
                let columns = 2 * format.block_weights();
                let bytes = random_blocks(format, rows, columns, seed);
                let packed = PackedMatrix::pack(&bytes, format, rows, columns).unwrap();
                let row_bytes = bytes.len() / rows;
                for row in 0..rows {
                    for block in 0..columns / BLOCK {
                        let stored = format.affine(&bytes[row * row_bytes..], block);
                        let read = packed.row_of_block(row, block);
                        let half = |value: f32| F16::from_f32(value).to_f32();
                        assert_eq!(read.codes, stored.codes, "{format}, row {row}");
                        assert_eq!(read.scales, stored.scales.map(half));
                        assert_eq!(read.minimum, half(stored.minimum));
                    }
                }
            }
        }
    }

    #[test]
    fn rows_are_what_was_stored() {
        for format in Format::ALL {
            for (rows, seed) in [1, 33, 64].into_iter().zip(seeds()) {
                let columns = 2 * format.block_weights();
                let bytes = random_blocks(format, rows, columns, seed);
                let packed = PackedMatrix::pack(&bytes, format, rows, columns).unwrap();
                let stored = crate::matrix::dequantise(format, &bytes);
                let mut row_read = vec![f32::NAN; columns];
                for (row, stored) in stored.chunks_exact(columns).enumerate() {
                    packed.row(row, &mut row_read);
                    let exact: Vec<f64> = stored.iter().copied().map(f64::from).collect();
                    // The scales and minimums of K formats are rounded to halves.
                    let error = nmse(&row_read, &exact);
                    assert!(error < 1e-6, "{format}, row {row}: {error:e}");
                    assert!(format.block_weights() > BLOCK || error == 0.0, "{format}");
                }
            }
        }
    }

    #[test]
    fn codes_take_the_bits_they_have() {
        // Bits of a code, and sixteen for each scale and minimum of 32 weights.
        for (format, bits) in [
            (Format::Q4_0, 4 * 32 + 16),
            (Format::Q4_1, 4 * 32 + 32),
            (Format::Q5_0, 5 * 32 + 16),
            (Format::Q5_1, 5 * 32 + 32),
            (Format::Q8_0, 8 * 32 + 16),
            (Format::Q4_K, 4 * 32 + 32),
            (Format::Q5_K, 5 * 32 + 32),
            (Format::Q6_K, 6 * 32 + 32),
        ] {
            let packed = PackedMatrix::zeroed(format, 64, 256).unwrap();
            assert_eq!(packed.bytes() * 8, 64 * 256 / 32 * bits, "{format}");
        }
    }
}
