//! The loops around the vector kernels: tiles of queries, blocks of keys, a few queries at once.
//!
//! Not here: arithmetic, and matrix tiles, whose loops differ.

use std::ops::Range;

use super::layout::VALUES;
use super::scratch::{AttentionScratch, KEYS, Parts, QUERIES};
use super::task::{Results, Task};

/// Queries that go over a block of keys before the next one: four times the six that AVX-512 takes
/// at once, eight times the three of AVX2.
const TILE: usize = 24;

const _: () = assert!(TILE <= QUERIES);

/// Some queries over one block of keys.
pub(super) struct Pass<'a> {
    pub(super) task: &'a Task<'a>,
    pub(super) parts: &'a Parts,
    /// The first query of the tile, and the first of these within the tile.
    pub(super) first: usize,
    pub(super) from: usize,
    pub(super) keys: Range<usize>,
}

impl Pass<'_> {
    /// Where the weights start: the keys from the block of 32 in which the first one is.
    pub(super) fn first_key(&self) -> usize {
        self.keys.start / VALUES * VALUES
    }

    /// The keys that one of the queries sees, perhaps none: one of an earlier row than the tile's last
    /// sees fewer at the end, and with a window one of a later row than the first fewer at the start.
    pub(super) fn seen(&self, g: usize) -> Range<usize> {
        let keys = self.task.keys(self.first + self.from + g);
        self.keys.start.max(keys.start)..self.keys.end.min(keys.end)
    }

    /// The values of one of the queries.
    pub(super) const fn query(&self, g: usize) -> *const f32 {
        self.task.query(self.first + self.from + g)
    }

    /// The scores of one of the queries, and then its weights.
    pub(super) const fn weights(&self, g: usize) -> *mut f32 {
        self.parts.weights.wrapping_add(g * KEYS)
    }

    /// The weights times the scales of some values.
    pub(super) const fn scaled_weights(&self, g: usize) -> *mut f32 {
        self.parts.more_weights.wrapping_add(g * KEYS)
    }

    /// What was summed so far of one of the queries, from one dimension on.
    pub(super) const fn sums_of_values(&self, g: usize, dim: usize) -> *mut f32 {
        self.parts.values.wrapping_add((self.from + g) * self.task.stream.head_dim + dim)
    }

    /// Notes the largest score so far and the sum of the weights of this block, and returns what all
    /// before shrinks by.
    ///
    /// # Safety
    /// The query must be of the tile.
    pub(super) unsafe fn note(&self, g: usize, maximum: f32, sum: f32) -> f32 {
        // SAFETY: as the caller vouches.
        unsafe {
            let maximum_at = self.parts.maxima.add(self.from + g);
            let sum_at = self.parts.sums.add(self.from + g);
            // Of the first block the maximum so far is minus infinity, and the factor 0.
            let factor = (*maximum_at - maximum).exp();
            *maximum_at = maximum;
            *sum_at = factor.mul_add(*sum_at, sum);
            factor
        }
    }

    /// The largest score of one query so far.
    ///
    /// # Safety
    /// The query must be of the tile.
    pub(super) unsafe fn maximum(&self, g: usize) -> f32 {
        // SAFETY: as the caller vouches.
        unsafe { *self.parts.maxima.add(self.from + g) }
    }
}

/// Runs a task: `begin` sees each tile of queries before `run` sees it over each block of keys, up
/// to `at_once` queries at a time.
///
/// # Safety
/// As [`super::attend`].
#[inline]
pub(super) unsafe fn run_task(
    task: &Task<'_>,
    scratch: &mut AttentionScratch,
    results: &mut Results<'_>,
    at_once: usize,
    mut begin: impl FnMut(&Parts, Range<usize>),
    mut run: impl FnMut(&Pass<'_>, usize),
) {
    let (parts, head_dim) = (scratch.parts(), task.stream.head_dim);
    for first in (0..task.count()).step_by(TILE) {
        let queries = first..task.count().min(first + TILE);
        let count = queries.len();
        let chunks = count.div_ceil(at_once);
        // Those that the first sees to those that the last one does.
        let (start, end) = (task.keys(first).start, task.keys(queries.end - 1).end);
        // SAFETY: the scratch is for these heads and holds a tile.
        unsafe { parts.reset(task, queries.clone()) };
        begin(&parts, queries.clone());
        for block in (start / KEYS * KEYS..end).step_by(KEYS) {
            let keys = start.max(block)..end.min(block + KEYS);
            for chunk in 0..chunks {
                let (from, to) = (count * chunk / chunks, count * (chunk + 1) / chunks);
                let keys = keys.clone();
                run(&Pass { task, parts: &parts, first, from, keys }, to - from);
            }
        }
        for query in queries {
            // SAFETY: as above, and the caller vouches for the output.
            unsafe {
                let (sums, values) = parts.result(query - first, head_dim);
                results.write(task, query, sums, values);
            }
        }
    }
}
