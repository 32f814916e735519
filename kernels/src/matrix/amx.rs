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

/// Tiles of sums that are under way: their stores take longer than their products.
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

/// Sets the shapes of the tiles: 0 is sums, 1 is activations, 2 is weights.
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
    for (tile, rows, row_bytes) in [(0, rows, LINE), (1, rows, BLOCK), (2, BLOCK / GROUP, LINE)] {
        shapes.0[16 + 2 * tile] = row_bytes as u8;
        shapes.0[48 + tile] = rows as u8;
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
            let product = |block: usize, dots: &mut MaybeUninit<Dots>| {
                let weights = records.add(block * record_bytes + (head + self.half) * LINE);
                let codes = codes.add(block * tile_rows * BLOCK);
                multiply_tile(codes, weights, dots.as_mut_ptr().cast());
            };
            for (block, dots) in ring.iter_mut().enumerate().take(blocks.min(RING - 1)) {
                product(block, dots);
            }
            for block in 0..blocks {
                if block + RING - 1 < blocks {
                    product(block + RING - 1, &mut ring[(block + RING - 1) % RING]);
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

/// `dots = codes * weights`.
///
/// # Safety
/// The tiles must be configured for the shapes: `codes` `(rows, 32)` signed bytes, row after row;
/// `weights` eight lines, each 128 bytes after the last; `dots` as many lines as rows.
#[inline]
unsafe fn multiply_tile(codes: *const u8, weights: *const u8, dots: *mut Line) {
    // SAFETY: the caller vouches for the memory; the tiles are ours.
    unsafe {
        asm!(
            "tilezero tmm0",
            "tileloadd tmm1, [{codes} + {codes_stride}]",
            "tileloadd tmm2, [{weights} + {weights_stride}]",
            "tdpbssd tmm0, tmm1, tmm2",
            "tilestored [{dots} + {dots_stride}], tmm0",
            codes = in(reg) codes,
            codes_stride = in(reg) BLOCK,
            weights = in(reg) weights,
            weights_stride = in(reg) 2 * LINE,
            dots = in(reg) dots,
            dots_stride = in(reg) LINE,
            options(nostack),
        );
    }
}
