//! The product with AVX-512 VNNI.
//!
//! One instruction multiplies 16 rows x 4 columns of unsigned codes with four signed activations,
//! the same for each row, and adds into 16 sums. A tile is up to eight rows of activations times a
//! panel of 32 rows of weights. Codes are unpacked in registers: eight rows share the work.

use std::arch::x86_64::{
    __m512, __m512i, _MM_HINT_T0, _mm_prefetch, _mm256_load_si256, _mm512_add_ps, _mm512_and_si512,
    _mm512_cvtepi32_ps, _mm512_cvtph_ps, _mm512_dpbusd_epi32, _mm512_fmadd_ps, _mm512_fnmadd_ps,
    _mm512_load_si512, _mm512_mask_add_epi8, _mm512_mask_storeu_ps, _mm512_maskz_loadu_ps,
    _mm512_mul_ps, _mm512_set1_epi8, _mm512_set1_epi32, _mm512_set1_ps, _mm512_setzero_ps,
    _mm512_setzero_si512, _mm512_slli_epi16, _mm512_sllv_epi32, _mm512_srli_epi16,
    _mm512_ternarylogic_epi32,
};
use std::ops::Range;

use super::activations::{Activations, Int8, TILE, pieces};
use super::lines::{LINE, Line};
use super::output::Output;
use super::packed::{PANEL, PackedMatrix};
use super::record::{BYTES, Codes, FIVES, GROUP, GROUPS, NIBBLES, SIXES};

/// Rows of activations that a tile takes at most: sixteen f32 sums and eight integer sums, of 32
/// registers.
const ROWS: usize = 8;

/// How far ahead of its use a line of weights is asked for, in bytes. The CPU looks ahead within a
/// page of 4 KiB by itself; this carries it across the page's end.
const AHEAD: usize = 4096;

/// Places of a panel that are read at once where memory is the bound: the CPU has more reads in
/// flight for several streams than for one.
const STRANDS: usize = 4;

/// The same distance within one of several strands.
const AHEAD_IN_STRAND: usize = 1024;

/// Blocks of a row from which strands are worth it: shorter ones end as soon as they begin.
const FEWEST_FOR_STRANDS: usize = 32;

/// What stands before the codes: scales,
const SCALE: u8 = 0;
/// scales and minimums,
const MINIMUM: u8 = 1;
/// or scales of columns 0..16 and of columns 16..32.
const TWO_SCALES: u8 = 2;

/// The outputs of one panel for some rows of activations.
///
/// # Shapes
/// See [`super::multiply_panels`].
///
/// # Accuracy
/// Exact integers within a block, f32 across blocks, in order.
///
/// # Safety
/// The CPU must have [`Isa::Avx512`](crate::isa::Isa::Avx512). The columns of weights and activations
/// must agree, `output` must have the shape of the product, and nobody else may write to this panel
/// of it.
#[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512vl,avx512vnni")]
pub(super) unsafe fn panel(
    weights: &PackedMatrix,
    activations: &Activations,
    batch: &Range<usize>,
    panel: usize,
    output: &Output<'_>,
) {
    let layout = weights.layout();
    let task = Task {
        activations,
        batch,
        output,
        records: weights.panel(panel),
        blocks: weights.blocks(),
        row: panel * PANEL,
        rows: (weights.rows() - panel * PANEL).min(PANEL),
        offset_bits: i32::from(layout.offset).trailing_zeros(),
    };
    // SAFETY: the caller vouches for the features, shapes and panel; the layout is that of the
    // records.
    unsafe {
        match (layout.codes, layout.minimums) {
            (Codes::Nibbles, false) => task.tiles::<NIBBLES, SCALE>(),
            (Codes::Nibbles, true) => task.tiles::<NIBBLES, MINIMUM>(),
            (Codes::Fives, false) => task.tiles::<FIVES, SCALE>(),
            (Codes::Fives, true) => task.tiles::<FIVES, MINIMUM>(),
            (Codes::Sixes, _) => task.tiles::<SIXES, TWO_SCALES>(),
            (Codes::Bytes, _) => task.tiles::<BYTES, SCALE>(),
        }
    }
}

/// Which of sixteen lanes are below `rows`.
#[expect(clippy::cast_possible_truncation, reason = "at most sixteen bits are set")]
pub(crate) fn mask(rows: usize) -> u16 {
    ((1_u32 << rows.min(16)) - 1) as u16
}

/// One panel, times some rows of activations.
struct Task<'a> {
    activations: &'a Activations,
    batch: &'a Range<usize>,
    output: &'a Output<'a>,
    records: &'a [Line],
    blocks: usize,
    /// The panel's first row, and how many of its rows there are.
    row: usize,
    rows: usize,
    /// Codes are offset by two to this power, if they are.
    offset_bits: u32,
}

impl Task<'_> {
    /// # Safety
    /// As [`panel`], for records of the layout named.
    #[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512vl,avx512vnni")]
    unsafe fn tiles<const CODES: u8, const HEAD: u8>(&self) {
        // The first tile brings the panel into the caches; the others bring the next one.
        let mut again = false;
        let long = self.blocks >= FEWEST_FOR_STRANDS;
        for piece in pieces(self.batch.clone()) {
            let (start, rows) = (piece.start, piece.len());
            let parts = rows.div_ceil(ROWS);
            for part in 0..parts {
                let (first, end) = (start + rows * part / parts, start + rows * (part + 1) / parts);
                // SAFETY: as the caller vouches; the rows are within the tile.
                unsafe {
                    match end - first {
                        1 if long => self.tile::<1, 2, STRANDS, CODES, HEAD>(first, again),
                        1 => self.tile::<1, 2, 1, CODES, HEAD>(first, again),
                        2 if long => self.tile::<2, 2, STRANDS, CODES, HEAD>(first, again),
                        2 => self.tile::<2, 2, 1, CODES, HEAD>(first, again),
                        3 => self.tile::<3, 2, 1, CODES, HEAD>(first, again),
                        4 => self.tile::<4, 2, 1, CODES, HEAD>(first, again),
                        5 => self.tile::<5, 2, 1, CODES, HEAD>(first, again),
                        6 => self.tile::<6, 2, 1, CODES, HEAD>(first, again),
                        7 => self.tile::<7, 1, 1, CODES, HEAD>(first, again),
                        _ => self.tile::<ROWS, 1, 1, CODES, HEAD>(first, again),
                    }
                }
                again = true;
            }
        }
    }

    /// `M` rows of activations from row `first`, in one pass over the panel. This is the hot
    /// function. `HALVES` are how many times 16 rows of weights are summed at once: both are only
    /// where registers last for it.
    ///
    /// High nibbles of four-bit codes are left where they are, as codes times 16, and the sums are
    /// divided at the end.
    ///
    /// # Safety
    /// As [`Task::tiles`]; the rows must be of one tile of the activations.
    #[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512vl,avx512vnni")]
    unsafe fn tile<
        const M: usize,
        const HALVES: usize,
        const STRANDS: usize,
        const CODES: u8,
        const HEAD: u8,
    >(
        &self,
        first: usize,
        again: bool,
    ) {
        let tile_rows = self.activations.tile_rows(first / TILE * TILE);
        let place = self.activations.place(first, 0);
        let Int8 { codes, scales, negative_sums, half_sums } = self.activations.int8();
        let offset_bits = self.offset_bits.cast_signed();
        // The compiler would otherwise keep a copy of them for each use.
        let shifts = [offset_bits, offset_bits + if CODES == NIBBLES { 4 } else { 0 }]
            .map(|bits| _mm512_set1_epi32(bits));
        let parts = if HEAD == TWO_SCALES { 2 } else { 1 };
        let mut sums = [[_mm512_setzero_ps(); 2]; M];
        // SAFETY: pointers stay within the records of all blocks, and within the codes, scales and
        // sums of rows `first..first + M` of as many blocks. Lines are aligned to 64; what is not
        // is read unaligned.
        unsafe {
            let codes = codes.as_ptr().add(place);
            let scales = scales.as_ptr().add(place);
            let negative_sums = negative_sums.as_ptr().add(place);
            let half_sums = half_sums.as_ptr().add(place).cast::<i32>();
            let first_record = self.records.as_ptr().cast::<u8>();
            let record_bytes = self.records.len() / self.blocks * LINE;
            let strand = self.blocks.div_ceil(STRANDS);
            let near = AHEAD_IN_STRAND.div_ceil(record_bytes).min(strand);
            let panel_bytes = size_of_val(self.records);
            for step in 0..strand * STRANDS {
                // Strand after strand: four places of the panel are read at once.
                let at = step / STRANDS;
                let block = step % STRANDS * strand + at;
                if STRANDS > 1 && block >= self.blocks {
                    continue;
                }
                let record = first_record.add(block * record_bytes);
                let ahead = match (again, STRANDS) {
                    (true, _) => panel_bytes,
                    (false, 1) => AHEAD,
                    _ if at + near < strand => near * record_bytes,
                    // The same strand of the next panel.
                    _ => panel_bytes - (strand - near) * record_bytes,
                };
                let from = block * tile_rows;
                let (codes, scales) = (codes.add(from), scales.add(from));
                let negative_sums = negative_sums.add(from);
                let half_sums = half_sums.add(2 * from);
                let head = record;
                let lines = record.add(if HEAD == SCALE { LINE } else { 2 * LINE });
                for part in 0..parts {
                    let groups = GROUPS / parts * part..GROUPS / parts * (part + 1);
                    let mut starts = [0; M];
                    for (m, start) in starts.iter_mut().enumerate() {
                        *start = match HEAD {
                            SCALE => *negative_sums.add(m),
                            TWO_SCALES => *half_sums.add(2 * m + part),
                            _ => 0,
                        };
                    }
                    for first_half in (0..2).step_by(HALVES) {
                        let mut dots = [[_mm512_setzero_si512(); HALVES]; M];
                        if HEAD != MINIMUM {
                            for (dots, start) in dots.iter_mut().zip(starts) {
                                for (i, dot) in dots.iter_mut().enumerate() {
                                    let start = _mm512_set1_epi32(start);
                                    *dot = _mm512_sllv_epi32(start, shifts[first_half + i]);
                                }
                            }
                        }
                        for group in groups.clone() {
                            if first_half == 0 {
                                prefetch::<CODES>(lines.wrapping_add(ahead), group);
                            }
                            let weights = load_codes_shifted::<CODES>(lines, group);
                            for (m, dots) in dots.iter_mut().enumerate() {
                                let four = codes.add(m).cast::<[u8; GROUP]>().add(group);
                                let four = _mm512_set1_epi32(i32::from_le_bytes(*four));
                                for (i, dot) in dots.iter_mut().enumerate() {
                                    *dot = _mm512_dpbusd_epi32(*dot, weights[first_half + i], four);
                                }
                            }
                        }
                        for half in first_half..first_half + HALVES {
                            let weight_scale = widen_half(head.add(part * LINE + half * LINE / 2));
                            for (m, sums) in sums.iter_mut().enumerate() {
                                let scale = _mm512_set1_ps(*scales.add(m));
                                let scale = _mm512_mul_ps(weight_scale, scale);
                                let dot = _mm512_cvtepi32_ps(dots[m][half - first_half]);
                                sums[half] = _mm512_fmadd_ps(dot, scale, sums[half]);
                            }
                        }
                    }
                }
                if HEAD == MINIMUM {
                    let mut minimums = widen(head.add(LINE));
                    if CODES == NIBBLES {
                        minimums[1] = _mm512_mul_ps(minimums[1], _mm512_set1_ps(16.0));
                    }
                    for (m, sums) in sums.iter_mut().enumerate() {
                        let sum = *scales.add(m) * *negative_sums.add(m) as f32;
                        let sum = _mm512_set1_ps(sum);
                        sums[0] = _mm512_fnmadd_ps(sum, minimums[0], sums[0]);
                        sums[1] = _mm512_fnmadd_ps(sum, minimums[1], sums[1]);
                    }
                }
            }
            for (m, sums) in sums.into_iter().enumerate() {
                self.put::<CODES>(first + m, sums);
            }
        }
    }

    /// Writes the outputs of one row of activations, or adds to what is there. Of nibbles the sums of
    /// the upper half are still times 16.
    ///
    /// # Safety
    /// There must be such a row, and the outputs must be ours alone.
    #[target_feature(enable = "avx512f")]
    #[inline]
    unsafe fn put<const CODES: u8>(&self, batch: usize, mut sums: [__m512; 2]) {
        if CODES == NIBBLES {
            sums[1] = _mm512_mul_ps(sums[1], _mm512_set1_ps(1.0 / 16.0));
        }
        // SAFETY: outputs are masked to the rows that there are, and the first of them is one.
        unsafe {
            let output = self.output.at(batch, self.row);
            for (half, mut sums) in sums.into_iter().enumerate() {
                let mask = mask(self.rows.saturating_sub(16 * half));
                let output = output.wrapping_add(16 * half);
                if self.output.is_adding() {
                    sums = _mm512_add_ps(sums, _mm512_maskz_loadu_ps(mask, output));
                }
                _mm512_mask_storeu_ps(output, mask, sums);
            }
        }
    }
}

/// [`Codes::lines`] of a constant.
const fn code_lines<const CODES: u8>() -> usize {
    match CODES {
        NIBBLES => Codes::Nibbles.lines(),
        FIVES => Codes::Fives.lines(),
        SIXES => Codes::Sixes.lines(),
        _ => Codes::Bytes.lines(),
    }
}

/// Asks for the lines that lie where those of a group do.
#[inline]
fn prefetch<const CODES: u8>(lines: *const u8, group: usize) {
    let line = |line: usize| {
        // SAFETY: a prefetch may name any address.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(lines.wrapping_add(line * LINE).cast()) }
    };
    match CODES {
        BYTES => {
            line(2 * group);
            line(2 * group + 1);
        }
        _ => line(group),
    }
    let upper_lines = code_lines::<CODES>() - GROUPS;
    if CODES != BYTES && group < upper_lines {
        line(GROUPS + group);
    }
}

/// The codes of rows 0..16 and 16..32 for one group of columns; of nibbles, the latter times 16.
///
/// # Safety
/// `lines` must be the codes of a record, and `group` one of its groups.
#[target_feature(enable = "avx512f,avx512bw")]
#[inline]
unsafe fn load_codes_shifted<const CODES: u8>(lines: *const u8, group: usize) -> [__m512i; 2] {
    if CODES != NIBBLES {
        // SAFETY: as the caller vouches.
        return unsafe { load_codes::<CODES>(lines, group) };
    }
    // SAFETY: each group has a line.
    let line = unsafe { _mm512_load_si512(lines.add(group * LINE).cast()) };
    [0x0f, 0xf0_u8.cast_signed()].map(|bits| _mm512_and_si512(line, _mm512_set1_epi8(bits)))
}

/// The codes of rows 0..16 and 16..32 for one group of columns.
///
/// # Safety
/// `lines` must be the codes of a record, and `group` one of its groups.
#[target_feature(enable = "avx512f,avx512bw")]
#[inline]
pub(super) unsafe fn load_codes<const CODES: u8>(lines: *const u8, group: usize) -> [__m512i; 2] {
    // SAFETY: every line named is one of the record's, as its layout says.
    unsafe {
        let line = |line: usize| _mm512_load_si512(lines.add(line * LINE).cast());
        if CODES == BYTES {
            return [line(2 * group), line(2 * group + 1)];
        }
        let (both, low_bits) = (line(group), _mm512_set1_epi8(0x0f));
        let low = _mm512_and_si512(both, low_bits);
        let high = _mm512_and_si512(_mm512_srli_epi16::<4>(both), low_bits);
        match CODES {
            FIVES => {
                let words = lines.add(GROUPS * LINE).cast::<[[u8; 8]; 2]>().add(group);
                let [first, second] = (*words).map(u64::from_le_bytes);
                let fifth = _mm512_set1_epi8(16);
                [
                    _mm512_mask_add_epi8(low, first, low, fifth),
                    _mm512_mask_add_epi8(high, second, high, fifth),
                ]
            }
            SIXES => {
                let upper = line(GROUPS + group / 2);
                let (first, second) = if group.is_multiple_of(2) {
                    (_mm512_slli_epi16::<4>(upper), _mm512_slli_epi16::<2>(upper))
                } else {
                    (upper, _mm512_srli_epi16::<2>(upper))
                };
                // lower | (upper & 0x30)
                let bits = _mm512_set1_epi8(0x30);
                [
                    _mm512_ternarylogic_epi32::<0xf8>(low, first, bits),
                    _mm512_ternarylogic_epi32::<0xf8>(high, second, bits),
                ]
            }
            _ => [low, high],
        }
    }
}

/// A line of 32 halves.
///
/// # Safety
/// The line must be readable and aligned.
#[target_feature(enable = "avx512f")]
unsafe fn widen(line: *const u8) -> [__m512; 2] {
    // SAFETY: both are halves of the line.
    unsafe { [widen_half(line), widen_half(line.add(LINE / 2))] }
}

/// Half a line of halves.
///
/// # Safety
/// The 32 bytes must be readable and aligned.
#[target_feature(enable = "avx512f")]
pub(super) unsafe fn widen_half(line: *const u8) -> __m512 {
    // SAFETY: as the caller vouches.
    unsafe { _mm512_cvtph_ps(_mm256_load_si256(line.cast())) }
}
