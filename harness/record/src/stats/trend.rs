//! Whether a series rises or falls, and by how much, without believing any single sample.

use super::normal::two_sided;
use super::{NoValue, check};
use crate::units::{Fraction, Quantity};

/// Fewest samples that a trend is looked for in: three can fall by chance one time in six.
const SAMPLES_NEEDED: usize = 3;

/// Most samples whose order is counted exactly; the normal distribution is close enough beyond.
const EXACT: usize = 10;

/// Most samples that enter the median slope, evenly chosen: pairs grow with the square.
const SLOPE_SAMPLES: usize = 600;

/// How sure it is that a series rises or falls.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Trend {
    /// Pairs of samples that rise less those that fall.
    pub excess: i64,
    /// Chance that a series without a trend has as large an excess, in either direction.
    pub p: f64,
}

/// The Mann-Kendall test for a trend of samples in the order in which they were taken.
///
/// `S = sum over i < j of sign(x_j - x_i)`. Up to ten samples without ties the chance is counted
/// over all orders; else `S` is taken as normal with variance
/// `(n (n-1) (2n+5) - sum over ties t (t-1) (2t+5)) / 18`, with a correction for continuity.
///
/// # Errors
/// [`NoValue::TooFewSamples`] below three samples.
///
/// # Source
/// Mann (1945), Nonparametric tests against trend; Kendall, Rank Correlation Methods (1975).
pub fn mann_kendall<Q: Quantity>(samples: &[Q]) -> Result<Trend, NoValue> {
    check(samples, SAMPLES_NEEDED)?;
    let values: Vec<f64> = samples.iter().map(|x| x.as_f64()).collect();
    let mut excess = 0i64;
    for (at, earlier) in values.iter().enumerate() {
        for later in &values[at + 1..] {
            excess += i64::from(later > earlier) - i64::from(later < earlier);
        }
    }
    let ties = ties(&values);
    let p = if values.len() <= EXACT && ties.is_empty() {
        exact(values.len(), excess)
    } else {
        normal(values.len(), &ties, excess)
    };
    Ok(Trend { excess, p })
}

/// Sizes of the groups of equal values.
fn ties(values: &[f64]) -> Vec<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    // Equal bits are meant: these are readings of one clock.
    let groups = sorted.chunk_by(|a, b| a.total_cmp(b).is_eq());
    groups.map(|group| group.len() as f64).filter(|&size| size > 1.0).collect()
}

/// Share of all orders of `n` distinct values whose excess is at least as far from zero.
fn exact(n: usize, excess: i64) -> f64 {
    // orders[k]: orders of so many values with k falling pairs; one more value adds 0 to n - 1.
    let mut orders = vec![1.0];
    for values in 2..=n {
        let mut more = vec![0.0; orders.len() + values - 1];
        for (falling, count) in orders.iter().enumerate() {
            more[falling..falling + values].iter_mut().for_each(|cell| *cell += count);
        }
        orders = more;
    }
    let pairs = (orders.len() - 1) as f64;
    let far = |falling: usize| (pairs - 2.0 * falling as f64).abs() >= excess.abs() as f64;
    let all: f64 = orders.iter().sum();
    orders.iter().enumerate().filter(|(at, _)| far(*at)).map(|(_, count)| count).sum::<f64>() / all
}

fn normal(n: usize, ties: &[f64], excess: i64) -> f64 {
    let term = |n: f64| n * (n - 1.0) * (2.0 * n + 5.0);
    let variance = (term(n as f64) - ties.iter().map(|&t| term(t)).sum::<f64>()) / 18.0;
    if variance <= 0.0 {
        return 1.0;
    }
    let z = ((excess.abs() - 1).max(0) as f64) / variance.sqrt();
    two_sided(z)
}

/// Where the median slope puts the last sample, over where it puts the first.
///
/// The slope is the median of those of all pairs (Theil and Sen), so that stragglers do not make a
/// trend; the line goes through the median sample in the middle. 1 is no drift.
///
/// # Errors
/// [`NoValue::TooFewSamples`] below three samples, [`NoValue::NotFinite`] where the line starts at
/// zero or below.
///
/// # Source
/// Sen (1968), Estimates of the regression coefficient based on Kendall's tau.
pub fn theil_sen_drift<Q: Quantity>(samples: &[Q]) -> Result<Fraction, NoValue> {
    check(samples, SAMPLES_NEEDED)?;
    let step = samples.len().div_ceil(SLOPE_SAMPLES);
    let points: Vec<(f64, f64)> =
        samples.iter().enumerate().step_by(step).map(|(at, x)| (at as f64, x.as_f64())).collect();
    let mut slopes = Vec::with_capacity(points.len() * (points.len() - 1) / 2);
    for (at, (i, earlier)) in points.iter().enumerate() {
        slopes.extend(points[at + 1..].iter().map(|(j, later)| (later - earlier) / (j - i)));
    }
    slopes.sort_unstable_by(f64::total_cmp);
    let slope = super::percentile::interpolate_sorted(&slopes, 0.5);
    let half = slope * (samples.len() - 1) as f64 / 2.0;
    let centre = super::median(samples)?.as_f64();
    let (first, last) = (centre - half, centre + half);
    // A line that leaves zero or reaches below it is no ratio.
    if first <= 0.0 || last < 0.0 {
        return Err(NoValue::NotFinite);
    }
    Ok(Fraction::new(last / first))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Seconds;

    fn seconds(values: &[f64]) -> Vec<Seconds> {
        values.iter().copied().map(Seconds::new).collect()
    }

    #[test]
    fn four_falling_samples_are_two_orders_of_twenty_four() {
        // Of the 24 orders one falls and one rises throughout.
        let trend = mann_kendall(&seconds(&[4.0, 3.0, 2.0, 1.0])).unwrap();
        assert_eq!(trend.excess, -6);
        assert!((trend.p - 2.0 / 24.0).abs() < 1e-12);
        // One pair of six the other way: 3 + 3 orders are like it, and the 2 before.
        let trend = mann_kendall(&seconds(&[4.0, 2.0, 3.0, 1.0])).unwrap();
        assert_eq!(trend.excess, -4);
        assert!((trend.p - 8.0 / 24.0).abs() < 1e-12);
    }

    #[test]
    fn the_normal_distribution_takes_over_where_the_exact_one_ends() {
        let rising: Vec<f64> = (0..10).map(f64::from).collect();
        let zigzag = [1.0, 3.0, 2.0, 5.0, 4.0, 7.0, 6.0, 9.0, 8.0, 10.0];
        for values in [&rising[..], &zigzag[..5], &zigzag] {
            let trend = mann_kendall(&seconds(values)).unwrap();
            let close = normal(values.len(), &[], trend.excess);
            assert!((close - trend.p).abs() < 0.03, "{close} {}", trend.p);
        }
    }

    #[test]
    fn equal_samples_have_no_trend() {
        let trend = mann_kendall(&seconds(&[2.0; 12])).unwrap();
        assert_eq!(trend.excess, 0);
        assert!(trend.p > 0.99);
        assert_eq!(theil_sen_drift(&seconds(&[2.0; 12])), Ok(Fraction::new(1.0)));
    }

    #[test]
    fn one_straggler_is_no_drift() {
        let drift = theil_sen_drift(&seconds(&[1.0, 1.0, 1.0, 1.0, 9.0])).unwrap();
        assert!((drift.get() - 1.0).abs() < 1e-12);
    }

    #[test]
    fn ten_percent_over_eleven_samples_are_found() {
        // 1.00, 1.01 .. 1.10
        let series: Vec<f64> = (0..11).map(|at| 1.0 + 0.01 * f64::from(at)).collect();
        assert!((theil_sen_drift(&seconds(&series)).unwrap().get() - 1.1).abs() < 1e-9);
        assert!(mann_kendall(&seconds(&series)).unwrap().p < 1e-3);
    }

    #[test]
    fn two_samples_have_no_trend_and_say_so() {
        let few = NoValue::TooFewSamples { needed: 3, have: 2 };
        assert_eq!(mann_kendall(&seconds(&[1.0, 2.0])), Err(few));
        assert_eq!(theil_sen_drift(&seconds(&[1.0, 2.0])), Err(few));
    }
}
