//! Mean and spread.

use super::{NoValue, check};
use crate::units::Quantity;

/// The arithmetic mean: `sum / n`.
///
/// # Errors
/// [`NoValue::TooFewSamples`] of an empty slice, [`NoValue::NotFinite`] where a sample is no number.
pub fn mean<Q: Quantity>(samples: &[Q]) -> Result<Q, NoValue> {
    check(samples, 1)?;
    let sum: f64 = samples.iter().map(|x| x.as_f64()).sum();
    Ok(Q::from_f64(sum / samples.len() as f64))
}

/// The standard deviation of a sample: `sqrt(sum((x - mean)^2) / (n - 1))`.
///
/// # Errors
/// [`NoValue::TooFewSamples`] below two samples: one sample has no spread, and that is not 0.
pub fn sample_stddev<Q: Quantity>(samples: &[Q]) -> Result<Q, NoValue> {
    check(samples, 2)?;
    let mean = mean(samples)?.as_f64();
    let squares: f64 = samples.iter().map(|x| (x.as_f64() - mean).powi(2)).sum();
    Ok(Q::from_f64((squares / (samples.len() - 1) as f64).sqrt()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Seconds;

    fn seconds(values: &[f64]) -> Vec<Seconds> {
        values.iter().copied().map(Seconds::new).collect()
    }

    #[test]
    fn mean_of_two_four_six_is_four_and_its_sample_deviation_two() {
        let samples = seconds(&[2.0, 4.0, 6.0]);
        // deviations -2, 0, 2; squares 4 + 0 + 4 = 8; 8 / (3 - 1) = 4; sqrt = 2
        assert_eq!(mean(&samples), Ok(Seconds::new(4.0)));
        assert_eq!(sample_stddev(&samples), Ok(Seconds::new(2.0)));
    }

    #[test]
    fn nothing_and_one_and_nan_have_no_value() {
        assert_eq!(mean::<Seconds>(&[]), Err(NoValue::TooFewSamples { needed: 1, have: 0 }));
        assert_eq!(
            sample_stddev(&seconds(&[3.0])),
            Err(NoValue::TooFewSamples { needed: 2, have: 1 })
        );
        assert_eq!(mean(&seconds(&[1.0, f64::NAN])), Err(NoValue::NotFinite));
    }
}
