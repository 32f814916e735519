//! Samples far from the others: counted, never taken away.

use super::percentile::interpolate_sorted;
use super::{NoValue, check};
use crate::units::Quantity;

/// Fewest samples that quartiles say something of.
const SAMPLES_NEEDED: usize = 5;

/// How many samples lie beyond Tukey's outer fences: more than three times the distance of the
/// quartiles below the lower or above the upper one.
///
/// # Errors
/// [`NoValue::TooFewSamples`] below five samples.
///
/// # Source
/// Tukey, Exploratory Data Analysis (1977), "far out".
pub fn beyond_outer_fences<Q: Quantity>(samples: &[Q]) -> Result<usize, NoValue> {
    check(samples, SAMPLES_NEEDED)?;
    let mut sorted: Vec<f64> = samples.iter().map(|x| x.as_f64()).collect();
    sorted.sort_unstable_by(f64::total_cmp);
    let (lower, upper) = (interpolate_sorted(&sorted, 0.25), interpolate_sorted(&sorted, 0.75));
    let reach = 3.0 * (upper - lower);
    Ok(sorted.iter().filter(|&&x| x < lower - reach || x > upper + reach).count())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Seconds;

    fn outliers(values: &[f64]) -> Result<usize, NoValue> {
        beyond_outer_fences(&values.iter().copied().map(Seconds::new).collect::<Vec<_>>())
    }

    #[test]
    fn far_is_three_times_the_distance_of_the_quartiles() {
        // Quartiles of 1, 2, 3, 4, x are 2 and 4: the fences stand at -4 and 10.
        assert_eq!(outliers(&[1.0, 2.0, 3.0, 4.0, 10.0]), Ok(0));
        assert_eq!(outliers(&[1.0, 2.0, 3.0, 4.0, 10.1]), Ok(1));
        assert_eq!(outliers(&[3.0, 3.0, 3.0, 3.0, 3.1]), Ok(1));
        assert_eq!(outliers(&[1.0; 4]), Err(NoValue::TooFewSamples { needed: 5, have: 4 }));
    }
}
