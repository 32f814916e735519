//! The product with AVX-512: f32 multiply-adds.
//!
//! A tile is up to eight rows of activations times a panel of 32 rows of weights: sixteen sums of 32
//! registers. Up to eight rows read the weights straight from memory, which is the bound: fewer rows
//! take up to four parts of the panel's columns at a time, so that enough sums are under way and
//! memory is read as several streams (12 to 14 GB/s where one stream gave 9 to 10, Sapphire Rapids).
//! For more rows a chunk of the panel's columns stays in the first-level cache, widened once, while
//! every tile of activations passes.
//!
//! The dot products of bf16 pairs are not used: they start half as often as f32 multiply-adds
//! (Sapphire Rapids), and ask for activations in bf16.

use std::arch::x86_64::{
    __m512, __m512i, _MM_HINT_T0, _mm_prefetch, _mm256_load_si256, _mm512_add_ps, _mm512_and_si512,
    _mm512_castsi512_ps, _mm512_cvtph_ps, _mm512_fmadd_ps, _mm512_load_ps, _mm512_load_si512,
    _mm512_mask_storeu_ps, _mm512_maskz_loadu_ps, _mm512_set1_epi32, _mm512_set1_ps,
    _mm512_setzero_ps, _mm512_slli_epi32, _mm512_store_ps,
};
use std::cell::RefCell;
use std::mem::MaybeUninit;
use std::ops::Range;

use super::float::Float;
use super::multiply::start;
use super::weights::DenseMatrix;
use crate::matrix::avx512::mask;
use crate::matrix::lines::{LINE, Line};
use crate::matrix::{Output, PANEL};

/// Rows of activations that a tile takes at most: what the registers hold.
const ROWS: usize = 8;

/// Columns that a step takes.
const STEP: usize = 4;

/// Columns of a chunk: 16 KiB of f32, of the 32 to 48 KiB that first-level caches have, beside the
/// activations and what comes of the next chunk.
const CHUNK: usize = 128;

/// Lines of one column of a panel in f32.
const COLUMN: usize = PANEL * size_of::<f32>() / LINE;

/// Where weights of two bytes are widened.
type Memory = [MaybeUninit<Line>; CHUNK * COLUMN];

/// Activations that pass a panel before the next one comes: 512 KiB, which the second-level cache
/// holds beside weights and outputs.
const NEAR: usize = 128 << 10;

/// Rows of activations that do so at least, as the weights are read again for the next ones.
const LEAST: usize = 32;

/// How far ahead of its use a line of weights is asked for, in bytes. The CPU looks ahead within a
/// page of 4 KiB by itself; this carries it across the page's end.
const AHEAD: usize = 4096;

/// How weights lie: the const parameters of what reads them.
const BF16: usize = 0;
const F16: usize = 1;
const F32: usize = 2;

/// Bytes of a weight.
const fn bytes(float: usize) -> usize {
    if float == F32 { 4 } else { 2 }
}

/// Bytes of a step.
const fn step_bytes(float: usize) -> usize {
    STEP * PANEL * bytes(float)
}

thread_local! {
    /// Activations in tiles. The memory is kept, so that a loop over tokens allocates only once.
    static TILES: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) };
}

/// The outputs of some panels for every row of activations.
///
/// # Shapes
/// See [`super::multiply_panels`].
///
/// # Accuracy
/// Weights are widened exactly; sums are f32, of up to four parts.
///
/// # Safety
/// The CPU must have [`Isa::Avx512`](crate::isa::Isa::Avx512). `values` must be whole rows of the
/// weights' columns, of which the outputs start at row `first`; the panels must be of the matrix, `output` must have the shape of the product,
/// and nobody else may write to these panels of it.
#[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512vl")]
pub(super) unsafe fn panels(
    weights: &DenseMatrix,
    values: &[f32],
    first: usize,
    panels: Range<usize>,
    output: &Output<'_>,
) {
    let columns = weights.columns();
    let each = |values: &[f32], batch: Range<usize>| {
        for panel in panels.clone() {
            let task = Task {
                values,
                first: batch.start,
                batch: batch.len(),
                columns,
                output,
                row: panel * PANEL,
                rows: (weights.rows() - panel * PANEL).min(PANEL),
            };
            // SAFETY: the caller vouches for the features, shapes and panels; the lines are those
            // of the panel.
            unsafe { task.run(weights.float(), weights.panel(panel)) };
        }
    };
    let most = (NEAR / columns).next_multiple_of(ROWS).max(LEAST);
    TILES.with_borrow_mut(|tiles| {
        for (i, values) in values.chunks(most * columns).enumerate() {
            let batch = values.len() / columns;
            let few = batch <= ROWS;
            let values = if few { values } else { pack(values, batch, columns, tiles) };
            let first = first + i * most;
            each(values, first..first + batch);
        }
    });
}

/// The rows of each part of a batch, which go through a kernel together.
fn parts(batch: usize) -> impl ExactSizeIterator<Item = Range<usize>> {
    let parts = batch.div_ceil(ROWS);
    (0..parts).map(move |part| batch * part / parts..batch * (part + 1) / parts)
}

/// Rows of activations in tiles: part after part, and in it column after column the numbers of its
/// rows. So one stream is read, where rows a power of two apart would fight for the same places of
/// a cache.
fn pack<'t>(values: &[f32], batch: usize, columns: usize, tiles: &'t mut Vec<f32>) -> &'t [f32] {
    tiles.resize(values.len().max(tiles.len()), 0.0);
    for rows in parts(batch) {
        let range = rows.start * columns..rows.end * columns;
        let tile = &mut tiles[range.clone()];
        for (m, row) in values[range].chunks_exact(columns).enumerate() {
            for (numbers, value) in tile.chunks_exact_mut(rows.len()).zip(row) {
                numbers[m] = *value;
            }
        }
    }
    &tiles[..values.len()]
}

/// One panel, times every row of activations.
struct Task<'a> {
    /// Row after row if they are at most [`ROWS`], or else [packed](pack).
    values: &'a [f32],
    /// Which row of the outputs the first is, and how many there are.
    first: usize,
    batch: usize,
    columns: usize,
    output: &'a Output<'a>,
    /// The panel's first row, and how many of its rows there are.
    row: usize,
    rows: usize,
}

impl Task<'_> {
    /// # Safety
    /// As [`panels`]; `lines` must be the panel.
    #[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512vl")]
    unsafe fn run(&self, float: Float, lines: &[Line]) {
        // SAFETY: as the caller vouches; the kind is the one named.
        unsafe {
            match float {
                Float::Bf16 if self.batch <= ROWS => self.stream::<BF16>(lines),
                Float::F16 if self.batch <= ROWS => self.stream::<F16>(lines),
                Float::F32 if self.batch <= ROWS => self.stream::<F32>(lines),
                Float::Bf16 => self.chunks::<BF16>(lines),
                Float::F16 => self.chunks::<F16>(lines),
                Float::F32 => self.chunks::<F32>(lines),
            }
        }
    }

    /// Few rows of activations: each weight is used once, straight from memory.
    ///
    /// # Safety
    /// As [`panels`]; `lines` must be the panel in the kind named.
    #[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512vl")]
    unsafe fn stream<const FLOAT: usize>(&self, lines: &[Line]) {
        let ahead = lines.as_ptr().cast::<u8>().wrapping_add(AHEAD);
        // SAFETY: as the caller vouches; all rows are of the batch.
        unsafe { self.tile_of::<FLOAT, false>(lines, 0, 0..self.batch, ahead, step_bytes(FLOAT)) };
    }

    /// Chunk by chunk, each widened once. Every part of the batch that passes a chunk asks for its
    /// share of the next.
    ///
    /// # Safety
    /// As [`panels`]; `lines` must be the panel in the kind named.
    #[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512vl")]
    unsafe fn chunks<const FLOAT: usize>(&self, lines: &[Line]) {
        let mut memory: Memory = [const { MaybeUninit::uninit() }; CHUNK * COLUMN];
        let count = parts(self.batch).len();
        let share = (step_bytes(FLOAT) / count).next_multiple_of(LINE);
        for (chunk, lines) in lines.chunks(CHUNK * PANEL * bytes(FLOAT) / LINE).enumerate() {
            let next = lines.as_ptr_range().end.cast::<u8>();
            // SAFETY: the caller vouches for the features.
            let wide = if FLOAT == F32 { lines } else { widen::<FLOAT>(lines, &mut memory) };
            for (part, rows) in parts(self.batch).enumerate() {
                let ahead = next.wrapping_add(size_of_val(lines) * part / count);
                // SAFETY: as the caller vouches; the rows are of the batch, and the widened lines
                // are the chunk's.
                unsafe { self.tile_of::<F32, true>(wide, chunk * CHUNK, rows, ahead, share) };
            }
        }
    }

    /// Some rows of activations: at most [`ROWS`].
    ///
    /// # Safety
    /// As [`Task::tile`].
    #[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512vl")]
    unsafe fn tile_of<const FLOAT: usize, const PACKED: bool>(
        &self,
        lines: &[Line],
        column: usize,
        rows: Range<usize>,
        ahead: *const u8,
        share: usize,
    ) {
        let first = rows.start;
        // SAFETY: as the caller vouches.
        unsafe {
            match rows.len() {
                1 => self.tile::<1, 4, FLOAT, PACKED>(lines, column, first, ahead, share),
                2 => self.tile::<2, 4, FLOAT, PACKED>(lines, column, first, ahead, share),
                3 => self.tile::<3, 2, FLOAT, PACKED>(lines, column, first, ahead, share),
                4 => self.tile::<4, 2, FLOAT, PACKED>(lines, column, first, ahead, share),
                5 => self.tile::<5, 1, FLOAT, PACKED>(lines, column, first, ahead, share),
                6 => self.tile::<6, 1, FLOAT, PACKED>(lines, column, first, ahead, share),
                7 => self.tile::<7, 1, FLOAT, PACKED>(lines, column, first, ahead, share),
                _ => self.tile::<ROWS, 1, FLOAT, PACKED>(lines, column, first, ahead, share),
            }
        }
    }

    /// `M` rows of activations from row `first`, with the columns in so many strands of equal length
    /// whose sums are added at the end. A step also asks for lines that are needed later: those from
    /// `ahead`, which moves on by `share`. This is the hot function.
    ///
    /// # Safety
    /// As [`panels`]; `lines` must be whole blocks of 32 columns of the panel from `column`, in the
    /// kind named, and the values [packed](pack) or not as named; rows `first..first + M` must be one
    /// part of the batch.
    #[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512vl")]
    unsafe fn tile<const M: usize, const STRANDS: usize, const FLOAT: usize, const PACKED: bool>(
        &self,
        lines: &[Line],
        column: usize,
        first: usize,
        mut ahead: *const u8,
        share: usize,
    ) {
        let masks = [mask(self.rows), mask(self.rows.saturating_sub(16))];
        let mut sums = [[[_mm512_setzero_ps(); 2]; M]; STRANDS];
        // SAFETY: weights stay within the lines, and activations within rows `first..first + M` and
        // as many columns as the lines have; outputs are masked to the rows that there are.
        unsafe {
            let output = self.output.at(self.first + first, self.row);
            if column > 0 || start(self.output) {
                for (m, sums) in sums[0].iter_mut().enumerate() {
                    let output = output.add(m * self.output.stride());
                    sums[0] = _mm512_maskz_loadu_ps(masks[0], output);
                    sums[1] = _mm512_maskz_loadu_ps(masks[1], output.wrapping_add(16));
                }
            }
            let mut weights = lines.as_ptr().cast::<u8>();
            let (next_row, next_column) = if PACKED { (1, M) } else { (self.columns, 1) };
            let mut values = self.values.as_ptr().add(first * self.columns + column * next_column);
            // Each strand is a stream of its own, and the next panel's follows after the others.
            let strand = size_of_val(lines) / STRANDS;
            let columns = strand / (PANEL * bytes(FLOAT));
            let end = weights.add(strand);
            let near_end = end.wrapping_sub(AHEAD);
            while weights < end {
                let beyond = if weights < near_end { 0 } else { size_of_val(lines) - strand };
                for (s, sums) in sums.iter_mut().enumerate() {
                    for line in 0..step_bytes(FLOAT) / LINE {
                        let ahead = ahead.wrapping_add(s * strand + beyond + line * LINE);
                        _mm_prefetch::<_MM_HINT_T0>(ahead.cast());
                    }
                    let step = load_step::<FLOAT>(weights.add(s * strand));
                    let values = values.add(s * columns * next_column);
                    for (c, weights) in step.iter().enumerate() {
                        for (m, sums) in sums.iter_mut().enumerate() {
                            let value = _mm512_set1_ps(*values.add(m * next_row + c * next_column));
                            sums[0] = _mm512_fmadd_ps(weights[0], value, sums[0]);
                            sums[1] = _mm512_fmadd_ps(weights[1], value, sums[1]);
                        }
                    }
                }
                weights = weights.add(step_bytes(FLOAT));
                ahead = ahead.wrapping_add(share);
                values = values.add(STEP * next_column);
            }
            for m in 0..M {
                let mut total = sums[0][m];
                for strand in &sums[1..] {
                    total[0] = _mm512_add_ps(total[0], strand[m][0]);
                    total[1] = _mm512_add_ps(total[1], strand[m][1]);
                }
                let output = output.add(m * self.output.stride());
                _mm512_mask_storeu_ps(output, masks[0], total[0]);
                _mm512_mask_storeu_ps(output.wrapping_add(16), masks[1], total[1]);
            }
        }
    }
}

/// Columns of a panel, in f32.
#[target_feature(enable = "avx2,fma,f16c,avx512f")]
fn widen<'m, const FLOAT: usize>(lines: &[Line], memory: &'m mut Memory) -> &'m [Line] {
    let steps = lines.chunks_exact(step_bytes(FLOAT) / LINE);
    let written = steps.len() * STEP * COLUMN;
    for (step, wide) in steps.zip(memory.chunks_exact_mut(STEP * COLUMN)) {
        // SAFETY: the step is as long as its kind says.
        let step = unsafe { load_step::<FLOAT>(step.as_ptr().cast()) };
        for (line, numbers) in wide.iter_mut().zip(step.as_flattened()) {
            // SAFETY: a line is one aligned vector.
            unsafe { _mm512_store_ps(line.as_mut_ptr().cast(), *numbers) };
        }
    }
    // SAFETY: every line up to here was written above.
    unsafe { std::slice::from_raw_parts(memory.as_ptr().cast(), written) }
}

/// Four columns of rows 0..16 and 16..32, widened; and those of some steps later are asked for.
///
/// # Safety
/// The lines of a step must be readable and aligned.
#[target_feature(enable = "avx2,fma,f16c,avx512f")]
unsafe fn load_step<const FLOAT: usize>(weights: *const u8) -> [[__m512; 2]; STEP] {
    let mut step = [[_mm512_setzero_ps(); 2]; STEP];
    for line in 0..step_bytes(FLOAT) / LINE {
        let (half, column) = (line % 2, line / 2);
        // SAFETY: a line of the step, as the caller vouches; a prefetch may name any address.
        unsafe {
            let at = weights.add(line * LINE);
            match FLOAT {
                BF16 => {
                    let pairs: __m512i = _mm512_load_si512(at.cast());
                    let upper = _mm512_set1_epi32(0xffff_0000_u32.cast_signed());
                    step[2 * column][half] = _mm512_castsi512_ps(_mm512_slli_epi32::<16>(pairs));
                    step[2 * column + 1][half] =
                        _mm512_castsi512_ps(_mm512_and_si512(pairs, upper));
                }
                F16 => {
                    step[line][0] = _mm512_cvtph_ps(_mm256_load_si256(at.cast()));
                    step[line][1] = _mm512_cvtph_ps(_mm256_load_si256(at.add(LINE / 2).cast()));
                }
                _ => step[column][half] = _mm512_load_ps(at.cast()),
            }
        }
    }
    step
}

const _: () = assert!(PANEL == 32 && COLUMN == 2 && CHUNK.is_multiple_of(STEP));
