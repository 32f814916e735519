//! Attention of many rows with matrix tiles: AMX bf16.
//!
//! Two tiles of sixteen queries go over 128 keys at a time. The cache lies so that its lines *are*
//! tiles: scores are queries x keys, 32 dimensions a step; sums of values are weights x values, 32
//! positions a step. Between the two, softmax runs in vectors over scores in memory.
//!
//! Queries and weights are rounded to bf16; scores, sums and what they shrink by are f32.

use std::arch::asm;
use std::arch::x86_64::{
    __m256bh, __m256i, __m512, _MM_FROUND_NO_EXC, _MM_FROUND_TO_NEAREST_INT, _mm256_store_si256,
    _mm512_add_ps, _mm512_and_si512, _mm512_cvtneps_pbh, _mm512_fmadd_ps, _mm512_load_ps,
    _mm512_load_si512, _mm512_loadu_ps, _mm512_mask_blend_ps, _mm512_mask_store_ps, _mm512_max_ps,
    _mm512_mul_ps, _mm512_reduce_add_ps, _mm512_reduce_max_ps, _mm512_roundscale_ps,
    _mm512_scalef_ps, _mm512_set1_epi32, _mm512_set1_ps, _mm512_setzero_ps, _mm512_store_ps,
    _mm512_store_si512, _mm512_sub_ps,
};
use std::f32::consts::LOG2_E;
use std::ops::Range;

use super::avx512;
use super::cache::KvType;
use super::layout::VALUES;
use super::scratch::{AttentionScratch, KEYS, Parts, QUERIES};
use super::softcap::Softcap;
use super::task::{Results, Task};
use crate::isa::amx::Tiles;
use crate::matrix::avx512::mask;
use crate::matrix::formats::BLOCK;
use crate::matrix::lines::LINE;

/// Queries from which tiles are faster than vectors.
const FEWEST: usize = 16;

/// Bytes of a tile.
const TILE: usize = 1024;

/// # Safety
/// As [`super::attend`], with a CPU that has [`Isa::Amx`](crate::isa::Isa::Amx).
#[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512vl,avx512vnni,avx512bf16")]
pub(super) unsafe fn attend(
    task: &Task<'_>,
    scratch: &mut AttentionScratch,
    results: &mut Results<'_>,
) {
    let whole = matches!(results, Results::Whole(_));
    if task.count() < FEWEST || task.kind != KvType::Bf16 || !whole {
        // SAFETY: what the caller vouches for includes what AVX-512 asks for.
        unsafe { avx512::attend(task, scratch, results) };
        return;
    }
    let (parts, head_dim) = (scratch.parts(), task.stream.head_dim);
    // SAFETY: the scratch is for these heads; the rest the caller vouches for.
    unsafe {
        let _tiles = Tiles::configure();
        let softcap = Softcap::to_base_two(&task.scoring);
        keep_tail(task, &parts);
        for first in (0..task.count()).step_by(QUERIES) {
            let count = QUERIES.min(task.count() - first);
            let seen = std::array::from_fn(|query| task.keys(first + query.min(count - 1)));
            let (start, end) = (seen[0].start / VALUES * VALUES, seen[count - 1].end);
            let pass = Pass { task, parts: &parts, first, count, seen };
            parts.reset(task, first..first + count);
            pass.round_queries();
            for key in (start..end).step_by(KEYS) {
                let keys = (end - key).min(KEYS);
                pass.scores(key, keys);
                if let Some(softcap) = softcap {
                    let lines = parts.weights.cast::<[f32; KEYS]>();
                    for query in 0..count {
                        softcap.apply_avx512(lines.add(query).cast(), keys.next_multiple_of(32));
                    }
                }
                for query in 0..count {
                    pass.soften(query, key, keys);
                }
                pass.add(key, keys);
            }
            for query in 0..count {
                let (sums, values) = parts.result(query, head_dim);
                results.write(task, first + query, sums, values);
            }
        }
    }
}

/// Copies the last block of values, if it is not full, with zeros for the positions that are not
/// there: whatever lies there, times a weight of 0, might be no number.
///
/// # Safety
/// As [`attend`].
#[target_feature(enable = "avx512f")]
unsafe fn keep_tail(task: &Task<'_>, parts: &Parts) {
    let end = task.limit;
    if end.is_multiple_of(VALUES) {
        return;
    }
    let lines = task.stream.bf16_values(end / VALUES * VALUES, 0);
    for line in 0..task.stream.head_dim {
        // Sixteen lines for each sixteen dimensions, of two positions each.
        let kept = match (end % VALUES).saturating_sub(line % 16 * 2) {
            0 => 0,
            1 => 0xffff,
            _ => -1,
        };
        // SAFETY: lines of the block, of which there is one for each dimension, as in the copy.
        unsafe {
            let pairs = _mm512_load_si512(lines.add(64 * line).cast());
            let pairs = _mm512_and_si512(pairs, _mm512_set1_epi32(kept));
            _mm512_store_si512(parts.tail.add(64 * line).cast(), pairs);
        }
    }
}

/// Up to 32 queries.
struct Pass<'a> {
    task: &'a Task<'a>,
    parts: &'a Parts,
    first: usize,
    count: usize,
    /// The keys that each sees; what is beyond the count does not matter.
    seen: [Range<usize>; QUERIES],
}

impl Pass<'_> {
    /// Queries, scaled, as tiles: for each half of them, for each 32 dimensions, sixteen queries. Sinks
    /// are scaled likewise.
    /// Those that are not there keep what was there before: their scores go nowhere.
    ///
    /// # Safety
    /// As [`attend`].
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
    unsafe fn round_queries(&self) {
        let blocks = self.task.stream.head_dim / BLOCK;
        // Scores are logarithms to base 2: one product less for each.
        let scale = _mm512_set1_ps(self.task.scoring.scale * LOG2_E);
        for query in 0..self.count {
            // SAFETY: the largest score so far of a query of the pass: its sink, or minus infinity.
            unsafe { *self.parts.maxima.add(query) *= LOG2_E };
            let values = self.task.query(self.first + query);
            for half_block in 0..2 * blocks {
                let tile = query / 16 * blocks + half_block / 2;
                let at = tile * TILE + query % 16 * 64 + half_block % 2 * 32;
                // SAFETY: sixteen values of the query, and half a row of its tile.
                unsafe {
                    let values = _mm512_loadu_ps(values.add(16 * half_block));
                    store_rounded(self.parts.codes.add(at), _mm512_mul_ps(values, scale));
                }
            }
        }
    }

    /// The scores of all queries for `keys` keys, rounded up to 32, from `key`.
    ///
    /// # Safety
    /// As [`attend`].
    unsafe fn scores(&self, key: usize, keys: usize) {
        let blocks = self.task.stream.head_dim / BLOCK;
        for step in (0..keys).step_by(32) {
            // SAFETY: each pointer is used for as many tiles as a head has blocks; scores of 32
            // queries and 32 keys are written.
            unsafe {
                let scores = self.parts.weights.add(step);
                asm!(
                    "tilezero tmm0",
                    "tilezero tmm1",
                    "tilezero tmm2",
                    "tilezero tmm3",
                    "2:",
                    "tileloadd tmm4, [{queries} + {line}]",
                    "tileloadd tmm6, [{keys} + {line}]",
                    "tdpbf16ps tmm0, tmm4, tmm6",
                    "tileloadd tmm7, [{more_keys} + {line}]",
                    "tdpbf16ps tmm1, tmm4, tmm7",
                    "tileloadd tmm5, [{more_queries} + {line}]",
                    "tdpbf16ps tmm2, tmm5, tmm6",
                    "tdpbf16ps tmm3, tmm5, tmm7",
                    "add {queries}, 1024",
                    "add {more_queries}, 1024",
                    "add {keys}, 1024",
                    "add {more_keys}, 1024",
                    "sub {blocks}, 1",
                    "jnz 2b",
                    "tilestored [{scores} + {row}], tmm0",
                    "tilestored [{scores} + {row} + 64], tmm1",
                    "tilestored [{more_scores} + {row}], tmm2",
                    "tilestored [{more_scores} + {row} + 64], tmm3",
                    line = in(reg) LINE,
                    row = in(reg) 4 * KEYS,
                    queries = inout(reg) self.parts.codes => _,
                    more_queries = inout(reg) self.parts.codes.add(blocks * TILE) => _,
                    keys = inout(reg) self.task.stream.bf16_keys(key + step, 0) => _,
                    more_keys = inout(reg) self.task.stream.bf16_keys(key + step + 16, 0) => _,
                    blocks = inout(reg) blocks => _,
                    scores = in(reg) scores,
                    more_scores = in(reg) scores.add(16 * KEYS),
                    options(nostack),
                );
            }
        }
    }

    /// Makes weights in bf16 of the scores of one query, and shrinks what was summed so far.
    ///
    /// # Safety
    /// As [`attend`]; the scores of these keys must have been written.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16,fma")]
    unsafe fn soften(&self, query: usize, key: usize, keys: usize) {
        let start = self.seen[query].start.saturating_sub(key);
        let end = self.seen[query].end.saturating_sub(key).min(keys);
        let lines = keys.div_ceil(32) * 2;
        let lowest = _mm512_set1_ps(f32::NEG_INFINITY);
        // SAFETY: whole lines of the scores of this query, and half as many of its weights; its
        // maximum, sum and values.
        unsafe {
            let scores = self.parts.weights.add(query * KEYS);
            let weights = self.parts.more_weights.cast::<u8>().add(query * KEYS * 2);
            if start > 0 || end == 0 {
                if start >= end {
                    // There may be no largest score yet, from which to take others away.
                    weights.write_bytes(0, 32 * lines);
                    return;
                }
                hide(scores, start);
            }
            for line in end / 16..lines {
                let at = scores.add(16 * line);
                let seen = mask(end.saturating_sub(16 * line));
                _mm512_store_ps(at, _mm512_mask_blend_ps(seen, lowest, _mm512_load_ps(at)));
            }
            let mut maxima = lowest;
            for line in 0..lines {
                maxima = _mm512_max_ps(maxima, _mm512_load_ps(scores.add(16 * line)));
            }
            let (maximum_at, sum_at) = (self.parts.maxima.add(query), self.parts.sums.add(query));
            let maximum = _mm512_reduce_max_ps(maxima).max(*maximum_at);
            let maxima = _mm512_set1_ps(maximum);
            let mut sums = _mm512_setzero_ps();
            for line in 0..lines {
                let scores = _mm512_load_ps(scores.add(16 * line));
                let powers = power_of_two(_mm512_sub_ps(scores, maxima));
                sums = _mm512_add_ps(sums, powers);
                store_rounded(weights.add(32 * line), powers);
            }
            // Of the first block the maximum so far is minus infinity, and the factor 0.
            let factor = if maximum > *maximum_at { (*maximum_at - maximum).exp2() } else { 1.0 };
            *sum_at = factor.mul_add(*sum_at, _mm512_reduce_add_ps(sums));
            if maximum > *maximum_at {
                *maximum_at = maximum;
                self.shrink(query, factor);
            }
        }
    }

    /// # Safety
    /// As [`attend`].
    #[target_feature(enable = "avx512f")]
    unsafe fn shrink(&self, query: usize, factor: f32) {
        let head_dim = self.task.stream.head_dim;
        for dim in (0..head_dim).step_by(16) {
            let at = self.parts.values.wrapping_add(query * head_dim + dim);
            // SAFETY: sixteen values of the query.
            let values = unsafe { _mm512_load_ps(at) };
            // SAFETY: as above.
            unsafe { _mm512_store_ps(at, _mm512_mul_ps(values, _mm512_set1_ps(factor))) };
        }
    }

    /// Adds the weighted values of `keys` keys from `key` on.
    ///
    /// # Safety
    /// As [`attend`]; the weights must have been written, and the tail kept.
    unsafe fn add(&self, key: usize, keys: usize) {
        let head_dim = self.task.stream.head_dim;
        let whole = (self.task.limit.min(key + keys.next_multiple_of(VALUES)) - key) / VALUES;
        let blocks = keys.div_ceil(VALUES);
        for dim in (0..head_dim).step_by(32) {
            // SAFETY: sums of 32 queries and 32 dimensions; blocks of values that are there, the
            // last one perhaps in the tail, each of two tiles.
            unsafe {
                let sums = self.parts.values.add(dim);
                asm!(
                    "tileloadd tmm0, [{sums} + {row}]",
                    "tileloadd tmm1, [{sums} + {row} + 64]",
                    "tileloadd tmm2, [{more_sums} + {row}]",
                    "tileloadd tmm3, [{more_sums} + {row} + 64]",
                    sums = in(reg) sums,
                    more_sums = in(reg) sums.add(16 * head_dim),
                    row = in(reg) 4 * head_dim,
                    options(nostack),
                );
                if whole > 0 {
                    self.multiply(0, self.task.stream.bf16_values(key, dim), whole);
                }
                if whole < blocks {
                    self.multiply(whole, self.parts.tail.add(64 * dim), 1);
                }
                asm!(
                    "tilestored [{sums} + {row}], tmm0",
                    "tilestored [{sums} + {row} + 64], tmm1",
                    "tilestored [{more_sums} + {row}], tmm2",
                    "tilestored [{more_sums} + {row} + 64], tmm3",
                    sums = in(reg) sums,
                    more_sums = in(reg) sums.add(16 * head_dim),
                    row = in(reg) 4 * head_dim,
                    options(nostack),
                );
            }
        }
    }

    /// Adds weights x values of some blocks of 32 positions to the sums in tiles 0 to 3.
    ///
    /// # Safety
    /// As [`Pass::add`]; the weights from `first` and the values must be of so many blocks.
    unsafe fn multiply(&self, first: usize, values: *const u8, blocks: usize) {
        let weights = self.parts.more_weights.cast::<u8>().wrapping_add(64 * first);
        // SAFETY: two tiles of weights and of values for each block, as the caller vouches.
        unsafe {
            asm!(
                "2:",
                "tileloadd tmm4, [{weights} + {row}]",
                "tileloadd tmm6, [{values} + {line}]",
                "tdpbf16ps tmm0, tmm4, tmm6",
                "tileloadd tmm7, [{values} + {line} + 1024]",
                "tdpbf16ps tmm1, tmm4, tmm7",
                "tileloadd tmm5, [{more_weights} + {row}]",
                "tdpbf16ps tmm2, tmm5, tmm6",
                "tdpbf16ps tmm3, tmm5, tmm7",
                "add {weights}, 64",
                "add {more_weights}, 64",
                "add {values}, {block}",
                "sub {blocks}, 1",
                "jnz 2b",
                line = in(reg) LINE,
                row = in(reg) 2 * KEYS,
                block = in(reg) self.task.stream.head_dim * VALUES * 2,
                weights = inout(reg) weights => _,
                more_weights = inout(reg) weights.wrapping_add(16 * KEYS * 2) => _,
                values = inout(reg) values => _,
                blocks = inout(reg) blocks => _,
                options(nostack),
            );
        }
    }
}

/// Makes the first `count` scores those of keys that are not seen.
///
/// # Safety
/// The scores must be ours alone, from the start of a cache line.
#[cold]
#[inline(never)]
#[target_feature(enable = "avx512f")]
unsafe fn hide(scores: *mut f32, count: usize) {
    let lowest = _mm512_set1_ps(f32::NEG_INFINITY);
    for i in (0..count).step_by(16) {
        // SAFETY: masked to the scores.
        unsafe { _mm512_mask_store_ps(scores.add(i), mask(count - i), lowest) };
    }
}

/// `2^x`, for `x <= 0`.
///
/// # Accuracy
/// Relative error below 8e-5, a twentieth of that of the bf16 it becomes; below -150 exactly 0.
#[inline]
#[target_feature(enable = "avx512f")]
fn power_of_two(x: __m512) -> __m512 {
    // Fitted to the relative error over -1/2..=1/2.
    const COEFFICIENTS: [f32; 4] = [5.517_167e-2, 0.242_611_13, 0.693_260_97, 0.999_928_06];
    // From minus infinity nothing could be subtracted.
    let x = _mm512_max_ps(x, _mm512_set1_ps(-200.0));
    let n = _mm512_roundscale_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(x);
    let r = _mm512_sub_ps(x, n);
    let mut power = _mm512_set1_ps(COEFFICIENTS[0]);
    for coefficient in &COEFFICIENTS[1..] {
        power = _mm512_fmadd_ps(power, r, _mm512_set1_ps(*coefficient));
    }
    _mm512_scalef_ps(power, n)
}

/// Rounds sixteen numbers to bf16.
///
/// # Safety
/// 32 aligned bytes must be writable.
#[inline]
#[target_feature(enable = "avx512f,avx512bf16,avx512vl")]
unsafe fn store_rounded(to: *mut u8, values: __m512) {
    // SAFETY: as the caller vouches; both are 256 bits of plain integers.
    unsafe {
        let halves: __m256bh = _mm512_cvtneps_pbh(values);
        _mm256_store_si256(to.cast(), std::mem::transmute::<__m256bh, __m256i>(halves));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::isa::Isa;

    #[target_feature(enable = "avx512f")]
    fn sixteen(x: [f32; 16]) -> [f32; 16] {
        let mut y = [0.0; 16];
        // SAFETY: all sixteen; neither asks for alignment.
        unsafe {
            let x = _mm512_loadu_ps(x.as_ptr());
            std::arch::x86_64::_mm512_storeu_ps(y.as_mut_ptr(), power_of_two(x));
        }
        y
    }

    #[test]
    fn powers_are_near_enough_for_bf16_and_vanish_where_nothing_is_seen() {
        if !Isa::Avx512.is_available() {
            return;
        }
        for step in 0..100_000 {
            let x: [f32; 16] = std::array::from_fn(|i| -((step * 16 + i) as f32) / 12_800.0);
            // SAFETY: the set was just found.
            let y = unsafe { sixteen(x) };
            for (x, y) in x.into_iter().zip(y) {
                let error = f64::from(y) / f64::from(x).exp2() - 1.0;
                assert!(error.abs() < 8e-5, "{x}: {error:e}");
            }
        }
        // SAFETY: as above.
        let unseen = unsafe { sixteen([f32::NEG_INFINITY; 16]) };
        assert!(unseen.iter().all(|weight| *weight == 0.0), "{unseen:?}");
    }
}
