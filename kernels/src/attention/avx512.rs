//! Attention with AVX-512: one row or many.
//!
//! Up to six queries go over 128 keys at a time: each line of keys is read once for all of them and
//! gives sixteen scores to each, so no vector is ever summed across its lanes; each line of values is
//! read once and adds two positions. For more queries a block of keys and values is still in the
//! first-level cache.
//!
//! Queries, scores, weights and sums are f32. Where the cache is `Q8_0`, see [`q8`].

#[path = "avx512_q8.rs"]
mod q8;

use std::arch::x86_64::{
    __m512, __m512i, _mm512_add_ps, _mm512_and_si512, _mm512_castsi512_ps, _mm512_fmadd_ps,
    _mm512_load_ps, _mm512_load_si512, _mm512_loadu_ps, _mm512_mask_blend_ps, _mm512_max_ps,
    _mm512_mul_ps, _mm512_reduce_add_ps, _mm512_reduce_max_ps, _mm512_set1_epi32, _mm512_set1_ps,
    _mm512_setzero_ps, _mm512_slli_epi32, _mm512_store_ps, _mm512_sub_ps,
};

use super::cache::KvType;
use super::pass::{Pass, run_task};
use super::scratch::{AttentionScratch, KEYS, Parts};
use super::softcap::Softcap;
use super::task::{Results, Task};
use crate::exp::exp_avx512;
use crate::matrix::avx512::mask;

/// Queries that go over a line at once: what the registers hold.
const AT_ONCE: usize = 6;

/// # Safety
/// As [`super::attend`], with a CPU that has [`Isa::Avx512`](crate::isa::Isa::Avx512).
#[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512vl,avx512vnni")]
pub(super) unsafe fn attend(
    task: &Task<'_>,
    scratch: &mut AttentionScratch,
    results: &mut Results<'_>,
) {
    let begin = |parts: &Parts, queries| {
        if task.kind == KvType::Q8_0 {
            // SAFETY: the scratch has room for a tile of queries, and these are one.
            unsafe { q8::quantise(task, parts, queries) };
        }
    };
    // SAFETY: the pass is over queries of a tile and keys that are there; the rest the caller
    // vouches for.
    let run = |pass: &Pass<'_>, count: usize| unsafe {
        match count {
            1 => pass.run::<1>(),
            2 => pass.run::<2>(),
            3 => pass.run::<3>(),
            4 => pass.run::<4>(),
            5 => pass.run::<5>(),
            _ => pass.run::<AT_ONCE>(),
        }
    };
    // SAFETY: as the caller vouches.
    unsafe { run_task(task, scratch, results, AT_ONCE, begin, run) };
}

impl Pass<'_> {
    /// `G` queries.
    ///
    /// # Safety
    /// As [`attend`]; the queries must be of the tile, and the keys of one block.
    #[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512vl,avx512vnni")]
    unsafe fn run<const G: usize>(&self) {
        // SAFETY: as the caller vouches.
        unsafe {
            for key in (self.first_key()..self.keys.end).step_by(32) {
                let scores = match self.task.kind {
                    KvType::Bf16 => self.scores::<G>(key),
                    KvType::Q8_0 => q8::scores::<G>(self, key),
                };
                for (g, scores) in scores.into_iter().enumerate() {
                    let at = self.weights(g).add(key - self.first_key());
                    _mm512_store_ps(at, scores[0]);
                    _mm512_store_ps(at.add(16), scores[1]);
                }
            }
            if let Some(softcap) = Softcap::of(&self.task.scoring) {
                let count = (self.keys.end - self.first_key()).next_multiple_of(32);
                for g in 0..G {
                    softcap.apply_avx512(self.weights(g), count);
                }
            }
            let mut factors = [0.0; G];
            for (g, factor) in factors.iter_mut().enumerate() {
                *factor = self.soften(g);
            }
            if self.task.kind == KvType::Q8_0 {
                q8::add(self, &factors);
                return;
            }
            let dims = self.task.stream.head_dim;
            for dim in (0..dims).step_by(64) {
                if dims - dim >= 64 {
                    self.add::<G, 4>(dim, &factors);
                } else {
                    self.add::<G, 2>(dim, &factors);
                }
            }
        }
    }

    /// The products of `G` queries with 32 keys.
    ///
    /// # Safety
    /// As [`Pass::run`]; the keys must be within the capacity.
    #[inline]
    #[target_feature(enable = "avx512f,fma")]
    unsafe fn scores<const G: usize>(&self, key: usize) -> [[__m512; 2]; G] {
        // With few queries even and odd dimensions have sums of their own: each addition waits for
        // the one before it, and eight must be under way.
        let odd = usize::from(G <= 3);
        let mut sums = [[[_mm512_setzero_ps(); 2]; 2]; G];
        let queries: [_; G] = std::array::from_fn(|g| self.query(g));
        let lines = [self.task.stream.bf16_keys(key, 0), self.task.stream.bf16_keys(key + 16, 0)];
        for pair in 0..self.task.stream.head_dim / 2 {
            // SAFETY: a line for each pair of dimensions of the query.
            unsafe {
                let lines = lines.map(|line| _mm512_load_si512(line.add(64 * pair).cast()));
                for (parity, lines) in
                    [lines.map(|line| evens(line)), lines.map(|line| odds(line))].iter().enumerate()
                {
                    for (g, sums) in sums.iter_mut().enumerate() {
                        let query = _mm512_set1_ps(*queries[g].add(2 * pair + parity));
                        let sums = &mut sums[parity * odd];
                        sums[0] = _mm512_fmadd_ps(query, lines[0], sums[0]);
                        sums[1] = _mm512_fmadd_ps(query, lines[1], sums[1]);
                    }
                }
            }
        }
        sums.map(|[even, odd]| [_mm512_add_ps(even[0], odd[0]), _mm512_add_ps(even[1], odd[1])])
    }

    /// Makes weights of the scores of one query, and returns what its sums so far shrink by.
    ///
    /// # Safety
    /// As [`Pass::run`]; the scores must have been written.
    #[target_feature(enable = "avx512f,fma")]
    unsafe fn soften(&self, g: usize) -> f32 {
        let seen = self.seen(g);
        let first_key = self.first_key();
        let lines = (self.keys.end - first_key).div_ceil(32) * 2;
        let scale = _mm512_set1_ps(self.task.scoring.scale_after_cap());
        let lowest = _mm512_set1_ps(f32::NEG_INFINITY);
        let mut maxima = lowest;
        // SAFETY: whole lines of the weights of this query.
        unsafe {
            if seen.is_empty() {
                // There may be no largest score yet, from which to take others away.
                self.weights(g).write_bytes(0, 16 * lines);
                return 1.0;
            }
            for line in 0..lines {
                let (at, key) = (self.weights(g).add(16 * line), first_key + 16 * line);
                let seen =
                    mask(seen.end.saturating_sub(key)) & !mask(seen.start.saturating_sub(key));
                let scores = _mm512_mul_ps(_mm512_load_ps(at), scale);
                let scores = _mm512_mask_blend_ps(seen, lowest, scores);
                maxima = _mm512_max_ps(maxima, scores);
                _mm512_store_ps(at, scores);
            }
            let maximum = _mm512_reduce_max_ps(maxima).max(self.maximum(g));
            let maxima = _mm512_set1_ps(maximum);
            let mut sums = _mm512_setzero_ps();
            for line in 0..lines {
                let at = self.weights(g).add(16 * line);
                let weights = exp_avx512(_mm512_sub_ps(_mm512_load_ps(at), maxima));
                sums = _mm512_add_ps(sums, weights);
                _mm512_store_ps(at, weights);
            }
            self.note(g, maximum, _mm512_reduce_add_ps(sums))
        }
    }

    /// Adds the weighted values of `16 D` dimensions.
    ///
    /// # Safety
    /// As [`Pass::run`]; the weights must have been written.
    #[inline]
    #[target_feature(enable = "avx512f,fma")]
    unsafe fn add<const G: usize, const D: usize>(&self, dim: usize, factors: &[f32; G]) {
        let first_key = self.first_key();
        // SAFETY: sums and values of these dimensions, of positions that are there: the second of the
        // last two may not be, and is left out.
        unsafe {
            let mut sums: [[__m512; D]; G] = std::array::from_fn(|g| {
                let factor = _mm512_set1_ps(factors[g]);
                std::array::from_fn(|d| {
                    let so_far = _mm512_loadu_ps(self.sums_of_values(g, dim + 16 * d));
                    _mm512_mul_ps(so_far, factor)
                })
            });
            for key in (first_key..self.keys.end).step_by(2) {
                let lines = self.task.stream.bf16_values(key, dim);
                let lines: [__m512i; D] =
                    std::array::from_fn(|d| _mm512_load_si512(lines.add(1024 * d).cast()));
                let weights = self.weights(0).add(key - first_key);
                add_position(&mut sums, &lines.map(|line| evens(line)), weights);
                if key + 1 < self.keys.end {
                    add_position(&mut sums, &lines.map(|line| odds(line)), weights.add(1));
                }
            }
            self.keep(&sums, dim);
        }
    }

    /// Writes sums of values back.
    ///
    /// # Safety
    /// As [`Pass::run`].
    #[inline]
    #[target_feature(enable = "avx512f")]
    unsafe fn keep<const G: usize, const D: usize>(&self, sums: &[[__m512; D]; G], dim: usize) {
        for (g, sums) in sums.iter().enumerate() {
            for (d, sum) in sums.iter().enumerate() {
                // SAFETY: sixteen sums of the query; heads are of whole lines.
                unsafe { _mm512_store_ps(self.sums_of_values(g, dim + 16 * d), *sum) };
            }
        }
    }
}

/// Adds one position's values to each query's sums.
///
/// # Safety
/// The weight of each query must be readable.
#[inline]
#[target_feature(enable = "avx512f,fma")]
unsafe fn add_position<const G: usize, const D: usize>(
    sums: &mut [[__m512; D]; G],
    values: &[__m512; D],
    weights: *const f32,
) {
    for (g, sums) in sums.iter_mut().enumerate() {
        // SAFETY: as the caller vouches.
        let weight = _mm512_set1_ps(unsafe { *weights.add(g * KEYS) });
        for (sum, values) in sums.iter_mut().zip(values) {
            *sum = _mm512_fmadd_ps(weight, *values, *sum);
        }
    }
}

/// The first bf16 of each lane, widened.
#[inline]
#[target_feature(enable = "avx512f")]
fn evens(pairs: __m512i) -> __m512 {
    _mm512_castsi512_ps(_mm512_slli_epi32::<16>(pairs))
}

/// The second bf16 of each lane, widened.
#[inline]
#[target_feature(enable = "avx512f")]
fn odds(pairs: __m512i) -> __m512 {
    let high = _mm512_set1_epi32(0xffff_0000_u32.cast_signed());
    _mm512_castsi512_ps(_mm512_and_si512(pairs, high))
}
