//! From f32 to bf16: the upper half of its bits, rounded.

use super::formats::BLOCK;

/// The bytes of 32 of them: a cache line.
pub(crate) type Bf16Block = [u8; 2 * BLOCK];

/// The bits of the nearest bf16, ties to even; a NaN may become infinite.
#[inline]
#[must_use]
pub fn round_to_bf16(value: f32) -> u16 {
    let bits = value.to_bits();
    let [_, _, low, high] = bits.wrapping_add(0x7fff + (bits >> 16 & 1)).to_le_bytes();
    u16::from_le_bytes([low, high])
}

/// [`round_to_bf16`] of each; the slow twin, which compilers vectorise well.
#[inline]
pub(crate) fn round_block(values: &[f32; BLOCK], line: &mut Bf16Block) {
    let (pairs, _) = line.as_chunks_mut::<2>();
    for (pair, value) in pairs.iter_mut().zip(values) {
        *pair = round_to_bf16(*value).to_le_bytes();
    }
}

/// # Accuracy
/// Equal to [`round_block`] bit for bit.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
pub(crate) fn round_block_avx2(values: &[f32; BLOCK], line: &mut Bf16Block) {
    use std::arch::x86_64::{
        __m256i, _mm256_add_epi32, _mm256_and_si256, _mm256_loadu_si256, _mm256_packus_epi32,
        _mm256_permute4x64_epi64, _mm256_set1_epi32, _mm256_srli_epi32, _mm256_storeu_si256,
    };

    let (half, one) = (_mm256_set1_epi32(0x7fff), _mm256_set1_epi32(1));
    let (eights, _) = values.as_chunks::<8>();
    let round = |values: &[f32; 8]| -> __m256i {
        // SAFETY: eight numbers, and the load asks for no alignment.
        let bits = unsafe { _mm256_loadu_si256(values.as_ptr().cast()) };
        let odd = _mm256_and_si256(_mm256_srli_epi32::<16>(bits), one);
        _mm256_srli_epi32::<16>(_mm256_add_epi32(bits, _mm256_add_epi32(half, odd)))
    };
    let (places, _) = line.as_chunks_mut::<32>();
    for (place, [low, high]) in places.iter_mut().zip(eights.as_chunks::<2>().0) {
        // Packing works in halves of 128 bits: the order is put right after it.
        let packed = _mm256_packus_epi32(round(low), round(high));
        let packed = _mm256_permute4x64_epi64::<0b11_01_10_00>(packed);
        // SAFETY: 32 bytes, and the store asks for no alignment.
        unsafe { _mm256_storeu_si256(place.as_mut_ptr().cast(), packed) };
    }
}

/// # Accuracy
/// Equal to [`round_block`] bit for bit, but for subnormal numbers, which become zero.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bf16")]
pub(crate) fn round_block_avx512bf16(values: &[f32; BLOCK], line: &mut Bf16Block) {
    use std::arch::x86_64::{_mm512_cvtne2ps_pbh, _mm512_loadu_ps, _mm512_storeu_si512};

    // SAFETY: sixteen of the 32 values each and 64 bytes, none with alignment asked for; both types
    // are 512 bits of plain integers.
    unsafe {
        let (low, high) =
            (_mm512_loadu_ps(values.as_ptr()), _mm512_loadu_ps(values.as_ptr().add(16)));
        let rounded = std::mem::transmute::<std::arch::x86_64::__m512bh, std::arch::x86_64::__m512i>(
            _mm512_cvtne2ps_pbh(high, low),
        );
        _mm512_storeu_si512(line.as_mut_ptr().cast(), rounded);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_by_hand() {
        for (value, bits) in [
            (0.0, 0x0000),
            (1.0, 0x3f80),
            (-2.5, 0xc020),
            // Halfway between 1 and the next, 1 + 2^-7: to even. Three halves: up, to even.
            (1.0 + 2.0_f32.powi(-8), 0x3f80),
            (1.0 + 3.0 * 2.0_f32.powi(-8), 0x3f82),
            (1.0 + 2.0_f32.powi(-8) + 2.0_f32.powi(-20), 0x3f81),
        ] {
            assert_eq!(round_to_bf16(value), bits, "{value}");
        }
    }
}
