//! Attention of queries over a cache of keys and values.
//!
//! - [`KvCache`]: keys and values in the order in which kernels read them.
//! - [`attend`]: queries of one sequence that share a key-value head, one row of them or many.
//! - [`attend_part`] and [`merge_parts`]: one row whose keys several threads share.
//! - [`Scoring`]: how a score comes of a query and a key, and which keys a query sees.
//!
//! Softmax is *online*: keys come in blocks, and what was summed shrinks when a block brings a larger
//! score. So no row of scores is ever held in whole.
//!
//! # What is not here
//!
//! Which thread takes what, and what rotates queries and keys before: [`crate::rope`].
//!
//! # Source
//! Dao et al., *`FlashAttention`*, 2022; Dao et al., *Flash-Decoding for long-context inference*,
//! 2023.

#[cfg(target_arch = "x86_64")]
mod amx;
#[cfg(target_arch = "x86_64")]
mod append_avx512;
#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod cache;
mod kept;
mod layout;
mod memory;
mod merge;
#[cfg(target_arch = "x86_64")]
mod pass;
mod reference;
mod scoring;
mod scratch;
#[cfg(target_arch = "x86_64")]
mod softcap;
mod task;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_of_scoring;

use std::ops::Range;

use self::task::{Results, Task};
use crate::isa::Isa;

pub use self::cache::{KvCache, KvType};
pub use self::kept::KvCopy;
pub use self::merge::merge_parts;
pub use self::scoring::Scoring;
pub use self::scratch::AttentionScratch;

/// Queries of consecutive positions of one sequence that share one key-value head.
///
/// # Shapes
/// `(rows, group, head_dim)`
///
/// # Layout
/// Head `g` of a row starts at `values + row * row_stride + g * head_dim`.
#[derive(Debug, Clone, Copy)]
pub struct Queries {
    /// The first head of the first row.
    pub values: *const f32,
    /// Values from one row to the next.
    pub row_stride: usize,
    /// Heads of a row.
    pub group: usize,
    /// How many positions.
    pub rows: usize,
    /// The position of the first row.
    pub first_position: usize,
}

/// Where results go, laid out as [`Queries`] are.
#[derive(Debug, Clone, Copy)]
pub struct AttentionOutput {
    /// The first head of the first row.
    pub values: *mut f32,
    /// Values from one row to the next.
    pub row_stride: usize,
}

/// What some of the keys come to, before it is merged with what the others do.
#[derive(Debug)]
pub struct Part<'a> {
    /// The largest score of each head: `(group)`; minus infinity where there are no keys.
    pub maxima: &'a mut [f32],
    /// The sum of each head's weights `e^(score - maximum)`: `(group)`.
    pub sums: &'a mut [f32],
    /// The weighted sum of values: `(group, head_dim)`.
    pub values: &'a mut [f32],
}

/// Causal attention: the query at position `p` attends to keys `0..=p`, or to the last of them.
///
/// `out = sum_k weight_k value_k`, with the weights that [`Scoring`] tells.
///
/// # Shapes
/// Queries and output: `(rows, group, head_dim)`.
///
/// # Accuracy
/// Against f64 over exact keys and values, normalised mean squared error below 2e-5 for bf16 and
/// 2e-4 for `Q8_0`. Sums are in f32. [`Isa::Amx`] also rounds queries and weights to bf16 where rows
/// are many. Where sinks outweigh the keys it is up to four times that, as what all scores are off by
/// no longer cancels. A soft cap adds an error of at most `2e-7 * softcap` to each score.
///
/// # Panics
/// If `scratch` is for other heads than those of the cache, the soft cap is not above 0, the sinks are
/// not as many as the group, or the cache has no such place or no room for the last row.
///
/// # Safety
/// `isa` must have been found available in this process: for matrix tiles that is what asks the
/// operating system. Layer, sequence and head must be in range. Keys and values of all
/// positions up to the last row's must have been appended, and nobody may append to them meanwhile.
/// Queries must be readable and the output writable, each of this shape, and nobody else may touch
/// this part of the output. The output may be where the queries are, in the same layout.
#[expect(clippy::too_many_arguments, reason = "three of them say where")]
pub unsafe fn attend(
    isa: Isa,
    cache: &KvCache,
    layer: usize,
    sequence: usize,
    kv_head: usize,
    queries: &Queries,
    scoring: &Scoring<'_>,
    scratch: &mut AttentionScratch,
    output: &AttentionOutput,
) {
    let task = Task {
        kind: cache.kind(),
        stream: cache.stream(layer, sequence, kv_head),
        queries,
        start: 0,
        limit: queries.first_position.saturating_add(queries.rows),
        scoring: *scoring,
    };
    assert!(task.limit <= cache.capacity(), "position {} is beyond the cache", task.limit);
    // SAFETY: as the caller vouches.
    unsafe { run(isa, &task, scratch, &mut Results::Whole(output)) };
}

/// Attention of one row over some of its keys, so that several threads share a head.
///
/// Keys beyond the row's position, and before its window, do not count. Nor do sinks, in any part:
/// [`merge_parts`] makes one result of all parts and counts them there, once.
///
/// # Shapes
/// Queries: `(1, group, head_dim)`; for the part see [`Part`].
///
/// # Accuracy
/// As [`attend`].
///
/// # Panics
/// If there is not exactly one row, the part has other shapes, or as [`attend`].
///
/// # Safety
/// As [`attend`].
#[expect(clippy::too_many_arguments, reason = "four of them say where")]
pub unsafe fn attend_part(
    isa: Isa,
    cache: &KvCache,
    layer: usize,
    sequence: usize,
    kv_head: usize,
    queries: &Queries,
    keys: Range<usize>,
    scoring: &Scoring<'_>,
    scratch: &mut AttentionScratch,
    part: Part<'_>,
) {
    assert_eq!(queries.rows, 1, "rows");
    assert_eq!(part.maxima.len(), queries.group, "maxima");
    assert_eq!(part.sums.len(), queries.group, "sums");
    assert_eq!(part.values.len(), queries.group * cache.head_dim(), "values");
    let seen = scoring.keys(queries.first_position);
    let (start, limit) = (keys.start.max(seen.start), keys.end.min(seen.end));
    if start >= limit {
        part.maxima.fill(f32::NEG_INFINITY);
        part.sums.fill(0.0);
        part.values.fill(0.0);
        return;
    }
    let stream = cache.stream(layer, sequence, kv_head);
    let scoring = Scoring { sinks: None, ..*scoring };
    let task = Task { kind: cache.kind(), stream, queries, start, limit, scoring };
    assert!(task.limit <= cache.capacity(), "position {} is beyond the cache", task.limit);
    // SAFETY: as the caller vouches.
    unsafe { run(isa, &task, scratch, &mut Results::Part(part)) };
}

/// # Safety
/// As [`attend`].
unsafe fn run(
    isa: Isa,
    task: &Task<'_>,
    scratch: &mut AttentionScratch,
    results: &mut Results<'_>,
) {
    debug_assert!(isa.is_available(), "this CPU has no {isa}");
    assert_eq!(scratch.head_dim(), task.stream.head_dim, "scratch for other heads");
    task.scoring.check(task.queries.group);
    // SAFETY: as the caller vouches.
    unsafe {
        match isa {
            #[cfg(target_arch = "x86_64")]
            Isa::Amx => amx::attend(task, scratch, results),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => avx512::attend(task, scratch, results),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => avx2::attend(task, scratch, results),
            _ => reference::attend(task, scratch, results),
        }
    }
}
