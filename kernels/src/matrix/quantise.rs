//! From 32 activations to 32 codes and a scale.

use super::formats::BLOCK;

/// One block of one row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct QuantisedBlock {
    pub(crate) codes: [i8; BLOCK],
    pub(crate) scale: f32,
    /// Minus the sums of codes 0..16 and 16..32: kernels start from a multiple of them.
    pub(crate) negative_sums: [i32; 2],
}

impl QuantisedBlock {
    /// Minus the sum of all codes.
    pub(crate) const fn negative_sum(&self) -> i32 {
        self.negative_sums[0] + self.negative_sums[1]
    }
}

/// A block that holds NaN or an infinity: no number comes of it, so that nobody takes what does for
/// one.
const NOT_FINITE: QuantisedBlock =
    QuantisedBlock { codes: [0; BLOCK], scale: f32::NAN, negative_sums: [0; 2] };

/// Minus the sums of both halves.
fn negative_sums(codes: &[i8; BLOCK]) -> [i32; 2] {
    let (low, high) = codes.split_at(BLOCK / 2);
    [low, high].map(|half| -half.iter().map(|code| i32::from(*code)).sum::<i32>())
}

/// One division by the scale, as a factor; 0 where the block is too small to divide by.
fn inverse(maximum: f32) -> f32 {
    if maximum >= 127.0 * f32::MIN_POSITIVE { 127.0 / maximum } else { 0.0 }
}

/// The scale of a block with this maximum and factor.
fn scale(maximum: f32, inverse: f32) -> f32 {
    if inverse == 0.0 { 0.0 } else { maximum / 127.0 }
}

/// The slow twin.
pub(crate) fn quantise_block(values: &[f32; BLOCK]) -> QuantisedBlock {
    if !values.iter().all(|value| value.is_finite()) {
        return NOT_FINITE;
    }
    let maximum = values.iter().fold(0.0_f32, |maximum, value| maximum.max(value.abs()));
    let inverse = inverse(maximum);
    #[expect(clippy::cast_possible_truncation, reason = "within -127..=127, or saturated")]
    let codes = values.map(|value| (value * inverse).round_ties_even() as i8);
    QuantisedBlock { codes, scale: scale(maximum, inverse), negative_sums: negative_sums(&codes) }
}

/// # Accuracy
/// Equal to [`quantise_block`] for finite values, bit for bit.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma,f16c")]
pub(crate) fn quantise_block_avx2(values: &[f32; BLOCK]) -> QuantisedBlock {
    use std::arch::x86_64::{
        _CMP_NLT_UQ, _mm_cvtss_f32, _mm_max_ps, _mm_max_ss, _mm_movehdup_ps, _mm_movehl_ps,
        _mm256_andnot_ps, _mm256_castps256_ps128, _mm256_cmp_ps, _mm256_cvtps_epi32,
        _mm256_extractf128_ps, _mm256_loadu_ps, _mm256_max_ps, _mm256_movemask_ps, _mm256_mul_ps,
        _mm256_packs_epi16, _mm256_packs_epi32, _mm256_permutevar8x32_epi32, _mm256_set1_ps,
        _mm256_setr_epi32, _mm256_storeu_si256,
    };

    // SAFETY: eight of the 32 values each, and the loads ask for no alignment.
    let parts = [0, 8, 16, 24].map(|i| unsafe { _mm256_loadu_ps(values.as_ptr().wrapping_add(i)) });
    let [a, b, c, d] = parts.map(|part| _mm256_andnot_ps(_mm256_set1_ps(-0.0), part));
    let infinity = _mm256_set1_ps(f32::INFINITY);
    let strange = [a, b, c, d].map(|part| _mm256_cmp_ps::<_CMP_NLT_UQ>(part, infinity));
    let strange = strange.map(|part| _mm256_movemask_ps(part));
    if strange != [0; 4] {
        return NOT_FINITE;
    }
    let eight = _mm256_max_ps(_mm256_max_ps(a, b), _mm256_max_ps(c, d));
    let four = _mm_max_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps::<1>(eight));
    let two = _mm_max_ps(four, _mm_movehl_ps(four, four));
    let maximum = _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)));
    let inverse = inverse(maximum);
    let factor = _mm256_set1_ps(inverse);
    // The conversion rounds ties to even, as the twin does.
    let [a, b, c, d] = parts.map(|part| _mm256_cvtps_epi32(_mm256_mul_ps(part, factor)));
    // Packing works in halves of 128 bits: the order is put right at the end.
    let packed = _mm256_packs_epi16(_mm256_packs_epi32(a, b), _mm256_packs_epi32(c, d));
    let order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
    let mut codes = [0_i8; BLOCK];
    // SAFETY: all 32 codes, and the store asks for no alignment.
    unsafe {
        let packed = _mm256_permutevar8x32_epi32(packed, order);
        _mm256_storeu_si256(codes.as_mut_ptr().cast(), packed);
    }
    QuantisedBlock { codes, scale: scale(maximum, inverse), negative_sums: negative_sums(&codes) }
}

/// # Accuracy
/// Equal to [`quantise_block`] for finite values, bit for bit.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx2,fma,f16c")]
pub(crate) fn quantise_block_avx512(values: &[f32; BLOCK]) -> QuantisedBlock {
    use std::arch::x86_64::{
        _CMP_NLT_UQ, _mm_storeu_si128, _mm512_abs_ps, _mm512_cmp_ps_mask, _mm512_cvtps_epi32,
        _mm512_cvtsepi32_epi8, _mm512_loadu_ps, _mm512_max_ps, _mm512_mul_ps,
        _mm512_reduce_add_epi32, _mm512_reduce_max_ps, _mm512_set1_ps,
    };

    // SAFETY: sixteen of the 32 values each, and the loads ask for no alignment.
    let (low, high) = unsafe {
        (_mm512_loadu_ps(values.as_ptr()), _mm512_loadu_ps(values.as_ptr().wrapping_add(16)))
    };
    let (low_size, high_size) = (_mm512_abs_ps(low), _mm512_abs_ps(high));
    let infinity = _mm512_set1_ps(f32::INFINITY);
    let strange = _mm512_cmp_ps_mask::<_CMP_NLT_UQ>(low_size, infinity)
        | _mm512_cmp_ps_mask::<_CMP_NLT_UQ>(high_size, infinity);
    if strange != 0 {
        return NOT_FINITE;
    }
    let maximum = _mm512_reduce_max_ps(_mm512_max_ps(low_size, high_size));
    let inverse = inverse(maximum);
    let factor = _mm512_set1_ps(inverse);
    // The conversion rounds ties to even, as the twin does.
    let low = _mm512_cvtps_epi32(_mm512_mul_ps(low, factor));
    let high = _mm512_cvtps_epi32(_mm512_mul_ps(high, factor));
    let mut codes = [0_i8; BLOCK];
    // SAFETY: sixteen of the 32 codes each, and the stores ask for no alignment.
    unsafe {
        _mm_storeu_si128(codes.as_mut_ptr().cast(), _mm512_cvtsepi32_epi8(low));
        _mm_storeu_si128(codes.as_mut_ptr().wrapping_add(16).cast(), _mm512_cvtsepi32_epi8(high));
    }
    QuantisedBlock {
        codes,
        scale: scale(maximum, inverse),
        negative_sums: [-_mm512_reduce_add_epi32(low), -_mm512_reduce_add_epi32(high)],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_by_hand() {
        let mut values = [0.0; BLOCK];
        (values[0], values[1], values[2]) = (-254.0, 3.0, 100.0);
        let block = quantise_block(&values);
        // Scale 2: -127, 1.5 to even is 2, 50.
        assert!((block.scale - 2.0).abs() < f32::EPSILON);
        assert_eq!(block.codes[..4], [-127, 2, 50, 0]);
        assert_eq!((block.negative_sums, block.negative_sum()), ([75, 0], 75));
    }

    #[test]
    fn of_what_is_no_number_no_number_comes() {
        for strange in [f32::NAN, -f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            for place in [0, 7, 15, 16, 31] {
                let mut values = [1.0; BLOCK];
                values[place] = strange;
                assert!(quantise_block(&values).scale.is_nan(), "{strange} at {place}");
                #[cfg(target_arch = "x86_64")]
                for isa in crate::isa::Isa::available() {
                    use crate::isa::Isa;
                    let block = match isa {
                        // SAFETY: the CPU was asked for the set.
                        Isa::Avx2 => unsafe { quantise_block_avx2(&values) },
                        // SAFETY: the CPU was asked for the set.
                        Isa::Avx512 => unsafe { quantise_block_avx512(&values) },
                        _ => continue,
                    };
                    assert!(block.scale.is_nan(), "{isa}, {strange} at {place}");
                    assert_eq!((block.codes, block.negative_sums), ([0; BLOCK], [0; 2]));
                }
            }
        }
    }
}
