//! Percentiles, refused below their sample size.

use super::{NoValue, check};
use crate::units::Quantity;

/// A percentile in whole hundredths, 1 to 99.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Percentile(u8);

impl Percentile {
    /// The median.
    pub const P50: Self = Self(50);
    /// Nine in ten are at or below.
    pub const P90: Self = Self(90);
    /// Nineteen in twenty are at or below.
    pub const P95: Self = Self(95);
    /// Ninety-nine in a hundred are at or below.
    pub const P99: Self = Self(99);

    /// The fewest samples it is given for: `ceil(100 / (100 - p))`.
    ///
    /// Below that the figure is just the largest sample under another name: p99 of ten requests is
    /// the slowest one. p50 needs 2, p90 needs 10, p99 needs 100.
    #[must_use]
    pub fn samples_needed(self) -> usize {
        100_usize.div_ceil(100 - usize::from(self.0))
    }

    /// As a share of 1.
    #[must_use]
    pub fn share(self) -> f64 {
        f64::from(self.0) / 100.0
    }
}

/// A percentile with linear interpolation between closest ranks:
/// position `p/100 * (n - 1)` in the sorted samples.
///
/// # Errors
/// [`NoValue::TooFewSamples`] below [`Percentile::samples_needed`].
///
/// # Source
/// Hyndman and Fan (1996), type 7; the default of `NumPy` and R.
pub fn percentile_linear<Q: Quantity>(samples: &[Q], p: Percentile) -> Result<Q, NoValue> {
    check(samples, p.samples_needed())?;
    Ok(at_linear_rank(samples, p.share()))
}

/// The middle sample, or the mean of the two in the middle. Given from one sample on.
///
/// # Errors
/// [`NoValue::TooFewSamples`] of an empty slice.
pub fn median<Q: Quantity>(samples: &[Q]) -> Result<Q, NoValue> {
    check(samples, 1)?;
    Ok(at_linear_rank(samples, 0.5))
}

/// `samples` is not empty and finite: the callers checked.
fn at_linear_rank<Q: Quantity>(samples: &[Q], share: f64) -> Q {
    let mut sorted: Vec<f64> = samples.iter().map(|x| x.as_f64()).collect();
    sorted.sort_unstable_by(f64::total_cmp);
    Q::from_f64(interpolate_sorted(&sorted, share))
}

/// The value at `share * (n - 1)` of a sorted, non-empty slice.
pub(super) fn interpolate_sorted(sorted: &[f64], share: f64) -> f64 {
    let position = share * (sorted.len() - 1) as f64;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "0 <= position <= n - 1"
    )]
    let below = position.floor() as usize;
    let above = (below + 1).min(sorted.len() - 1);
    sorted[below] + (position - below as f64) * (sorted[above] - sorted[below])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Seconds;

    #[test]
    fn p90_of_one_to_ten_lies_between_the_ninth_and_the_tenth() {
        let samples: Vec<_> = (1..=10).rev().map(|x| Seconds::new(f64::from(x))).collect();
        // position 0.9 * 9 = 8.1: 9 + 0.1 * (10 - 9) = 9.1
        let p90 = percentile_linear(&samples, Percentile::P90).unwrap().get();
        assert!((p90 - 9.1).abs() < 1e-12, "{p90}");
        assert_eq!(median(&samples), Ok(Seconds::new(5.5)));
    }

    #[test]
    fn a_p99_needs_a_hundred_samples() {
        let samples = vec![Seconds::new(1.0); 99];
        assert_eq!(
            percentile_linear(&samples, Percentile::P99),
            Err(NoValue::TooFewSamples { needed: 100, have: 99 })
        );
        assert_eq!(Percentile::P50.samples_needed(), 2);
        assert_eq!(Percentile::P90.samples_needed(), 10);
        assert_eq!(Percentile::P99.samples_needed(), 100);
    }
}
