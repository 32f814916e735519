//! candle's matrix products at a shape of SmolLM2-135M: (rows, 576) x (576, 1536), its `ffn_up`.
//!
//! One row is a decode step at batch 1, 64 rows are a prefill. Throughput is in operations, two per
//! multiply-add, so elements/s read as FLOP/s. Timed: the product on all threads candle takes, with
//! weights that stay in the cache: a bound for decode from above, since a whole model does not fit
//! there. Not timed: quantising, loading, and our own kernels.

use candle_core::quantized::{GgmlDType, QMatMul, QTensor};
use candle_core::{Device, Module, Result, Tensor};
use criterion::{BenchmarkId, Criterion, Throughput};
use std::hint::black_box;

const HIDDEN: usize = 576;
const INTERMEDIATE: usize = 1_536;

/// Numbers between -1 and 1 that repeat only after 8,191.
fn filled(rows: usize, columns: usize, seed: usize) -> Result<Tensor> {
    let number = |at: usize| ((at * 7_919 + seed) % 8_191) as f32 / 4_095.5 - 1.0;
    let numbers: Vec<f32> = (0..rows * columns).map(number).collect();
    Tensor::from_vec(numbers, (rows, columns), &Device::Cpu)
}

/// Mean squared error against `reference`, as a share of its mean square.
fn nmse(reference: &Tensor, other: &Tensor) -> Result<f32> {
    let mean_square = |tensor: &Tensor| tensor.sqr()?.mean_all()?.to_scalar::<f32>();
    Ok(mean_square(&(reference - other)?)? / mean_square(reference)?)
}

/// The dot product of a row of `x` and a row of `weights`, written out.
fn dot(x: &Tensor, weights: &Tensor, row: usize, column: usize) -> Result<f32> {
    let (x, weights) = (x.get(row)?.to_vec1::<f32>()?, weights.get(column)?.to_vec1::<f32>()?);
    Ok(x.iter().zip(&weights).map(|(x, weight)| x * weight).sum())
}

fn main() -> Result<()> {
    let mut criterion = Criterion::default().configure_from_args();
    let mut group = criterion.benchmark_group("matmul");
    // Both kinds keep a weight matrix as (out, in).
    let weights = filled(INTERMEDIATE, HIDDEN, 1)?;
    let transposed = weights.t()?;
    let quantised = QMatMul::from_qtensor(QTensor::quantize(&weights, GgmlDType::Q4_0)?)?;
    for rows in [1, 64] {
        let x = filled(rows, HIDDEN, 2)?;
        let product = x.matmul(&transposed)?;
        let last = (rows - 1, INTERMEDIATE - 1);
        let (got, wanted) = (
            product.get(last.0)?.get(last.1)?.to_scalar::<f32>()?,
            dot(&x, &weights, last.0, last.1)?,
        );
        assert!((got - wanted).abs() < 1e-3, "f32: {got} instead of {wanted}");
        // Four bits for weights and eight for activations: about 1% of error in the mean square.
        let error = nmse(&product, &quantised.forward(&x)?)?;
        assert!(error > 0.0 && error < 0.03, "q4_0: normalised mean squared error {error}");

        group.throughput(Throughput::Elements((2 * rows * HIDDEN * INTERMEDIATE) as u64));
        group.bench_function(BenchmarkId::new("f32", rows), |bencher| {
            bencher.iter(|| black_box(&x).matmul(&transposed));
        });
        group.bench_function(BenchmarkId::new("q4_0", rows), |bencher| {
            bencher.iter(|| quantised.forward(black_box(&x)));
        });
    }
    group.finish();
    criterion.final_summary();
    Ok(())
}
