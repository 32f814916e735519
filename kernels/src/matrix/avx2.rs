//! The product with AVX2.
//!
//! One instruction multiplies unsigned with signed bytes and adds neighbours into sixteen bits,
//! where sums saturate. Codes of at most five bits cannot: four steps add up to
//! `4 * 2 * 31 * 127 = 31,496`. Codes of eight bits would; there the code is made signed, its sign
//! moves to the activation, and one step adds up to `2 * 128 * 127 = 32,512`.
//!
//! Correct first: nothing here was tuned.

use std::arch::x86_64::{
    __m256, __m256i, _mm_load_si128, _mm256_abs_epi8, _mm256_add_epi16, _mm256_add_epi32,
    _mm256_and_si256, _mm256_cvtepi32_ps, _mm256_cvtph_ps, _mm256_fmadd_ps, _mm256_fnmadd_ps,
    _mm256_load_si256, _mm256_madd_epi16, _mm256_maddubs_epi16, _mm256_mul_ps, _mm256_set1_epi8,
    _mm256_set1_epi16, _mm256_set1_epi32, _mm256_set1_ps, _mm256_setzero_ps, _mm256_setzero_si256,
    _mm256_sign_epi8, _mm256_srli_epi16, _mm256_storeu_ps, _mm256_xor_si256,
};

use super::activations::QuantisedRows;
use super::formats::BLOCK;
use super::lines::LINE;
use super::multiply::Output;
use super::packed::{GROUP, PANEL, PackedMatrix};

/// Rows of weights that one vector of 32-bit sums takes.
const LANES: usize = 8;

/// Groups of columns whose sixteen-bit sums are added before they are widened.
const GROUPS: usize = 4;

/// The outputs of one panel for every row of activations.
///
/// # Shapes
/// See [`super::multiply_panels`].
///
/// # Accuracy
/// Exact integers within a block, f32 across blocks, in order.
///
/// # Safety
/// The CPU must have [`Isa::Avx2`](crate::isa::Isa::Avx2). The columns of weights and activations must
/// agree, `output` must have the shape of the product, and nobody else may write to this panel of
/// it.
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) unsafe fn panel(
    weights: &PackedMatrix,
    activations: &QuantisedRows,
    panel: usize,
    output: &Output<'_>,
) {
    let wide = weights.layout().offset == 128;
    let rows = (weights.rows() - panel * PANEL).min(PANEL);
    for batch in 0..activations.rows() {
        for first in (0..rows).step_by(LANES) {
            let lane = |lanes: &[f32; LANES]| {
                for (i, value) in lanes.iter().enumerate().take(rows - first) {
                    // SAFETY: the row is one of the panel's.
                    unsafe { output.at(batch, panel * PANEL + first + i).write(*value) };
                }
            };
            // SAFETY: the caller vouches for the features and shapes; `first` is in the panel.
            let sums = unsafe {
                match (weights.layout().nibbles, wide) {
                    (true, _) => dots::<true, false>(weights, panel, first, activations, batch),
                    (false, false) => {
                        dots::<false, false>(weights, panel, first, activations, batch)
                    }
                    (false, true) => dots::<false, true>(weights, panel, first, activations, batch),
                }
            };
            let mut lanes = [0.0; LANES];
            // SAFETY: eight lanes, and the store asks for no alignment.
            unsafe { _mm256_storeu_ps(lanes.as_mut_ptr(), sums) };
            lane(&lanes);
        }
    }
}

/// Eight outputs: rows `first..first + 8` of a panel, for one row of activations.
///
/// # Safety
/// As [`panel`]; `first` must be a multiple of eight below 32.
#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn dots<const NIBBLES: bool, const WIDE: bool>(
    weights: &PackedMatrix,
    panel: usize,
    first: usize,
    activations: &QuantisedRows,
    batch: usize,
) -> __m256 {
    let layout = weights.layout();
    let (codes, scales, negative_sums) = activations.parts();
    let mut sums = _mm256_setzero_ps();
    let records = weights.panel(panel).chunks_exact(layout.lines());
    for (block, record) in records.enumerate() {
        let at = activations.place(batch, block);
        let activations = &codes[at * BLOCK..][..BLOCK];
        let (scale, negative_sum) = (_mm256_set1_ps(scales[at]), negative_sums[at]);
        let head = record.as_ptr().cast::<u8>();
        // SAFETY: a record is as long as its layout says, and `first` is within its 32 rows.
        let (dot, weight_scale, minimum) = unsafe {
            let lines = head.add(layout.head_lines() * LINE);
            let dot = dot::<NIBBLES, WIDE>(lines, first, activations);
            let minimum = if layout.minimums { widen(head.add(LINE), first) } else { sums };
            (dot, widen(head, first), minimum)
        };
        let start = if WIDE { 0 } else { i32::from(layout.offset) * negative_sum };
        let dot = _mm256_cvtepi32_ps(_mm256_add_epi32(dot, _mm256_set1_epi32(start)));
        sums = _mm256_fmadd_ps(dot, _mm256_mul_ps(weight_scale, scale), sums);
        if layout.minimums {
            let sum = _mm256_mul_ps(scale, _mm256_set1_ps(negative_sum as f32));
            sums = _mm256_fnmadd_ps(sum, minimum, sums);
        }
    }
    sums
}

/// The integer sums of one block, of codes that are signed if `WIDE` and else unsigned.
///
/// # Safety
/// `lines` must be the codes of a record, and `first` within its rows.
#[target_feature(enable = "avx2")]
unsafe fn dot<const NIBBLES: bool, const WIDE: bool>(
    lines: *const u8,
    first: usize,
    activations: &[u8],
) -> __m256i {
    let (fours, _) = activations.as_chunks::<GROUP>();
    let ones = _mm256_set1_epi16(1);
    let mut sums = _mm256_setzero_si256();
    for (step, fours) in fours.chunks_exact(GROUPS).enumerate() {
        let mut pairs = _mm256_setzero_si256();
        for (group, four) in fours.iter().enumerate() {
            let four = _mm256_set1_epi32(i32::from_le_bytes(*four));
            // SAFETY: the group is one of the record's.
            let code = unsafe { load_codes::<NIBBLES>(lines, step * GROUPS + group, first) };
            if WIDE {
                let signed = _mm256_xor_si256(code, _mm256_set1_epi8(i8::MIN));
                let four = _mm256_sign_epi8(four, signed);
                let pairs = _mm256_maddubs_epi16(_mm256_abs_epi8(signed), four);
                sums = _mm256_add_epi32(sums, _mm256_madd_epi16(pairs, ones));
            } else {
                pairs = _mm256_add_epi16(pairs, _mm256_maddubs_epi16(code, four));
            }
        }
        if !WIDE {
            sums = _mm256_add_epi32(sums, _mm256_madd_epi16(pairs, ones));
        }
    }
    sums
}

/// The codes of eight rows for one group of columns.
///
/// # Safety
/// `lines` must be the codes of a record, and `group` and `first` within it.
#[target_feature(enable = "avx2")]
unsafe fn load_codes<const NIBBLES: bool>(lines: *const u8, group: usize, first: usize) -> __m256i {
    let (half, in_line) = (first / 16, first % 16 * GROUP);
    let line = if NIBBLES { group } else { 2 * group + half };
    // SAFETY: half of an aligned line of the record, as the caller vouches.
    let codes = unsafe { _mm256_load_si256(lines.add(line * LINE + in_line).cast()) };
    match (NIBBLES, half) {
        (false, _) => codes,
        (true, 0) => _mm256_and_si256(codes, _mm256_set1_epi8(15)),
        (true, _) => _mm256_and_si256(_mm256_srli_epi16::<4>(codes), _mm256_set1_epi8(15)),
    }
}

/// Eight of a line of halves, from row `first`.
///
/// # Safety
/// The line must be readable and aligned, and `first` a multiple of eight below 32.
#[target_feature(enable = "avx2,f16c")]
unsafe fn widen(line: *const u8, first: usize) -> __m256 {
    // SAFETY: sixteen bytes of the line, aligned as `first` is.
    unsafe { _mm256_cvtph_ps(_mm_load_si128(line.add(2 * first).cast())) }
}
