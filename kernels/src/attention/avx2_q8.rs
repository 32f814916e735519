//! What differs where the cache is `Q8_0`: codes are widened to f32, and scales go to the scores of 32
//! dimensions, or into the weights.

use std::arch::x86_64::{
    __m256, _mm_load_si128, _mm_loadl_epi64, _mm256_and_si256, _mm256_cvtepi8_epi32,
    _mm256_cvtepi32_ps, _mm256_cvtph_ps, _mm256_fmadd_ps, _mm256_load_ps, _mm256_load_si256,
    _mm256_mul_ps, _mm256_set1_epi32, _mm256_set1_ps, _mm256_setzero_ps, _mm256_srli_epi32,
    _mm256_store_ps, _mm256_sub_epi32,
};

use super::super::layout::KEY_OFFSET;
use super::super::pass::Pass;
use super::{add_position, keep, shrunk};
use crate::matrix::formats::BLOCK;

/// The products of `G` queries with 16 keys.
///
/// # Safety
/// As [`super::run`]; the keys must be within the capacity.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) unsafe fn scores<const G: usize>(pass: &Pass<'_>, key: usize) -> [[__m256; 2]; G] {
    let stream = &pass.task.stream;
    let (offset, low) = (_mm256_set1_epi32(i32::from(KEY_OFFSET)), _mm256_set1_epi32(0xff));
    let mut sums = [[_mm256_setzero_ps(); 2]; G];
    for block in 0..stream.head_dim / BLOCK {
        let mut dots = [[_mm256_setzero_ps(); 2]; G];
        // SAFETY: a line for each four dimensions of the query, and scales for each block of them.
        unsafe {
            for four in block * BLOCK / 4..(block + 1) * BLOCK / 4 {
                let line = stream.q8_keys(key, four);
                let mut halves = [0, 32].map(|half| _mm256_load_si256(line.add(half).cast()));
                for dim in 4 * four..4 * (four + 1) {
                    let keys = halves.map(|half| {
                        let codes = _mm256_and_si256(half, low);
                        _mm256_cvtepi32_ps(_mm256_sub_epi32(codes, offset))
                    });
                    halves = halves.map(|half| _mm256_srli_epi32::<8>(half));
                    for (g, dots) in dots.iter_mut().enumerate() {
                        let query = _mm256_set1_ps(*pass.query(g).add(dim));
                        dots[0] = _mm256_fmadd_ps(query, keys[0], dots[0]);
                        dots[1] = _mm256_fmadd_ps(query, keys[1], dots[1]);
                    }
                }
            }
            let scales = stream.q8_key_scales(key, block);
            let scales =
                [0, 16].map(|half| _mm256_cvtph_ps(_mm_load_si128(scales.add(half).cast())));
            for (sums, dots) in sums.iter_mut().zip(dots) {
                for half in 0..2 {
                    sums[half] = _mm256_fmadd_ps(dots[half], scales[half], sums[half]);
                }
            }
        }
    }
    sums
}

/// Adds the weighted values.
///
/// # Safety
/// As [`super::run`]; the weights must have been written.
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) unsafe fn add<const G: usize>(pass: &Pass<'_>, factors: &[f32; G]) {
    let (stream, first_key) = (&pass.task.stream, pass.first_key());
    for block in 0..stream.head_dim / BLOCK {
        // SAFETY: weights of whole lines of keys; values of keys that are there.
        unsafe {
            for key in (first_key..pass.keys.end).step_by(8) {
                let scales = stream.q8_value_scales(key, block).add(key % 32 * 2);
                let scales = _mm256_cvtph_ps(_mm_load_si128(scales.cast()));
                for g in 0..G {
                    let weights = _mm256_load_ps(pass.weights(g).add(key - first_key));
                    let to = pass.scaled_weights(g).add(key - first_key);
                    _mm256_store_ps(to, _mm256_mul_ps(weights, scales));
                }
            }
            for dim in [block * BLOCK, block * BLOCK + 16] {
                let mut sums = shrunk(pass, dim, factors);
                for key in first_key..pass.keys.end {
                    let codes = stream.q8_values(key).add(dim);
                    let values = [0, 8].map(|half| {
                        let codes = _mm_loadl_epi64(codes.add(half).cast());
                        _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(codes))
                    });
                    add_position(&mut sums, values, pass.scaled_weights(0).add(key - first_key));
                }
                keep(pass, dim, &sums);
            }
        }
    }
}
