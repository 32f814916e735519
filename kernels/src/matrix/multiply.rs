//! The product of a packed matrix and quantised activations: which kernel, and on which threads.

use std::ops::Range;

use super::activations::{Activations, Forms};
use super::output::Output;
use super::packed::PackedMatrix;
use super::reference;
use crate::isa::Isa;
use crate::pool::Pool;

/// Rows of activations from which matrix tiles are faster than vectors. For `Q4_0` and `Q8_0` matrices
/// of 576 to 2048 columns they took 0.9 to 1.4 of the time at 24 rows, and 0.7 to 1.0 at 32 (Sapphire
/// Rapids, one thread of a busy machine).
const FEWEST_FOR_TILES: usize = 28;

impl PackedMatrix {
    /// The forms in which a product with so many rows of activations is fastest.
    ///
    /// Products take what there is: with more forms than these they still choose these; without
    /// these, they need the eight-bit form, or on [`Isa::Amx`] any of the two.
    #[must_use]
    pub const fn forms(&self, isa: Isa, rows: usize) -> Forms {
        let tiles = matches!(isa, Isa::Amx) && rows >= FEWEST_FOR_TILES;
        Forms { int8: !tiles, bf16: tiles, f32: false }
    }
}

/// `output = activations * weights^T`, on this thread.
///
/// # Shapes
/// `weights`: `(rows, columns)`; `activations`: `(batch, columns)`; `output`: `(batch, rows)`.
///
/// # Accuracy
/// Against the exact product of the dequantised weights and the activations before they were
/// quantised: normalised mean squared error below 1e-4 for random activations. It is that of eight
/// bits: a step of `max / 127`, so an error of `(max / 127)^2 / 12` where the mean square is
/// `max^2 / 3` (evenly spread) or about `max^2 / 4.4` (normal): 1.6e-5 or 2.3e-5. Integers are exact
/// within a block, and blocks are summed in f32.
///
/// # Panics
/// If the shapes disagree, this CPU lacks `isa`, or the activations are in no form that it takes (see
/// [`PackedMatrix::forms`]).
pub fn multiply(isa: Isa, weights: &PackedMatrix, activations: &Activations, output: &mut [f32]) {
    if output.is_empty() {
        return;
    }
    let output = Output::new(output, weights.rows());
    // SAFETY: the output is borrowed here alone, and every panel is written on this thread.
    unsafe { multiply_panels(isa, weights, activations, 0..weights.panels(), &output) };
}

/// [`multiply`], with the panels shared evenly among the threads of a pool.
///
/// # Panics
/// As [`multiply`].
pub fn multiply_on(
    pool: &Pool,
    isa: Isa,
    weights: &PackedMatrix,
    activations: &Activations,
    output: &mut [f32],
) {
    if output.is_empty() {
        return;
    }
    let output = Output::new(output, weights.rows());
    let panels = weights.panels();
    pool.run(|thread, threads| {
        let panels = panels * thread / threads..panels * (thread + 1) / threads;
        // SAFETY: the output is borrowed here alone, and the panels of threads are disjoint.
        unsafe { multiply_panels(isa, weights, activations, panels, &output) };
    });
}

/// Some panels of [`multiply`]: what one thread does.
///
/// [`Isa::Neon`] has no kernel yet: the reference stands in.
///
/// # Shapes
/// As [`multiply`]; `panels` are of [`PackedMatrix::panels`].
///
/// # Panics
/// If the shapes disagree, this CPU lacks `isa`, or the activations are in no form that it takes (see
/// [`PackedMatrix::forms`]).
///
/// # Safety
/// Until it returns, nobody else may read or write the rows of these panels in the output.
pub unsafe fn multiply_panels(
    isa: Isa,
    weights: &PackedMatrix,
    activations: &Activations,
    panels: Range<usize>,
    output: &Output<'_>,
) {
    assert_eq!(output.batch(), 0..activations.rows(), "rows of activations");
    // SAFETY: as the caller vouches.
    unsafe { multiply_rows(isa, weights, activations, 0..activations.rows(), panels, output) };
}

/// [`multiply_panels`] for some rows of activations: those that a mixture of experts sends to one of
/// them.
///
/// # Shapes
/// As [`multiply`]; `rows` are of the activations, which need hold no others. Their outputs go to the
/// same rows of `output`, counted from [`Output::from_batch`]. No other outputs are touched.
///
/// # Panics
/// As [`multiply_panels`], and if `output` has no room for the rows. The forms are those that
/// [`PackedMatrix::forms`] names for as many rows as these.
///
/// # Safety
/// As [`multiply_panels`], of these rows of the output.
pub unsafe fn multiply_rows(
    isa: Isa,
    weights: &PackedMatrix,
    activations: &Activations,
    rows: Range<usize>,
    panels: Range<usize>,
    output: &Output<'_>,
) {
    assert!(isa.is_available(), "this CPU has no {isa}");
    assert_eq!(weights.columns(), activations.columns(), "columns");
    assert_eq!(weights.rows(), output.rows(), "rows");
    assert!(rows.end <= activations.rows(), "rows {rows:?} of {}", activations.rows());
    assert!(output.holds(&rows), "rows {rows:?}, outputs {:?}", output.batch());
    assert!(panels.end <= weights.panels(), "panels");
    if rows.is_empty() {
        return;
    }
    #[cfg(target_arch = "x86_64")]
    if let (Isa::Amx, Some(values)) = (isa, activations.bf16())
        && (weights.forms(isa, rows.len()).bf16 || !activations.forms().int8)
    {
        // SAFETY: the CPU was asked for the set, the shapes agree, and the caller vouches for the
        // panels being ours alone.
        unsafe { super::amx::panels(weights, values, rows, panels, output) };
        return;
    }
    let batch = &rows;
    for panel in panels {
        // SAFETY: the CPU was asked for the set, the shapes agree, and the caller vouches for the
        // panel being ours alone.
        unsafe {
            match isa {
                #[cfg(target_arch = "x86_64")]
                Isa::Avx512 | Isa::Amx => {
                    super::avx512::panel(weights, activations, batch, panel, output);
                }
                #[cfg(target_arch = "x86_64")]
                Isa::Avx2 => super::avx2::panel(weights, activations, batch, panel, output),
                _ => reference::panel(weights, activations, batch, panel, output),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matrix::testing::{nmse, random_blocks, random_numbers, seeds};
    use crate::matrix::{Format, dequantise};

    const INT8: Forms = Forms { int8: true, bf16: false, f32: false };

    /// The exact product of the weights as stored and the activations as given, and the sum of the
    /// squares of each output's terms.
    fn exact(weights: &[f32], values: &[f32], columns: usize) -> Vec<(f64, f64)> {
        let dot = |a: &[f32], b: &[f32]| {
            let terms = a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b));
            terms.fold((0.0, 0.0), |(sum, squares), term| (sum + term, squares + term * term))
        };
        values
            .chunks(columns)
            .flat_map(|values| weights.chunks(columns).map(move |row| dot(row, values)))
            .collect()
    }

    /// The squared error, normalised by what the square of an output is on average if the signs of
    /// its terms are random: so an output whose terms happen to cancel does not fail the test.
    fn error_per_term(values: &[f32], exact: &[(f64, f64)]) -> f64 {
        let errors = values.iter().zip(exact).map(|(value, (sum, _))| f64::from(*value) - sum);
        let squares: f64 = exact.iter().map(|(_, squares)| squares).sum();
        let error: f64 = errors.map(|error| error * error).sum();
        if error == 0.0 { 0.0 } else { error / squares }
    }

    fn check(format: Format, rows: usize, columns: usize, batch: usize, seed: u64) {
        let bytes = random_blocks(format, rows, columns, seed);
        let values = random_numbers(batch * columns, seed ^ 1);
        let exact = exact(&dequantise(format, &bytes), &values, columns);
        let weights = PackedMatrix::pack(&bytes, format, rows, columns).unwrap();
        let mut activations = Activations::new();
        activations.fill(Isa::Reference, INT8, &values, columns);

        let mut slow = vec![f32::NAN; batch * rows];
        multiply(Isa::Reference, &weights, &activations, &mut slow);
        let slow_exactly: Vec<f64> = slow.iter().copied().map(f64::from).collect();
        for isa in Isa::available() {
            let case = format!("{isa} {format} {rows} x {columns}, batch {batch}, seed {seed}");
            let mut fast = vec![f32::NAN; batch * rows];
            let mut activations = activations.clone();
            activations.fill(isa, weights.forms(isa, batch), &values, columns);
            multiply(isa, &weights, &activations, &mut fast);
            let error = error_per_term(&fast, &exact);
            assert!(error < 1e-4, "{case}: {error:e} from exact");
            if activations.bf16().is_some() {
                // Not eight bits but bf16: beside its own twin it is tested with the kernel.
                assert!(error < 1e-5, "{case}: {error:e} from exact");
                continue;
            }
            // Only the order of f32 roundings may differ: (2^-24)^2 a step, over some steps.
            let error = nmse(&fast, &slow_exactly);
            assert!(error < 1e-11, "{case}: {error:e} from the reference");
        }
    }

    #[test]
    fn every_set_and_format_agrees_over_odd_rows() {
        for format in Format::ALL {
            let blocks = 256 / format.block_weights();
            for (rows, seed) in [1, 7, 16, 33, 100].into_iter().zip(seeds()) {
                let columns = (1 + rows % (blocks + 1)) * format.block_weights();
                for batch in [1, 2, 7] {
                    check(format, rows, columns, batch, seed);
                }
            }
        }
    }

    #[test]
    fn every_set_and_format_agrees_over_batches() {
        for format in Format::ALL {
            for (batch, seed) in (1..=17).chain([32, 50]).zip(seeds()) {
                check(format, 40, 256, batch, seed);
            }
        }
    }

    /// More blocks than a kernel unpacks at once.
    #[test]
    fn every_set_and_format_agrees_over_long_rows() {
        for format in Format::ALL {
            for (batch, seed) in [1, 3, 9, 20].into_iter().zip(seeds()) {
                check(format, 33, 1792, batch, seed);
            }
        }
    }

    /// Codes at both ends, where sixteen-bit sums would overflow first.
    #[test]
    fn the_largest_codes_do_not_saturate() {
        for format in [Format::Q8_0, Format::Q5_0, Format::Q4_0, Format::Q6_K] {
            for fill in [0x00, 0x7f, 0x80, 0xff] {
                for activation in [1.0, -1.0] {
                    let (columns, batch) = (256, 8);
                    let mut bytes = random_blocks(format, 33, columns, 1);
                    for block in bytes.chunks_exact_mut(format.block_bytes()) {
                        if format == Format::Q6_K {
                            block[..192].fill(fill);
                            block[192..208].fill(1);
                        } else {
                            block[2..].fill(fill);
                        }
                    }
                    let weights = PackedMatrix::pack(&bytes, format, 33, columns).unwrap();
                    let mut activations = Activations::new();
                    let values = vec![activation; columns * batch];
                    activations.fill(Isa::Reference, INT8, &values, columns);
                    let exact = exact(&dequantise(format, &bytes), &values, columns);
                    for isa in Isa::available() {
                        let mut output = vec![0.0; 33 * 8];
                        multiply(isa, &weights, &activations, &mut output);
                        let error = error_per_term(&output, &exact);
                        assert!(error < 1e-11, "{isa} {format} {fill:#x}: {error:e}");
                    }
                }
            }
        }
    }

    #[test]
    fn threads_write_what_one_thread_writes() {
        let (rows, columns, batch) = (200, 64, 3);
        let bytes = random_blocks(Format::Q4_0, rows, columns, 5);
        let weights = PackedMatrix::pack(&bytes, Format::Q4_0, rows, columns).unwrap();
        let mut activations = Activations::new();
        activations.fill(Isa::best(), INT8, &random_numbers(batch * columns, 6), columns);
        let mut alone = vec![0.0; batch * rows];
        multiply(Isa::best(), &weights, &activations, &mut alone);
        for threads in [1, 2, 3, 9] {
            let pool = Pool::new(std::num::NonZeroUsize::new(threads).unwrap());
            let mut together = vec![0.0; batch * rows];
            multiply_on(&pool, Isa::best(), &weights, &activations, &mut together);
            assert_eq!(alone, together);
        }
    }

    /// Adding, and into a window, is what a plain product gives, plus what was there; nothing else is
    /// touched. Only f32 roundings may differ, as sums start from other numbers: (2^-24)^2 a step. What
    /// was there is a 500th of the outputs, so leaving it out would be an error of 4e-6.
    #[test]
    fn outputs_are_added_and_go_to_windows() {
        let (rows, columns, stride) = (100, 1792, 70);
        let bytes = random_blocks(Format::Q4_K, rows, columns, 7);
        let weights = PackedMatrix::pack(&bytes, Format::Q4_K, rows, columns).unwrap();
        for (isa, batch) in Isa::available().into_iter().flat_map(|isa| [(isa, 3), (isa, 41)]) {
            let mut activations = Activations::new();
            let values = random_numbers(batch * columns, 8);
            activations.fill(isa, weights.forms(isa, batch), &values, columns);
            let mut plain = vec![f32::NAN; batch * rows];
            multiply(isa, &weights, &activations, &mut plain);
            let before = random_numbers(batch * rows, 9);
            let mut added = before.clone();
            let output = Output::new(&mut added, rows).adding();
            // SAFETY: the output is borrowed here alone.
            unsafe { multiply_panels(isa, &weights, &activations, 0..4, &output) };
            let pairs = before.iter().zip(&plain);
            let exact: Vec<f64> = pairs.map(|(a, b)| f64::from(*a) + f64::from(*b)).collect();
            let error = nmse(&added, &exact);
            assert!(error < 1e-11, "{isa}, batch {batch}: {error:e}");
            // Rows 32..100, in a matrix of 70 columns.
            let mut window = vec![0.5; batch * stride];
            // SAFETY: 68 outputs a row, from its start, as the last panel has four rows.
            unsafe {
                let output = Output::window(window.as_mut_ptr(), stride, 32, rows, batch);
                multiply_panels(isa, &weights, &activations, 1..4, &output);
            }
            for (batch, window) in window.chunks_exact(stride).enumerate() {
                assert_eq!(window[..68], plain[batch * rows + 32..][..68], "{isa}");
                assert_eq!(window[68..], [0.5; 2], "{isa}");
            }
        }
    }

    /// Several matrices of one input share its forms: each product still takes its own.
    #[test]
    fn more_forms_than_needed_change_nothing() {
        let (rows, columns) = (40, 64);
        let bytes = random_blocks(Format::Q8_0, rows, columns, 3);
        let weights = PackedMatrix::pack(&bytes, Format::Q8_0, rows, columns).unwrap();
        for (isa, batch) in Isa::available().into_iter().flat_map(|isa| [(isa, 2), (isa, 50)]) {
            let values = random_numbers(batch * columns, 4);
            let product = |forms: Forms| {
                let mut activations = Activations::new();
                activations.fill(isa, forms, &values, columns);
                let mut output = vec![f32::NAN; batch * rows];
                multiply(isa, &weights, &activations, &mut output);
                output
            };
            let own = weights.forms(isa, batch);
            assert_eq!(product(own), product(own | Forms { int8: true, bf16: true, f32: true }));
        }
    }
}
