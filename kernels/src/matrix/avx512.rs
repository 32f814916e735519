//! The product with AVX-512 VNNI.
//!
//! One instruction multiplies 16 rows x 4 columns of unsigned codes with four signed activations,
//! the same for each row, and adds into 16 sums. A tile is up to six rows of activations times a
//! panel of 32 rows of weights: twelve integer sums and twelve f32 sums, of 32 registers.
//!
//! For one tile the codes are unpacked in registers, as memory is the bound. For more tiles some
//! blocks are first unpacked to bytes that stay in the first-level cache.

use std::arch::x86_64::{
    __m512, __m512i, _MM_HINT_T0, _mm_prefetch, _mm256_load_si256, _mm512_and_si512,
    _mm512_cvtepi32_ps, _mm512_cvtph_ps, _mm512_dpbusd_epi32, _mm512_fmadd_ps, _mm512_fnmadd_ps,
    _mm512_load_si512, _mm512_mask_storeu_ps, _mm512_maskz_loadu_ps, _mm512_mul_ps,
    _mm512_set1_epi8, _mm512_set1_epi32, _mm512_set1_ps, _mm512_setzero_ps, _mm512_setzero_si512,
    _mm512_sllv_epi32, _mm512_srli_epi16, _mm512_store_si512,
};
use std::mem::MaybeUninit;

use super::activations::{QuantisedRows, TILE};
use super::formats::BLOCK;
use super::lines::{LINE, Line};
use super::multiply::Output;
use super::packed::{GROUP, PANEL, PackedMatrix, RecordLayout};

/// Rows of activations that a tile takes at most: what the registers hold.
const ROWS: usize = 6;

/// Blocks that are unpacked at a time: 27 KiB of the 32 to 48 KiB that first-level caches have.
const CHUNK: usize = 24;

/// Lines of an unpacked record: scales, minimums, and two lines for each group of columns.
const UNPACKED: usize = 2 + 2 * BLOCK / GROUP;

/// Where records are unpacked.
type Memory = [MaybeUninit<Line>; CHUNK * UNPACKED];

/// How far ahead of its use a line of weights is asked for, in bytes. The CPU looks ahead within a
/// page of 4 KiB by itself; this carries it across the page's end.
const AHEAD: usize = 4096;

/// The outputs of one panel for every row of activations.
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
    activations: &QuantisedRows,
    panel: usize,
    output: &Output<'_>,
) {
    let (layout, records) = (weights.layout(), weights.panel(panel));
    let (rows, blocks) = (activations.rows(), weights.blocks());
    let task = |first_block| Task {
        activations,
        output,
        first_block,
        row: panel * PANEL,
        rows: (weights.rows() - panel * PANEL).min(PANEL),
        offset_bits: i32::from(layout.offset).trailing_zeros(),
    };
    // SAFETY: the caller vouches for the features, shapes and panel; the records are those of the
    // panel's blocks, in the layout named.
    unsafe {
        match (layout.nibbles, layout.minimums) {
            (true, false) if rows <= ROWS => task(0).tiles::<true, false>(records, blocks),
            (true, true) if rows <= ROWS => task(0).tiles::<true, true>(records, blocks),
            (false, false) => task(0).tiles::<false, false>(records, blocks),
            (false, true) => task(0).tiles::<false, true>(records, blocks),
            (true, minimums) => {
                #[expect(clippy::large_stack_arrays, reason = "small beside a stack; not filled")]
                let mut memory: Memory = [const { MaybeUninit::uninit() }; CHUNK * UNPACKED];
                for (chunk, packed) in records.chunks(CHUNK * layout.lines()).enumerate() {
                    let blocks = packed.len() / layout.lines();
                    let records = unpack(packed, layout, &mut memory);
                    if minimums {
                        task(chunk * CHUNK).tiles::<false, true>(records, blocks);
                    } else {
                        task(chunk * CHUNK).tiles::<false, false>(records, blocks);
                    }
                }
            }
        }
    }
}

/// Records of four-bit codes as records of bytes.
#[target_feature(enable = "avx512f,avx512bw")]
fn unpack<'m>(packed: &[Line], layout: RecordLayout, memory: &'m mut Memory) -> &'m [Line] {
    let low_bits = _mm512_set1_epi8(15);
    let head_lines = layout.head_lines();
    let lines = head_lines + 2 * BLOCK / GROUP;
    let records = packed.chunks_exact(layout.lines());
    let written = records.len() * lines;
    for (record, unpacked) in records.zip(memory.chunks_exact_mut(lines)) {
        let (head, codes) = record.split_at(head_lines);
        let (unpacked_head, unpacked_codes) = unpacked.split_at_mut(head_lines);
        for (to, from) in unpacked_head.iter_mut().zip(head) {
            to.write(*from);
        }
        for (to, from) in unpacked_codes.chunks_exact_mut(2).zip(codes) {
            // SAFETY: each line is one aligned vector.
            unsafe {
                let codes = _mm512_load_si512((&raw const *from).cast());
                let high = _mm512_and_si512(_mm512_srli_epi16::<4>(codes), low_bits);
                _mm512_store_si512(to[0].as_mut_ptr().cast(), _mm512_and_si512(codes, low_bits));
                _mm512_store_si512(to[1].as_mut_ptr().cast(), high);
            }
        }
    }
    // SAFETY: every line up to here was written above.
    unsafe { std::slice::from_raw_parts(memory.as_ptr().cast(), written) }
}

/// Which of sixteen lanes are below `rows`.
#[expect(clippy::cast_possible_truncation, reason = "at most sixteen bits are set")]
pub(super) fn mask(rows: usize) -> u16 {
    ((1_u32 << rows.min(16)) - 1) as u16
}

/// Some blocks of one panel, times every row of activations.
struct Task<'a> {
    activations: &'a QuantisedRows,
    output: &'a Output<'a>,
    /// The block that the first record is. If it is not 0, the outputs are added to.
    first_block: usize,
    /// The panel's first row, and how many of its rows there are.
    row: usize,
    rows: usize,
    /// Codes are offset by two to this power, if they are.
    offset_bits: u32,
}

impl Task<'_> {
    /// # Safety
    /// As [`panel`]; `records` must be `blocks` records of the layout named.
    #[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512vl,avx512vnni")]
    unsafe fn tiles<const NIBBLES: bool, const MINIMUMS: bool>(
        &self,
        records: &[Line],
        blocks: usize,
    ) {
        for tile in (0..self.activations.rows()).step_by(TILE) {
            let rows = self.activations.tile_rows(tile);
            let parts = rows.div_ceil(ROWS);
            for part in 0..parts {
                let (first, end) = (tile + rows * part / parts, tile + rows * (part + 1) / parts);
                // SAFETY: as the caller vouches; the rows are within the tile.
                unsafe {
                    match end - first {
                        1 => self.tile::<1, NIBBLES, MINIMUMS>(records, blocks, first),
                        2 => self.tile::<2, NIBBLES, MINIMUMS>(records, blocks, first),
                        3 => self.tile::<3, NIBBLES, MINIMUMS>(records, blocks, first),
                        4 => self.tile::<4, NIBBLES, MINIMUMS>(records, blocks, first),
                        5 => self.tile::<5, NIBBLES, MINIMUMS>(records, blocks, first),
                        _ => self.tile::<ROWS, NIBBLES, MINIMUMS>(records, blocks, first),
                    }
                }
            }
        }
    }

    /// `M` rows of activations from row `first`. This is the hot function.
    ///
    /// High nibbles are left where they are, as codes times 16, and the sums are divided at the end.
    ///
    /// # Safety
    /// As [`Task::tiles`]; the rows must be of one tile of the activations.
    #[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512vl,avx512vnni")]
    unsafe fn tile<const M: usize, const NIBBLES: bool, const MINIMUMS: bool>(
        &self,
        records: &[Line],
        blocks: usize,
        first: usize,
    ) {
        let tile_rows = self.activations.tile_rows(first / TILE * TILE);
        let place = self.activations.place(first, self.first_block);
        let (codes, scales, negative_sums) = self.activations.parts();
        let offset_bits = self.offset_bits.cast_signed();
        let shifts = [offset_bits, offset_bits + if NIBBLES { 4 } else { 0 }].map(|bits| {
            // The compiler would otherwise keep a copy of it for each use.
            _mm512_set1_epi32(bits)
        });
        let masks = [mask(self.rows), mask(self.rows.saturating_sub(16))];
        let mut sums = [[_mm512_setzero_ps(); 2]; M];
        // SAFETY: pointers stay within the records of `blocks` blocks, and within the codes, scales
        // and sums of rows `first..first + M` of as many blocks; outputs are masked to the rows that
        // there are. Lines are aligned to 64; what is not is read unaligned.
        unsafe {
            let output = self.output.at(first, self.row);
            if self.first_block > 0 {
                for (m, sums) in sums.iter_mut().enumerate() {
                    let output = output.add(m * self.output.stride());
                    sums[0] = _mm512_maskz_loadu_ps(masks[0], output);
                    sums[1] = _mm512_maskz_loadu_ps(masks[1], output.wrapping_add(16));
                }
            }
            let mut record = records.as_ptr().cast::<u8>();
            let mut codes = codes.as_ptr().add(place * BLOCK);
            let mut scales = scales.as_ptr().add(place);
            let mut negative_sums = negative_sums.as_ptr().add(place);
            for _ in 0..blocks {
                let mut dots = [[_mm512_setzero_si512(); 2]; M];
                if !MINIMUMS {
                    for (m, dots) in dots.iter_mut().enumerate() {
                        let start = _mm512_set1_epi32(*negative_sums.add(m));
                        *dots = shifts.map(|shift| _mm512_sllv_epi32(start, shift));
                    }
                }
                let head = record;
                record = record.add(if MINIMUMS { 2 * LINE } else { LINE });
                for group in 0..BLOCK / GROUP {
                    let weights = load_codes::<NIBBLES>(record);
                    record = record.add(if NIBBLES { LINE } else { 2 * LINE });
                    for (m, dots) in dots.iter_mut().enumerate() {
                        let four = codes.add(m * BLOCK + group * GROUP).cast::<[u8; GROUP]>();
                        let four = _mm512_set1_epi32(i32::from_le_bytes(*four));
                        dots[0] = _mm512_dpbusd_epi32(dots[0], weights[0], four);
                        dots[1] = _mm512_dpbusd_epi32(dots[1], weights[1], four);
                    }
                }
                let weight_scales = widen(head);
                for (m, sums) in sums.iter_mut().enumerate() {
                    let scale = _mm512_set1_ps(*scales.add(m));
                    for half in 0..2 {
                        let dot = _mm512_cvtepi32_ps(dots[m][half]);
                        let scale = _mm512_mul_ps(weight_scales[half], scale);
                        sums[half] = _mm512_fmadd_ps(dot, scale, sums[half]);
                    }
                }
                if MINIMUMS {
                    let mut minimums = widen(head.add(LINE));
                    if NIBBLES {
                        minimums[1] = _mm512_mul_ps(minimums[1], _mm512_set1_ps(16.0));
                    }
                    for (m, sums) in sums.iter_mut().enumerate() {
                        let sum = *scales.add(m) * *negative_sums.add(m) as f32;
                        let sum = _mm512_set1_ps(sum);
                        sums[0] = _mm512_fnmadd_ps(sum, minimums[0], sums[0]);
                        sums[1] = _mm512_fnmadd_ps(sum, minimums[1], sums[1]);
                    }
                }
                codes = codes.add(tile_rows * BLOCK);
                scales = scales.add(tile_rows);
                negative_sums = negative_sums.add(tile_rows);
            }
            for (m, mut sums) in sums.into_iter().enumerate() {
                if NIBBLES {
                    sums[1] = _mm512_mul_ps(sums[1], _mm512_set1_ps(1.0 / 16.0));
                }
                let output = output.add(m * self.output.stride());
                _mm512_mask_storeu_ps(output, masks[0], sums[0]);
                _mm512_mask_storeu_ps(output.wrapping_add(16), masks[1], sums[1]);
            }
        }
    }
}

/// The codes of rows 0..16 and 16..32 for one group of columns.
///
/// # Safety
/// One aligned line of nibbles, or two of bytes, must be readable.
#[target_feature(enable = "avx512f,avx512bw")]
unsafe fn load_codes<const NIBBLES: bool>(codes: *const u8) -> [__m512i; 2] {
    // SAFETY: the lines are readable, as the caller vouches; a prefetch may name any address.
    unsafe {
        let first = _mm512_load_si512(codes.cast());
        if NIBBLES {
            _mm_prefetch::<_MM_HINT_T0>(codes.wrapping_add(AHEAD).cast());
            let low = _mm512_and_si512(first, _mm512_set1_epi8(0x0f));
            let high = _mm512_and_si512(first, _mm512_set1_epi8(0xf0_u8.cast_signed()));
            [low, high]
        } else {
            // Also where bytes were unpacked before: there it asks for what is at hand.
            _mm_prefetch::<_MM_HINT_T0>(codes.wrapping_add(AHEAD).cast());
            _mm_prefetch::<_MM_HINT_T0>(codes.wrapping_add(AHEAD + LINE).cast());
            [first, _mm512_load_si512(codes.add(LINE).cast())]
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
