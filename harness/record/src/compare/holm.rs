//! Holm's correction for many tests at once.

/// p-values such that all of those at or below a level may be believed together: the chance of any
/// false one among them is at most that level, however the tests depend on each other.
///
/// With the p-values in rising order, `p*_(i) = max over j <= i of min(1, (m - j + 1) * p_(j))`. The
/// order of the result is that of the input.
///
/// # Source
/// Holm, A simple sequentially rejective multiple test procedure (1979).
pub(super) fn adjusted(p: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|&a, &b| p[a].total_cmp(&p[b]));
    let mut result = vec![1.0; p.len()];
    let mut largest = 0.0_f64;
    for (rank, at) in order.into_iter().enumerate() {
        largest = largest.max(p[at] * (p.len() - rank) as f64).min(1.0);
        result[at] = largest;
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_counts_for_all_and_the_next_for_all_but_one() {
        // In order 0.01, 0.015, 0.02, 0.04: 4 * 0.01, 3 * 0.015, then 2 * 0.02 < 0.045, 1 * 0.04.
        let ours = adjusted(&[0.02, 0.01, 0.04, 0.015]);
        for (ours, expected) in ours.iter().zip([0.045, 0.04, 0.045, 0.045]) {
            assert!((ours - expected).abs() < 1e-12, "{ours} for {expected}");
        }
        assert_eq!(adjusted(&[0.9, 0.8]), [1.0, 1.0]);
        assert!(adjusted(&[]).is_empty());
    }
}
