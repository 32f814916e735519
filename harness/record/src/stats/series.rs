//! The interval of the mean of samples taken one behind the other, which are not independent.

use super::student::student_t_975;
use super::{Interval, NoValue, bootstrap_t_interval, check, mean};
use crate::units::{Fraction, Quantity};

/// Most correlation that is believed: beyond it the samples say next to nothing of the mean.
const MOST: f64 = 0.9;

/// Fewest samples that a series is ever worth: one has no spread.
const WORTH_AT_LEAST: f64 = 2.5;

/// How much of a sample's distance from the mean the next one shares; 0 where it is none or less.
///
/// `r = sum (x_i - m)(x_{i+1} - m) / sum (x_i - m)^2`, and as few samples show too little of it,
/// `r + (1 + 4 r) / n`, at least 0 and at most 0.9.
///
/// # Errors
/// [`NoValue::TooFewSamples`] below five samples.
///
/// # Source
/// Kendall and Stuart, The Advanced Theory of Statistics, volume 3 (1966), section 48.3, for the
/// bias.
pub fn autocorrelation<Q: Quantity>(samples: &[Q]) -> Result<Fraction, NoValue> {
    check(samples, 5)?;
    let centre = mean(samples)?.as_f64();
    let away: Vec<f64> = samples.iter().map(|x| x.as_f64() - centre).collect();
    let squares: f64 = away.iter().map(|x| x * x).sum();
    if squares <= 0.0 {
        return Ok(Fraction::new(0.0));
    }
    let r = away.windows(2).map(|pair| pair[0] * pair[1]).sum::<f64>() / squares;
    let corrected = r + (1.0 + 4.0 * r) / samples.len() as f64;
    Ok(Fraction::new(corrected.clamp(0.0, MOST)))
}

/// The 95% interval of the mean of samples in the order in which they were taken.
///
/// Neighbours that are slow together are not two witnesses. With autocorrelation `a` the `n` samples
/// are worth `w = n (1 - a) / (1 + a)`, and the ends of the [`bootstrap_t_interval`] move away from
/// the mean by `sqrt(n / w) * t(w - 1) / t(n - 1)`, `t` being the 97.5% points of Student's t. It
/// is never narrower than the interval of independent samples.
///
/// # Errors
/// [`NoValue::TooFewSamples`] below five samples.
///
/// # Source
/// results/decisions/0018-samples-are-a-series.md.
pub fn series_interval<Q: Quantity>(samples: &[Q], seed: u64) -> Result<Interval<Q>, NoValue> {
    let independent = bootstrap_t_interval(samples, seed)?;
    let (n, a) = (samples.len() as f64, autocorrelation(samples)?.get());
    let worth = (n * (1.0 - a) / (1.0 + a)).max(WORTH_AT_LEAST);
    let wider = ((n / worth).sqrt() * student_t_975(worth - 1.0) / student_t_975(n - 1.0)).max(1.0);
    let centre = mean(samples)?.as_f64();
    let end = |end: Q| Q::from_f64(centre + (end.as_f64() - centre) * wider);
    Ok(Interval { low: end(independent.low), high: end(independent.high) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Seconds;

    fn seconds(values: &[f64]) -> Vec<Seconds> {
        values.iter().copied().map(Seconds::new).collect()
    }

    #[test]
    fn halves_of_a_run_that_differ_are_one_witness_each() {
        // Around the mean of 1.5 the products of neighbours are 7/4 of nine, the squares 10/4.
        let halves = seconds(&[1.0, 1.0, 1.0, 1.0, 1.0, 2.0, 2.0, 2.0, 2.0, 2.0]);
        // (8 - 1) / 10 = 0.7; 0.7 + (1 + 2.8) / 10 = 1.08, cut to 0.9
        assert_eq!(autocorrelation(&halves), Ok(Fraction::new(0.9)));
        let alternating = seconds(&[1.0, 2.0, 1.0, 2.0, 1.0, 2.0, 1.0, 2.0, 1.0, 2.0]);
        assert_eq!(autocorrelation(&alternating), Ok(Fraction::new(0.0)));
        let (wide, plain) =
            (series_interval(&halves, 1).unwrap(), bootstrap_t_interval(&halves, 1).unwrap());
        // 10 samples worth 2.5: twice as wide by their number, and Student's t on top.
        assert!((wide.high - wide.low).get() > 2.0 * (plain.high - plain.low).get());
        assert_eq!(series_interval(&alternating, 1), bootstrap_t_interval(&alternating, 1));
    }

    #[test]
    fn equal_samples_have_an_interval_of_no_width() {
        let same = seconds(&[2.0; 6]);
        assert_eq!(autocorrelation(&same), Ok(Fraction::new(0.0)));
        let interval = series_interval(&same, 1).unwrap();
        assert_eq!(interval, Interval { low: Seconds::new(2.0), high: Seconds::new(2.0) });
    }
}
