//! The slow, obvious attention that the fast ones are held to.

use super::scratch::AttentionScratch;
use super::task::{Results, Task};

/// Attention in f64 over what the cache holds, each score computed twice.
///
/// # Safety
/// As [`super::attend`].
pub(super) unsafe fn attend(
    task: &Task<'_>,
    scratch: &mut AttentionScratch,
    results: &mut Results<'_>,
) {
    let head_dim = task.stream.head_dim;
    let parts = scratch.parts();
    for query in 0..task.count() {
        let keys = task.keys(query);
        let (sink, weight_of_sink) = task.before_keys(query);
        let (sink, weight_of_sink) = (f64::from(sink), f64::from(weight_of_sink));
        // SAFETY: the queries, keys and values are there, as the caller vouches.
        let score = |key: usize| unsafe { score(task, query, key) };
        let maximum = keys.clone().map(score).fold(sink, f64::max);
        let of_keys: f64 = keys.clone().map(|key| (score(key) - maximum).exp()).sum();
        let sum = of_keys + weight_of_sink * (sink - maximum).exp();
        // SAFETY: the first query of the scratch; values of keys that the query may see.
        unsafe {
            for dim in 0..head_dim {
                parts.values.add(dim).write(0.0);
            }
            for key in keys {
                let weight = (score(key) - maximum).exp();
                for dim in 0..head_dim {
                    let value = f64::from(task.stream.value(task.kind, key, dim));
                    let sum = parts.values.add(dim);
                    sum.write(narrow(f64::from(*sum) + weight * value));
                }
            }
            let (_, values) = parts.result(0, head_dim);
            results.write(task, query, (narrow(maximum), narrow(sum)), values);
        }
    }
}

/// # Safety
/// The query and the key must be there.
unsafe fn score(task: &Task<'_>, query: usize, key: usize) -> f64 {
    let values = task.query(query);
    let dot: f64 = (0..task.stream.head_dim)
        // SAFETY: as the caller vouches.
        .map(|dim| unsafe {
            f64::from(*values.add(dim)) * f64::from(task.stream.key(task.kind, key, dim))
        })
        .sum();
    let score = dot * f64::from(task.scoring.scale);
    let cap = task.scoring.softcap.map(f64::from);
    cap.map_or(score, |cap| cap * (score / cap).tanh())
}

#[expect(clippy::cast_possible_truncation, reason = "rounded on purpose")]
const fn narrow(value: f64) -> f32 {
    value as f32
}
