//! Products of some rows against those of all, and of those rows alone, for every kind of matrix.

use super::*;
use crate::dense::testing::random_floats;
use crate::matrix::testing::{nmse, random_blocks, random_numbers, seeds};

const ALL: Forms = Forms { int8: true, bf16: true, f32: true };

/// A matrix of each kind.
fn matrices(rows: usize, columns: usize) -> Vec<(String, Matrix)> {
    let blocks = Format::ALL.into_iter().zip(seeds()).map(|(format, seed)| {
        let bytes = random_blocks(format, rows, columns, seed);
        let packed = PackedMatrix::pack(&bytes, format, rows, columns).unwrap();
        (format.to_string(), Matrix::Blocks(packed))
    });
    let floats = Float::ALL.into_iter().zip(seeds()).map(|(float, seed)| {
        let (bytes, _) = random_floats(float, rows * columns, seed);
        let packed = DenseMatrix::pack(&bytes, float, rows, columns).unwrap();
        (float.to_string(), Matrix::Float(packed))
    });
    blocks.chain(floats).collect()
}

/// The product of all rows of these values, and of no others.
fn alone(isa: Isa, matrix: &Matrix, forms: Forms, values: &[f32]) -> Vec<f32> {
    let mut activations = Activations::new();
    activations.fill(isa, forms, values, matrix.columns());
    let mut out = vec![f32::NAN; activations.rows() * matrix.rows()];
    let output = Output::new(&mut out, matrix.rows());
    // SAFETY: the output is borrowed here alone.
    unsafe { multiply_panels(isa, matrix, &activations, 0..matrix.panels(), &output) };
    out
}

/// Whole tiles, parts of one, and across the ends of some: of one row to all.
const WINDOWS: [Range<usize>; 12] =
    [0..1, 0..16, 3..5, 14..18, 16..48, 16..26, 17..60, 40..41, 9..41, 69..70, 5..5, 0..70];

/// Rows of a product are to the bit what those rows alone come to, as each row goes its own way; and
/// nothing else is touched.
#[test]
fn some_rows_are_what_they_are_alone() {
    let (rows, columns, batch) = (70, 256, 70);
    let values = random_numbers(batch * columns, 11);
    for (name, matrix) in matrices(rows, columns) {
        for isa in Isa::available() {
            let mut activations = Activations::new();
            activations.fill(isa, ALL, &values, columns);
            let whole = alone(isa, &matrix, ALL, &values);
            for window in WINDOWS {
                let case = format!("{isa} {name}, rows {window:?}");
                let mut out = vec![7.0; batch * rows];
                let output = Output::new(&mut out, rows);
                let (all, panels) = (window.clone(), 0..matrix.panels());
                // SAFETY: the output is borrowed here alone.
                unsafe { multiply_rows(isa, &matrix, &activations, all, panels, &output) };
                let (before, rest) = out.split_at(window.start * rows);
                let (out, after) = rest.split_at(window.len() * rows);
                let untouched =
                    before.iter().chain(after).all(|value| value.to_bits() == 7_f32.to_bits());
                assert!(untouched, "{case}");
                if window.is_empty() {
                    continue;
                }
                let range = window.start * columns..window.end * columns;
                let forms = matrix.forms(isa, window.len());
                assert_eq!(out, alone(isa, &matrix, forms, &values[range]), "{case}");
                // Other forms may be best for all rows: eight bits are off by 2e-5, bf16 by 2e-6.
                let bound = if forms == matrix.forms(isa, batch) { 1e-11 } else { 1e-4 };
                let whole = &whole[window.start * rows..window.end * rows];
                let exact: Vec<f64> = whole.iter().copied().map(f64::from).collect();
                let error = nmse(out, &exact);
                assert!(error < bound, "{case}: {error:e} from the whole");
            }
        }
    }
}

/// Into a buffer of these rows and of one panel, and added; rows in between were never written.
#[test]
fn some_rows_go_to_a_window_of_their_own() {
    let (rows, columns, batch) = (70, 1280, 64);
    for (name, matrix) in matrices(rows, columns) {
        for isa in Isa::available() {
            for window in [32..33, 32..40, 35..64, 16..64] {
                let forms = matrix.forms(isa, window.len());
                let values = random_numbers(window.len() * columns, 12);
                let mut activations = Activations::new();
                // What an earlier batch left behind must not matter.
                activations.fill(isa, forms, &vec![f32::NAN; batch * columns], columns);
                activations.shape(isa, forms, batch, columns);
                for (row, values) in window.clone().zip(values.chunks(columns)) {
                    // SAFETY: the activations are ours alone.
                    unsafe { activations.write_row(row, values) };
                }
                let mut out = vec![0.5; window.len() * 32];
                // SAFETY: the buffer holds a panel for each of the rows, and is ours alone.
                unsafe {
                    let count = window.len();
                    let output = Output::window(out.as_mut_ptr(), 32, 32, rows, count);
                    let output = output.from_batch(window.start).adding();
                    multiply_rows(isa, &matrix, &activations, window.clone(), 1..2, &output);
                }
                let alone = alone(isa, &matrix, forms, &values);
                let panel = alone.chunks(rows).flat_map(|row| &row[32..64]);
                let exact: Vec<f64> = panel.map(|value| f64::from(*value) + 0.5).collect();
                let error = nmse(&out, &exact);
                // Only f32 roundings, of up to 40 blocks or 1280 columns.
                assert!(error < 1e-11, "{isa} {name}, rows {window:?}: {error:e}");
            }
        }
    }
}

/// Experts of many rows beside experts of few: if their forms are not there, others do.
#[test]
fn products_take_the_form_that_there_is() {
    let (rows, columns, batch) = (40, 256, 40);
    let values = random_numbers(batch * columns, 13);
    for (name, matrix) in matrices(rows, columns) {
        for isa in Isa::available() {
            for (few, many) in [(1, 40), (40, 1)] {
                let mut activations = Activations::new();
                activations.fill(isa, matrix.forms(isa, many), &values, columns);
                let mut out = vec![f32::NAN; few * rows];
                let output = Output::new(&mut out, rows);
                // SAFETY: the output is borrowed here alone.
                unsafe {
                    multiply_rows(isa, &matrix, &activations, 0..few, 0..2, &output);
                }
                let best = alone(isa, &matrix, matrix.forms(isa, few), &values[..few * columns]);
                let exact: Vec<f64> = best.into_iter().map(f64::from).collect();
                let error = nmse(&out, &exact);
                assert!(error < 1e-4, "{isa} {name}, {few} rows: {error:e}");
            }
        }
    }
}

#[test]
#[should_panic(expected = "rows 3..6, outputs 4..8")]
fn rows_that_there_is_no_room_for_are_refused() {
    let matrix = matrices(32, 256).pop().unwrap().1;
    let mut activations = Activations::new();
    activations.fill(Isa::Reference, ALL, &[1.0; 8 * 256], 256);
    let mut out = vec![0.0; 4 * 32];
    let output = Output::new(&mut out, 32).from_batch(4);
    // SAFETY: the output is borrowed here alone.
    unsafe { multiply_rows(Isa::Reference, &matrix, &activations, 3..6, 0..1, &output) };
}
