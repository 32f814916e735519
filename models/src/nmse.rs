//! How far numbers are from their reference.

/// Normalised mean squared error: `sum (ours - reference)^2 / sum reference^2`; 0 where both are
/// equal, all zeros included. What is no number makes it none.
#[must_use]
pub fn nmse(ours: &[f32], reference: &[f32]) -> f64 {
    let (difference, norm) = squares(ours, reference);
    if difference == 0.0 { 0.0 } else { difference / norm }
}

/// Both sums of [`nmse`], so that they can be added up: `(sum (ours - reference)^2,
/// sum reference^2)`, in f64.
#[must_use]
pub fn squares(ours: &[f32], reference: &[f32]) -> (f64, f64) {
    ours.iter().zip(reference).fold((0.0, 0.0), |(difference, norm), (&a, &b)| {
        let (a, b) = (f64::from(a), f64::from(b));
        (difference + (a - b).powi(2), norm + b * b)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn worked_out_by_hand() {
        // (1 + 1) / (9 + 16)
        assert!((nmse(&[4.0, 3.0], &[3.0, 4.0]) - 0.08).abs() < 1e-15);
        assert!(nmse(&[0.0], &[0.0]).abs() < f64::MIN_POSITIVE);
        assert!(nmse(&[f32::NAN], &[1.0]).is_nan());
    }
}
