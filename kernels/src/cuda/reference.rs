//! The slow, obvious twins of kernels that have none elsewhere, in f64, and numbers for cases.
//!
//! Not here: the norm, the rotation and the gate, whose twins are those of the CPU's kernels.

use crate::matrix::bf16::round_to_bf16;
use std::ops::Range;

/// `count` numbers from -1 to 1 as bf16 has them: splitmix64, so that a seed is the same everywhere.
pub(super) fn numbers(count: usize, seed: u64) -> Vec<f32> {
    let one = |i: usize| {
        let mut bits = seed.wrapping_add((i as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let bits = (bits ^ (bits >> 31)) >> 40;
        rounded(bits as f32 / f32::from_bits(0x4b00_0000) - 1.0)
    };
    (0..count).map(one).collect()
}

/// The nearest bf16, as f32.
pub(super) fn rounded(number: f32) -> f32 {
    f32::from_bits(u32::from(round_to_bf16(number)) << 16)
}

/// Numbers as the bytes of bf16.
pub(super) fn bf16_bytes(numbers: &[f32]) -> Vec<u8> {
    numbers.iter().flat_map(|number| round_to_bf16(*number).to_le_bytes()).collect()
}

/// Numbers as the bytes of f32.
pub(super) fn f32_bytes(numbers: &[f32]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
}

/// Counts as the bytes of u32.
pub(super) fn u32_bytes(numbers: &[u32]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
}

/// Normalised mean squared error: `sum (a - b)^2 / sum b^2`; no number where one of `values` is none.
pub(super) fn nmse(values: &[f32], exact: &[f64]) -> f64 {
    assert_eq!(values.len(), exact.len(), "values");
    let pairs = || values.iter().zip(exact);
    let error: f64 = pairs().map(|(a, b)| (f64::from(*a) - b).powi(2)).sum();
    let size: f64 = exact.iter().map(|b| b * b).sum();
    if error == 0.0 { 0.0 } else { error / size }
}

/// `out[r][o] = sum over i of x[r][i] weight[o][i]`
pub(super) fn product(x: &[f32], weight: &[f32], inputs: usize) -> Vec<f64> {
    let dot = |x: &[f32], weight: &[f32]| -> f64 {
        x.iter().zip(weight).map(|(x, w)| f64::from(*x) * f64::from(*w)).sum()
    };
    let rows = x.chunks_exact(inputs);
    rows.flat_map(|x| weight.chunks_exact(inputs).map(move |weight| dot(x, weight))).collect()
}

/// Attention of one query over some keys of one head.
///
/// # Shapes
/// `query`: `(head_dim)`; `keys`, `values`: `(.., head_dim)`, of which `seen` count.
pub(super) fn attention(
    query: &[f32],
    keys: &[f32],
    values: &[f32],
    seen: Range<usize>,
    scale: f32,
) -> Vec<f64> {
    let width = query.len();
    let row = |all: &[f32], at: usize| all[at * width..][..width].to_vec();
    let score = |at: usize| -> f64 {
        let pairs = query.iter().zip(row(keys, at));
        f64::from(scale) * pairs.map(|(q, k)| f64::from(*q) * f64::from(k)).sum::<f64>()
    };
    let scores: Vec<f64> = seen.clone().map(score).collect();
    let most = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let weights: Vec<f64> = scores.iter().map(|score| (score - most).exp()).collect();
    let sum: f64 = weights.iter().sum();
    let mut out = vec![0.0; width];
    for (at, weight) in seen.zip(weights) {
        for (out, value) in out.iter_mut().zip(row(values, at)) {
            *out += weight / sum * f64::from(value);
        }
    }
    out
}
