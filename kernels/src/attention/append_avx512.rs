//! Writing keys and values with AVX-512.

use std::arch::x86_64::{
    __m256i, __m512i, _CMP_ORD_Q, _mm256_i32scatter_epi32, _mm256_set_m128i, _mm256_set1_epi8,
    _mm256_storeu_si256, _mm256_xor_si256, _mm512_abs_ps, _mm512_add_epi32, _mm512_and_si512,
    _mm512_castps_si512, _mm512_castsi512_si256, _mm512_cmp_ps_mask, _mm512_cvtepi32_epi8,
    _mm512_cvtps_epi32, _mm512_i32scatter_epi32, _mm512_loadu_ps, _mm512_mask_storeu_epi16,
    _mm512_maskz_mov_ps, _mm512_max_ps, _mm512_min_ps, _mm512_mul_ps, _mm512_mullo_epi32,
    _mm512_or_si512, _mm512_permutex2var_epi32, _mm512_reduce_max_ps, _mm512_set1_epi32,
    _mm512_set1_ps, _mm512_setr_epi32, _mm512_slli_epi32, _mm512_srli_epi32,
};

use super::cache::KvType;
use super::layout::{KEYS, Stream, VALUES, scale};
use crate::matrix::F16;
use crate::matrix::formats::BLOCK;

/// # Accuracy
/// Equal to [`super::layout::append`], byte for byte.
///
/// # Safety
/// The CPU must have [`Isa::Avx512`](crate::isa::Isa::Avx512); the position must be in range, and
/// nobody else may touch this position of its stream; only its bytes are written.
#[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512vl,avx512vnni")]
pub(super) unsafe fn append(
    kind: KvType,
    stream: &Stream,
    position: usize,
    key: &[f32],
    value: &[f32],
) {
    match kind {
        // SAFETY: as the caller vouches.
        KvType::Q8_0 => unsafe { append_q8(stream, position, key, value) },
        // SAFETY: as the caller vouches.
        KvType::Bf16 => unsafe { append_bf16(stream, position, key, value) },
    }
}

/// # Safety
/// As [`append`].
#[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512vl,avx512vnni")]
unsafe fn append_bf16(stream: &Stream, position: usize, key: &[f32], value: &[f32]) {
    let numbers = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    let evens = _mm512_slli_epi32::<1>(numbers);
    let odds = _mm512_add_epi32(evens, _mm512_set1_epi32(1));
    let lines = _mm512_mullo_epi32(numbers, _mm512_set1_epi32(64));
    for (block, key) in key.as_chunks::<32>().0.iter().enumerate() {
        // SAFETY: 32 values; sixteen lines of the block of keys, a pair in each.
        unsafe {
            let first = round(key.as_ptr());
            let second = round(key.as_ptr().add(16));
            let even = _mm512_permutex2var_epi32(first, evens, second);
            let odd = _mm512_permutex2var_epi32(first, odds, second);
            let pairs = _mm512_or_si512(even, _mm512_slli_epi32::<16>(odd));
            let at = stream.bf16_keys(position, 16 * block).add(position % KEYS * 4);
            _mm512_i32scatter_epi32::<1>(at.cast(), lines, pairs);
        }
    }
    for (block, value) in value.as_chunks::<16>().0.iter().enumerate() {
        // SAFETY: sixteen values; every second half of a line, which is the position's.
        unsafe {
            let value = round(value.as_ptr());
            let at = stream.bf16_values(position, 16 * block).cast();
            if position.is_multiple_of(2) {
                _mm512_mask_storeu_epi16(at, 0x5555_5555, value);
            } else {
                _mm512_mask_storeu_epi16(at, 0xaaaa_aaaa, _mm512_slli_epi32::<16>(value));
            }
        }
    }
}

/// # Safety
/// As [`append`].
#[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512vl,avx512vnni")]
unsafe fn append_q8(stream: &Stream, position: usize, key: &[f32], value: &[f32]) {
    let lines = _mm512_setr_epi32(0, 64, 128, 192, 256, 320, 384, 448, 0, 0, 0, 0, 0, 0, 0, 0);
    let lines = _mm512_castsi512_si256(lines);
    let pairs = key.as_chunks::<BLOCK>().0.iter().zip(value.as_chunks::<BLOCK>().0);
    for (block, (key, value)) in pairs.enumerate() {
        let (key_scale, key_codes) = quantise(key);
        let (value_scale, value_codes) = quantise(value);
        let offset = _mm256_set1_epi8(i8::MIN);
        // SAFETY: eight lines of the block of keys, four codes in each; the codes of the position's
        // value; a scale of each.
        unsafe {
            let at = stream.q8_keys(position, block * BLOCK / 4).add(position % KEYS * 4);
            let codes = _mm256_xor_si256(key_codes, offset);
            _mm256_i32scatter_epi32::<1>(at.cast(), lines, codes);
            let at = stream.q8_key_scales(position, block).add(position % KEYS * 2);
            at.cast::<F16>().write(key_scale);
            let at = stream.q8_values(position).add(block * BLOCK);
            _mm256_storeu_si256(at.cast(), value_codes);
            let at = stream.q8_value_scales(position, block).add(position % VALUES * 2);
            at.cast::<F16>().write(value_scale);
        }
    }
}

/// Codes and scale of 32 numbers, as the twin has them; what is no number counts as 0.
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
fn quantise(values: &[f32; BLOCK]) -> (F16, __m256i) {
    let load = |half: usize| {
        // SAFETY: sixteen of the 32 values; the load asks for no alignment.
        let values = unsafe { _mm512_loadu_ps(values.as_ptr().wrapping_add(16 * half)) };
        _mm512_maskz_mov_ps(_mm512_cmp_ps_mask::<_CMP_ORD_Q>(values, values), values)
    };
    let halves = [load(0), load(1)];
    let maxima = _mm512_max_ps(_mm512_abs_ps(halves[0]), _mm512_abs_ps(halves[1]));
    let (scale, inverse) = scale(_mm512_reduce_max_ps(maxima));
    let codes = halves.map(|values| {
        let codes = _mm512_mul_ps(values, _mm512_set1_ps(inverse));
        let codes = _mm512_min_ps(codes, _mm512_set1_ps(127.0));
        let codes = _mm512_max_ps(codes, _mm512_set1_ps(-127.0));
        // The conversion rounds ties to even, as the twin does.
        _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(codes))
    });
    (scale, _mm256_set_m128i(codes[1], codes[0]))
}

/// Sixteen numbers to the nearest bf16, each in the low half of its lane.
///
/// # Safety
/// Sixteen numbers must be readable.
#[target_feature(enable = "avx512f")]
unsafe fn round(values: *const f32) -> __m512i {
    // SAFETY: as the caller vouches; the load asks for no alignment.
    let bits = _mm512_castps_si512(unsafe { _mm512_loadu_ps(values) });
    let odd = _mm512_and_si512(_mm512_srli_epi32::<16>(bits), _mm512_set1_epi32(1));
    let half = _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff));
    _mm512_srli_epi32::<16>(_mm512_add_epi32(bits, half))
}
