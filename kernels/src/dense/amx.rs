//! The product with matrix tiles: AMX bf16.
//!
//! Weights in bf16 lie as tiles take them, so nothing is unpacked: one instruction multiplies 16 rows
//! of activations x 32 columns with 32 columns x 16 rows of weights. A chunk of the panel stays in
//! the caches while every row of activations passes.
//!
//! Stable Rust has no names for the instructions yet, so they are written in assembly.

use std::arch::asm;
use std::arch::x86_64::{
    _mm512_load_ps, _mm512_mask_storeu_ps, _mm512_maskz_loadu_ps, _mm512_store_ps,
};
use std::mem::MaybeUninit;
use std::ops::Range;

use super::multiply::start;
use super::panel::BLOCK;
use super::weights::DenseMatrix;
use crate::isa::amx::Tiles;
use crate::matrix::activations::TILE;
use crate::matrix::avx512::mask;
use crate::matrix::lines::{LINE, Line};
use crate::matrix::{Output, PANEL};

/// Blocks of columns of a chunk: 48 KiB of weights, which the second-level cache holds beside the
/// activations.
const CHUNK: usize = 24;

/// Lines of one block of a panel: 16 pairs of columns x 32 rows.
const BLOCK_LINES: usize = BLOCK * PANEL * 2 / LINE;

/// The outputs of some panels for every row of activations.
///
/// # Shapes
/// See [`super::multiply_panels`].
///
/// # Accuracy
/// Products of bf16 are exact, and sums are f32; what is below 2^-126 is taken as 0.
///
/// # Safety
/// The CPU must have [`Isa::Amx`](crate::isa::Isa::Amx). The weights must be bf16, `values` at least
/// the tiles of the rows, `output` must have the shape of the product, and nobody else may write to
/// these panels of it.
#[target_feature(enable = "avx512f")]
pub(super) unsafe fn panels(
    weights: &DenseMatrix,
    values: &[Line],
    batch: &Range<usize>,
    panels: Range<usize>,
    output: &Output<'_>,
) {
    let blocks = weights.columns() / BLOCK;
    // SAFETY: the caller vouches for the tiles.
    let _tiles = unsafe { Tiles::configure() };
    for panel in panels {
        for (chunk, lines) in weights.panel(panel).chunks(CHUNK * BLOCK_LINES).enumerate() {
            for first in (batch.start / TILE * TILE..batch.end).step_by(2 * TILE) {
                let tile =
                    |row: usize| values[(row / TILE * blocks + chunk * CHUNK) * TILE..].as_ptr();
                let task = Task {
                    output,
                    weights: lines,
                    first_of_tiles: first,
                    batch: batch.start.max(first)..batch.end.min(first + 2 * TILE),
                    rows: panel * PANEL..weights.rows().min((panel + 1) * PANEL),
                    carry: chunk > 0 || start(output),
                };
                let second = (batch.end > first + TILE).then(|| tile(first + TILE));
                // SAFETY: the caller vouches for features and shapes; each tile of activations has
                // all blocks.
                unsafe { task.run(tile(first), second) };
            }
        }
    }
}

/// Some blocks of one panel, times one or two tiles of activations.
struct Task<'a> {
    output: &'a Output<'a>,
    weights: &'a [Line],
    /// The first row of the first tile of activations.
    first_of_tiles: usize,
    /// Rows of activations: up to 32, and the others of the tiles come to nothing.
    batch: Range<usize>,
    /// Rows of weights: up to 32.
    rows: Range<usize>,
    /// Whether the outputs are added to.
    carry: bool,
}

/// Sums of two tiles of activations x a panel, for those that are no whole tiles of outputs.
#[repr(C, align(64))]
struct Sums([[f32; PANEL]; 2 * TILE]);

impl Task<'_> {
    /// Whole tiles go straight to the outputs, others by way of memory.
    ///
    /// # Safety
    /// As [`panels`]; the tiles of activations must have as many blocks as the weights, and the
    /// tiles must be configured.
    #[target_feature(enable = "avx512f")]
    unsafe fn run(&self, first: *const Line, second: Option<*const Line>) {
        let whole = |row: usize| (row - self.first_of_tiles).is_multiple_of(TILE);
        if self.rows.len() == PANEL && whole(self.batch.start) && whole(self.batch.end) {
            // SAFETY: as the caller vouches; every lane of the tiles is an output of the panel.
            unsafe {
                let sums = self.output.at(self.batch.start, self.rows.start);
                self.multiply(first, second, sums, self.output.stride());
            }
            return;
        }
        let mut memory = MaybeUninit::<Sums>::uninit();
        let sums = memory.as_mut_ptr().cast::<f32>();
        // SAFETY: as the caller vouches; the sums are two tiles x a panel. Each is written before it
        // is read, but for rows and lanes that are no output.
        unsafe {
            if self.carry {
                self.each_row(sums, |sums, output, mask| {
                    _mm512_store_ps(sums, _mm512_maskz_loadu_ps(mask, output));
                });
            }
            self.multiply(first, second, sums, PANEL);
            self.each_row(sums, |sums, output, mask| {
                _mm512_mask_storeu_ps(output, mask, _mm512_load_ps(sums));
            });
        }
    }

    /// # Safety
    /// As [`Task::run`]; `sums` must be 16 rows of 32 f32 for each tile of activations, `stride` f32
    /// from one to the next, and hold numbers if outputs are added to.
    unsafe fn multiply(
        &self,
        first: *const Line,
        second: Option<*const Line>,
        sums: *mut f32,
        stride: usize,
    ) {
        // SAFETY: as the caller vouches.
        unsafe {
            match second {
                Some(second) => self.two_tiles(first, second, sums, stride),
                None => self.one_tile(first, sums, stride),
            }
        }
    }

    /// The hot function: two tiles of activations x both halves of the panel are four tiles of sums,
    /// so that what is loaded is used twice.
    ///
    /// # Safety
    /// As [`Task::multiply`].
    unsafe fn two_tiles(
        &self,
        first: *const Line,
        second: *const Line,
        sums: *mut f32,
        stride: usize,
    ) {
        // SAFETY: each pointer is used for as many blocks as there are; the caller vouches for the
        // sums.
        unsafe {
            asm!(
                "test {carry:e}, {carry:e}",
                "jnz 4f",
                "tilezero tmm0",
                "tilezero tmm1",
                "tilezero tmm2",
                "tilezero tmm3",
                "jmp 5f",
                "4:",
                "tileloadd tmm0, [{sums} + {stride}]",
                "tileloadd tmm1, [{sums} + {stride} + 64]",
                "tileloadd tmm2, [{below} + {stride}]",
                "tileloadd tmm3, [{below} + {stride} + 64]",
                "5:",
                "tileloadd tmm4, [{first} + {line}]",
                "tileloadd tmm5, [{second} + {line}]",
                "tileloadd tmm6, [{weights} + 2 * {line}]",
                "tileloadd tmm7, [{weights} + 2 * {line} + 64]",
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
                "tileloadd tmm6, [{weights} + 2 * {line}]",
                "tdpbf16ps tmm3, tmm5, tmm7",
                "tileloadd tmm5, [{second} + {line}]",
                "tileloadd tmm7, [{weights} + 2 * {line} + 64]",
                "jmp 2b",
                "3:",
                "tdpbf16ps tmm0, tmm4, tmm6",
                "tdpbf16ps tmm1, tmm4, tmm7",
                "tdpbf16ps tmm2, tmm5, tmm6",
                "tdpbf16ps tmm3, tmm5, tmm7",
                "tilestored [{sums} + {stride}], tmm0",
                "tilestored [{sums} + {stride} + 64], tmm1",
                "tilestored [{below} + {stride}], tmm2",
                "tilestored [{below} + {stride} + 64], tmm3",
                carry = in(reg) u32::from(self.carry),
                sums = in(reg) sums,
                below = in(reg) sums.wrapping_add(TILE * stride),
                stride = in(reg) stride * size_of::<f32>(),
                line = in(reg) LINE,
                first = inout(reg) first => _,
                second = inout(reg) second => _,
                weights = inout(reg) self.weights.as_ptr() => _,
                blocks = inout(reg) self.weights.len() / BLOCK_LINES => _,
                options(nostack),
            );
        }
    }

    /// One tile of activations. Memory is the bound; asking for lines ahead did not help here.
    ///
    /// # Safety
    /// As [`Task::multiply`].
    unsafe fn one_tile(&self, first: *const Line, sums: *mut f32, stride: usize) {
        // SAFETY: each pointer is used for as many blocks as there are; the caller vouches for the
        // sums.
        unsafe {
            asm!(
                "test {carry:e}, {carry:e}",
                "jnz 4f",
                "tilezero tmm0",
                "tilezero tmm1",
                "jmp 2f",
                "4:",
                "tileloadd tmm0, [{sums} + {stride}]",
                "tileloadd tmm1, [{sums} + {stride} + 64]",
                "2:",
                "tileloadd tmm4, [{first} + {line}]",
                "tileloadd tmm6, [{weights} + 2 * {line}]",
                "tileloadd tmm7, [{weights} + 2 * {line} + 64]",
                "tdpbf16ps tmm0, tmm4, tmm6",
                "tdpbf16ps tmm1, tmm4, tmm7",
                "add {first}, 1024",
                "add {weights}, 2048",
                "sub {blocks}, 1",
                "jnz 2b",
                "tilestored [{sums} + {stride}], tmm0",
                "tilestored [{sums} + {stride} + 64], tmm1",
                carry = in(reg) u32::from(self.carry),
                sums = in(reg) sums,
                stride = in(reg) stride * size_of::<f32>(),
                line = in(reg) LINE,
                first = inout(reg) first => _,
                weights = inout(reg) self.weights.as_ptr() => _,
                blocks = inout(reg) self.weights.len() / BLOCK_LINES => _,
                options(nostack),
            );
        }
    }

    /// Names each sixteen sums, where they go, and which of their lanes are outputs.
    ///
    /// # Safety
    /// `sums` must be as many rows of 32 as there are rows of activations, and the outputs must be
    /// of the panel.
    #[inline]
    unsafe fn each_row(&self, sums: *mut f32, mut each: impl FnMut(*mut f32, *mut f32, u16)) {
        for batch in self.batch.clone() {
            let m = batch - self.first_of_tiles;
            for first in (0..self.rows.len()).step_by(16) {
                let mask = mask(self.rows.len() - first);
                // SAFETY: within the sums, and outputs of the panel.
                unsafe {
                    let sums = sums.add(m * PANEL + first);
                    each(sums, self.output.at(batch, self.rows.start + first), mask);
                }
            }
        }
    }
}

const _: () = assert!(BLOCK == 32 && TILE == 16 && PANEL == 32 && BLOCK_LINES == 32);
