//! What differs where the cache is `Q8_0`.
//!
//! Queries are rounded to eight bits, a scale for each 32, and scores are exact integers within 32
//! dimensions. Values are widened to f32; their scales go into the weights.

use std::arch::x86_64::{
    __m512, _mm_load_si128, _mm256_load_si256, _mm512_cvtepi8_epi32, _mm512_cvtepi32_ps,
    _mm512_cvtph_ps, _mm512_dpbusd_epi32, _mm512_fmadd_ps, _mm512_load_ps, _mm512_load_si512,
    _mm512_mul_ps, _mm512_set1_epi32, _mm512_set1_ps, _mm512_setzero_ps, _mm512_store_ps,
};
use std::ops::Range;

use super::super::layout::KEY_OFFSET;
use super::super::pass::Pass;
use super::super::scratch::Parts;
use super::super::task::Task;
use super::add_position;
use crate::matrix::formats::BLOCK;

/// Rounds the queries of a tile to eight bits.
///
/// # Safety
/// As [`super::attend`]; the queries must be of one tile.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx2,fma,f16c")]
pub(super) unsafe fn quantise(task: &Task<'_>, parts: &Parts, queries: Range<usize>) {
    let blocks = task.stream.head_dim / BLOCK;
    for (i, query) in queries.enumerate() {
        for block in 0..blocks {
            // SAFETY: the query has these blocks, and the scratch has room for a tile of queries.
            unsafe {
                let values = &*task.query(query).add(block * BLOCK).cast::<[f32; BLOCK]>();
                let quantised = crate::matrix::quantise::quantise_block_avx512(values);
                let at = i * blocks + block;
                parts.codes.cast::<[i8; BLOCK]>().add(at).write(quantised.codes);
                parts.code_scales.add(at).write(quantised.scale);
                let start = i32::from(KEY_OFFSET) * quantised.negative_sum();
                parts.code_sums.add(at).write(start);
            }
        }
    }
}

/// The products of `G` queries with 32 keys.
///
/// # Safety
/// As [`Pass::run`]; the queries must have been quantised.
#[inline]
#[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512vl,avx512vnni")]
pub(super) unsafe fn scores<const G: usize>(pass: &Pass<'_>, key: usize) -> [[__m512; 2]; G] {
    let stream = &pass.task.stream;
    let blocks = stream.head_dim / BLOCK;
    let mut sums = [[_mm512_setzero_ps(); 2]; G];
    for block in 0..blocks {
        let lines = [key, key + 16].map(|key| stream.q8_keys(key, block * BLOCK / 4));
        // SAFETY: lines and scales of these keys; codes, scale and sum of each query.
        unsafe {
            let mut dots = [[_mm512_set1_epi32(0); 2]; G];
            for (g, dots) in dots.iter_mut().enumerate() {
                let at = (pass.from + g) * blocks + block;
                *dots = [_mm512_set1_epi32(*pass.parts.code_sums.add(at)); 2];
            }
            for four in 0..BLOCK / 4 {
                let keys = lines.map(|line| _mm512_load_si512(line.add(64 * four).cast()));
                for (g, dots) in dots.iter_mut().enumerate() {
                    let at = ((pass.from + g) * blocks + block) * BLOCK / 4 + four;
                    let codes = *pass.parts.codes.cast::<[u8; 4]>().add(at);
                    let codes = _mm512_set1_epi32(i32::from_le_bytes(codes));
                    dots[0] = _mm512_dpbusd_epi32(dots[0], keys[0], codes);
                    dots[1] = _mm512_dpbusd_epi32(dots[1], keys[1], codes);
                }
            }
            let scales = [key, key + 16].map(|key| {
                let scales = stream.q8_key_scales(key, block);
                _mm512_cvtph_ps(_mm256_load_si256(scales.cast()))
            });
            for (g, sums) in sums.iter_mut().enumerate() {
                let at = (pass.from + g) * blocks + block;
                let scale = _mm512_set1_ps(*pass.parts.code_scales.add(at));
                for half in 0..2 {
                    let dot = _mm512_cvtepi32_ps(dots[g][half]);
                    sums[half] =
                        _mm512_fmadd_ps(dot, _mm512_mul_ps(scales[half], scale), sums[half]);
                }
            }
        }
    }
    sums
}

/// Adds the weighted values.
///
/// # Safety
/// As [`Pass::run`]; the weights must have been written.
#[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512vl")]
pub(super) unsafe fn add<const G: usize>(pass: &Pass<'_>, factors: &[f32; G]) {
    let (stream, first_key) = (&pass.task.stream, pass.first_key());
    for block in 0..stream.head_dim / BLOCK {
        let dim = block * BLOCK;
        // SAFETY: weights of whole lines of keys; values of keys that are there.
        unsafe {
            for key in (first_key..pass.keys.end).step_by(16) {
                let scales = stream.q8_value_scales(key, block).add(key % 32 * 2);
                let scales = _mm512_cvtph_ps(_mm256_load_si256(scales.cast()));
                for g in 0..G {
                    let weights = _mm512_load_ps(pass.weights(g).add(key - first_key));
                    let to = pass.scaled_weights(g).add(key - first_key);
                    _mm512_store_ps(to, _mm512_mul_ps(weights, scales));
                }
            }
            let mut sums: [[__m512; 2]; G] = std::array::from_fn(|g| {
                let factor = _mm512_set1_ps(factors[g]);
                std::array::from_fn(|d| {
                    let so_far = _mm512_load_ps(pass.sums_of_values(g, dim + 16 * d));
                    _mm512_mul_ps(so_far, factor)
                })
            });
            for key in first_key..pass.keys.end {
                let codes = stream.q8_values(key).add(dim);
                let values = [0, 16].map(|half| {
                    let codes = _mm_load_si128(codes.add(half).cast());
                    _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(codes))
                });
                add_position(&mut sums, &values, pass.scaled_weights(0).add(key - first_key));
            }
            pass.keep(&sums, dim);
        }
    }
}
