//! Activations in eight bits: a scale for each 32 of them.
//!
//! Not here: how weights are quantised; files bring them so.

use super::formats::BLOCK;
use super::lines::{AlignedBytes, Line};
use crate::isa::Isa;

/// Rows of activations that lie together: what one pass over a block of weights may take.
pub(super) const TILE: usize = 16;

/// Rows of activations, quantised: `activation = scale * code`.
///
/// # Shapes
/// `(rows, columns)`; a scale and a sum for each `(row, block of 32 columns)`.
///
/// # Layout
/// Sixteen neighbouring rows are a tile; the last tile has as many rows as are left. In a tile, block
/// after block: the 32 codes of each row. Scales and sums lie likewise: tile, block, row.
///
/// # Accuracy
/// A code is the nearest of -127..=127, ties to even; the scale is `max |activation| / 127`. The
/// error of an activation is at most half a scale. Blocks whose maximum is below 127 times the
/// smallest normal f32 become zero. What is not finite has no meaningful code.
#[derive(Debug, Clone, Default)]
pub struct QuantisedRows {
    rows: usize,
    columns: usize,
    codes: AlignedBytes,
    scales: Vec<f32>,
    negative_sums: Vec<i32>,
    /// The rows in bf16, in tiles of sixteen of which the last is filled up with zeros: tile, block,
    /// row. Only for matrix tiles, and then only for enough rows.
    bf16: Option<AlignedBytes>,
}

/// Rows from which matrix tiles are faster than vectors.
pub(super) const FEWEST_FOR_TILES: usize = 24;

/// One block of one row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct QuantisedBlock {
    pub(super) codes: [i8; BLOCK],
    pub(super) scale: f32,
    /// Minus the sum of the codes: kernels start from a multiple of it.
    pub(super) negative_sum: i32,
}

impl QuantisedRows {
    /// No rows yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Replaces the rows. Memory is kept, so that a loop over tokens allocates only once.
    ///
    /// # Shapes
    /// `values`: `(rows, columns)`, row after row.
    ///
    /// # Panics
    /// If `columns` is no multiple of 32, the values are no whole rows, or this CPU lacks `isa`.
    pub fn quantise(&mut self, isa: Isa, values: &[f32], columns: usize) {
        assert!(columns.is_multiple_of(BLOCK) && columns > 0, "{columns} columns: no whole blocks");
        assert!(values.len().is_multiple_of(columns), "no whole rows of {columns}");
        assert!(isa.is_available(), "this CPU has no {isa}");
        (self.rows, self.columns) = (values.len() / columns, columns);
        self.codes.grow(values.len());
        self.scales.resize(values.len() / BLOCK, 0.0);
        self.negative_sums.resize(values.len() / BLOCK, 0);
        let (blocks, _) = values.as_chunks::<BLOCK>();
        match isa {
            #[cfg(target_arch = "x86_64")]
            // SAFETY: the CPU was asked for the set above.
            Isa::Avx512 | Isa::Amx => unsafe { self.write_avx512(blocks) },
            _ => self.write(blocks, quantise_block),
        }
        let tiles = isa == Isa::Amx && self.rows >= FEWEST_FOR_TILES;
        self.bf16 = tiles.then(|| self.round(values));
    }

    /// Rows held.
    #[must_use]
    pub const fn rows(&self) -> usize {
        self.rows
    }

    /// Activations of a row.
    #[must_use]
    pub const fn columns(&self) -> usize {
        self.columns
    }

    #[inline]
    fn write(
        &mut self,
        values: &[[f32; BLOCK]],
        quantise: impl Fn(&[f32; BLOCK]) -> QuantisedBlock,
    ) {
        let blocks = self.columns / BLOCK;
        for (row, values) in values.chunks_exact(blocks).enumerate() {
            for (block, values) in values.iter().enumerate() {
                let at = self.place(row, block);
                let quantised = quantise(values);
                let codes = quantised.codes.map(i8::cast_unsigned);
                self.codes.bytes_mut()[at * BLOCK..][..BLOCK].copy_from_slice(&codes);
                self.scales[at] = quantised.scale;
                self.negative_sums[at] = quantised.negative_sum;
            }
        }
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx2,fma,f16c")]
    fn write_avx512(&mut self, values: &[[f32; BLOCK]]) {
        self.write(values, |values| quantise_block_avx512(values));
    }

    /// The rows in bf16. The memory is that of the last time, if it is large enough.
    fn round(&mut self, values: &[f32]) -> AlignedBytes {
        let (rows, blocks) = (self.rows.next_multiple_of(TILE), self.columns / BLOCK);
        let bytes = rows * blocks * size_of::<Line>();
        let mut memory = self.bf16.take().unwrap_or_default();
        memory.grow(bytes);
        let (lines, _) = memory.bytes_mut()[..bytes].as_chunks_mut::<{ size_of::<Line>() }>();
        for row in 0..rows {
            let line = |block| (row / TILE * blocks + block) * TILE + row % TILE;
            match values.chunks_exact(self.columns).nth(row) {
                Some(values) => {
                    let (values, _) = values.as_chunks::<BLOCK>();
                    for (block, values) in values.iter().enumerate() {
                        round_block(values, &mut lines[line(block)]);
                    }
                }
                None => (0..blocks).for_each(|block| lines[line(block)].fill(0)),
            }
        }
        memory
    }

    /// The rows in bf16, if matrix tiles are to be used.
    pub(super) fn bf16(&self) -> Option<&[Line]> {
        self.bf16.as_ref().map(AlignedBytes::lines)
    }

    /// Where a row's block is, counted in blocks from the first.
    pub(super) fn place(&self, row: usize, block: usize) -> usize {
        let (first, blocks) = (row / TILE * TILE, self.columns / BLOCK);
        first * blocks + block * self.tile_rows(first) + row % TILE
    }

    /// Rows of the tile that starts at row `first`.
    pub(super) fn tile_rows(&self, first: usize) -> usize {
        TILE.min(self.rows - first)
    }

    /// Codes, scales and negative sums, each from the first.
    pub(super) fn parts(&self) -> (&[u8], &[f32], &[i32]) {
        (self.codes.bytes(), &self.scales, &self.negative_sums)
    }

    /// One block of one row, read back.
    pub(super) fn block(&self, row: usize, block: usize) -> QuantisedBlock {
        let at = self.place(row, block);
        let bytes = &self.codes.bytes()[at * BLOCK..][..BLOCK];
        QuantisedBlock {
            codes: std::array::from_fn(|i| bytes[i].cast_signed()),
            scale: self.scales[at],
            negative_sum: self.negative_sums[at],
        }
    }
}

/// One division by the scale, as a factor; 0 where the block is too small to divide by.
fn inverse(maximum: f32) -> f32 {
    if maximum >= 127.0 * f32::MIN_POSITIVE { 127.0 / maximum } else { 0.0 }
}

/// To the nearest bf16, ties to even.
fn round_block(values: &[f32; BLOCK], line: &mut [u8; 2 * BLOCK]) {
    let (pairs, _) = line.as_chunks_mut::<2>();
    for (pair, value) in pairs.iter_mut().zip(values) {
        *pair = round_to_bf16(*value).to_le_bytes();
    }
}

/// The bits of the nearest bf16, ties to even; a NaN may become infinite.
pub(super) fn round_to_bf16(value: f32) -> u16 {
    let bits = value.to_bits();
    let [_, _, low, high] = bits.wrapping_add(0x7fff + (bits >> 16 & 1)).to_le_bytes();
    u16::from_le_bytes([low, high])
}

/// The slow twin.
fn quantise_block(values: &[f32; BLOCK]) -> QuantisedBlock {
    let maximum = values.iter().fold(0.0_f32, |maximum, value| maximum.max(value.abs()));
    let inverse = inverse(maximum);
    #[expect(clippy::cast_possible_truncation, reason = "within -127..=127, or saturated")]
    let codes = values.map(|value| (value * inverse).round_ties_even() as i8);
    QuantisedBlock {
        codes,
        scale: if inverse == 0.0 { 0.0 } else { maximum / 127.0 },
        negative_sum: -codes.into_iter().map(i32::from).sum::<i32>(),
    }
}

/// # Accuracy
/// Equal to [`quantise_block`] for finite values, bit for bit.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx2,fma,f16c")]
fn quantise_block_avx512(values: &[f32; BLOCK]) -> QuantisedBlock {
    use std::arch::x86_64::{
        _mm_storeu_si128, _mm512_abs_ps, _mm512_add_epi32, _mm512_cvtps_epi32,
        _mm512_cvtsepi32_epi8, _mm512_loadu_ps, _mm512_max_ps, _mm512_mul_ps,
        _mm512_reduce_add_epi32, _mm512_reduce_max_ps, _mm512_set1_ps,
    };

    // SAFETY: sixteen of the 32 values each, and the loads ask for no alignment.
    let (low, high) = unsafe {
        (_mm512_loadu_ps(values.as_ptr()), _mm512_loadu_ps(values.as_ptr().wrapping_add(16)))
    };
    let maximum = _mm512_reduce_max_ps(_mm512_max_ps(_mm512_abs_ps(low), _mm512_abs_ps(high)));
    let inverse = inverse(maximum);
    let factor = _mm512_set1_ps(inverse);
    // The conversion rounds ties to even, as the twin does.
    let low = _mm512_cvtps_epi32(_mm512_mul_ps(low, factor));
    let high = _mm512_cvtps_epi32(_mm512_mul_ps(high, factor));
    let mut codes = [0_i8; BLOCK];
    // SAFETY: sixteen of the 32 codes each, and the stores ask for no alignment.
    unsafe {
        _mm_storeu_si128(codes.as_mut_ptr().cast(), _mm512_cvtsepi32_epi8(low));
        _mm_storeu_si128(codes.as_mut_ptr().wrapping_add(16).cast(), _mm512_cvtsepi32_epi8(high));
    }
    QuantisedBlock {
        codes,
        scale: if inverse == 0.0 { 0.0 } else { maximum / 127.0 },
        negative_sum: -_mm512_reduce_add_epi32(_mm512_add_epi32(low, high)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matrix::testing::{random_numbers, seeds};

    #[test]
    fn a_block_by_hand() {
        let mut values = [0.0; BLOCK];
        (values[0], values[1], values[2]) = (-254.0, 3.0, 100.0);
        let block = quantise_block(&values);
        // Scale 2: -127, 1.5 to even is 2, 50.
        assert!((block.scale - 2.0).abs() < f32::EPSILON);
        assert_eq!(block.codes[..4], [-127, 2, 50, 0]);
        assert_eq!(block.negative_sum, 75);
    }

    #[test]
    fn every_set_equals_the_reference() {
        for (rows, seed) in [1, 5, 16, 17, 35].into_iter().zip(seeds()) {
            let columns = 96;
            let mut values = random_numbers(rows * columns, seed);
            values[..BLOCK].fill(0.0);
            values[BLOCK] = 1e-40;
            values[2 * BLOCK] = -3e38;
            let mut slow = QuantisedRows::new();
            slow.quantise(Isa::Reference, &values, columns);
            for isa in Isa::available() {
                let mut fast = QuantisedRows::new();
                fast.quantise(isa, &values, columns);
                for (row, block) in (0..rows).flat_map(|row| (0..3).map(move |b| (row, b))) {
                    let expected = quantise_block(
                        values[row * columns + block * BLOCK..].first_chunk().unwrap(),
                    );
                    assert_eq!(slow.block(row, block), expected, "row {row}");
                    assert_eq!(fast.block(row, block), expected, "{isa}, row {row}");
                }
            }
        }
    }

    #[test]
    fn fewer_rows_after_more_are_as_if_new() {
        let mut rows = QuantisedRows::new();
        rows.quantise(Isa::best(), &random_numbers(20 * 64, 1), 64);
        let values = random_numbers(3 * 32, 2);
        rows.quantise(Isa::best(), &values, 32);
        assert_eq!((rows.rows(), rows.columns()), (3, 32));
        assert_eq!(rows.block(2, 0), quantise_block(values[64..].first_chunk().unwrap()));
    }
}
