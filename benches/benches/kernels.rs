//! The kernels of the fused engine, one thread each, on the best instruction set of this CPU.
//!
//! - `product`: 2,048 x 2,048 weights of every type with 1 row of activations (bytes of weights a
//!   second: a decode step), 8 and 128 rows (operations a second: a batch, a prompt). Weights come
//!   from 128 MiB of copies, as a model's layers do, so caches do not flatter them.
//! - `attention`: one query behind 512 keys (bytes of cache a second), and a prompt of 512
//!   (operations a second).
//! - `rows`: what lies between products, a row of 2,048 (bytes read a second, from the caches).
//!
//! Behind every bench stands its share of the machine's ceiling, measured in the same process on one
//! thread just before: read bandwidth for bytes, the widest arithmetic peak for operations. A share
//! above 100% for `rows` and for one query is right: they read caches. Not timed: quantising weights, loading, threads.

#![expect(clippy::print_stderr, reason = "a bench prints")]

use criterion::{Bencher, BenchmarkId, Criterion, Throughput};
use freeweights_kernels::attention::{
    AttentionOutput, AttentionScratch, KvCache, KvType, Queries, Scoring, attend,
};
use freeweights_kernels::ceilings::{Ceilings, Estimate, Options};
use freeweights_kernels::dense::Float;
use freeweights_kernels::gate::{Activation, gate_multiply};
use freeweights_kernels::isa::Isa;
use freeweights_kernels::matrix::{Activations, F16, Format, Output};
use freeweights_kernels::norm::rms_norm;
use freeweights_kernels::weights::{Matrix, Stored, multiply_panels};
use std::error::Error;
use std::hint::black_box;
use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

const WIDTH: usize = 2_048;

/// Bytes of all copies of a matrix together.
const BEYOND_CACHES: usize = 128 << 20;

/// What a bench does in one iteration, and against which ceiling it counts.
#[derive(Clone, Copy)]
enum Work {
    Bytes(usize),
    Operations(usize),
}

struct Benches {
    criterion: Criterion,
    read: f64,
    peak: f64,
}

impl Benches {
    /// Times `once`, and prints its share of the ceiling.
    fn bench(&mut self, group: &str, id: BenchmarkId, work: Work, mut once: impl FnMut()) {
        let mut best = f64::INFINITY;
        let mut group = self.criterion.benchmark_group(group);
        let (amount, ceiling, throughput) = match work {
            Work::Bytes(bytes) => (bytes, self.read, Throughput::Bytes(bytes as u64)),
            Work::Operations(count) => (count, self.peak, Throughput::Elements(count as u64)),
        };
        group.throughput(throughput).sample_size(20);
        group.warm_up_time(Duration::from_millis(300));
        group.measurement_time(Duration::from_millis(800));
        group.bench_function(id, |bencher: &mut Bencher<'_>| {
            bencher.iter_custom(|iterations| {
                let start = Instant::now();
                for _ in 0..iterations {
                    once();
                }
                let took = start.elapsed();
                best = best.min(took.as_secs_f64() / iterations as f64);
                took
            });
        });
        group.finish();
        if best.is_finite() {
            let share = 100.0 * amount as f64 / best / ceiling;
            eprintln!("    {share:.0}% of the ceiling, at best");
        }
    }
}

/// Stored rows whose codes or numbers are noise.
fn stored(stored: Stored, count: usize) -> Vec<u8> {
    let mut noise = 1_u64;
    let mut next = || {
        noise = noise.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
        noise.to_be_bytes()[0]
    };
    match stored {
        Stored::Float(float) => {
            // The upper byte of small numbers, the lower one of noise.
            let cells = (0..count).flat_map(|_| match float {
                Float::Bf16 => vec![next(), 0x3c],
                Float::F16 => vec![next(), 0x20],
                Float::F32 => vec![next(), next(), next() & 0x7f, 0x3c],
            });
            cells.collect()
        }
        Stored::Blocks(format) => {
            let mut bytes = vec![0; count / format.block_weights() * format.block_bytes()];
            for block in bytes.chunks_exact_mut(format.block_bytes()) {
                for byte in block.iter_mut() {
                    *byte = next();
                }
                let scale = F16::from_f32(0.001).to_bits().to_le_bytes();
                let at = if format == Format::Q6_K { block.len() - 2 } else { 0 };
                block[at..at + 2].copy_from_slice(&scale);
            }
            bytes
        }
    }
}

fn matrix(kind: Stored) -> Result<Matrix, Box<dyn Error>> {
    let bytes = stored(kind, WIDTH * WIDTH);
    let mut matrix = Matrix::zeroed(kind, WIDTH, WIDTH)?;
    let rows: Vec<&[u8]> = bytes.chunks_exact(matrix.stored_row_bytes()).collect();
    for (panel, rows) in matrix.panels_mut().iter_mut().zip(rows.chunks(32)) {
        panel.fill(rows)?;
    }
    Ok(matrix)
}

fn waves(count: usize) -> Vec<f32> {
    (0..count).map(|i| (i as f32).sin()).collect()
}

fn products(benches: &mut Benches, isa: Isa) -> Result<(), Box<dyn Error>> {
    let blocks = Format::ALL.map(Stored::Blocks);
    for kind in blocks.into_iter().chain(Float::ALL.map(Stored::Float)) {
        let name = match kind {
            Stored::Blocks(format) => format.name(),
            Stored::Float(float) => float.name(),
        };
        let one = matrix(kind)?;
        let copies = vec![one.clone(); BEYOND_CACHES.div_ceil(one.bytes())];
        for rows in [1, 8, 128] {
            let mut activations = Activations::new();
            activations.fill(isa, one.forms(isa, rows), &waves(rows * WIDTH), WIDTH);
            let mut output = vec![0.0; rows * WIDTH];
            let mut next = copies.iter().cycle();
            let work = match rows {
                1 => Work::Bytes(one.bytes()),
                _ => Work::Operations(2 * rows * WIDTH * WIDTH),
            };
            benches.bench("product", BenchmarkId::new(name, rows), work, || {
                let Some(matrix) = next.next() else { return };
                let output = Output::new(&mut output, WIDTH);
                // SAFETY: everything is borrowed here alone.
                unsafe {
                    multiply_panels(isa, matrix, &activations, 0..matrix.panels(), &output);
                }
            });
            assert!(output.iter().all(|value| value.is_finite()), "{name}, {rows} rows");
        }
    }
    Ok(())
}

fn attention(benches: &mut Benches, isa: Isa) {
    let (head_dim, group, length) = (64, 4, 512);
    for kind in KvType::ALL {
        let mut cache = KvCache::new(kind, 1, 1, head_dim);
        cache.reserve(1, length);
        let numbers = waves(length * head_dim);
        for (position, head) in numbers.chunks_exact(head_dim).enumerate() {
            // SAFETY: the position is within the cache, and nobody else is there.
            unsafe { cache.append(isa, 0, 0, 0, position, head, head) };
        }
        let queries = waves(length * group * head_dim);
        let mut output = vec![0.0_f32; queries.len()];
        let mut scratch = AttentionScratch::new(head_dim, group);
        for rows in [1, length] {
            let row_stride = group * head_dim;
            let queries = Queries {
                values: queries.as_ptr(),
                row_stride,
                group,
                rows,
                first_position: length - rows,
            };
            let pairs: usize = (length - rows + 1..=length).sum();
            let work = match rows {
                1 => Work::Bytes(length * kind.bytes_per_token(1, head_dim)),
                _ => Work::Operations(4 * pairs * group * head_dim),
            };
            let id = BenchmarkId::new(kind.name(), rows);
            let output = AttentionOutput { values: output.as_mut_ptr(), row_stride };
            let scoring = Scoring::scaled(0.125);
            benches.bench("attention", id, work, || {
                // SAFETY: queries and output have this shape, and all keys are there.
                unsafe {
                    let (queries, scratch) = (black_box(&queries), &mut scratch);
                    attend(isa, &cache, 0, 0, 0, queries, &scoring, scratch, &output);
                }
            });
        }
        assert!(output.iter().all(|value| value.is_finite()), "{}", kind.name());
    }
}

fn rows(benches: &mut Benches, isa: Isa) {
    let (x, y, mut out) = (waves(WIDTH), waves(WIDTH), vec![0.0; WIDTH]);
    let work = Work::Bytes(2 * WIDTH * size_of::<f32>());
    benches.bench("rows", BenchmarkId::from_parameter("rms_norm"), work, || {
        rms_norm(isa, black_box(&x), &y, 1e-5, &mut out);
    });
    benches.bench("rows", BenchmarkId::from_parameter("silu_multiply"), work, || {
        gate_multiply(isa, Activation::Silu, black_box(&x), &y, &mut out);
    });
    let one = Work::Bytes(WIDTH * size_of::<f32>());
    for (name, forms) in [("int8", [true, false]), ("bf16", [false, true])] {
        let forms =
            freeweights_kernels::matrix::Forms { int8: forms[0], bf16: forms[1], f32: false };
        let mut activations = Activations::new();
        activations.shape(isa, forms, 1, WIDTH);
        benches.bench("rows", BenchmarkId::new("round", name), one, || {
            // SAFETY: the row is one of the shape, and nobody else is there.
            unsafe { activations.write_row(0, black_box(&x)) };
        });
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let isa = Isa::best();
    let ceilings = Ceilings::measure(&Options::new(NonZeroUsize::MIN));
    let narrow = [&ceilings.int8_ops_per_s, &ceilings.bf16_flops_per_s];
    let peaks = narrow.into_iter().flatten().map(Estimate::ceiling);
    let mut benches = Benches {
        criterion: Criterion::default().configure_from_args(),
        read: ceilings.read_bytes_per_s.ceiling(),
        peak: peaks.fold(ceilings.f32_flops_per_s.ceiling(), f64::max),
    };
    eprintln!(
        "{isa}, one thread: reads {:.1} GB/s, computes {:.0} GOP/s",
        benches.read / 1e9,
        benches.peak / 1e9
    );
    products(&mut benches, isa)?;
    attention(&mut benches, isa);
    rows(&mut benches, isa);
    benches.criterion.final_summary();
    Ok(())
}
