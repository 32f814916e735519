//! Working memory of one thread.
//!
//! Not here: what the kernels put there.

#[cfg(target_arch = "x86_64")]
use std::ops::Range;

use super::memory::ZeroedBytes;
#[cfg(target_arch = "x86_64")]
use super::task::Task;
use crate::matrix::formats::BLOCK;
use crate::matrix::lines::{LINE, bytes_of};

/// Queries that a kernel takes at once: two matrix tiles.
pub(super) const QUERIES: usize = 32;

/// Keys that a kernel takes at once.
pub(super) const KEYS: usize = 128;

/// One thread's working memory for attention, allocated once: never in the loop over tokens.
#[derive(Debug)]
pub struct AttentionScratch {
    head_dim: usize,
    memory: ZeroedBytes,
}

/// Where the parts of the memory start, each on a cache line.
///
/// # Shapes
/// - `maxima`, `sums`: `(queries)`
/// - `values`: `(queries, head_dim)`
/// - `weights`: `(queries, keys)`: scores, and then their weights.
/// - `more_weights`: as large: weights with scales, or weights in bf16.
/// - `codes`, `code_scales`, `code_sums`: queries in eight bits, `(queries, head_dim)`, and a scale
///   and sum for each 32. `codes` is large enough for queries in bf16.
/// - `tail`: a block of values, `(32, head_dim)` in bf16.
#[derive(Debug, Clone, Copy)]
#[cfg_attr(not(target_arch = "x86_64"), expect(dead_code, reason = "of vector kernels"))]
pub(super) struct Parts {
    pub(super) maxima: *mut f32,
    pub(super) sums: *mut f32,
    pub(super) values: *mut f32,
    pub(super) weights: *mut f32,
    pub(super) more_weights: *mut f32,
    pub(super) codes: *mut u8,
    pub(super) code_scales: *mut f32,
    pub(super) code_sums: *mut i32,
    pub(super) tail: *mut u8,
}

impl AttentionScratch {
    /// Memory for heads of `head_dim`, of which `group` share keys and values.
    ///
    /// # Panics
    /// If `head_dim` is no multiple of 32 or more than any memory holds, or if either is 0.
    #[must_use]
    pub fn new(head_dim: usize, group: usize) -> Self {
        assert!(head_dim.is_multiple_of(BLOCK) && head_dim > 0, "heads of {head_dim}");
        assert!(group > 0, "no query heads");
        // More than all parts together.
        assert!(bytes_of(&[head_dim, 2048]).is_some(), "heads of {head_dim}");
        let bytes = Self::sizes(head_dim).iter().sum();
        Self { head_dim, memory: ZeroedBytes::new(bytes) }
    }

    /// The dimension of the heads that it is for.
    pub(super) const fn head_dim(&self) -> usize {
        self.head_dim
    }

    pub(super) fn parts(&mut self) -> Parts {
        let mut at = self.memory.start();
        let starts = Self::sizes(self.head_dim).map(|size| {
            let start = at;
            at = at.wrapping_add(size);
            start
        });
        let [maxima, sums, values, weights, more_weights, codes, scales, code_sums, tail] = starts;
        Parts {
            maxima: maxima.cast(),
            sums: sums.cast(),
            values: values.cast(),
            weights: weights.cast(),
            more_weights: more_weights.cast(),
            codes,
            code_scales: scales.cast(),
            code_sums: code_sums.cast(),
            tail,
        }
    }

    /// Bytes of each part, in the order of [`Parts`].
    fn sizes(head_dim: usize) -> [usize; 9] {
        let blocks = QUERIES * head_dim / BLOCK * 4;
        [
            QUERIES * 4,
            QUERIES * 4,
            QUERIES * head_dim * 4,
            QUERIES * KEYS * 4,
            QUERIES * KEYS * 4,
            QUERIES * head_dim * 2,
            blocks,
            blocks,
            32 * head_dim * 2,
        ]
        .map(|size| size.next_multiple_of(LINE))
    }
}

impl Parts {
    /// Forgets all keys: these queries have seen none.
    ///
    /// # Safety
    /// The queries must be of the task and at most [`QUERIES`], and the memory alive and not looked at
    /// by others.
    #[cfg(target_arch = "x86_64")]
    pub(super) unsafe fn reset(&self, task: &Task<'_>, queries: Range<usize>) {
        // SAFETY: within the parts, as the caller vouches.
        unsafe {
            self.values.write_bytes(0, queries.len() * task.stream.head_dim);
            for (at, query) in queries.enumerate() {
                let (maximum, sum) = task.before_keys(query);
                self.maxima.add(at).write(maximum);
                self.sums.add(at).write(sum);
            }
        }
    }

    /// The largest score and the sum of one query's weights, and its weighted sum of values.
    ///
    /// # Safety
    /// `query` must be below [`QUERIES`], and the memory alive and not written to by others.
    pub(super) unsafe fn result(&self, query: usize, head_dim: usize) -> ((f32, f32), &[f32]) {
        // SAFETY: within the parts, as the caller vouches.
        unsafe {
            let values = std::slice::from_raw_parts(self.values.add(query * head_dim), head_dim);
            ((*self.maxima.add(query), *self.sums.add(query)), values)
        }
    }
}
