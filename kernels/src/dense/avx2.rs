//! The product with AVX2: f32 multiply-adds.
//!
//! As with AVX-512, with half the registers of half the width: a tile is one or two rows of
//! activations times a panel, or up to four times half of one. For more tiles than one, a chunk of
//! the panel's columns stays in the first-level cache while every row of activations passes.

use std::arch::x86_64::{
    __m256, _MM_HINT_T0, _mm_load_si128, _mm_prefetch, _mm256_add_ps, _mm256_and_si256,
    _mm256_castsi256_ps, _mm256_cvtph_ps, _mm256_fmadd_ps, _mm256_load_ps, _mm256_load_si256,
    _mm256_loadu_ps, _mm256_set1_epi32, _mm256_set1_ps, _mm256_setzero_ps, _mm256_slli_epi32,
    _mm256_storeu_ps,
};
use std::ops::Range;

use super::float::Float;
use super::multiply::start;
use super::weights::DenseMatrix;
use crate::matrix::lines::{LINE, Line};
use crate::matrix::{Output, PANEL};

/// Rows of weights that one vector takes.
const LANES: usize = 8;

/// Rows of activations that a tile takes at most: what the registers hold.
const ROWS: usize = 4;

/// Columns that a step takes.
const STEP: usize = 2;

/// Bytes of a chunk of a panel: of the 32 to 48 KiB that first-level caches have.
const CHUNK_BYTES: usize = 24 << 10;

/// How far ahead of its use a line of weights is asked for, in bytes.
const AHEAD: usize = 4096;

/// How weights lie: the const parameters of what reads them.
const BF16: usize = 0;
const F16: usize = 1;
const F32: usize = 2;

/// Bytes of a weight.
const fn bytes(float: usize) -> usize {
    if float == F32 { 4 } else { 2 }
}

/// The outputs of one panel for every row of activations.
///
/// # Shapes
/// See [`super::multiply_panels`].
///
/// # Accuracy
/// Weights are widened exactly; sums are f32, of up to two parts.
///
/// # Safety
/// The CPU must have [`Isa::Avx2`](crate::isa::Isa::Avx2). `values` must be these rows of the
/// weights' columns, `output` must have the shape of the product, and nobody else may write to this
/// panel of it.
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) unsafe fn panel(
    weights: &DenseMatrix,
    values: &[f32],
    batch: &Range<usize>,
    panel: usize,
    output: &Output<'_>,
) {
    let task = Task {
        values,
        first: batch.start,
        batch: batch.len(),
        columns: weights.columns(),
        output,
        row: panel * PANEL,
        rows: (weights.rows() - panel * PANEL).min(PANEL),
    };
    let lines = weights.panel(panel);
    let chunk_lines = if batch.len() <= 2 { lines.len() } else { CHUNK_BYTES / LINE };
    for (chunk, lines) in lines.chunks(chunk_lines).enumerate() {
        let column = chunk * chunk_lines * LINE / (PANEL * weights.float().bytes());
        // SAFETY: the caller vouches for the features, shapes and panel; the lines are columns of
        // the panel, in the kind named.
        unsafe {
            match weights.float() {
                Float::Bf16 => task.tiles::<BF16>(lines, column),
                Float::F16 => task.tiles::<F16>(lines, column),
                Float::F32 => task.tiles::<F32>(lines, column),
            }
        }
    }
}

/// One panel, times every row of activations.
struct Task<'a> {
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
    /// As [`panel`]; `lines` must be columns of the panel from `column`, in the kind named.
    #[target_feature(enable = "avx2,fma,f16c")]
    unsafe fn tiles<const FLOAT: usize>(&self, lines: &[Line], column: usize) {
        let parts = self.batch.div_ceil(ROWS);
        for part in 0..parts {
            let (first, end) = (self.batch * part / parts, self.batch * (part + 1) / parts);
            let halves = if end - first > 2 && self.rows > PANEL / 2 { 2 } else { 1 };
            for half in 0..halves {
                let row = half * PANEL / 2;
                // SAFETY: as the caller vouches; the rows are of the batch and of the panel.
                unsafe {
                    match end - first {
                        1 => self.tile::<1, 4, 2, FLOAT>(lines, column, first, row),
                        2 => self.tile::<2, 4, 1, FLOAT>(lines, column, first, row),
                        3 => self.tile::<3, 2, 1, FLOAT>(lines, column, first, row),
                        _ => self.tile::<ROWS, 2, 1, FLOAT>(lines, column, first, row),
                    }
                }
            }
        }
    }

    /// `M` rows of activations from row `first`, times `V` vectors of rows of weights from row `row`
    /// of the panel, with the sums in so many strands: column `c` goes to strand `c % STRANDS`.
    ///
    /// # Safety
    /// As [`Task::tiles`]; the rows must be of the batch and of the panel.
    #[target_feature(enable = "avx2,fma,f16c")]
    unsafe fn tile<const M: usize, const V: usize, const STRANDS: usize, const FLOAT: usize>(
        &self,
        lines: &[Line],
        column: usize,
        first: usize,
        row: usize,
    ) {
        let mut sums = [[[_mm256_setzero_ps(); V]; M]; STRANDS];
        if column > 0 || start(self.output) {
            for (m, sums) in sums[0].iter_mut().enumerate() {
                for (v, sum) in sums.iter_mut().enumerate() {
                    // SAFETY: the rows are of the batch and of the panel.
                    *sum = unsafe { self.load(first + m, row + v * LANES) };
                }
            }
        }
        // SAFETY: weights stay within the lines, and activations within rows `first..first + M` and
        // as many columns as the lines have.
        unsafe {
            let mut weights = lines.as_ptr().cast::<u8>();
            let end = weights.add(size_of_val(lines));
            let mut values = self.values.as_ptr().add(first * self.columns + column);
            while weights < end {
                for line in 0..STEP * PANEL * bytes(FLOAT) / LINE {
                    _mm_prefetch::<_MM_HINT_T0>(weights.wrapping_add(AHEAD + line * LINE).cast());
                }
                let step = load_step::<V, FLOAT>(weights, row);
                for (c, weights) in step.iter().enumerate() {
                    for (m, sums) in sums[c % STRANDS].iter_mut().enumerate() {
                        let value = _mm256_set1_ps(*values.add(m * self.columns + c));
                        for (sum, weights) in sums.iter_mut().zip(weights) {
                            *sum = _mm256_fmadd_ps(*weights, value, *sum);
                        }
                    }
                }
                weights = weights.add(STEP * PANEL * bytes(FLOAT));
                values = values.add(STEP);
            }
        }
        for m in 0..M {
            for v in 0..V {
                let strands = sums[1..].iter();
                let total = strands.fold(sums[0][m][v], |sum, more| _mm256_add_ps(sum, more[m][v]));
                // SAFETY: the rows are of the batch and of the panel.
                unsafe { self.store(first + m, row + v * LANES, total) };
            }
        }
    }

    /// Eight outputs from a row of the panel; 0 for rows that there are none of.
    ///
    /// # Safety
    /// As [`panel`]; `m` must be a row of the batch.
    #[target_feature(enable = "avx2")]
    unsafe fn load(&self, m: usize, row: usize) -> __m256 {
        let mut lanes = [0.0; LANES];
        for (i, lane) in lanes.iter_mut().enumerate().take(self.rows.saturating_sub(row)) {
            // SAFETY: the row is one of the panel's.
            *lane = unsafe { self.output.at(self.first + m, self.row + row + i).read() };
        }
        // SAFETY: eight lanes, and the load asks for no alignment.
        unsafe { _mm256_loadu_ps(lanes.as_ptr()) }
    }

    /// Writes those of eight outputs from a row of the panel that there are.
    ///
    /// # Safety
    /// As [`panel`]; `m` must be a row of the batch.
    #[target_feature(enable = "avx2")]
    unsafe fn store(&self, m: usize, row: usize, sums: __m256) {
        let mut lanes = [0.0; LANES];
        // SAFETY: eight lanes, and the store asks for no alignment.
        unsafe { _mm256_storeu_ps(lanes.as_mut_ptr(), sums) };
        for (i, lane) in lanes.iter().enumerate().take(self.rows.saturating_sub(row)) {
            // SAFETY: the row is one of the panel's.
            unsafe { self.output.at(self.first + m, self.row + row + i).write(*lane) };
        }
    }
}

/// Two columns of `V` vectors of rows from row `row` of the panel, widened.
///
/// # Safety
/// The lines of a step must be readable and aligned; the rows must be of the panel.
#[target_feature(enable = "avx2,f16c")]
unsafe fn load_step<const V: usize, const FLOAT: usize>(
    weights: *const u8,
    row: usize,
) -> [[__m256; V]; STEP] {
    let mut step = [[_mm256_setzero_ps(); V]; STEP];
    for v in 0..V {
        let row = row + v * LANES;
        // SAFETY: rows and columns of the step, as the caller vouches, aligned as the rows are.
        unsafe {
            match FLOAT {
                BF16 => {
                    let pairs = _mm256_load_si256(weights.add(4 * row).cast());
                    let upper = _mm256_set1_epi32(0xffff_0000_u32.cast_signed());
                    step[0][v] = _mm256_castsi256_ps(_mm256_slli_epi32::<16>(pairs));
                    step[1][v] = _mm256_castsi256_ps(_mm256_and_si256(pairs, upper));
                }
                F16 => {
                    for (c, columns) in step.iter_mut().enumerate() {
                        let halves = weights.add(2 * (c * PANEL + row)).cast();
                        columns[v] = _mm256_cvtph_ps(_mm_load_si128(halves));
                    }
                }
                _ => {
                    for (c, columns) in step.iter_mut().enumerate() {
                        columns[v] = _mm256_load_ps(weights.add(4 * (c * PANEL + row)).cast());
                    }
                }
            }
        }
    }
    step
}

const _: () = assert!(CHUNK_BYTES.is_multiple_of(STEP * PANEL * 4));
