//! The product of floating-point weights and activations: which kernel.

use std::ops::Range;

use super::reference;
use super::rows::Rows;
use super::weights::DenseMatrix;
use crate::isa::Isa;
use crate::matrix::Output;

/// `output = activations * weights^T`, on this thread.
///
/// # Shapes
/// `weights`: `(rows, columns)`; `activations`: `(batch, columns)`; `output`: `(batch, rows)`.
///
/// # Accuracy
/// As [`multiply_panels`].
///
/// # Panics
/// If the shapes disagree or this CPU lacks `isa`.
pub fn multiply(isa: Isa, weights: &DenseMatrix, activations: Rows<'_>, output: &mut [f32]) {
    if output.is_empty() {
        return;
    }
    assert!(weights.rows() > 0, "no rows");
    let batch = output.len() / weights.rows();
    let output = Output::new(output, weights.rows());
    // SAFETY: the output is borrowed here alone, has the shape of the product, and every panel is
    // written on this thread.
    unsafe { multiply_panels(isa, weights, activations, batch, 0..weights.panels(), &output) };
}

/// Some panels of [`multiply`]: what one thread does.
///
/// [`Isa::Neon`] has no kernel yet, nor has any set but [`Isa::Amx`] one for activations in bf16, or
/// that one for them with other weights than bf16: the reference stands in.
/// [`DenseMatrix::wants_bf16`] tells which form to give.
///
/// # Shapes
/// As [`multiply`]; `panels` are of [`DenseMatrix::panels`].
///
/// # Accuracy
/// Against the exact product of weights and activations: normalised mean squared error below
/// `columns * (2^-24)^2` for activations with random signs, as each of `columns` sums in f32 rounds
/// by at most 2^-24 relative. For activations in bf16 that is against the product of what they were
/// rounded to. The rounding adds 2.2e-6 if they are evenly spread from -1 to 1: `2^-(k + 1)` of them
/// are just below `2^-k`, where the step is `2^-(k + 8)` and the error `step^2 / 12`; summed over
/// `k` that is `2^-14 / 84`, and the mean square is 1/3.
/// Matrix tiles take numbers below 2^-126 as 0.
///
/// # Panics
/// If the shapes disagree or this CPU lacks `isa`.
///
/// # Safety
/// `output` must hold the rows of these panels for `batch` rows of activations. Until this returns,
/// nobody else may read or write them.
pub unsafe fn multiply_panels(
    isa: Isa,
    weights: &DenseMatrix,
    activations: Rows<'_>,
    batch: usize,
    panels: Range<usize>,
    output: &Output<'_>,
) {
    assert!(activations.hold(batch, weights.columns()), "activations are not {batch} rows");
    // SAFETY: as the caller vouches.
    unsafe { multiply_rows(isa, weights, activations, 0..batch, panels, output) };
}

/// [`multiply_panels`] for some rows of activations: those that a mixture of experts sends to one of
/// them.
///
/// # Shapes
/// As [`multiply`]; `rows` are of the activations, which need hold no others. Their outputs go to the
/// same rows of `output`, counted from [`Output::from_batch`]. No other outputs are touched.
///
/// # Accuracy
/// As [`multiply_panels`].
///
/// # Panics
/// If the shapes disagree, there are no such rows, `output` has no room for them, or this CPU lacks
/// `isa`.
///
/// # Safety
/// As [`multiply_panels`], of these rows of the output.
pub unsafe fn multiply_rows(
    isa: Isa,
    weights: &DenseMatrix,
    activations: Rows<'_>,
    rows: Range<usize>,
    panels: Range<usize>,
    output: &Output<'_>,
) {
    assert!(isa.is_available(), "this CPU has no {isa}");
    assert!(
        activations.reach(rows.end, weights.columns()),
        "activations are not {} rows",
        rows.end
    );
    assert_eq!(weights.rows(), output.rows(), "rows");
    assert!(output.holds(&rows), "rows {rows:?}, outputs {:?}", output.batch());
    assert!(panels.end <= weights.panels(), "panels");
    if rows.is_empty() {
        return;
    }
    // SAFETY: the CPU was asked for the set, the shapes agree, and the caller vouches for the
    // panels being ours alone.
    unsafe {
        match (isa, activations) {
            #[cfg(target_arch = "x86_64")]
            (Isa::Amx, Rows::Bf16(lines)) if weights.float() == super::Float::Bf16 => {
                super::amx::panels(weights, lines, &rows, panels, output);
            }
            #[cfg(target_arch = "x86_64")]
            (Isa::Avx512 | Isa::Amx, Rows::F32(values)) => {
                let values = &values[rows.start * weights.columns()..rows.end * weights.columns()];
                super::avx512::panels(weights, values, rows.start, panels, output);
            }
            #[cfg(target_arch = "x86_64")]
            (Isa::Avx2, Rows::F32(values)) => {
                let values = &values[rows.start * weights.columns()..rows.end * weights.columns()];
                for panel in panels {
                    super::avx2::panel(weights, values, &rows, panel, output);
                }
            }
            _ => {
                for panel in panels {
                    reference::panel(weights, activations, &rows, panel, output);
                }
            }
        }
    }
}

/// Whether sums start from what the output holds, rather than from zero.
pub(super) const fn start(output: &Output<'_>) -> bool {
    output.is_adding()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dense::Float;
    use crate::dense::testing::{error_per_term, exact, random_floats};
    use crate::matrix::testing::{random_numbers, seeds};
    use crate::matrix::{Activations, Forms};

    const BF16: Forms = Forms { int8: false, bf16: true, f32: false };

    /// `columns` roundings in f32.
    fn bound(columns: usize) -> f64 {
        columns as f64 * 2.0_f64.powi(-48)
    }

    fn check(float: Float, rows: usize, columns: usize, batch: usize, seed: u64) {
        let (bytes, numbers) = random_floats(float, rows * columns, seed);
        let values = random_numbers(batch * columns, !seed);
        let exactly = exact(&numbers, &values, columns);
        let weights = DenseMatrix::pack(&bytes, float, rows, columns).unwrap();
        for isa in Isa::available() {
            let case = format!("{isa} {float} {rows} x {columns}, batch {batch}, seed {seed}");
            let mut output = vec![f32::NAN; batch * rows];
            multiply(isa, &weights, Rows::F32(&values), &mut output);
            let error = error_per_term(&output, &exactly);
            assert!(error < bound(columns), "{case}: {error:e}");
        }
    }

    /// Activations in bf16: near to the exact product of what they were rounded to, and not far
    /// from that of what they were.
    fn check_bf16(float: Float, rows: usize, columns: usize, batch: usize, seed: u64) {
        let (bytes, numbers) = random_floats(float, rows * columns, seed);
        let values = random_numbers(batch * columns, !seed);
        let mut rounded = Activations::new();
        rounded.fill(Isa::best(), BF16, &values, columns);
        let rounded_values: Vec<f32> = (0..values.len())
            .map(|at| Rows::of(&rounded).get(columns, at / columns, at % columns))
            .collect();
        let [of_rounded, of_given] =
            [&rounded_values, &values].map(|values| exact(&numbers, values, columns));
        let weights = DenseMatrix::pack(&bytes, float, rows, columns).unwrap();
        for isa in Isa::available() {
            let case = format!("{isa} {float} {rows} x {columns}, batch {batch}, seed {seed}");
            let mut output = vec![f32::NAN; batch * rows];
            multiply(isa, &weights, Rows::of(&rounded), &mut output);
            let error = error_per_term(&output, &of_rounded);
            assert!(error < bound(columns), "{case}: {error:e}");
            // 2.2e-6 on average, so of few outputs it says little.
            let error = error_per_term(&output, &of_given);
            assert!(error < 3.3e-6 || output.len() < 500, "{case}: {error:e} from what was given");
        }
    }

    fn check_both(float: Float, rows: usize, columns: usize, batch: usize, seed: u64) {
        check(float, rows, columns, batch, seed);
        check_bf16(float, rows, columns, batch, seed);
    }

    /// A window of a wider matrix, added to: what is beside it stays.
    #[test]
    fn outputs_may_be_added_to_a_window() {
        let (rows, columns, batch, stride) = (70, 64, 18, 40);
        for float in [Float::Bf16, Float::F16, Float::F32] {
            let (bytes, numbers) = random_floats(float, rows * columns, 1);
            let values = random_numbers(batch * columns, 2);
            let exactly = exact(&numbers, &values, columns);
            let weights = DenseMatrix::pack(&bytes, float, rows, columns).unwrap();
            for isa in Isa::available() {
                let mut given = vec![0.5_f32; batch * stride];
                // SAFETY: the window holds rows 32..64 for each row of activations.
                unsafe {
                    let output = Output::window(given.as_mut_ptr(), stride, 32, rows, batch);
                    let values = Rows::F32(&values);
                    multiply_panels(isa, &weights, values, batch, 1..2, &output.adding());
                }
                for (b, given) in given.chunks(stride).enumerate() {
                    for (i, value) in given.iter().enumerate() {
                        let product = if i < 32 { exactly[b * rows + 32 + i].0 } else { 0.0 };
                        let error = (f64::from(*value) - 0.5 - product).abs();
                        assert!(error < 1e-5, "{isa} {float}, row {b}, {i}: {error:e}");
                    }
                }
            }
        }
    }

    #[test]
    fn every_set_and_kind_agrees_over_odd_rows() {
        for float in Float::ALL {
            for (rows, seed) in [1, 7, 16, 33, 100].into_iter().zip(seeds()) {
                for columns in [32, 96] {
                    for batch in [1, 2, 7, 16, 33] {
                        check_both(float, rows, columns, batch, seed);
                    }
                }
            }
        }
    }

    #[test]
    fn every_set_and_kind_agrees_over_batches() {
        for float in Float::ALL {
            for (batch, seed) in (1..=18).chain([24, 31, 32, 33, 50, 65]).zip(seeds()) {
                check_both(float, 40, 64, batch, seed);
            }
        }
    }

    /// More columns than a kernel takes at once.
    #[test]
    fn every_set_and_kind_agrees_over_long_rows() {
        for float in Float::ALL {
            for columns in [576, 1792] {
                for (batch, seed) in [1, 5, 17, 24].into_iter().zip(seeds()) {
                    check_both(float, 33, columns, batch, seed);
                }
            }
        }
    }

    /// More activations than pass a panel at once, with some and with few left for the last time.
    #[test]
    fn every_set_and_kind_agrees_over_long_rows_of_large_batches() {
        for float in Float::ALL {
            check(float, 33, 4096, 67, 1);
            check(float, 2, 4096, 45, 2);
        }
    }

    #[test]
    fn panels_alone_leave_the_others_as_they_are() {
        let (rows, columns, batch) = (100, 32, 3);
        let (bytes, _) = random_floats(Float::Bf16, rows * columns, 1);
        let weights = DenseMatrix::pack(&bytes, Float::Bf16, rows, columns).unwrap();
        let values = random_numbers(batch * columns, 2);
        let mut rounded = Activations::new();
        rounded.fill(Isa::best(), BF16, &values, columns);
        for isa in Isa::available() {
            for activations in [Rows::F32(&values), Rows::of(&rounded)] {
                let mut whole = vec![f32::NAN; batch * rows];
                multiply(isa, &weights, activations, &mut whole);
                let mut parts = vec![f32::NAN; batch * rows];
                let output = Output::new(&mut parts, rows);
                // SAFETY: the output is ours alone and has the shape of the product.
                unsafe { multiply_panels(isa, &weights, activations, batch, 1..2, &output) };
                for (at, (part, whole)) in parts.iter().zip(&whole).enumerate() {
                    let expected = if (32..64).contains(&(at % rows)) { *whole } else { f32::NAN };
                    assert_eq!(part.to_bits(), expected.to_bits(), "{isa}, output {at}");
                }
            }
        }
    }

    #[test]
    #[should_panic(expected = "activations are not 2 rows")]
    fn too_few_activations_are_refused() {
        let weights = DenseMatrix::zeroed(Float::F32, 3, 32).unwrap();
        multiply(Isa::Reference, &weights, Rows::F32(&[0.0; 32]), &mut [0.0; 6]);
    }

    #[test]
    #[should_panic(expected = "activations are not 17 rows")]
    fn too_few_tiles_are_refused() {
        let weights = DenseMatrix::zeroed(Float::Bf16, 1, 32).unwrap();
        let mut rounded = Activations::new();
        rounded.fill(Isa::Reference, BF16, &[0.0; 16 * 32], 32);
        multiply(Isa::Reference, &weights, Rows::of(&rounded), &mut [0.0; 17]);
    }
}
