//! The product with AVX2.
//!
//! One instruction multiplies unsigned with signed bytes and adds neighbours into sixteen bits,
//! where sums saturate. Codes of at most five bits cannot: four steps add up to
//! `4 * 2 * 31 * 127 = 31,496`. Of six bits two steps add up to `2 * 2 * 63 * 127 = 32,004`. Codes of
//! eight bits would saturate; there the code is made signed, its sign
//! moves to the activation, and one step adds up to `2 * 128 * 127 = 32,512`.
//!
//! Up to four rows of activations share the unpacking of the codes. Little else was tuned.

use std::arch::x86_64::{
    __m256, __m256i, _mm_cvtsi32_si128, _mm_load_si128, _mm256_abs_epi8, _mm256_add_epi16,
    _mm256_add_epi32, _mm256_and_si256, _mm256_cmpeq_epi8, _mm256_cvtepi32_ps, _mm256_cvtph_ps,
    _mm256_fmadd_ps, _mm256_fnmadd_ps, _mm256_load_si256, _mm256_madd_epi16, _mm256_maddubs_epi16,
    _mm256_mul_ps, _mm256_or_si256, _mm256_set1_epi8, _mm256_set1_epi16, _mm256_set1_epi32,
    _mm256_set1_epi64x, _mm256_set1_ps, _mm256_setr_epi64x, _mm256_setzero_ps,
    _mm256_setzero_si256, _mm256_shuffle_epi8, _mm256_sign_epi8, _mm256_slli_epi16,
    _mm256_srl_epi16, _mm256_srli_epi16, _mm256_storeu_ps, _mm256_xor_si256,
};
use std::ops::Range;

use super::activations::{Activations, Int8, pieces};
use super::formats::BLOCK;
use super::lines::LINE;
use super::output::Output;
use super::packed::{PANEL, PackedMatrix};
use super::record::{BYTES, Codes, FIVES, GROUP, GROUPS, NIBBLES, SIXES};

/// Rows of weights that one vector of 32-bit sums takes.
const LANES: usize = 8;

/// Rows of activations that a tile takes at most: three vectors for each, of sixteen registers.
const ROWS: usize = 4;

/// The outputs of one panel for some rows of activations.
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
    activations: &Activations,
    batch: &Range<usize>,
    panel: usize,
    output: &Output<'_>,
) {
    let task = Task { weights, activations, batch, panel, output };
    // SAFETY: as the caller vouches; the codes are those of the layout.
    unsafe {
        match weights.layout().codes {
            Codes::Nibbles => task.tiles::<NIBBLES>(),
            Codes::Fives => task.tiles::<FIVES>(),
            Codes::Sixes => task.tiles::<SIXES>(),
            Codes::Bytes => task.tiles::<BYTES>(),
        }
    }
}

/// One panel, times some rows of activations.
struct Task<'a> {
    weights: &'a PackedMatrix,
    activations: &'a Activations,
    batch: &'a Range<usize>,
    panel: usize,
    output: &'a Output<'a>,
}

impl Task<'_> {
    /// # Safety
    /// As [`panel`], for the codes named.
    #[target_feature(enable = "avx2,fma,f16c")]
    unsafe fn tiles<const CODES: u8>(&self) {
        let rows = (self.weights.rows() - self.panel * PANEL).min(PANEL);
        for piece in pieces(self.batch.clone()) {
            let end = piece.end;
            for batch in piece.step_by(ROWS) {
                for first in (0..rows).step_by(LANES) {
                    // SAFETY: as the caller vouches; the rows are of one tile, and `first` is in the
                    // panel.
                    unsafe {
                        match (end - batch).min(ROWS) {
                            1 => self.tile::<1, CODES>(first, batch),
                            2 => self.tile::<2, CODES>(first, batch),
                            3 => self.tile::<3, CODES>(first, batch),
                            _ => self.tile::<ROWS, CODES>(first, batch),
                        }
                    }
                }
            }
        }
    }

    /// Rows `first..first + 8` of the panel, for `M` rows of activations from row `batch`.
    ///
    /// # Safety
    /// As [`Task::tiles`]; `first` must be a multiple of eight below 32, and the rows of activations
    /// of one tile.
    #[target_feature(enable = "avx2,fma,f16c")]
    unsafe fn tile<const M: usize, const CODES: u8>(&self, first: usize, batch: usize) {
        let layout = self.weights.layout();
        let Int8 { codes, scales, half_sums, .. } = self.activations.int8();
        // Codes of bytes are made signed, which leaves no offset.
        let offset = if CODES == BYTES { 0 } else { i32::from(layout.offset) };
        let mut sums = [_mm256_setzero_ps(); M];
        let records = self.weights.panel(self.panel).chunks_exact(layout.lines());
        for (block, record) in records.enumerate() {
            let at = self.activations.place(batch, block);
            let (scales, half_sums) = (&scales[at..at + M], &half_sums[at..at + M]);
            let head = record.as_ptr().cast::<u8>();
            let lines = head.wrapping_add(layout.head_lines() * LINE);
            for half in [0, 1] {
                // SAFETY: a record is as long as its layout says, and `first` is within its 32 rows.
                let (dots, weight_scale) = unsafe {
                    let line = if layout.two_scales { half * LINE } else { 0 };
                    let dots = dots::<M, CODES>(lines, first, half, &codes[at..at + M]);
                    (dots, widen(head.add(line), first))
                };
                for (m, dot) in dots.into_iter().enumerate() {
                    let start = _mm256_set1_epi32(offset * half_sums[m][half]);
                    let dot = _mm256_cvtepi32_ps(_mm256_add_epi32(dot, start));
                    let scale = _mm256_mul_ps(weight_scale, _mm256_set1_ps(scales[m]));
                    sums[m] = _mm256_fmadd_ps(dot, scale, sums[m]);
                }
            }
            if layout.minimums {
                // SAFETY: there is a second line, of minimums.
                let minimum = unsafe { widen(head.add(LINE), first) };
                for (m, [low, high]) in half_sums.iter().enumerate() {
                    let sum = _mm256_set1_ps(scales[m] * (low + high) as f32);
                    sums[m] = _mm256_fnmadd_ps(sum, minimum, sums[m]);
                }
            }
        }
        let rows = self.weights.rows() - self.panel * PANEL - first;
        for (m, sums) in sums.into_iter().enumerate() {
            let mut lanes = [0.0; LANES];
            // SAFETY: eight lanes, and the store asks for no alignment; the rows are of the panel.
            unsafe {
                _mm256_storeu_ps(lanes.as_mut_ptr(), sums);
                for (i, value) in lanes.iter().enumerate().take(rows) {
                    self.output.put(batch + m, self.panel * PANEL + first + i, *value);
                }
            }
        }
    }
}

/// The integer sums of half a block for `M` rows of activations, of codes that are signed if they are
/// bytes.
///
/// # Safety
/// `lines` must be the codes of a record, and `first` within its rows.
#[target_feature(enable = "avx2")]
#[inline]
unsafe fn dots<const M: usize, const CODES: u8>(
    lines: *const u8,
    first: usize,
    half: usize,
    activations: &[[i8; BLOCK]],
) -> [__m256i; M] {
    const HALF: usize = GROUPS / 2;
    let ones = _mm256_set1_epi16(1);
    let mut sums = [_mm256_setzero_si256(); M];
    let steps = steps::<CODES>();
    for step in (HALF * half..HALF * (half + 1)).step_by(steps) {
        let mut pairs = [_mm256_setzero_si256(); M];
        for group in step..step + steps {
            // SAFETY: the group is one of the record's.
            let code = unsafe { load_codes::<CODES>(lines, group, first) };
            for (pairs, activations) in pairs.iter_mut().zip(activations) {
                let four = activations.as_chunks::<GROUP>().0[group].map(i8::cast_unsigned);
                let four = _mm256_set1_epi32(i32::from_le_bytes(four));
                let products = if CODES == BYTES {
                    let signed = _mm256_xor_si256(code, _mm256_set1_epi8(i8::MIN));
                    _mm256_maddubs_epi16(_mm256_abs_epi8(signed), _mm256_sign_epi8(four, signed))
                } else {
                    _mm256_maddubs_epi16(code, four)
                };
                *pairs = _mm256_add_epi16(*pairs, products);
            }
        }
        for (sum, pairs) in sums.iter_mut().zip(pairs) {
            *sum = _mm256_add_epi32(*sum, _mm256_madd_epi16(pairs, ones));
        }
    }
    sums
}

/// Groups of columns whose sixteen-bit sums are added before they are widened.
const fn steps<const CODES: u8>() -> usize {
    match CODES {
        BYTES => 1,
        SIXES => 2,
        _ => 4,
    }
}

/// The codes of eight rows for one group of columns.
///
/// # Safety
/// `lines` must be the codes of a record, and `group` and `first` within it.
#[target_feature(enable = "avx2")]
unsafe fn load_codes<const CODES: u8>(lines: *const u8, group: usize, first: usize) -> __m256i {
    let (half, in_line) = (first / 16, first % 16 * GROUP);
    // SAFETY: half of an aligned line of the record, as the caller vouches.
    let load = |line: usize| unsafe { _mm256_load_si256(lines.add(line * LINE + in_line).cast()) };
    if CODES == BYTES {
        return load(2 * group + half);
    }
    let both = load(group);
    let shifted = if half == 0 { both } else { _mm256_srli_epi16::<4>(both) };
    let low = _mm256_and_si256(shifted, _mm256_set1_epi8(15));
    match CODES {
        FIVES => {
            let word = GROUPS * LINE + (2 * group + half) * 8 + in_line / 8;
            // SAFETY: 32 of the bits that belong to the half line.
            let bits = unsafe { lines.add(word).cast::<[u8; 4]>().read() };
            _mm256_or_si256(low, fifth_bits(i32::from_le_bytes(bits)))
        }
        SIXES => {
            let upper = load(GROUPS + group / 2);
            let shift = match (group.is_multiple_of(2), half) {
                (true, 0) => 0,
                (true, _) => 2,
                (false, 0) => 4,
                (false, _) => 6,
            };
            let shift = _mm_cvtsi32_si128(shift);
            let upper = _mm256_and_si256(_mm256_srl_epi16(upper, shift), _mm256_set1_epi8(3));
            _mm256_or_si256(low, _mm256_slli_epi16::<4>(upper))
        }
        _ => low,
    }
}

/// Sixteen in byte `b` if bit `b` is set, else 0.
#[target_feature(enable = "avx2")]
fn fifth_bits(bits: i32) -> __m256i {
    // Each byte to the eight bytes that its bits belong to, within 128 bits as all four are there.
    let order =
        _mm256_setr_epi64x(0, 0x0101_0101_0101_0101, 0x0202_0202_0202_0202, 0x0303_0303_0303_0303);
    let bit = _mm256_set1_epi64x(i64::from_le_bytes([1, 2, 4, 8, 16, 32, 64, 128]));
    let spread = _mm256_shuffle_epi8(_mm256_set1_epi32(bits), order);
    let set = _mm256_cmpeq_epi8(_mm256_and_si256(spread, bit), bit);
    _mm256_and_si256(set, _mm256_set1_epi8(16))
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
