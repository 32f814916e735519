//! How far samples depend on each other, and what that does to the variance of their middle.
//!
//! A test that takes them for independent finds a difference where there is only a slow minute of
//! the machine: with an autocorrelation of 0.3, which is common, in a quarter of all tables.

/// The largest autocorrelation that is believed: beyond it samples say next to nothing.
const MOST: f64 = 0.9;

/// The autocorrelation at lag 1 of neighbouring samples, pooled over series; 0 where it is negative
/// or where no series has five samples.
///
/// Of each series of `n` the correlation `r` of neighbouring ranks is taken; it is too low by
/// `(1 + 4 rho) / n`, so `(n r + 1) / (n - 4)` stands for it, weighted by `(n - 4)^2 / n`, the
/// inverse of its variance. Ranks, because a few stragglers would hide the correlation of values.
///
/// # Source
/// Marriott and Pope, Bias in the estimation of autocorrelations (1954).
pub(super) fn autocorrelation<'a>(series: impl IntoIterator<Item = &'a [f64]>) -> f64 {
    let (mut sum, mut weights) = (0.0, 0.0);
    for values in series {
        let n = values.len() as f64;
        if let Some(r) = neighbours(values) {
            sum += (n - 4.0) / n * (n * r + 1.0);
            weights += (n - 4.0) * (n - 4.0) / n;
        }
    }
    if weights > 0.0 { (sum / weights).clamp(0.0, MOST) } else { 0.0 }
}

/// `sum of d_i d_(i+1) / sum of d_i^2`, with `d` the distance of a rank from the middle one.
fn neighbours(values: &[f64]) -> Option<f64> {
    if values.len() < 5 {
        return None;
    }
    let ranks = ranks(values);
    let middle = (values.len() + 1) as f64 / 2.0;
    let squares: f64 = ranks.iter().map(|rank| (rank - middle).powi(2)).sum();
    let products: f64 = ranks.windows(2).map(|pair| (pair[0] - middle) * (pair[1] - middle)).sum();
    (squares > 0.0).then(|| products / squares)
}

/// Ranks from 1; equal values share the middle of theirs.
fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut ranks = vec![0.0; values.len()];
    let mut before = 0;
    for group in order.chunk_by(|&a, &b| values[a].total_cmp(&values[b]).is_eq()) {
        for &at in group {
            ranks[at] = before as f64 + (group.len() + 1) as f64 / 2.0;
        }
        before += group.len();
    }
    ranks
}

/// By how much an autocorrelation of `rho`, falling by that factor with each step, raises the
/// variance of the mean of `n` samples: `1 + 2 * sum over k of (1 - k/n) rho^k`.
fn of_a_series(rho: f64, n: usize) -> f64 {
    let (mut sum, mut power) = (1.0, 1.0);
    // Beyond 200 steps 0.9^k is nothing.
    for k in 1..n.min(200) {
        power *= rho;
        sum += 2.0 * (1.0 - k as f64 / n as f64) * power;
    }
    sum
}

/// By how much runs that differ from each other raise the variance of the mean of all their
/// samples: the design effect `1 + (n - 1) * icc`, `n` samples a run.
///
/// `icc = (between - within) / (between + (n - 1) * within)` of the mean squares of the ranks, 0
/// where that is negative.
///
/// # Source
/// Kish, Survey Sampling (1965), section 5.4; Donner, the intraclass correlation (1986).
fn of_runs(runs: &[Vec<f64>]) -> f64 {
    let all: Vec<f64> = runs.iter().flatten().copied().collect();
    let (k, total) = (runs.len() as f64, all.len() as f64);
    if runs.len() < 2 || total <= k {
        return 1.0;
    }
    let ranks = ranks(&all);
    let middle = f64::midpoint(total, 1.0);
    let (mut at, mut between, mut within, mut squares) = (0, 0.0, 0.0, 0.0);
    for run in runs {
        let own = &ranks[at..at + run.len()];
        let mean = own.iter().sum::<f64>() / own.len().max(1) as f64;
        between += own.len() as f64 * (mean - middle).powi(2);
        within += own.iter().map(|rank| (rank - mean).powi(2)).sum::<f64>();
        squares += (own.len() * own.len()) as f64;
        at += run.len();
    }
    let (between, within) = (between / (k - 1.0), within / (total - k));
    let n = (total - squares / total) / (k - 1.0);
    let all_of_it = between + (n - 1.0) * within;
    let icc = if all_of_it > 0.0 { ((between - within) / all_of_it).max(0.0) } else { 0.0 };
    1.0 + (n - 1.0) * icc
}

/// By how much dependence raises the variance of the shift between two sides, of which each is one
/// run or more: that of each side, weighted by `1 / n`.
pub(super) fn inflation(base: &[Vec<f64>], new: &[Vec<f64>], rho: f64) -> f64 {
    let side = |runs: &[Vec<f64>]| {
        let total: usize = runs.iter().map(Vec::len).sum();
        let each = total / runs.len().max(1);
        (of_a_series(rho, each).max(of_runs(runs)), 1.0 / total.max(1) as f64)
    };
    let ((b, per_b), (n, per_n)) = (side(base), side(new));
    ((b * per_b + n * per_n) / (per_b + per_n)).max(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::rngs::SmallRng;
    use rand::{Rng, SeedableRng};

    /// `x_i = rho x_(i-1) + e_i` with uniform `e`.
    fn series(rho: f64, n: usize, rng: &mut SmallRng) -> Vec<f64> {
        let mut x = 0.0;
        let mut next = || {
            x = rho * x + rng.random::<f64>() - 0.5;
            x
        };
        (0..20).for_each(|_| {
            next();
        });
        (0..n).map(|_| next()).collect()
    }

    #[test]
    fn a_known_autocorrelation_is_found_from_many_short_series() {
        let mut rng = SmallRng::seed_from_u64(7);
        for rho in [0.0, 0.3, 0.6] {
            let many: Vec<_> = (0..400).map(|_| series(rho, 12, &mut rng)).collect();
            let found = autocorrelation(many.iter().map(Vec::as_slice));
            assert!((found - rho).abs() < 0.05, "{found} for {rho}");
        }
    }

    #[test]
    fn short_series_and_equal_samples_say_nothing() {
        assert!(autocorrelation([&[1.0, 2.0, 3.0, 4.0][..]]) < 1e-12);
        assert!(autocorrelation([&[1.0; 9][..]]) < 1e-12);
        assert!(autocorrelation([&[1.0, 9.0, 1.0, 9.0, 1.0, 9.0][..]]) < 1e-12);
        // 1, 2, 3, 4, 5: (2 + 0 + 0 + 2) / 10 = 0.4; (5 * 0.4 + 1) / 1 = 3, cut to the most believed
        assert!((autocorrelation([&[1.0, 2.0, 3.0, 4.0, 5.0][..]]) - 0.9).abs() < 1e-12);
    }

    #[test]
    fn the_variance_of_three_samples_is_added_up_by_hand() {
        // 1 + 2 * (2/3 * 0.5 + 1/3 * 0.25) = 1.8333
        assert!((of_a_series(0.5, 3) - 11.0 / 6.0).abs() < 1e-12);
        // Many samples: (1 + rho) / (1 - rho)
        assert!((of_a_series(0.6, 10_000) - 4.0).abs() < 1e-2);
        assert!((inflation(&[vec![0.0; 9]], &[vec![0.0; 9]], 0.0) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn runs_that_have_nothing_in_common_count_once_each() {
        // Nothing scatters within a run: ten samples are worth one.
        let runs = [vec![1.0; 10], vec![2.0; 10], vec![3.0; 10]];
        assert!((of_runs(&runs) - 10.0).abs() < 1e-9);
        let alike: Vec<f64> = (0..10).map(|i| f64::from(i * 3 % 10)).collect();
        assert!((of_runs(&[alike.clone(), alike]) - 1.0).abs() < 1e-12);
        assert!((of_runs(&[vec![1.0, 2.0]]) - 1.0).abs() < 1e-12);
    }
}
