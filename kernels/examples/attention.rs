//! Prints how fast attention is: `cargo run --release --example attention [isa]`.
//!
//! One thread. Decode: one row over the keys of a head, a different head each time, over at least
//! 64 MB of cache; its rate is that of bytes of cache read. Prefill: 512 rows from position 0; its
//! rate is that of the operations below the diagonal, `4 head_dim` for each query and key that it
//! sees. Rates are those of the fastest of some samples: what others do on the machine matters least
//! then.
#![expect(clippy::print_stdout, reason = "an example that exists to print")]

use std::time::Instant;

use freeweights_kernels::attention::{
    AttentionOutput, AttentionScratch, KvCache, KvType, Queries, Scoring, attend,
};
use freeweights_kernels::isa::Isa;

const HEAD_DIM: usize = 64;

/// Bytes of cache that decode goes over before it meets the first again.
const BEYOND_CACHES: usize = 64 << 20;

const PROMPT: usize = 512;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let isas = match std::env::args().nth(1) {
        Some(name) => vec![name.parse()?],
        None => Isa::available(),
    };
    println!("isa        cache group   decode 128, 512, 2048 keys: GB/s   prefill 512: GFLOP/s");
    for isa in isas.into_iter().filter(|isa| *isa != Isa::Reference && isa.is_available()) {
        for kind in KvType::ALL {
            for group in [3, 4] {
                let [short, middle, long] = [128, 512, 2048].map(|keys| {
                    let head = kind.bytes_per_token(1, HEAD_DIM) * keys;
                    let heads = BEYOND_CACHES.div_ceil(head);
                    head as f64 / seconds(isa, kind, group, heads, 1, keys - 1) / 1e9
                });
                let seen = (group * PROMPT * (PROMPT + 1) / 2) as f64;
                let operations = seen * 4.0 * HEAD_DIM as f64;
                let prefill = operations / seconds(isa, kind, group, 4, PROMPT, 0) / 1e9;
                println!(
                    "{isa:<10} {kind:<5} {group:>5} {short:>14.1} {middle:>8.1} {long:>8.1} \
                     {prefill:>23.0}"
                );
            }
        }
    }
    Ok(())
}

/// The least time of one call.
fn seconds(
    isa: Isa,
    kind: KvType,
    group: usize,
    heads: usize,
    rows: usize,
    first_position: usize,
) -> f64 {
    let mut cache = KvCache::new(kind, 1, heads, HEAD_DIM);
    let tokens = first_position + rows;
    cache.reserve(1, tokens);
    for (head, position) in (0..heads).flat_map(|h| (0..tokens).map(move |p| (h, p))) {
        let token: [f32; HEAD_DIM] = std::array::from_fn(|i| ((i * 7 + position * 3) as f32).sin());
        // SAFETY: the set is available, and the cache has room and no other user.
        unsafe { cache.append(isa, 0, 0, head, position, &token, &token) };
    }
    let row_stride = group * HEAD_DIM;
    let values: Vec<f32> = (0..rows * row_stride).map(|i| (i as f32).cos()).collect();
    let queries = Queries { values: values.as_ptr(), row_stride, group, rows, first_position };
    let mut out = vec![0.0; values.len()];
    let output = AttentionOutput { values: out.as_mut_ptr(), row_stride };
    let mut scratch = AttentionScratch::new(HEAD_DIM, group);
    let scoring = Scoring::scaled((HEAD_DIM as f32).sqrt().recip());

    let start = Instant::now();
    let mut samples = Vec::new();
    let mut next = (0..heads).cycle();
    let calls = if rows == 1 { heads.min(1 + 4096 / tokens) } else { 1 };
    while samples.len() < 9 || (samples.len() < 1001 && start.elapsed().as_millis() < 200) {
        let look = Instant::now();
        for head in next.by_ref().take(calls) {
            // SAFETY: the set is available, all tokens were appended, and shapes are as named.
            unsafe {
                attend(isa, &cache, 0, 0, head, &queries, &scoring, &mut scratch, &output);
            }
        }
        samples.push(look.elapsed().as_secs_f64() / calls as f64);
    }
    samples.into_iter().fold(f64::INFINITY, f64::min)
}
