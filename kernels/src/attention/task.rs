//! One call for attention, as its kernels see it.
//!
//! Not here: arithmetic.

use std::ops::Range;

use super::cache::KvType;
use super::layout::Stream;
use super::scoring::Scoring;
use super::{AttentionOutput, Part, Queries};

/// Queries over one stream. A head of one row is a *query*; queries are counted row by row.
pub(super) struct Task<'a> {
    pub(super) kind: KvType,
    pub(super) stream: Stream,
    pub(super) queries: &'a Queries,
    /// The first key, and where keys end at the latest.
    pub(super) start: usize,
    pub(super) limit: usize,
    pub(super) scoring: Scoring<'a>,
}

impl Task<'_> {
    /// How many queries there are.
    pub(super) const fn count(&self) -> usize {
        self.queries.rows * self.queries.group
    }

    /// The `head_dim` values of a query.
    pub(super) const fn query(&self, query: usize) -> *const f32 {
        self.queries.values.wrapping_add(self.offset(query, self.queries.row_stride))
    }

    /// The keys that a query attends to: never none, as a part is of one row that sees its keys.
    pub(super) fn keys(&self, query: usize) -> Range<usize> {
        let seen = self.scoring.keys(self.queries.first_position + query / self.queries.group);
        self.start.max(seen.start)..self.limit.min(seen.end)
    }

    /// The largest score and the sum of the weights of a query that has seen no key: a sink is a
    /// score whose weight, `e^0`, has no value.
    pub(super) fn before_keys(&self, query: usize) -> (f32, f32) {
        let sink = |sinks: &[f32]| (sinks[query % self.queries.group], 1.0);
        self.scoring.sinks.map_or((f32::NEG_INFINITY, 0.0), sink)
    }

    const fn offset(&self, query: usize, row_stride: usize) -> usize {
        let group = self.queries.group;
        query / group * row_stride + query % group * self.stream.head_dim
    }
}

/// Where the results of a task go.
pub(super) enum Results<'a> {
    Whole(&'a AttentionOutput),
    Part(Part<'a>),
}

impl Results<'_> {
    /// Writes what came of one query: the largest score, the sum of the weights and the weighted sum
    /// of values.
    ///
    /// # Safety
    /// The output must have room for the query, and nobody else may touch that.
    #[inline]
    pub(super) unsafe fn write(
        &mut self,
        task: &Task<'_>,
        query: usize,
        (maximum, sum): (f32, f32),
        values: &[f32],
    ) {
        match self {
            Self::Whole(output) => {
                let at = output.values.wrapping_add(task.offset(query, output.row_stride));
                let inverse = sum.recip();
                for (i, value) in values.iter().enumerate() {
                    // SAFETY: within the query's values, as the caller vouches.
                    unsafe { at.add(i).write(value * inverse) };
                }
            }
            Self::Part(part) => {
                part.maxima[query] = maximum;
                part.sums[query] = sum;
                part.values[query * values.len()..][..values.len()].copy_from_slice(values);
            }
        }
    }
}
