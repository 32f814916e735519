//! Prints how near products come to the ceilings: `cargo run --release --example matrix [isa]`.
//!
//! Every product reads a different copy of its weights, over at least 256 MB of copies, as the
//! layers of a model do; what stays in the last-level cache of a large server reads faster than the
//! ceiling of memory. Rates are medians.
#![expect(clippy::print_stdout, reason = "an example that exists to print")]

use std::num::NonZeroUsize;
use std::time::Instant;

use freeweights_kernels::ceilings::{Ceilings, Options};
use freeweights_kernels::isa::Isa;
use freeweights_kernels::matrix::{Activations, F16, Format, PackedMatrix, multiply_on};
use freeweights_kernels::pool::Pool;

/// `(rows, columns)` of `SmolLM2-135M` and of a model of a billion weights.
const SHAPES: [(usize, usize); 8] = [
    (576, 576),
    (192, 576),
    (1536, 576),
    (576, 1536),
    (49152, 576),
    (2048, 2048),
    (8192, 2048),
    (2048, 8192),
];

/// Bytes of all copies of a matrix together.
const BEYOND_CACHES: usize = 256 << 20;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    for format in Format::ALL {
        println!(
            "packs {format}: {:.0} MB/s of stored bytes, one thread",
            pack_rate(format)? / 1e6
        );
    }
    let isa = match std::env::args().nth(1) {
        Some(name) => name.parse()?,
        None => Isa::best(),
    };
    let cores = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    for threads in [NonZeroUsize::MIN, cores] {
        let ceilings = Ceilings::measure(&Options::new(threads));
        let read = ceilings.read_bytes_per_s.ceiling() / 1e9;
        let int8 = ceilings.int8_ops_per_s.as_ref().map_or(f64::NAN, |int8| int8.ceiling() / 1e9);
        println!("\n{isa}, {threads} threads: reads {read:.1} GB/s, int8 {int8:.0} GOP/s");
        println!("format shape          batch 1: GB/s   of reads   batch 16, 128: GOP/s   of int8");
        let pool = Pool::new(threads);
        for format in [Format::Q4_0, Format::Q8_0] {
            for (rows, columns) in SHAPES {
                let weights = weights(format, rows, columns)?;
                let bytes = weights[0].bytes() as f64;
                let operations = (2 * rows * columns) as f64;
                let gb_per_s = bytes / seconds(&pool, isa, &weights, 1) / 1e9;
                let [some, many] = [16, 128].map(|batch| {
                    operations * batch as f64 / seconds(&pool, isa, &weights, batch) / 1e9
                });
                println!(
                    "{format:<6} {:<14} {gb_per_s:>13.1} {:>9.0}% {some:>12.0} {many:>8.0} {:>9.0}%",
                    format!("{rows} x {columns}"),
                    gb_per_s / read * 100.0,
                    many / int8 * 100.0,
                );
            }
        }
    }
    Ok(())
}

/// Stored bytes per second that become a packed matrix, the best of some.
fn pack_rate(format: Format) -> Result<f64, Box<dyn std::error::Error>> {
    let (rows, columns) = (2048, 2048);
    let bytes = stored(format, rows, columns);
    let mut best = f64::INFINITY;
    for _ in 0..9 {
        let start = Instant::now();
        std::hint::black_box(PackedMatrix::pack(&bytes, format, rows, columns)?);
        best = best.min(start.elapsed().as_secs_f64());
    }
    Ok(bytes.len() as f64 / best)
}

/// Stored blocks whose codes are noise.
fn stored(format: Format, rows: usize, columns: usize) -> Vec<u8> {
    let mut bytes = vec![0; rows * columns / format.block_weights() * format.block_bytes()];
    let mut noise = 1_u64;
    for block in bytes.chunks_exact_mut(format.block_bytes()) {
        for byte in &mut *block {
            noise = noise.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
            *byte = noise.to_be_bytes()[0];
        }
        block[..2].copy_from_slice(&F16::from_f32(0.01).to_bits().to_le_bytes());
    }
    bytes
}

/// Copies of a matrix.
fn weights(
    format: Format,
    rows: usize,
    columns: usize,
) -> Result<Vec<PackedMatrix>, Box<dyn std::error::Error>> {
    let bytes = stored(format, rows, columns);
    let packed = PackedMatrix::pack(&bytes, format, rows, columns)?;
    let copies = BEYOND_CACHES.div_ceil(packed.bytes());
    Ok(vec![packed; copies])
}

/// The median time of one product.
fn seconds(pool: &Pool, isa: Isa, weights: &[PackedMatrix], batch: usize) -> f64 {
    let (rows, columns) = (weights[0].rows(), weights[0].columns());
    let values: Vec<f32> = (0..batch * columns).map(|i| (i as f32).sin()).collect();
    let mut activations = Activations::new();
    activations.fill(isa, weights[0].forms(isa, batch), &values, columns);
    let mut output = vec![0.0; batch * rows];
    // Some products between two looks at the clock, some looks, and no longer than patience lasts.
    let start = Instant::now();
    let mut samples = Vec::new();
    let mut next = weights.iter().cycle();
    let products = (2_000_000 / (rows * columns) / batch).clamp(1, weights.len());
    while samples.len() < 9 || (samples.len() < 201 && start.elapsed().as_millis() < 300) {
        let look = Instant::now();
        for weights in next.by_ref().take(products) {
            multiply_on(pool, isa, weights, &activations, &mut output);
        }
        samples.push(look.elapsed().as_secs_f64() / products as f64);
    }
    samples.sort_by(f64::total_cmp);
    samples[samples.len() / 2]
}
