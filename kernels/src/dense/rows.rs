//! Activations: as they are, or rounded to bf16 for matrix tiles.
//!
//! Not here: how they come to be so ([`Activations`]), and activations in eight bits.

use super::panel::BLOCK;
use crate::matrix::Activations;
use crate::matrix::activations::TILE;
use crate::matrix::lines::{LINE, Line, bytes_of};

/// Rows of activations from which matrix tiles are faster than vectors: those take eight at once.
pub(super) const FEWEST_FOR_TILES: usize = 9;

/// Rows of activations, in one of two forms.
///
/// # Shapes
/// `(batch, columns)`.
#[derive(Debug, Clone, Copy)]
pub enum Rows<'a> {
    /// Row after row.
    F32(&'a [f32]),
    /// Rounded to bf16. Sixteen rows are a tile, of which the last is filled up with zeros. In a
    /// tile, block after block of 32 columns: a cache line for each row. [`Activations`] makes them.
    Bf16(&'a [Line]),
}

impl<'a> Rows<'a> {
    /// Activations in bf16 if they are kept so, else in f32.
    ///
    /// # Panics
    /// If they are kept in neither form.
    #[must_use]
    pub fn of(activations: &'a Activations) -> Self {
        match (activations.bf16(), activations.f32_rows()) {
            (Some(lines), _) => Self::Bf16(lines),
            (None, Some(values)) => Self::F32(values),
            (None, None) => panic!("activations are in neither bf16 nor f32"),
        }
    }

    /// One activation.
    pub(super) fn get(&self, columns: usize, row: usize, column: usize) -> f32 {
        match self {
            Self::F32(values) => values[row * columns + column],
            Self::Bf16(lines) => {
                let line = line(columns, row, column / BLOCK);
                let at = column % BLOCK * 2;
                let [low, high] = [lines[line].0[at], lines[line].0[at + 1]];
                f32::from_bits(u32::from_le_bytes([0, 0, low, high]))
            }
        }
    }

    /// Whether they are of this shape. In bf16 there may be more: memory that was once needed.
    pub(super) fn hold(&self, batch: usize, columns: usize) -> bool {
        match self {
            Self::F32(values) => Some(values.len()) == batch.checked_mul(columns),
            Self::Bf16(_) => self.reach(batch, columns),
        }
    }

    /// Whether they are at least so many rows.
    pub(super) fn reach(&self, batch: usize, columns: usize) -> bool {
        match self {
            Self::F32(values) => bytes_of(&[batch, columns]).is_some_and(|n| n <= values.len()),
            Self::Bf16(lines) => {
                let of_batch = bytes_of(&[batch.div_ceil(TILE), TILE, columns / BLOCK]);
                of_batch.is_some_and(|n| n <= lines.len())
            }
        }
    }
}

/// Where in bf16 a row's block is.
const fn line(columns: usize, row: usize, block: usize) -> usize {
    (row / TILE * (columns / BLOCK) + block) * TILE + row % TILE
}

const _: () = assert!(BLOCK * 2 == LINE);

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "roundings are equal, or they are wrong")]
mod tests {
    use super::*;
    use crate::isa::Isa;
    use crate::matrix::Forms;
    use crate::matrix::testing::{random_numbers, seeds};

    /// The slow twin: whichever neighbour is nearer, asked in f64; of a tie the even one.
    fn rounded(value: f32) -> f32 {
        let below = value.to_bits() & 0xffff_0000;
        let odd = below >> 16 & 1 == 1;
        let [below, above] = [below, below + 0x1_0000].map(f32::from_bits);
        let distance = |other: f32| (f64::from(value) - f64::from(other)).abs();
        let up = distance(above) < distance(below) || (distance(above) == distance(below) && odd);
        if up { above } else { below }
    }

    #[test]
    fn every_row_reads_back_rounded_and_padded_with_zeros() {
        for isa in Isa::available() {
            let mut rows = Activations::new();
            for (count, seed) in [33, 1, 16, 17].into_iter().zip(seeds()) {
                let columns = 96;
                let values = random_numbers(count * columns, seed);
                let forms = Forms { bf16: true, ..Forms::default() };
                rows.fill(isa, forms, &values, columns);
                assert_eq!((rows.rows(), rows.columns()), (count, columns));
                for (at, value) in values.iter().enumerate() {
                    let read = Rows::of(&rows).get(columns, at / columns, at % columns);
                    assert_eq!(read, rounded(*value), "{isa}, {count} rows, number {at}");
                }
                for row in count..count.next_multiple_of(TILE) {
                    assert_eq!(Rows::of(&rows).get(columns, row, columns - 1), 0.0);
                }
            }
        }
    }
}
