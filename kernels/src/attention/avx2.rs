//! Attention with AVX2: one row or many.
//!
//! As with AVX-512, with half lines, and three queries at once. Everything is widened to f32.
//!
//! Correct first: nothing here was tuned.

#[path = "avx2_q8.rs"]
mod q8;

use std::arch::x86_64::{
    __m256, __m256i, _mm256_add_ps, _mm256_and_si256, _mm256_castsi256_ps, _mm256_fmadd_ps,
    _mm256_load_ps, _mm256_load_si256, _mm256_max_ps, _mm256_mul_ps, _mm256_set1_epi32,
    _mm256_set1_ps, _mm256_setzero_ps, _mm256_slli_epi32, _mm256_store_ps, _mm256_storeu_ps,
    _mm256_sub_ps,
};

use super::cache::KvType;
use super::pass::{Pass, run_task};
use super::scratch::{AttentionScratch, KEYS};
use super::softcap::Softcap;
use super::task::{Results, Task};
use crate::exp::exp_avx2;

/// Queries that go over a line at once.
const AT_ONCE: usize = 3;

/// # Safety
/// As [`super::attend`], with a CPU that has [`Isa::Avx2`](crate::isa::Isa::Avx2).
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) unsafe fn attend(
    task: &Task<'_>,
    scratch: &mut AttentionScratch,
    results: &mut Results<'_>,
) {
    // SAFETY: the pass is over queries of a tile and keys that are there; the rest the caller
    // vouches for.
    let run = |pass: &Pass<'_>, count: usize| unsafe {
        match count {
            1 => run::<1>(pass),
            2 => run::<2>(pass),
            _ => run::<AT_ONCE>(pass),
        }
    };
    // SAFETY: as the caller vouches.
    unsafe { run_task(task, scratch, results, AT_ONCE, |_, _| (), run) };
}

/// `G` queries.
///
/// # Safety
/// As [`attend`]; the queries must be of the tile, and the keys of one block.
#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn run<const G: usize>(pass: &Pass<'_>) {
    // SAFETY: as the caller vouches.
    unsafe {
        for key in (pass.first_key()..pass.keys.end).step_by(16) {
            let scores = match pass.task.kind {
                KvType::Bf16 => scores::<G>(pass, key),
                KvType::Q8_0 => q8::scores::<G>(pass, key),
            };
            for (g, scores) in scores.into_iter().enumerate() {
                let at = pass.weights(g).add(key - pass.first_key());
                _mm256_store_ps(at, scores[0]);
                _mm256_store_ps(at.add(8), scores[1]);
            }
        }
        if let Some(softcap) = Softcap::of(&pass.task.scoring) {
            let count = (pass.keys.end - pass.first_key()).next_multiple_of(16);
            for g in 0..G {
                softcap.apply_avx2(pass.weights(g), count);
            }
        }
        let mut factors = [0.0; G];
        for (g, factor) in factors.iter_mut().enumerate() {
            *factor = soften(pass, g);
        }
        match pass.task.kind {
            KvType::Bf16 => add(pass, &factors),
            KvType::Q8_0 => q8::add(pass, &factors),
        }
    }
}

/// The products of `G` queries with 16 keys.
///
/// # Safety
/// As [`run`]; the keys must be within the capacity.
#[inline]
#[target_feature(enable = "avx2,fma")]
unsafe fn scores<const G: usize>(pass: &Pass<'_>, key: usize) -> [[__m256; 2]; G] {
    let mut sums = [[_mm256_setzero_ps(); 2]; G];
    let queries: [_; G] = std::array::from_fn(|g| pass.query(g));
    let line = pass.task.stream.bf16_keys(key, 0);
    for pair in 0..pass.task.stream.head_dim / 2 {
        // SAFETY: a line for each pair of dimensions of the query.
        unsafe {
            let halves = [0, 32].map(|half| _mm256_load_si256(line.add(64 * pair + half).cast()));
            for (g, sums) in sums.iter_mut().enumerate() {
                let even = _mm256_set1_ps(*queries[g].add(2 * pair));
                let odd = _mm256_set1_ps(*queries[g].add(2 * pair + 1));
                for (sum, half) in sums.iter_mut().zip(halves) {
                    *sum = _mm256_fmadd_ps(even, evens(half), *sum);
                    *sum = _mm256_fmadd_ps(odd, odds(half), *sum);
                }
            }
        }
    }
    sums
}

/// Makes weights of the scores of one query, and returns what its sums so far shrink by.
///
/// # Safety
/// As [`run`]; the scores must have been written.
#[target_feature(enable = "avx2,fma")]
unsafe fn soften(pass: &Pass<'_>, g: usize) -> f32 {
    let first_key = pass.first_key();
    let count = (pass.keys.end - first_key).next_multiple_of(16);
    let (scale, seen) = (_mm256_set1_ps(pass.task.scoring.scale_after_cap()), pass.seen(g));
    // SAFETY: whole lines of the weights of this query; its maximum and sum.
    unsafe {
        if seen.is_empty() {
            // There may be no largest score yet, from which to take others away.
            pass.weights(g).write_bytes(0, count);
            return 1.0;
        }
        for i in 0..count {
            if !seen.contains(&(first_key + i)) {
                pass.weights(g).add(i).write(f32::NEG_INFINITY);
            }
        }
        let mut maxima = _mm256_set1_ps(f32::NEG_INFINITY);
        for i in (0..count).step_by(8) {
            let at = pass.weights(g).add(i);
            let scores = _mm256_mul_ps(_mm256_load_ps(at), scale);
            maxima = _mm256_max_ps(maxima, scores);
            _mm256_store_ps(at, scores);
        }
        let maximum = lanes(maxima).into_iter().fold(pass.maximum(g), f32::max);
        let maxima = _mm256_set1_ps(maximum);
        let mut sums = _mm256_setzero_ps();
        for i in (0..count).step_by(8) {
            let at = pass.weights(g).add(i);
            let weights = exp_avx2(_mm256_sub_ps(_mm256_load_ps(at), maxima));
            sums = _mm256_add_ps(sums, weights);
            _mm256_store_ps(at, weights);
        }
        pass.note(g, maximum, lanes(sums).into_iter().sum())
    }
}

/// Adds the weighted values.
///
/// # Safety
/// As [`run`]; the weights must have been written.
#[target_feature(enable = "avx2,fma")]
unsafe fn add<const G: usize>(pass: &Pass<'_>, factors: &[f32; G]) {
    let first_key = pass.first_key();
    for dim in (0..pass.task.stream.head_dim).step_by(16) {
        // SAFETY: sums and values of these dimensions, of positions that are there: the second of the
        // last two may not be, and is left out.
        unsafe {
            let mut sums = shrunk(pass, dim, factors);
            for key in (first_key..pass.keys.end).step_by(2) {
                let line = pass.task.stream.bf16_values(key, dim);
                let halves = [0, 32].map(|half| _mm256_load_si256(line.add(half).cast()));
                let weights = pass.weights(0).add(key - first_key);
                add_position(&mut sums, halves.map(|half| evens(half)), weights);
                if key + 1 < pass.keys.end {
                    add_position(&mut sums, halves.map(|half| odds(half)), weights.add(1));
                }
            }
            keep(pass, dim, &sums);
        }
    }
}

/// The sums so far of sixteen dimensions, smaller by a factor.
///
/// # Safety
/// As [`run`]; the dimensions must be there.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn shrunk<const G: usize>(
    pass: &Pass<'_>,
    dim: usize,
    factors: &[f32; G],
) -> [[__m256; 2]; G] {
    std::array::from_fn(|g| {
        [0, 8].map(|half| {
            // SAFETY: as the caller vouches; heads are of whole lines.
            let so_far = unsafe { _mm256_load_ps(pass.sums_of_values(g, dim + half)) };
            _mm256_mul_ps(so_far, _mm256_set1_ps(factors[g]))
        })
    })
}

/// Adds sixteen dimensions of one position to each query's sums.
///
/// # Safety
/// The weight of each query must be readable.
#[inline]
#[target_feature(enable = "avx2,fma")]
unsafe fn add_position<const G: usize>(
    sums: &mut [[__m256; 2]; G],
    values: [__m256; 2],
    weights: *const f32,
) {
    for (g, sums) in sums.iter_mut().enumerate() {
        // SAFETY: as the caller vouches.
        let weight = _mm256_set1_ps(unsafe { *weights.add(g * KEYS) });
        for (sum, values) in sums.iter_mut().zip(values) {
            *sum = _mm256_fmadd_ps(weight, values, *sum);
        }
    }
}

/// Writes the sums of sixteen dimensions back.
///
/// # Safety
/// As [`shrunk`].
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn keep<const G: usize>(pass: &Pass<'_>, dim: usize, sums: &[[__m256; 2]; G]) {
    for (g, sums) in sums.iter().enumerate() {
        for (half, sum) in sums.iter().enumerate() {
            // SAFETY: as the caller vouches; heads are of whole lines.
            unsafe { _mm256_store_ps(pass.sums_of_values(g, dim + 8 * half), *sum) };
        }
    }
}

/// The eight numbers of a vector.
#[target_feature(enable = "avx2")]
fn lanes(vector: __m256) -> [f32; 8] {
    let mut lanes = [0.0; 8];
    // SAFETY: eight lanes, and the store asks for no alignment.
    unsafe { _mm256_storeu_ps(lanes.as_mut_ptr(), vector) };
    lanes
}

/// The first bf16 of each lane, widened.
#[inline]
#[target_feature(enable = "avx2")]
fn evens(pairs: __m256i) -> __m256 {
    _mm256_castsi256_ps(_mm256_slli_epi32::<16>(pairs))
}

/// The second bf16 of each lane, widened.
#[inline]
#[target_feature(enable = "avx2")]
fn odds(pairs: __m256i) -> __m256 {
    let high = _mm256_set1_epi32(0xffff_0000_u32.cast_signed());
    _mm256_castsi256_ps(_mm256_and_si256(pairs, high))
}
