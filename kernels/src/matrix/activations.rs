//! Activations in the forms in which products take them, filled row by row.
//!
//! Not here: how weights are quantised; files bring them so.

use std::ops::BitOr;
#[cfg(target_arch = "x86_64")]
use std::ops::Range;

use super::bf16::{self, Bf16Block};
use super::formats::BLOCK;
use super::lines::{LINE, Line, SharedLines, bytes_of};
use super::quantise::{self, QuantisedBlock};
use crate::isa::Isa;

/// Rows of activations that lie together: what one pass over a block of weights may take.
pub(crate) const TILE: usize = 16;

/// Some rows of activations, cut where tiles end.
#[cfg(target_arch = "x86_64")]
pub(crate) fn pieces(rows: Range<usize>) -> impl Iterator<Item = Range<usize>> {
    let tiles = rows.start / TILE..rows.end.div_ceil(TILE);
    tiles.map(move |tile| rows.start.max(tile * TILE)..rows.end.min((tile + 1) * TILE))
}

/// The forms in which activations are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Forms {
    /// Eight-bit codes with a scale for each 32, for products with quantised weights.
    pub int8: bool,
    /// bf16, for matrix tiles.
    pub bf16: bool,
    /// As they are.
    pub f32: bool,
}

impl BitOr for Forms {
    type Output = Self;

    /// All forms that either asks for.
    fn bitor(self, other: Self) -> Self {
        Self {
            int8: self.int8 | other.int8,
            bf16: self.bf16 | other.bf16,
            f32: self.f32 | other.f32,
        }
    }
}

/// Rows of activations, ready for products.
///
/// # Shapes
/// `(rows, columns)`; in the eight-bit form `activation = scale * code`, with a scale and a sum for
/// each `(row, block of 32 columns)`.
///
/// # Layout
/// Sixteen neighbouring rows are a tile.
///
/// - int8: the last tile has as many rows as are left. In a tile, block after block: the 32 codes of
///   each row. Scales and sums lie likewise: tile, block, row.
/// - bf16: the last tile, and the last block of a row, are filled up with zeros. Tile, block, row: a
///   cache line of 32 columns each.
/// - f32: row after row.
///
/// # Accuracy
/// A code is the nearest of -127..=127, ties to even; the scale is `max |activation| / 127`. The
/// error of an activation is at most half a scale. Blocks whose maximum is below 127 times the
/// smallest normal f32 become zero. A block that holds NaN or an infinity has
/// the scale NaN, so that products with it are NaN.
#[derive(Debug, Clone)]
pub struct Activations {
    isa: Isa,
    forms: Forms,
    rows: usize,
    columns: usize,
    codes: SharedLines,
    scales: SharedLines,
    negative_sums: SharedLines,
    /// Of both halves of each block, for weights that have two scales.
    half_sums: SharedLines,
    bf16: SharedLines,
    f32: SharedLines,
}

/// Activations in eight bits: for each block of each row its codes, their scale, and minus their sums.
#[derive(Debug, Clone, Copy)]
pub(super) struct Int8<'a> {
    pub(super) codes: &'a [[i8; BLOCK]],
    pub(super) scales: &'a [f32],
    #[cfg_attr(not(target_arch = "x86_64"), expect(dead_code, reason = "of vector kernels"))]
    pub(super) negative_sums: &'a [i32],
    /// Of the first and the second half of a block.
    pub(super) half_sums: &'a [[i32; 2]],
}

impl Default for Activations {
    fn default() -> Self {
        Self::new()
    }
}

impl Activations {
    /// Products of [some rows](super::multiply_rows) may start at any row, and cost least if that is a
    /// multiple of this: where a tile is shared with other rows, all of it may be multiplied. Rows in
    /// between that are in no product need not be written.
    pub const ROW_ALIGNMENT: usize = TILE;

    /// No rows yet, and no memory.
    #[must_use]
    pub fn new() -> Self {
        Self {
            isa: Isa::Reference,
            forms: Forms::default(),
            rows: 0,
            columns: 0,
            codes: SharedLines::default(),
            scales: SharedLines::default(),
            negative_sums: SharedLines::default(),
            half_sums: SharedLines::default(),
            bf16: SharedLines::default(),
            f32: SharedLines::default(),
        }
    }

    /// Makes room for rows in these forms, to be written with `isa`. What they hold is undefined
    /// until [`Activations::write_row`] wrote each; the rows that fill up the last bf16 tile are zero.
    ///
    /// Memory is kept: nothing is allocated unless more is needed than ever before.
    ///
    /// # Panics
    /// If there are no columns, the eight-bit form is asked for and they are no multiple of 32, this
    /// CPU lacks `isa`, or as [`Activations::reserve`].
    pub fn shape(&mut self, isa: Isa, forms: Forms, rows: usize, columns: usize) {
        assert!(columns > 0, "no columns");
        assert!(
            !forms.int8 || columns.is_multiple_of(BLOCK),
            "{columns} columns: no whole blocks of {BLOCK}"
        );
        assert!(isa.is_available(), "this CPU has no {isa}");
        self.reserve(forms, rows, columns);
        (self.isa, self.forms, self.rows, self.columns) = (isa, forms, rows, columns);
        if forms.bf16 {
            self.clear_last_tile();
        }
    }

    /// Reserves memory for at most so many rows and columns in these forms.
    ///
    /// # Panics
    /// If they are more than any memory holds.
    pub fn reserve(&mut self, forms: Forms, rows: usize, columns: usize) {
        let blocks = columns.div_ceil(BLOCK);
        let bytes = |factors: &[usize]| bytes_of(factors).expect("activations that memory holds");
        if forms.int8 {
            self.codes.grow(bytes(&[rows, blocks, BLOCK]));
            self.scales.grow(bytes(&[rows, blocks, size_of::<f32>()]));
            self.negative_sums.grow(bytes(&[rows, blocks, size_of::<i32>()]));
            self.half_sums.grow(bytes(&[rows, blocks, size_of::<[i32; 2]>()]));
        }
        if forms.bf16 {
            self.bf16.grow(bytes(&[rows.div_ceil(TILE), TILE, blocks, LINE]));
        }
        if forms.f32 {
            self.f32.grow(bytes(&[rows, columns, size_of::<f32>()]));
        }
    }

    /// Replaces all rows, on this thread.
    ///
    /// # Shapes
    /// `values`: `(rows, columns)`, row after row.
    ///
    /// # Panics
    /// As [`Activations::shape`], and if the values are no whole rows.
    pub fn fill(&mut self, isa: Isa, forms: Forms, values: &[f32], columns: usize) {
        assert!(columns > 0 && values.len().is_multiple_of(columns), "no whole rows of {columns}");
        self.shape(isa, forms, values.len() / columns, columns);
        for (row, values) in values.chunks_exact(columns).enumerate() {
            // SAFETY: the row is one of the shape, and `self` is borrowed mutably.
            unsafe { self.write_row(row, values) };
        }
    }

    /// Writes one row in all the forms of the last [`Activations::shape`].
    ///
    /// # Panics
    /// If there is no such row, or the values are not as many as there are columns.
    ///
    /// # Safety
    /// Until it returns, nobody else may write the same row, and nobody may read any.
    pub unsafe fn write_row(&self, row: usize, values: &[f32]) {
        assert!(row < self.rows, "row {row} of {}", self.rows);
        assert_eq!(values.len(), self.columns, "columns");
        // SAFETY: the CPU was asked for the set by `shape`, which made room for the row; the caller
        // vouches for the rest.
        unsafe {
            match self.isa {
                #[cfg(target_arch = "x86_64")]
                Isa::Amx => self.write_row_amx(row, values),
                #[cfg(target_arch = "x86_64")]
                Isa::Avx512 => self.write_row_avx512(row, values),
                #[cfg(target_arch = "x86_64")]
                Isa::Avx2 => self.write_row_avx2(row, values),
                _ => self.write_row_with(row, values, quantise::quantise_block, bf16::round_block),
            }
        }
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

    /// The forms of the last [`Activations::shape`].
    #[must_use]
    pub const fn forms(&self) -> Forms {
        self.forms
    }

    /// # Safety
    /// As [`Activations::write_row`]; the row must exist, with as many values as columns.
    #[inline]
    unsafe fn write_row_with(
        &self,
        row: usize,
        values: &[f32],
        quantise: impl Fn(&[f32; BLOCK]) -> QuantisedBlock,
        round: impl Fn(&[f32; BLOCK], &mut Bf16Block),
    ) {
        let (blocks, rest) = values.as_chunks::<BLOCK>();
        // SAFETY: `shape` made room for every block of the row in the forms asked for, and each place
        // belongs to one row alone, which is ours.
        unsafe {
            if self.forms.int8 {
                let (first, step) = (self.place(row, 0), self.tile_rows(row / TILE * TILE));
                for (block, values) in blocks.iter().enumerate() {
                    let at = first + block * step;
                    let quantised = quantise(values);
                    self.codes.start::<[i8; BLOCK]>().add(at).write(quantised.codes);
                    self.scales.start::<f32>().add(at).write(quantised.scale);
                    self.negative_sums.start::<i32>().add(at).write(quantised.negative_sum());
                    self.half_sums.start::<[i32; 2]>().add(at).write(quantised.negative_sums);
                }
            }
            if self.forms.bf16 {
                for (block, values) in blocks.iter().enumerate() {
                    round(values, &mut *self.bf16_place(row, block));
                }
                if !rest.is_empty() {
                    let mut values = [0.0; BLOCK];
                    values[..rest.len()].copy_from_slice(rest);
                    round(&values, &mut *self.bf16_place(row, blocks.len()));
                }
            }
            if self.forms.f32 {
                let place = self.f32.start::<f32>().add(row * self.columns);
                place.copy_from_nonoverlapping(values.as_ptr(), values.len());
            }
        }
    }

    /// # Safety
    /// As [`Activations::write_row_with`], on a CPU with AVX2.
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,fma,f16c")]
    unsafe fn write_row_avx2(&self, row: usize, values: &[f32]) {
        let quantise = |values: &_| quantise::quantise_block_avx2(values);
        let round = |values: &_, line: &mut _| bf16::round_block_avx2(values, line);
        // SAFETY: as the caller vouches.
        unsafe { self.write_row_with(row, values, quantise, round) };
    }

    /// # Safety
    /// As [`Activations::write_row_with`], on a CPU with AVX-512.
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512vl")]
    unsafe fn write_row_avx512(&self, row: usize, values: &[f32]) {
        let quantise = |values: &_| quantise::quantise_block_avx512(values);
        let round = |values: &_, line: &mut _| bf16::round_block_avx2(values, line);
        // SAFETY: as the caller vouches.
        unsafe { self.write_row_with(row, values, quantise, round) };
    }

    /// # Safety
    /// As [`Activations::write_row_with`], on a CPU with AVX-512 and its bf16.
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512vl,avx512bf16")]
    unsafe fn write_row_amx(&self, row: usize, values: &[f32]) {
        let quantise = |values: &_| quantise::quantise_block_avx512(values);
        let round = |values: &_, line: &mut _| bf16::round_block_avx512bf16(values, line);
        // SAFETY: as the caller vouches.
        unsafe { self.write_row_with(row, values, quantise, round) };
    }

    /// Blocks of a row.
    const fn blocks(&self) -> usize {
        self.columns.div_ceil(BLOCK)
    }

    /// Zeros in the rows after the last that fill up its tile.
    fn clear_last_tile(&mut self) {
        for row in self.rows..self.rows.next_multiple_of(TILE) {
            for block in 0..self.blocks() {
                // SAFETY: within the last tile, and `self` is borrowed mutably.
                unsafe { (*self.bf16_place(row, block)).fill(0) };
            }
        }
    }

    /// Where a row's block in bf16 is.
    ///
    /// # Safety
    /// There must be such a tile and such a block.
    unsafe fn bf16_place(&self, row: usize, block: usize) -> *mut Bf16Block {
        let line = (row / TILE * self.blocks() + block) * TILE + row % TILE;
        // SAFETY: within the lines that `shape` made room for.
        unsafe { self.bf16.start::<Bf16Block>().add(line) }
    }

    /// The rows in bf16, if they are kept in it.
    pub(crate) fn bf16(&self) -> Option<&[Line]> {
        let lines = self.rows.next_multiple_of(TILE) * self.blocks();
        // SAFETY: any bytes are a line; who writes vouches that nobody reads meanwhile.
        self.forms.bf16.then(|| unsafe { self.bf16.read(lines) })
    }

    /// The rows as they were given, one after the other, if they are kept so.
    pub(crate) fn f32_rows(&self) -> Option<&[f32]> {
        // SAFETY: any bytes are a number; who writes vouches that nobody reads meanwhile.
        self.forms.f32.then(|| unsafe { self.f32.read(self.rows * self.columns) })
    }

    /// Where a row's eight-bit block is, counted in blocks from the first.
    pub(super) fn place(&self, row: usize, block: usize) -> usize {
        let (first, blocks) = (row / TILE * TILE, self.blocks());
        first * blocks + block * self.tile_rows(first) + row % TILE
    }

    /// Rows of the eight-bit tile that starts at row `first`.
    pub(super) fn tile_rows(&self, first: usize) -> usize {
        TILE.min(self.rows - first)
    }

    /// The eight-bit form, each part from the first.
    ///
    /// # Panics
    /// If they are not kept in eight bits.
    pub(super) fn int8(&self) -> Int8<'_> {
        assert!(self.forms.int8, "activations that are not in eight bits; ask for the right forms");
        let blocks = self.rows * self.blocks();
        // SAFETY: any bytes are numbers; who writes vouches that nobody reads meanwhile.
        unsafe {
            Int8 {
                codes: self.codes.read(blocks),
                scales: self.scales.read(blocks),
                negative_sums: self.negative_sums.read(blocks),
                half_sums: self.half_sums.read(blocks),
            }
        }
    }

    /// One block of one row, read back.
    pub(super) fn block(&self, row: usize, block: usize) -> QuantisedBlock {
        let at = self.place(row, block);
        let Int8 { codes, scales, half_sums, .. } = self.int8();
        QuantisedBlock { codes: codes[at], scale: scales[at], negative_sums: half_sums[at] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matrix::bf16::round_to_bf16;
    use crate::matrix::quantise::quantise_block;
    use crate::matrix::testing::{random_numbers, seeds};

    const ALL: Forms = Forms { int8: true, bf16: true, f32: true };

    /// Every form of every row is that of the reference.
    fn check(activations: &Activations, values: &[f32]) {
        let columns = activations.columns();
        assert_eq!(activations.f32_rows().unwrap(), values);
        let lines = activations.bf16().unwrap();
        let blocks = columns / BLOCK;
        assert_eq!(lines.len(), activations.rows().next_multiple_of(TILE) * blocks);
        for row in 0..activations.rows().next_multiple_of(TILE) {
            for block in 0..blocks {
                let line = &lines[(row / TILE * blocks + block) * TILE + row % TILE].0;
                if row >= activations.rows() {
                    assert_eq!(line, &[0; 64], "row {row}");
                    continue;
                }
                let case = format!("{}, row {row}, block {block}", activations.isa);
                let values: &[f32; BLOCK] =
                    values[row * columns + block * BLOCK..].first_chunk().unwrap();
                assert_eq!(activations.block(row, block), quantise_block(values), "{case}");
                let (pairs, _) = line.as_chunks::<2>();
                let rounded = pairs.iter().map(|pair| u16::from_le_bytes(*pair));
                assert!(rounded.eq(values.map(round_to_bf16)), "{case}");
            }
        }
    }

    /// Blocks of zeros, of the smallest and of the largest numbers among them.
    fn values(rows: usize, columns: usize, seed: u64) -> Vec<f32> {
        let mut values = random_numbers(rows * columns, seed);
        values[..BLOCK].fill(0.0);
        values[BLOCK] = 2e-38;
        values[2 * BLOCK] = -3e38;
        values
    }

    #[test]
    fn every_set_equals_the_reference() {
        for (rows, seed) in [1, 5, 16, 17, 35].into_iter().zip(seeds()) {
            let values = values(rows, 96, seed);
            for isa in Isa::available() {
                let mut activations = Activations::new();
                activations.fill(isa, ALL, &values, 96);
                check(&activations, &values);
            }
        }
    }

    #[test]
    fn a_block_too_small_to_divide_by_is_zero() {
        for isa in Isa::available() {
            let mut activations = Activations::new();
            activations.fill(isa, ALL, &[1e-40; 32], 32);
            assert_eq!(activations.block(0, 0), quantise_block(&[1e-40; 32]));
            assert_eq!(activations.block(0, 0).codes, [0; 32]);
        }
    }

    #[test]
    fn two_threads_write_what_one_writes() {
        let (rows, columns) = (37, 64);
        for (isa, seed) in Isa::available().into_iter().zip(seeds()) {
            let values = values(rows, columns, seed);
            let mut activations = Activations::new();
            // What was there before must not matter.
            activations.fill(isa, ALL, &random_numbers(50 * 96, seed), 96);
            activations.shape(isa, ALL, rows, columns);
            let activations = &activations;
            std::thread::scope(|scope| {
                for thread in 0..2 {
                    let rows = values.chunks_exact(columns).enumerate().skip(thread).step_by(2);
                    scope.spawn(move || {
                        for (row, values) in rows {
                            // SAFETY: every other row is this thread's alone.
                            unsafe { activations.write_row(row, values) };
                        }
                    });
                }
            });
            check(activations, &values);
        }
    }

    #[test]
    fn fewer_rows_after_more_are_as_if_new_and_allocate_nothing() {
        for isa in Isa::available() {
            let mut activations = Activations::new();
            activations.reserve(ALL, 20, 96);
            let starts =
                |a: &Activations| [&a.codes, &a.bf16, &a.f32].map(SharedLines::start::<u8>);
            let before = starts(&activations);
            activations.fill(isa, ALL, &values(20, 96, 1), 96);
            let values = values(3, 96, 2);
            activations.fill(isa, ALL, &values, 96);
            assert_eq!((activations.rows(), activations.columns()), (3, 96));
            check(&activations, &values);
            assert_eq!(starts(&activations), before);
        }
    }

    #[test]
    fn a_part_of_a_block_is_filled_up_with_zeros_in_bf16() {
        for isa in Isa::available() {
            let mut activations = Activations::new();
            let forms = Forms { bf16: true, f32: true, ..Forms::default() };
            activations.fill(isa, forms, &[7.0; 32], 32);
            activations.fill(isa, forms, &[1.0; 2 * 20], 20);
            assert_eq!(activations.f32_rows().unwrap(), [1.0; 40]);
            let line = activations.bf16().unwrap()[1].0;
            assert_eq!(line[..4], [0x80, 0x3f, 0x80, 0x3f]);
            assert_eq!(line[38..], [[0x80, 0x3f].as_slice(), &[0; 24]].concat());
        }
    }

    #[test]
    #[should_panic(expected = "ask for the right forms")]
    fn a_form_that_is_not_kept_is_not_read() {
        let mut activations = Activations::new();
        activations.fill(Isa::Reference, Forms { f32: true, ..Forms::default() }, &[1.0; 32], 32);
        activations.int8();
    }
}
