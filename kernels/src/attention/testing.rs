//! What the tests of attention share: a sequence's tokens, and exact arithmetic over them.

use super::{AttentionOutput, AttentionScratch, KvCache, KvType, Part, Queries, Scoring};
use super::{attend, attend_part, merge_parts};
use crate::isa::Isa;
use crate::matrix::testing::{nmse, random_numbers, seeds};
use std::num::NonZeroUsize;

/// One sequence's tokens, and a cache that holds them.
pub(super) struct Case {
    pub(super) kind: KvType,
    pub(super) head_dim: usize,
    pub(super) group: usize,
    pub(super) keys: Vec<f32>,
    pub(super) values: Vec<f32>,
    pub(super) queries: Vec<f32>,
    pub(super) rows: usize,
    pub(super) first_position: usize,
    pub(super) softcap: Option<f32>,
    /// 0: none.
    pub(super) window: usize,
    pub(super) sinks: Option<Vec<f32>>,
}

/// Which stream of the caches below is used: neither the first nor the last.
pub(super) const LAYER: usize = 1;
pub(super) const SEQUENCE: usize = 1;
pub(super) const HEAD: usize = 0;

impl Case {
    pub(super) fn new(
        kind: KvType,
        head_dim: usize,
        group: usize,
        rows: usize,
        first_position: usize,
    ) -> Self {
        let mut seeds = seeds().skip(head_dim + group + rows + first_position);
        let mut numbers =
            |count| random_numbers(count, seeds.next().expect("invariant: seeds never end"));
        let tokens = first_position + rows;
        let keys = numbers(tokens * head_dim).iter().map(|x| 2.0 * x).collect();
        let values = numbers(tokens * head_dim);
        let queries = numbers(rows * group * head_dim).iter().map(|x| 2.0 * x).collect();
        let (softcap, window, sinks) = (None, 0, None);
        Self {
            kind,
            head_dim,
            group,
            keys,
            values,
            queries,
            rows,
            first_position,
            softcap,
            window,
            sinks,
        }
    }

    pub(super) fn tokens(&self) -> usize {
        self.first_position + self.rows
    }

    pub(super) fn scoring(&self) -> Scoring<'_> {
        Scoring {
            scale: (self.head_dim as f32).sqrt().recip(),
            softcap: self.softcap,
            window: NonZeroUsize::new(self.window),
            sinks: self.sinks.as_deref(),
        }
    }

    pub(super) fn cache(&self) -> KvCache {
        let mut cache = KvCache::new(self.kind, 2, 2, self.head_dim);
        cache.reserve(3, self.tokens());
        cache
    }

    pub(super) fn fill(&self, isa: Isa, cache: &KvCache) {
        let pairs = self.keys.chunks(self.head_dim).zip(self.values.chunks(self.head_dim));
        for (position, (key, value)) in pairs.enumerate() {
            // SAFETY: the set is available, and the cache has room and no other user.
            unsafe { cache.append(isa, LAYER, SEQUENCE, HEAD, position, key, value) };
        }
    }

    pub(super) fn queries(&self) -> Queries {
        Queries {
            values: self.queries.as_ptr(),
            row_stride: self.group * self.head_dim,
            group: self.group,
            rows: self.rows,
            first_position: self.first_position,
        }
    }

    pub(super) fn attend(&self, isa: Isa, cache: &KvCache) -> Vec<f32> {
        let mut out = vec![f32::NAN; self.queries.len()];
        let output =
            AttentionOutput { values: out.as_mut_ptr(), row_stride: self.group * self.head_dim };
        let mut scratch = AttentionScratch::new(self.head_dim, self.group);
        // SAFETY: the set is available, the tokens were appended, and shapes are those of the case.
        unsafe {
            attend(
                isa,
                cache,
                LAYER,
                SEQUENCE,
                HEAD,
                &self.queries(),
                &self.scoring(),
                &mut scratch,
                &output,
            );
        }
        out
    }

    /// What parts of the keys come to, cut at these positions, merged.
    pub(super) fn attend_in_parts(&self, isa: Isa, cache: &KvCache, cuts: &[usize]) -> Vec<f32> {
        let (group, head_dim, parts) = (self.group, self.head_dim, cuts.len() - 1);
        let mut maxima = vec![f32::NAN; parts * group];
        let mut sums = vec![f32::NAN; parts * group];
        let mut values = vec![f32::NAN; parts * group * head_dim];
        let places = maxima
            .chunks_mut(group)
            .zip(sums.chunks_mut(group))
            .zip(values.chunks_mut(group * head_dim));
        let mut scratch = AttentionScratch::new(head_dim, group);
        for (cut, ((maxima, sums), values)) in cuts.windows(2).zip(places) {
            // SAFETY: the set is available, the tokens were appended, and shapes are those of the
            // case.
            unsafe {
                attend_part(
                    isa,
                    cache,
                    LAYER,
                    SEQUENCE,
                    HEAD,
                    &self.queries(),
                    cut[0]..cut[1],
                    &self.scoring(),
                    &mut scratch,
                    Part { maxima, sums, values },
                );
            }
        }
        let mut out = vec![f32::NAN; group * head_dim];
        let sinks = self.sinks.as_deref();
        merge_parts(isa, head_dim, group, &maxima, &sums, &values, sinks, &mut out);
        out
    }

    /// The formulas of [`Scoring`] in f64, written out once more.
    pub(super) fn exact(&self) -> Vec<f64> {
        let mut out = Vec::new();
        for (query, values) in self.queries.chunks(self.head_dim).enumerate() {
            let end = self.first_position + query / self.group + 1;
            let start = if self.window == 0 { 0 } else { end.saturating_sub(self.window) };
            let scale = f64::from((self.head_dim as f32).sqrt().recip());
            let score = |key: &[f32]| {
                let products = values.iter().zip(key).map(|(q, k)| f64::from(*q) * f64::from(*k));
                let score = products.sum::<f64>() * scale;
                let cap = self.softcap.map(f64::from);
                cap.map_or(score, |cap| cap * (score / cap).tanh())
            };
            let keys = || self.keys.chunks(self.head_dim).take(end).skip(start);
            let mut scores: Vec<f64> = keys().map(score).collect();
            if let Some(sinks) = &self.sinks {
                scores.push(f64::from(sinks[query % self.group]));
            }
            let maximum = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let weights: Vec<f64> = scores.iter().map(|score| (score - maximum).exp()).collect();
            let sum: f64 = weights.iter().sum();
            let mut row = vec![0.0; self.head_dim];
            let seen = self.values.chunks(self.head_dim).take(end).skip(start);
            for (weight, value) in weights.iter().zip(seen) {
                for (out, value) in row.iter_mut().zip(value) {
                    *out += weight / sum * f64::from(*value);
                }
            }
            out.extend(row);
        }
        out
    }

    /// What rounding to the type comes to: 2^-9 relative at most for bf16, of which the square is
    /// 4e-6; 1/254 of the largest of 32 for `Q8_0`, of which the square is 1.5e-5. Keys, values, and
    /// with some sets queries and weights are rounded, and sums of values cancel.
    pub(super) fn bound(&self) -> f64 {
        let bound = match self.kind {
            KvType::Bf16 => 2e-5,
            KvType::Q8_0 => 2e-4,
        };
        bound * self.with_sinks()
    }

    /// How much larger errors may be because of sinks: if those outweigh the keys, what all scores
    /// are off by together no longer cancels in the softmax.
    pub(super) fn with_sinks(&self) -> f64 {
        if self.sinks.is_some() { 4.0 } else { 1.0 }
    }

    pub(super) fn check(&self, isa: Isa, out: &[f32], exact: &[f64]) {
        let error = nmse(out, exact);
        let Self { kind, head_dim, group, rows, first_position, .. } = self;
        assert!(
            error < self.bound(),
            "{isa} {kind}, head {head_dim}, group {group}, {rows} rows from {first_position}: \
             {error:e}"
        );
    }
}
