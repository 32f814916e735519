//! The product with matrix tiles: AMX int8.
//!
//! One instruction multiplies 16 rows of activations x 32 columns with 32 columns x 16 rows of
//! weights. The vector units, which do the integer arithmetic in [`super::avx512`], are left with
//! the scales; so this goes beyond the int8 peak of vectors. With few rows of activations a tile
//! stays mostly empty and memory is the bound: those go to AVX-512.
//!
//! Stable Rust has no names for the instructions yet, so they are written in assembly.

use std::arch::asm;
use std::arch::x86_64::{
    _mm512_cvtepi32_ps, _mm512_fmadd_ps, _mm512_fnmadd_ps, _mm512_load_si512,
    _mm512_mask_storeu_ps, _mm512_maskz_loadu_ps, _mm512_mul_ps, _mm512_set1_ps, _mm512_setzero_ps,
};
use std::mem::MaybeUninit;

use super::activations::{QuantisedRows, TILE};
use super::avx512::{self, CHUNK, Memory, UNPACKED, mask, unpack, widen_half};
use super::formats::BLOCK;
use super::lines::{LINE, Line};
use super::multiply::Output;
use super::packed::{GROUP, PANEL, PackedMatrix};

/// Rows of activations below which AVX-512 is as fast.
const FEWEST: usize = 8;

/// Integer sums of a tile.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Dots([Line; TILE]);

/// Tiles of sums in memory: some are still being stored while others are read.
const RING: usize = 4;

/// The outputs of one panel for every row of activations.
///
/// # Shapes
/// See [`super::multiply_panels`].
///
/// # Accuracy
/// Exact integers within a block, f32 across blocks, in order.
///
/// # Safety
/// The CPU must have [`Isa::Amx`](crate::isa::Isa::Amx). The columns of weights and activations must
/// agree, `output` must have the shape of the product, and nobody else may write to this panel of
/// it.
#[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512vl,avx512vnni")]
pub(super) unsafe fn panel(
    weights: &PackedMatrix,
    activations: &QuantisedRows,
    panel: usize,
    output: &Output<'_>,
) {
    if activations.rows() < FEWEST {
        // SAFETY: what the caller vouches for includes what AVX-512 asks for.
        return unsafe { avx512::panel(weights, activations, panel, output) };
    }
    #[expect(clippy::large_stack_arrays, reason = "small beside a stack; not filled")]
    let mut memory: Memory = [const { MaybeUninit::uninit() }; CHUNK * UNPACKED];
    let layout = weights.layout();
    let head = layout.head_lines();
    for (chunk, packed) in weights.panel(panel).chunks(CHUNK * layout.lines()).enumerate() {
        let blocks = packed.len() / layout.lines();
        let records = unpack(packed, layout, layout.offset, &mut memory);
        for first in (0..activations.rows()).step_by(TILE) {
            // SAFETY: the caller vouches for the tiles.
            unsafe { configure(activations.tile_rows(first)) };
            for half in 0..2 {
                let row = panel * PANEL + half * TILE;
                if row >= weights.rows() {
                    break;
                }
                let task = Task {
                    activations,
                    output,
                    first,
                    first_block: chunk * CHUNK,
                    half,
                    row,
                    rows: (weights.rows() - row).min(TILE),
                };
                // SAFETY: the caller vouches for features and shapes; the records are whole.
                unsafe {
                    match (layout.minimums, activations.tile_rows(first) == TILE) {
                        (true, true) => task.tile::<true, true>(records, blocks, head),
                        (true, false) => task.tile::<true, false>(records, blocks, head),
                        (false, true) => task.tile::<false, true>(records, blocks, head),
                        (false, false) => task.tile::<false, false>(records, blocks, head),
                    }
                }
            }
        }
    }
    // SAFETY: the caller vouches for the tiles; nothing in them is used any more.
    unsafe { asm!("tilerelease", options(nostack, nomem)) };
}

/// Sets the shapes of the tiles: 0 and 1 are sums, 2 and 3 activations, 4 and 5 weights.
///
/// # Source
/// Intel SDM volume 2, `LDTILECFG`: byte 0 is the palette, the 16-bit words from byte 16 are bytes of
/// a row, the bytes from 48 are rows.
///
/// # Safety
/// The CPU must have tiles, and the operating system must have granted them.
unsafe fn configure(rows: usize) {
    let mut shapes = Line::ZERO;
    #[expect(clippy::cast_possible_truncation, reason = "at most 64")]
    for (tile, rows, row_bytes) in [(0, rows, LINE), (2, rows, BLOCK), (4, BLOCK / GROUP, LINE)] {
        for tile in [tile, tile + 1] {
            shapes.0[16 + 2 * tile] = row_bytes as u8;
            shapes.0[48 + tile] = rows as u8;
        }
    }
    shapes.0[0] = 1;
    // SAFETY: 64 bytes are read, and they hold a valid configuration.
    unsafe { asm!("ldtilecfg [{}]", in(reg) &raw const shapes, options(nostack, readonly)) };
}

/// Some blocks of half a panel, times a tile of activations.
struct Task<'a> {
    activations: &'a QuantisedRows,
    output: &'a Output<'a>,
    /// The tile's first row.
    first: usize,
    /// The block that the first record is. If it is not 0, the outputs are added to.
    first_block: usize,
    /// Which half of the panel: 0 or 1.
    half: usize,
    /// The half's first row, and how many of its rows there are.
    row: usize,
    rows: usize,
}

impl Task<'_> {
    /// The hot function.
    ///
    /// The tiles run ahead of the vectors: a turn stores the sums of one block, multiplies the block
    /// after next, and loads the one two further. Written in that order, none waits for another; a
    /// turn that did all for one block took half as long again.
    ///
    /// # Safety
    /// As [`panel`]; `records` must be `blocks` unpacked records with `head` lines before the codes,
    /// and the tiles configured.
    #[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512vl,avx512vnni")]
    unsafe fn tile<const MINIMUMS: bool, const FULL: bool>(
        &self,
        records: &[Line],
        blocks: usize,
        head: usize,
    ) {
        let tile_rows = if FULL { TILE } else { self.activations.tile_rows(self.first) };
        let place = self.activations.place(self.first, self.first_block);
        let (codes, scales, negative_sums) = self.activations.parts();
        let mask = mask(self.rows);
        let mut ring = [const { MaybeUninit::<Dots>::uninit() }; RING];
        let mut sums = [_mm512_setzero_ps(); TILE];
        let record_bytes = (head + 2 * BLOCK / GROUP) * LINE;
        // SAFETY: pointers stay within the records of `blocks` blocks, and within the codes, scales
        // and sums of the tile's rows of as many blocks; of `Dots` only the rows that the tile has
        // are read, which were stored; outputs are masked to the rows that there are.
        unsafe {
            let output = self.output.at(self.first, self.row);
            if self.first_block > 0 {
                for (m, sum) in sums.iter_mut().enumerate().take(tile_rows) {
                    let output = output.add(m * self.output.stride());
                    *sum = _mm512_maskz_loadu_ps(mask, output);
                }
            }
            let records = records.as_ptr().cast::<u8>();
            let codes = codes.as_ptr().add(place * BLOCK);
            let mut scales = scales.as_ptr().add(place);
            let mut negative_sums = negative_sums.as_ptr().add(place);
            let at = |block: usize| {
                // Past the end the last block is loaded again, and its product is left unused.
                let block = block.min(blocks - 1);
                let weights = records.add(block * record_bytes + (head + self.half) * LINE);
                (codes.add(block * tile_rows * BLOCK), weights)
            };
            load::<0>(at(0));
            load::<1>(at(1));
            multiply_and_load::<0>(at(2));
            multiply_and_load::<1>(at(3));
            for block in 0..blocks {
                let dots = ring[block % RING].as_mut_ptr().cast();
                if block % 2 == 0 {
                    store::<0>(dots);
                    multiply_and_load::<0>(at(block + 4));
                } else {
                    store::<1>(dots);
                    multiply_and_load::<1>(at(block + 4));
                }
                let dots = ring[block % RING].as_ptr().cast::<Line>();
                let record = records.add(block * record_bytes + self.half * LINE / 2);
                let weight_scale = widen_half(record);
                let minimum =
                    if MINIMUMS { widen_half(record.add(LINE)) } else { _mm512_setzero_ps() };
                for (m, sum) in sums.iter_mut().enumerate() {
                    if m < tile_rows {
                        let dot = _mm512_cvtepi32_ps(_mm512_load_si512(dots.add(m).cast()));
                        let scale = _mm512_set1_ps(*scales.add(m));
                        *sum = _mm512_fmadd_ps(dot, _mm512_mul_ps(weight_scale, scale), *sum);
                        if MINIMUMS {
                            let negative = *scales.add(m) * *negative_sums.add(m) as f32;
                            *sum = _mm512_fnmadd_ps(_mm512_set1_ps(negative), minimum, *sum);
                        }
                    }
                }
                scales = scales.add(tile_rows);
                negative_sums = negative_sums.add(tile_rows);
            }
            for (m, sum) in sums.into_iter().enumerate().take(tile_rows) {
                _mm512_mask_storeu_ps(output.add(m * self.output.stride()), mask, sum);
            }
        }
    }
}

/// Loads activations and weights into a set of tiles.
///
/// # Safety
/// The tiles must be configured; `codes`: as many rows as configured of 32 bytes, one after the other;
/// `weights`: eight lines, each two lines after the last.
#[inline]
unsafe fn load<const SET: usize>((codes, weights): (*const u8, *const u8)) {
    macro_rules! load {
        ($codes:literal, $weights:literal) => {
            asm!(
                concat!("tileloadd tmm", $codes, ", [{codes} + {codes_stride}]"),
                concat!("tileloadd tmm", $weights, ", [{weights} + {weights_stride}]"),
                codes = in(reg) codes,
                codes_stride = in(reg) BLOCK,
                weights = in(reg) weights,
                weights_stride = in(reg) 2 * LINE,
                options(nostack, readonly),
            )
        };
    }
    // SAFETY: the caller vouches for the memory; the tiles are ours.
    unsafe { if SET == 0 { load!(2, 4) } else { load!(3, 5) } }
}

/// Multiplies what a set of tiles holds, then loads it anew.
///
/// # Safety
/// As [`load`].
#[inline]
unsafe fn multiply_and_load<const SET: usize>(next: (*const u8, *const u8)) {
    // SAFETY: the caller vouches for the memory; the tiles are ours.
    unsafe {
        if SET == 0 {
            asm!("tilezero tmm0", "tdpbssd tmm0, tmm2, tmm4", options(nostack, nomem));
        } else {
            asm!("tilezero tmm1", "tdpbssd tmm1, tmm3, tmm5", options(nostack, nomem));
        }
        load::<SET>(next);
    }
}

/// Stores the sums of a set of tiles.
///
/// # Safety
/// The tiles must be configured, and `dots` must have as many lines as they have rows of sums.
#[inline]
unsafe fn store<const SET: usize>(dots: *mut Line) {
    // SAFETY: the caller vouches for the memory.
    unsafe {
        if SET == 0 {
            asm!("tilestored [{} + {}], tmm0", in(reg) dots, in(reg) LINE, options(nostack));
        } else {
            asm!("tilestored [{} + {}], tmm1", in(reg) dots, in(reg) LINE, options(nostack));
        }
    }
}
