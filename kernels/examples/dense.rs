//! Prints how near floating-point products come to the ceilings:
//! `cargo run --release --example dense [isa]`.
//!
//! On one thread. Every product reads a different copy of its weights, over at least 256 MB of
//! copies, as the layers of a model do; what stays in the last-level cache of a large server reads
//! faster than the ceiling of memory. Rates are medians.
#![expect(clippy::print_stdout, reason = "an example that exists to print")]

use std::hint::black_box;
use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

use freeweights_kernels::ceilings::{Ceilings, Options};
use freeweights_kernels::dense::{DenseMatrix, Float, Rows, multiply};
use freeweights_kernels::isa::Isa;
use freeweights_kernels::matrix::{Activations, Forms};

/// `(rows, columns)` of `SmolLM2-135M` and of a model of a billion weights.
const SHAPES: [(usize, usize); 5] =
    [(576, 576), (1536, 576), (576, 1536), (2048, 2048), (8192, 2048)];

/// Bytes of all copies of a matrix together.
const BEYOND_CACHES: usize = 256 << 20;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let isa = match std::env::args().nth(1) {
        Some(name) => name.parse()?,
        None => Isa::best(),
    };
    let ceilings = Ceilings::measure(&Options {
        duration_per_probe: Duration::from_millis(200),
        ..Options::new(NonZeroUsize::MIN)
    });
    let read = ceilings.read_bytes_per_s.ceiling() / 1e9;
    let f32 = ceilings.f32_flops_per_s.ceiling() / 1e9;
    println!("{isa}, one thread: reads {read:.1} GB/s, f32 {f32:.0} GFLOP/s (vectors)");
    println!(
        "kind shape          pack   batch 1: GB/s   of reads   batch 16, 128: GFLOP/s   of f32"
    );
    for float in Float::ALL {
        for (rows, columns) in SHAPES {
            let start = Instant::now();
            let weights = weights(float, rows, columns)?;
            let bytes = weights[0].bytes() as f64;
            let pack = bytes * weights.len() as f64 / start.elapsed().as_secs_f64() / 1e9;
            let operations = (2 * rows * columns) as f64;
            let gb_per_s = bytes / seconds(isa, &weights, 1) / 1e9;
            let [some, many] = [16, 128]
                .map(|batch| operations * batch as f64 / seconds(isa, &weights, batch) / 1e9);
            println!(
                "{float:<4} {:<14} {pack:>4.1} {gb_per_s:>15.1} {:>9.0}% {some:>15.0} {many:>8.0} {:>7.0}%",
                format!("{rows} x {columns}"),
                gb_per_s / read * 100.0,
                many / f32 * 100.0,
            );
        }
    }
    Ok(())
}

/// Copies of a matrix, each packed by itself.
fn weights(
    float: Float,
    rows: usize,
    columns: usize,
) -> Result<Vec<DenseMatrix>, Box<dyn std::error::Error>> {
    // In every kind a small number that is not zero.
    let bytes = vec![0x2c; rows * columns * float.bytes()];
    let copies = BEYOND_CACHES.div_ceil(bytes.len());
    let pack = || DenseMatrix::pack(black_box(&bytes), float, rows, columns);
    Ok((0..copies).map(|_| pack()).collect::<Result<_, _>>()?)
}

/// The median time of one product.
fn seconds(isa: Isa, weights: &[DenseMatrix], batch: usize) -> f64 {
    let (rows, columns) = (weights[0].rows(), weights[0].columns());
    let values: Vec<f32> = (0..batch * columns).map(|i| (i as f32).sin()).collect();
    let mut rounded = Activations::new();
    let activations = if weights[0].wants_bf16(isa, batch) {
        rounded.fill(isa, Forms { bf16: true, ..Forms::default() }, &values, columns);
        Rows::of(&rounded)
    } else {
        Rows::F32(&values)
    };
    let mut output = vec![0.0; batch * rows];
    // Some products between two looks at the clock, some looks, and no longer than patience lasts.
    let start = Instant::now();
    let mut samples = Vec::new();
    let mut next = weights.iter().cycle();
    let products = (2_000_000 / (rows * columns) / batch).clamp(1, weights.len());
    while samples.len() < 5 || (samples.len() < 201 && start.elapsed().as_millis() < 150) {
        let look = Instant::now();
        for weights in next.by_ref().take(products) {
            multiply(isa, weights, activations, &mut output);
        }
        samples.push(look.elapsed().as_secs_f64() / products as f64);
    }
    samples.sort_by(f64::total_cmp);
    samples[samples.len() / 2]
}
