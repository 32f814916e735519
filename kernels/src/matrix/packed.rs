//! Weights in the order in which kernels read them.
//!
//! Not here: the arithmetic.

use std::fmt;

use super::formats::{BLOCK, Format};
use super::half::F16;
use super::lines::{AlignedBytes, LINE, Line};

/// Output rows of a panel: two vectors of sixteen 32-bit sums.
pub const PANEL: usize = 32;

/// Weights that one 32-bit lane of a dot product takes at once.
pub(super) const GROUP: usize = 4;

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
/// 1. one line: the scales of the 32 rows, f16;
/// 2. for formats with minimums one more line: those, f16;
/// 3. the codes, unsigned. A dot-product instruction takes 16 rows x 4 columns: byte `4 r + i` of a
///    vector is row `r`, column `4 g + i` of group `g`.
///    - Codes of at most four bits stay four bits: eight lines, one for each group; the low nibbles
///      are rows 0..16, the high nibbles rows 16..32.
///    - Wider codes take a byte: sixteen lines, for each group rows 0..16, then rows 16..32.
///
/// A weight is `scale * (code - offset) + minimum`; the offset is that of the format. The codes are
/// unsigned because the instruction multiplies unsigned with signed bytes; what the offset adds to a
/// sum, `offset * (sum of the activations)`, is subtracted once per block.
///
/// # Accuracy
/// Codes are exact, and so are scales and minimums but for the K formats: there the product of a
/// half and a six-bit integer is rounded to a half, at most 2^-11 relative, so a normalised mean
/// squared error below 2.4e-7.
#[derive(Clone)]
pub struct PackedMatrix {
    format: Format,
    rows: usize,
    columns: usize,
    layout: RecordLayout,
    memory: AlignedBytes,
}

/// What a record holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RecordLayout {
    /// Whether codes are four bits in memory.
    pub(super) nibbles: bool,
    /// Whether there is a line of minimums.
    pub(super) minimums: bool,
    /// What is subtracted from a code.
    pub(super) offset: u8,
}

impl RecordLayout {
    const fn of(format: Format) -> Self {
        Self {
            nibbles: matches!(format, Format::Q4_0 | Format::Q4_1 | Format::Q4_K),
            minimums: format.has_minimum(),
            offset: format.offset(),
        }
    }

    /// Lines before the codes.
    pub(super) const fn head_lines(self) -> usize {
        1 + self.minimums as usize
    }

    /// Lines of a record.
    pub(super) const fn lines(self) -> usize {
        let code_bytes = PANEL * BLOCK / if self.nibbles { 2 } else { 1 };
        self.head_lines() + code_bytes / LINE
    }

    /// Where in a record's codes a code is: its byte, and whether it is a high nibble.
    const fn place(self, row: usize, column: usize) -> (usize, bool) {
        let (group, half) = (column / GROUP, row / 16);
        let in_line = row % 16 * GROUP + column % GROUP;
        if self.nibbles {
            (group * LINE + in_line, half == 1)
        } else {
            ((group * 2 + half) * LINE + in_line, false)
        }
    }
}

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
        let multiple = format.block_weights();
        if !columns.is_multiple_of(multiple) {
            return Err(PackError::Columns { columns, multiple });
        }
        let row_bytes = columns / multiple * format.block_bytes();
        let expected = rows.saturating_mul(row_bytes);
        if bytes.len() != expected {
            return Err(PackError::Bytes { given: bytes.len(), expected });
        }
        let layout = RecordLayout::of(format);
        let (panels, blocks) = (rows.div_ceil(PANEL), columns / BLOCK);
        let record_bytes = layout.lines() * LINE;
        let mut memory = AlignedBytes::zeroed(panels * blocks * record_bytes);
        for row in 0..rows {
            let stored = &bytes[row * row_bytes..][..row_bytes];
            let panel = row / PANEL * blocks * record_bytes;
            let records = memory.bytes_mut()[panel..].chunks_exact_mut(record_bytes);
            for (block, record) in records.take(blocks).enumerate() {
                write_row(layout, record, row % PANEL, &format.affine(stored, block));
            }
        }
        Ok(Self { format, rows, columns, layout, memory })
    }

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

    /// One row of one block, read back from where [`PackedMatrix::pack`] put it: the code of each
    /// column, the scale and the minimum.
    pub(super) fn row_of_block(&self, row: usize, block: usize) -> ([u8; BLOCK], F16, F16) {
        let (layout, r) = (self.layout, row % PANEL);
        let record = (row / PANEL * self.blocks() + block) * layout.lines() * LINE;
        let record = &self.memory.bytes()[record..][..layout.lines() * LINE];
        let (head, codes) = record.split_at(layout.head_lines() * LINE);
        let half = |line: usize| {
            let at = line * LINE + 2 * r;
            F16::from_bits(u16::from_le_bytes([head[at], head[at + 1]]))
        };
        let codes = std::array::from_fn(|column| {
            let (at, high) = layout.place(r, column);
            match (layout.nibbles, high) {
                (false, _) => codes[at],
                (true, false) => codes[at] & 15,
                (true, true) => codes[at] >> 4,
            }
        });
        let minimum = if layout.minimums { half(1) } else { F16::default() };
        (codes, half(0), minimum)
    }
}

impl fmt::Debug for PackedMatrix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { format, rows, columns, .. } = self;
        write!(f, "PackedMatrix({format}, {rows} x {columns})")
    }
}

/// Writes row `r` of a panel into a record that is still zero there.
fn write_row(layout: RecordLayout, record: &mut [u8], r: usize, weights: &super::Affine) {
    let (head, codes) = record.split_at_mut(layout.head_lines() * LINE);
    for (line, value) in head.chunks_exact_mut(LINE).zip([weights.scale, weights.minimum]) {
        line[2 * r..][..2].copy_from_slice(&F16::from_f32(value).to_bits().to_le_bytes());
    }
    for (column, code) in weights.codes.into_iter().enumerate() {
        let (at, high) = layout.place(r, column);
        codes[at] |= if high { code << 4 } else { code };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matrix::testing::{random_blocks, seeds};

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
                        let (codes, scale, minimum) = packed.row_of_block(row, block);
                        assert_eq!(codes, stored.codes, "{format}, row {row}");
                        assert_eq!(scale, F16::from_f32(stored.scale));
                        assert_eq!(minimum, F16::from_f32(stored.minimum));
                    }
                }
            }
        }
    }

    #[test]
    fn four_bits_stay_four_bits() {
        let bytes = random_blocks(Format::Q4_0, 64, 64, 1);
        let packed = PackedMatrix::pack(&bytes, Format::Q4_0, 64, 64).unwrap();
        assert_eq!(packed.bytes(), bytes.len());
        assert_eq!(packed.bytes(), 64 * 2 * 18);
    }

    #[test]
    fn wrong_shapes_say_what_is_wrong() {
        let error = PackedMatrix::pack(&[], Format::Q4_0, 1, 33).unwrap_err();
        assert_eq!(error.to_string(), "a row of 33 weights is no multiple of blocks of 32");
        let error = PackedMatrix::pack(&[0; 17], Format::Q4_0, 1, 32).unwrap_err();
        assert_eq!(error.to_string(), "17 bytes where the matrix has 18");
    }
}
