//! The product with matrix tiles: AMX bf16.
//!
//! Weights are unpacked to bf16, scale and all, and stay in the caches while every row of activations
//! passes; one instruction then multiplies 16 rows of activations x 32 columns with 32 columns x 16
//! rows of weights, and the sums stay in their tile. With few rows of activations the unpacking
//! is not worth it and memory is the bound: those go to AVX-512.
//!
//! The int8 tiles have twice the peak, but the scales of each block of 32 columns are then left to
//! the vector units, and those ran at half speed while tiles were in use: at best 600 GOP/s on one
//! thread where this reached 740 (192 x 576, 128 rows, Sapphire Rapids).
//!
//! Stable Rust has no names for the instructions yet, so they are written in assembly.

use std::arch::asm;
use std::arch::x86_64::{
    __m512, __m512bh, __m512i, _mm_cvtsi32_si128, _mm512_and_si512, _mm512_cvtepi32_ps,
    _mm512_cvtne2ps_pbh, _mm512_fmadd_ps, _mm512_load_ps, _mm512_loadu_si512,
    _mm512_mask_storeu_ps, _mm512_maskz_loadu_ps, _mm512_mul_ps, _mm512_permutexvar_epi16,
    _mm512_set1_epi32, _mm512_set1_ps, _mm512_srl_epi32, _mm512_store_ps, _mm512_store_si512,
};
use std::mem::MaybeUninit;
use std::ops::Range;

use super::activations::TILE;
use super::avx512::{load_codes, mask, widen_half};
use super::formats::BLOCK;
use super::lines::{LINE, Line};
use super::output::Output;
use super::packed::{PANEL, PackedMatrix};
use super::record::{BYTES, Codes, FIVES, GROUP, GROUPS, NIBBLES, RecordLayout, SIXES};
use crate::isa::amx::Tiles;
/// Blocks that are unpacked at a time: 96 KiB, which the second-level cache holds beside the
/// activations.
const CHUNK: usize = 48;

/// Bytes of activations that the second-level cache keeps while every panel passes.
const RESIDENT: usize = 512 << 10;

/// Blocks of columns that every panel takes before the next blocks: all activations of them should
/// stay in the second-level cache, but sums go to memory and back between chunks, so that many small
/// chunks are no gain either. Chunks are equally long.
fn chunk(tiles: usize, blocks: usize) -> usize {
    let longest = (RESIDENT / (tiles * TILE * LINE)).clamp(CHUNK / 2, CHUNK);
    blocks.div_ceil(blocks.div_ceil(longest))
}

/// Lines of one block of weights of half a panel: a tile, of 16 pairs of columns x 16 rows.
const TILE_LINES: usize = 16;

/// Where blocks are unpacked: for each, the tiles of both halves of the panel.
type Memory = [MaybeUninit<Line>; CHUNK * 2 * TILE_LINES];

/// The outputs of some panels for some rows of activations.
///
/// # Shapes
/// See [`super::multiply_panels`].
///
/// # Accuracy
/// Weights and activations are rounded to bf16, at most 2^-9 relative each, and summed in f32:
/// normalised mean squared error about 2e-6, a tenth of that of eight-bit activations.
///
/// # Safety
/// The CPU must have [`Isa::Amx`](crate::isa::Isa::Amx). The activations must be tiles of the batch's
/// rows and of the weights' columns in bf16, the panels must be of the matrix, `output` must have the shape of the product, and nobody
/// else may write to these panels of it.
#[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512vl,avx512vnni,avx512bf16")]
pub(super) unsafe fn panels(
    weights: &PackedMatrix,
    activations: &[Line],
    batch: Range<usize>,
    panels: Range<usize>,
    output: &Output<'_>,
) {
    #[expect(clippy::large_stack_arrays, reason = "small beside a stack; not filled")]
    let mut memory: Memory = [const { MaybeUninit::uninit() }; CHUNK * 2 * TILE_LINES];
    let (layout, blocks) = (weights.layout(), weights.blocks());
    // SAFETY: the caller vouches for the tiles.
    let _tiles = unsafe { Tiles::configure() };
    let tiles = batch.start / TILE..batch.end.div_ceil(TILE);
    let chunk = chunk(tiles.len(), blocks);
    for first_block in (0..blocks).step_by(chunk) {
        for panel in panels.clone() {
            let end = blocks.min(first_block + chunk) * layout.lines();
            let packed = &weights.panel(panel)[first_block * layout.lines()..end];
            let unpacked = match layout.codes {
                Codes::Nibbles => unpack::<NIBBLES>(packed, layout, &mut memory),
                Codes::Fives => unpack::<FIVES>(packed, layout, &mut memory),
                Codes::Sixes => unpack::<SIXES>(packed, layout, &mut memory),
                Codes::Bytes => unpack::<BYTES>(packed, layout, &mut memory),
            };
            for first in tiles.clone().step_by(2) {
                let tile =
                    |tile: usize| activations[(tile * blocks + first_block) * TILE..].as_ptr();
                let task = Task {
                    output,
                    unpacked,
                    first_of_tiles: first * TILE,
                    batch: batch.start.max(first * TILE)..batch.end.min((first + 2) * TILE),
                    rows: panel * PANEL..weights.rows().min((panel + 1) * PANEL),
                    carry: first_block > 0 || output.is_adding(),
                };
                // SAFETY: the caller vouches for features and shapes. Each tile of activations has
                // all blocks; a second tile that is not there stands in as the first.
                unsafe { task.run(tile(first), tile((first + 1).min(tiles.end - 1))) };
            }
        }
    }
}

/// Some blocks of one panel as bf16: for each block the tile of rows 0..16, then of rows 16..32.
///
/// # Layout
/// Line `p` of a tile holds columns `2 p` and `2 p + 1` of each row, side by side.
#[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512vl,avx512bf16")]
fn unpack<'m, const CODES: u8>(
    packed: &[Line],
    layout: RecordLayout,
    memory: &'m mut Memory,
) -> &'m [Line] {
    let records = packed.chunks_exact(layout.lines());
    let written = records.len() * 2 * TILE_LINES;
    let minus_offset = _mm512_set1_ps(-f32::from(layout.offset));
    for (record, tiles) in records.zip(memory.chunks_exact_mut(2 * TILE_LINES)) {
        let (head, lines) = record.split_at(layout.head_lines());
        // SAFETY: half of an aligned line, of the one or two that there are.
        let widen = |line: usize, half: usize| unsafe {
            widen_half(head[line].0.as_ptr().wrapping_add(half * LINE / 2))
        };
        let (low, high) = tiles.split_at_mut(TILE_LINES);
        for part in 0..2 {
            let scale_line = if layout.two_scales { part } else { 0 };
            let scales = [0, 1].map(|half| widen(scale_line, half));
            let zeros = [0, 1].map(|half| {
                if layout.minimums {
                    widen(1, half)
                } else {
                    _mm512_mul_ps(scales[half], minus_offset)
                }
            });
            for group in GROUPS / 2 * part..GROUPS / 2 * (part + 1) {
                // SAFETY: the lines are the codes of a record.
                let codes = unsafe { load_codes::<CODES>(lines.as_ptr().cast(), group) };
                for (half, tile) in [&mut *low, &mut *high].into_iter().enumerate() {
                    for (pair, line) in tile[2 * group..][..2].iter_mut().enumerate() {
                        let column =
                            |i: usize| weight(codes[half], 2 * pair + i, scales[half], zeros[half]);
                        let pairs = round_pairs(column(0), column(1));
                        // SAFETY: a line is one aligned vector.
                        unsafe { _mm512_store_si512(line.as_mut_ptr().cast(), pairs) };
                    }
                }
            }
        }
    }
    // SAFETY: every line up to here was written above.
    unsafe { std::slice::from_raw_parts(memory.as_ptr().cast(), written) }
}

/// The weights of one column of a group of four.
#[target_feature(enable = "avx512f,fma")]
fn weight(codes: __m512i, column: usize, scale: __m512, zero: __m512) -> __m512 {
    const _: () = assert!(GROUP == 4);
    #[expect(clippy::cast_possible_truncation, clippy::cast_possible_wrap, reason = "below 4")]
    let shifted = _mm512_srl_epi32(codes, _mm_cvtsi32_si128(8 * column as i32));
    let code = _mm512_and_si512(shifted, _mm512_set1_epi32(0xff));
    _mm512_fmadd_ps(_mm512_cvtepi32_ps(code), scale, zero)
}

/// Each lane of both as bf16, side by side.
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
fn round_pairs(first: __m512, second: __m512) -> __m512i {
    const INTERLEAVE: [u16; 32] = {
        let mut order = [0; 32];
        let mut i = 0;
        while i < 32 {
            order[i as usize] = i / 2 + 16 * (i % 2);
            i += 1;
        }
        order
    };
    // SAFETY: both are 512 bits of plain integers; the load asks for no alignment.
    unsafe {
        let halves = _mm512_cvtne2ps_pbh(second, first);
        let halves = std::mem::transmute::<__m512bh, __m512i>(halves);
        _mm512_permutexvar_epi16(_mm512_loadu_si512(INTERLEAVE.as_ptr().cast()), halves)
    }
}

/// Some blocks of one panel, times two tiles of activations.
struct Task<'a> {
    output: &'a Output<'a>,
    unpacked: &'a [Line],
    /// The first row of the first tile of activations.
    first_of_tiles: usize,
    /// Rows of activations: up to 32, and the others of the tiles come to nothing.
    batch: Range<usize>,
    /// Rows of weights: up to 32.
    rows: Range<usize>,
    /// Whether the outputs are added to.
    carry: bool,
}

/// The sums of one tile, in memory.
#[repr(C, align(64))]
struct Sums([[f32; 16]; 16]);

impl Task<'_> {
    /// The hot function: two tiles of activations x both halves of the panel are four tiles of sums,
    /// so that what is loaded is used twice.
    ///
    /// # Safety
    /// As [`panels`]; `first` and `second` must have as many blocks of 16 lines as are unpacked, and
    /// the tiles must be configured.
    #[target_feature(enable = "avx512f")]
    unsafe fn run(&self, first: *const Line, second: *const Line) {
        let mut memory = MaybeUninit::<[[Sums; 2]; 2]>::uninit();
        let sums = memory.as_mut_ptr().cast::<[f32; 16]>();
        // SAFETY: the sums are four tiles; each is written in whole before it is read, but for rows
        // and lanes that are no output.
        unsafe {
            if self.carry {
                self.each_row(sums, |sums, output, mask| {
                    _mm512_store_ps(sums.cast(), _mm512_maskz_loadu_ps(mask, output));
                });
                asm!(
                    "tileloadd tmm0, [{sums} + {line}]",
                    "tileloadd tmm1, [{sums} + {line} + 1024]",
                    "tileloadd tmm2, [{sums} + {line} + 2048]",
                    "tileloadd tmm3, [{sums} + {line} + 3072]",
                    sums = in(reg) sums,
                    line = in(reg) LINE,
                    options(nostack),
                );
            } else {
                asm!(
                    "tilezero tmm0",
                    "tilezero tmm1",
                    "tilezero tmm2",
                    "tilezero tmm3",
                    options(nostack, nomem),
                );
            }
        }
        // SAFETY: each pointer is used for as many blocks as there are; each of the sums is a tile.
        unsafe {
            asm!(
                "tileloadd tmm4, [{first} + {line}]",
                "tileloadd tmm5, [{second} + {line}]",
                "tileloadd tmm6, [{weights} + {line}]",
                "tileloadd tmm7, [{weights} + {line} + 1024]",
                // Each tile of the next block is loaded as soon as this block's was last used.
                "2:",
                "sub {blocks}, 1",
                "jz 3f",
                "add {first}, 1024",
                "add {second}, 1024",
                "add {weights}, 2048",
                "tdpbf16ps tmm0, tmm4, tmm6",
                "tdpbf16ps tmm1, tmm4, tmm7",
                "tileloadd tmm4, [{first} + {line}]",
                "tdpbf16ps tmm2, tmm5, tmm6",
                "tileloadd tmm6, [{weights} + {line}]",
                "tdpbf16ps tmm3, tmm5, tmm7",
                "tileloadd tmm5, [{second} + {line}]",
                "tileloadd tmm7, [{weights} + {line} + 1024]",
                "jmp 2b",
                "3:",
                "tdpbf16ps tmm0, tmm4, tmm6",
                "tdpbf16ps tmm1, tmm4, tmm7",
                "tdpbf16ps tmm2, tmm5, tmm6",
                "tdpbf16ps tmm3, tmm5, tmm7",
                "tilestored [{sums} + {line}], tmm0",
                "tilestored [{sums} + {line} + 1024], tmm1",
                "tilestored [{sums} + {line} + 2048], tmm2",
                "tilestored [{sums} + {line} + 3072], tmm3",
                sums = in(reg) sums,
                line = in(reg) LINE,
                first = inout(reg) first => _,
                second = inout(reg) second => _,
                weights = inout(reg) self.unpacked.as_ptr() => _,
                blocks = inout(reg) self.unpacked.len() / (2 * TILE_LINES) => _,
                options(nostack),
            );
        }
        // SAFETY: as above, and the outputs are of this panel, which is ours alone.
        unsafe {
            self.each_row(sums, |sums, output, mask| {
                _mm512_mask_storeu_ps(output, mask, _mm512_load_ps(sums.cast()));
            });
        }
    }

    /// Names each row of sixteen sums, where it goes, and which of its lanes are outputs.
    ///
    /// # Safety
    /// `sums` must be four tiles, and the outputs must be of the panel.
    #[inline]
    unsafe fn each_row(
        &self,
        sums: *mut [f32; 16],
        mut each: impl FnMut(*mut [f32; 16], *mut f32, u16),
    ) {
        for batch in self.batch.clone() {
            let m = batch - self.first_of_tiles;
            for (half, rows) in [self.rows.len(), self.rows.len().saturating_sub(16)]
                .into_iter()
                .enumerate()
                .filter(|(_, rows)| *rows > 0)
            {
                // SAFETY: within four tiles, as `m` is below 32; and an output of the panel.
                unsafe {
                    let sums = sums.add((m / 16 * 2 + half) * 16 + m % 16);
                    each(sums, self.output.at(batch, self.rows.start + 16 * half), mask(rows));
                }
            }
        }
    }
}

const _: () = assert!(BLOCK == 32 && TILE == 16 && PANEL == 32 && size_of::<Sums>() == 1024);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::isa::Isa;
    use crate::matrix::Format;
    use crate::matrix::activations::{Activations, Forms};
    use crate::matrix::bf16::round_to_bf16;
    use crate::matrix::multiply::multiply;
    use crate::matrix::testing::{nmse, random_blocks, random_numbers, seeds};

    fn rounded(value: f32) -> f64 {
        f64::from(f32::from_bits(u32::from(round_to_bf16(value)) << 16))
    }

    /// The slow twin: the same roundings to bf16, then exact.
    fn reference(weights: &PackedMatrix, values: &[f32]) -> Vec<f64> {
        let (offset, minimums) = (f32::from(weights.layout().offset), weights.layout().minimums);
        let dot = |values: &[f32], row: usize| {
            let mut sum = 0.0;
            for (block, values) in values.chunks(BLOCK).enumerate() {
                let weights = weights.row_of_block(row, block);
                for (i, (code, value)) in weights.codes.into_iter().zip(values).enumerate() {
                    let scale = weights.scales[i / 16];
                    let zero = if minimums { weights.minimum } else { -offset * scale };
                    sum += rounded(f32::from(code).mul_add(scale, zero)) * rounded(*value);
                }
            }
            sum
        };
        let batch = values.chunks(weights.columns());
        batch.flat_map(|values| (0..weights.rows()).map(|row| dot(values, row))).collect()
    }

    #[test]
    fn chunks_by_hand() {
        // All blocks of one tile fit; 64 blocks are two chunks of no more than 48.
        assert_eq!((chunk(1, 18), chunk(1, 64)), (18, 32));
        // 24 tiles: 24 KiB a block, so 21 blocks are resident, but no fewer than 24 are taken.
        assert_eq!((chunk(24, 24), chunk(24, 25), chunk(24, 256)), (24, 13, 24));
    }

    /// Only f32 sums differ: (2^-24)^2 a step, over up to a thousand steps.
    #[test]
    fn tiles_equal_their_reference() {
        if !Isa::Amx.is_available() {
            return;
        }
        for format in Format::ALL {
            let cases =
                [(1, 256, 24), (33, 512, 31), (100, 1792, 32), (40, 256, 49), (7, 1536, 400)];
            for ((rows, columns, batch), seed) in cases.into_iter().zip(seeds()) {
                let bytes = random_blocks(format, rows, columns, seed);
                let weights = PackedMatrix::pack(&bytes, format, rows, columns).unwrap();
                let values = random_numbers(batch * columns, seed ^ 1);
                let mut activations = Activations::new();
                let forms = Forms { bf16: true, ..Forms::default() };
                activations.fill(Isa::Amx, forms, &values, columns);
                let mut output = vec![f32::NAN; batch * rows];
                multiply(Isa::Amx, &weights, &activations, &mut output);
                let error = nmse(&output, &reference(&weights, &values));
                assert!(error < 1e-11, "{format} {rows} x {columns}, batch {batch}: {error:e}");
            }
        }
    }
}
