//! Cases of the rotation and of attention.

use super::super::gpu::{Buffer, GpuError};
use super::super::reference::{attention, bf16_bytes, nmse, numbers};
use super::super::steps::{
    Attend, Cache, KEYS, NO_WINDOW, RopeAppend, Rows, attend, part_bytes, rope_append, splits,
};
use super::{Bench, NONE, exact, read_bf16};
use crate::isa::Isa;
use crate::norm::rms_norm;
use crate::rope::RopeTable;
use std::ops::Range;

const EPS: f32 = 1e-6;

/// Heads, key-value heads, width of a head, columns that turn; biases and norms of heads.
type Heads = (usize, usize, usize, usize, bool, bool);

pub(super) fn ropes(bench: &mut Bench<'_>) -> Result<(), GpuError> {
    let small = [
        (4, 2, 64, 64, false, false),
        (6, 2, 16, 16, true, true),
        (3, 1, 80, 32, false, true),
        (2, 2, 96, 0, true, false),
    ];
    for heads in bench.shapes(&small, &[(32, 8, 128, 128, false, true)]) {
        rope(bench, heads)?;
    }
    Ok(())
}

fn rope(
    bench: &mut Bench<'_>,
    (heads, kv_heads, head_dim, width, biased, normed): Heads,
) -> Result<(), GpuError> {
    let (all, capacity, sequences) = (heads + 2 * kv_heads, 32, [2_u32, 0, 2]);
    let positions = [5_u32, 31, 6];
    let (rows, row) = (3, all * head_dim);
    let qkv: Vec<f32> = numbers(rows * row, 21).iter().map(|x| 4.0 * x).collect();
    let bias = numbers(row, 22);
    let norms = [numbers(head_dim, 23), numbers(head_dim, 24)];
    let frequencies: Vec<f32> =
        (0..width / 2).map(|i| 100_f32.powf(-2.0 * i as f32 / width.max(1) as f32)).collect();
    let mut table = RopeTable::with_magnitude(head_dim, &frequencies, 1.1, 0);
    table.cover(capacity);
    let angles = bench.f32(&[table.cosines(), table.sines()].concat())?;
    let (from, plus) = (bench.bf16(&qkv)?, bench.f32(&bias)?);
    let scales = [bench.f32(&norms[0])?, bench.f32(&norms[1])?];
    let (of_sequence, at) = (bench.u32(&sequences)?, bench.u32(&positions)?);
    let queries = bench.poisoned(rows * heads * head_dim, 2)?;
    let stream = kv_heads * capacity * head_dim;
    let [keys, values] =
        [Buffer::zeroed(bench.gpu, 3 * stream * 2)?, Buffer::zeroed(bench.gpu, 3 * stream * 2)?];
    let cache =
        Cache { keys: keys.place(), values: values.place(), capacity, heads, kv_heads, head_dim };
    let norm_at = |at: usize| if normed { scales[at].place() } else { NONE };
    let step = RopeAppend {
        qkv: from.place(),
        bias: if biased { plus.place() } else { NONE },
        query_norm: norm_at(0),
        key_norm: norm_at(1),
        cosines: if width == 0 { NONE } else { angles.place() },
        sines: if width == 0 { NONE } else { angles.place().plus(4 * capacity * (width / 2)) },
        queries: queries.place(),
        eps: EPS,
        width,
        cache,
        rows: Rows {
            sequences: of_sequence.place(),
            positions: at.place(),
            first_rows: NONE,
            rows,
            count: 0,
            longest: 0,
            keys: 0,
        },
    };
    // SAFETY: the buffers are of the shapes that the step names; positions are below the capacity.
    unsafe { rope_append(bench.gpu(), step)? };

    let mut expected = [Vec::new(), vec![0.0; 3 * stream], vec![0.0; 3 * stream]];
    for r in 0..rows {
        for head in 0..all {
            let start = head * head_dim;
            let plus = bias[start..start + head_dim].iter().map(|b| if biased { *b } else { 0.0 });
            let x: Vec<f32> =
                qkv[r * row + start..][..head_dim].iter().zip(plus).map(|(x, b)| x + b).collect();
            let value = head >= heads + kv_heads;
            let mut turned = x.clone();
            if !value {
                if normed {
                    let norm = &norms[usize::from(head >= heads)];
                    rms_norm(Isa::Reference, &x, norm, EPS, &mut turned);
                }
                // Without a width the magnitude of the table does not count either.
                if width > 0 {
                    table.rotate(Isa::Reference, positions[r] as usize, &mut turned);
                }
            }
            if head < heads {
                expected[0].extend(exact(&turned));
                continue;
            }
            let kv_head = (head - heads) % kv_heads;
            let place =
                (sequences[r] as usize * kv_heads + kv_head) * capacity + positions[r] as usize;
            let to = &mut expected[1 + usize::from(value)][place * head_dim..][..head_dim];
            to.copy_from_slice(&exact(&turned));
        }
    }
    let shape = format!(
        "{heads} + 2 x {kv_heads} heads of {head_dim}, {width} turn, bias {biased}, norm {normed}"
    );
    for ((what, out), expected) in
        ["queries", "keys", "values"].into_iter().zip([&queries, &keys, &values]).zip(&expected)
    {
        bench.compare_bf16("rope_append", format!("{shape}: {what}"), out, expected)?;
    }
    Ok(())
}

/// A batch that attends.
#[derive(Debug, Clone, Copy)]
struct Batch {
    heads: usize,
    kv_heads: usize,
    head_dim: usize,
    /// Keys before the first row, and rows, of three sequences.
    sequences: [(usize, usize); 3],
    window: usize,
    /// Into how many parts; `None` for what the launch would choose.
    splits: Option<usize>,
}

pub(super) fn attentions(bench: &mut Bench<'_>) -> Result<(), GpuError> {
    let batch = |heads, kv_heads, head_dim, sequences, window, splits| Batch {
        heads,
        kv_heads,
        head_dim,
        sequences,
        window,
        splits,
    };
    let small = [
        // Single tokens, one in an empty cache, split or not; groups of 4, 3, 1 and 16.
        batch(8, 2, 64, [(37, 1), (0, 1), (130, 1)], NO_WINDOW, Some(1)),
        batch(8, 2, 64, [(37, 1), (0, 1), (130, 1)], NO_WINDOW, Some(3)),
        batch(3, 1, 128, [(15, 1), (16, 1), (70, 1)], NO_WINDOW, None),
        batch(2, 2, 32, [(31, 1), (32, 1), (64, 1)], 20, Some(2)),
        batch(16, 1, 16, [(5, 1), (47, 1), (48, 1)], NO_WINDOW, Some(1)),
        // Prompts, in an empty cache and behind others, with and without a window.
        batch(4, 2, 80, [(0, 19), (7, 33), (40, 1)], NO_WINDOW, Some(1)),
        batch(3, 1, 96, [(0, 40), (20, 5), (3, 16)], 17, Some(1)),
        batch(4, 1, 128, [(0, 21), (50, 9), (1, 1)], NO_WINDOW, Some(2)),
    ];
    let real = [
        batch(32, 8, 128, [(8_191, 1), (1_000, 1), (1, 1)], NO_WINDOW, None),
        batch(32, 8, 128, [(0, 1_024), (777, 200), (2_000, 65)], NO_WINDOW, None),
        batch(32, 4, 128, [(0, 300), (777, 200), (2_000, 65)], 512, Some(1)),
    ];
    for batch in bench.shapes(&small, &real) {
        attention_of(bench, batch)?;
    }
    Ok(())
}

fn attention_of(bench: &mut Bench<'_>, batch: Batch) -> Result<(), GpuError> {
    let Batch { heads, kv_heads, head_dim, sequences, window, .. } = batch;
    let word = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let longest_cache = sequences.iter().map(|(held, rows)| held + rows).max().unwrap_or(0);
    let capacity = longest_cache.next_multiple_of(KEYS);
    let (mut places, mut positions, mut first_rows) = (Vec::new(), Vec::new(), vec![0]);
    for (sequence, (held, rows)) in sequences.into_iter().enumerate() {
        // Sequences lie in the cache in another order than in the pass.
        places.extend((0..rows).map(|_| word(2 - sequence)));
        positions.extend((held..held + rows).map(word));
        first_rows.push(word(positions.len()));
    }
    let rows = positions.len();
    let stream = kv_heads * capacity * head_dim;
    let queries: Vec<f32> = numbers(rows * heads * head_dim, 31).iter().map(|x| 4.0 * x).collect();
    let (keys, values) = (numbers(3 * stream, 32), numbers(3 * stream, 33));
    let held = [bench.bf16(&queries)?, bench.bf16(&keys)?, bench.bf16(&values)?];
    let lists = [bench.u32(&places)?, bench.u32(&positions)?, bench.u32(&first_rows)?];
    let out = bench.poisoned(rows * heads * head_dim, 2)?;
    let cache = Cache {
        keys: held[1].place(),
        values: held[2].place(),
        capacity,
        heads,
        kv_heads,
        head_dim,
    };
    let of_rows = Rows {
        sequences: lists[0].place(),
        positions: lists[1].place(),
        first_rows: lists[2].place(),
        rows,
        count: sequences.len(),
        longest: sequences.iter().map(|(_, rows)| *rows).max().unwrap_or(0),
        keys: longest_cache,
    };
    let parts_of_keys = batch.splits.unwrap_or_else(|| splits(bench.gpu(), &cache, &of_rows));
    let parts = bench.poisoned(part_bytes(rows, heads, head_dim, parts_of_keys), 1)?;
    let step = Attend {
        queries: held[0].place(),
        out: out.place(),
        parts: parts.place(),
        splits: parts_of_keys,
        scale: 0.2,
        window,
        cache,
        rows: of_rows,
    };
    // SAFETY: the buffers are of the shapes that the step names.
    unsafe { attend(bench.gpu(), step)? };

    let mut expected = Vec::new();
    for row in 0..rows {
        let last = positions[row] as usize;
        let seen: Range<usize> = (last + 1).saturating_sub(window)..last + 1;
        for head in 0..heads {
            let query = &queries[(row * heads + head) * head_dim..][..head_dim];
            let kv_head = head / (heads / kv_heads);
            let first = (places[row] as usize * kv_heads + kv_head) * capacity * head_dim;
            let of = |all: &[f32]| all[first..first + capacity * head_dim].to_vec();
            expected.extend(attention(query, &of(&keys), &of(&values), seen.clone(), 0.2));
        }
    }
    let error = nmse(&read_bf16(&out)?, &expected);
    let shape = format!(
        "{heads} / {kv_heads} heads of {head_dim}, held and new {sequences:?}, window {window}, {parts_of_keys} splits"
    );
    // Weights of values are rounded too.
    bench.judge("attention", shape, (error, 2e-5));
    // What is behind the last key was not touched.
    let untouched = super::read_bytes(&held[1])? == bf16_bytes(&keys);
    if !untouched {
        bench.judge("attention", "the cache has changed".into(), (f64::NAN, 0.0));
    }
    Ok(())
}
