//! What the tests of this room share: weights, exact products, and their error.

use super::float::Float;
use crate::matrix::F16;
use crate::matrix::testing::random_numbers;

/// Numbers of a kind from -1 to 1: their little-endian bytes, and their values.
pub(crate) fn random_floats(float: Float, count: usize, seed: u64) -> (Vec<u8>, Vec<f32>) {
    let bytes: Vec<u8> = random_numbers(count, seed)
        .into_iter()
        .flat_map(|number| match float {
            Float::Bf16 => number.to_le_bytes()[2..].to_vec(),
            Float::F16 => F16::from_f32(number).to_bits().to_le_bytes().to_vec(),
            Float::F32 => number.to_le_bytes().to_vec(),
        })
        .collect();
    let values = bytes.chunks_exact(float.bytes()).map(|bytes| float.read(bytes)).collect();
    (bytes, values)
}

/// The product in f64, and the sum of the squares of each output's terms.
pub(super) fn exact(weights: &[f32], values: &[f32], columns: usize) -> Vec<(f64, f64)> {
    let dot = |a: &[f32], b: &[f32]| {
        let terms = a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b));
        terms.fold((0.0, 0.0), |(sum, squares), term| (sum + term, squares + term * term))
    };
    values
        .chunks(columns)
        .flat_map(|values| weights.chunks(columns).map(move |row| dot(row, values)))
        .collect()
}

/// The squared error, normalised by what the square of an output is on average if the signs of its
/// terms are random: so an output whose terms happen to cancel does not fail the test.
pub(super) fn error_per_term(values: &[f32], exact: &[(f64, f64)]) -> f64 {
    assert_eq!(values.len(), exact.len());
    let errors = values.iter().zip(exact).map(|(value, (sum, _))| f64::from(*value) - sum);
    let squares: f64 = exact.iter().map(|(_, squares)| squares).sum();
    let error: f64 = errors.map(|error| error * error).sum();
    if error == 0.0 { 0.0 } else { error / squares }
}
