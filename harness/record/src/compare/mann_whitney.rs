//! The test of Mann and Whitney: whether one side tends to be faster than the other.
//!
//! It looks at the order of the samples only, so that one straggler weighs no more than any other
//! slow sample.

use crate::stats::normal::two_sided;

/// Samples a side up to which the exact distribution is used.
const EXACT_UP_TO: usize = 50;

/// How often a sample of one side is above one of the other, and what is needed to judge it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct MannWhitney {
    n: usize,
    m: usize,
    /// Pairs in which the second side is above, equal ones counted half.
    u: f64,
    /// Sum of `t^3 - t` over groups of `t` equal samples.
    ties: f64,
}

impl MannWhitney {
    /// `u = #(new > base) + #(new = base) / 2` over all pairs.
    pub(super) fn of(base: &[f64], new: &[f64]) -> Self {
        let mut all: Vec<(f64, bool)> = base.iter().map(|&x| (x, false)).collect();
        all.extend(new.iter().map(|&x| (x, true)));
        all.sort_by(|a, b| a.0.total_cmp(&b.0));
        let (mut rank_sum, mut ties, mut before) = (0.0, 0.0, 0_usize);
        for group in all.chunk_by(|a, b| a.0.total_cmp(&b.0).is_eq()) {
            let t = group.len() as f64;
            let rank = before as f64 + f64::midpoint(t, 1.0);
            rank_sum += rank * group.iter().filter(|(_, of_new)| *of_new).count() as f64;
            ties += t * t * t - t;
            before += group.len();
        }
        let (n, m) = (base.len(), new.len());
        Self { n, m, u: rank_sum - (m * (m + 1)) as f64 / 2.0, ties }
    }

    /// The chance of an order at least this lopsided if both sides were alike.
    ///
    /// Exact for up to 50 samples a side without equal ones; otherwise
    /// `z = (|u - nm/2| - 1/2) / sigma` with
    /// `sigma^2 = nm/12 * ((N + 1) - sum(t^3 - t) / (N (N - 1)))`, `N = n + m`.
    ///
    /// # Source
    /// Mann and Whitney (1947); Lehmann, Nonparametrics (1975), chapter 1.
    pub(super) fn p(&self) -> f64 {
        self.exact_p().unwrap_or_else(|| self.normal_p())
    }

    fn exact_p(&self) -> Option<f64> {
        if self.ties > 0.0 || self.n.max(self.m) > EXACT_UP_TO {
            return None;
        }
        let pairs = (self.n * self.m) as f64;
        let smaller = self.u.min(pairs - self.u);
        let counts = Distribution::of(self.n, self.m);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a count of pairs: whole where nothing is equal, and at most 2,500"
        )]
        let at = smaller as usize;
        Some((2.0 * counts.up_to(at)).min(1.0))
    }

    fn normal_p(&self) -> f64 {
        let (n, m) = (self.n as f64, self.m as f64);
        let total = n + m;
        let variance = n * m / 12.0 * (total + 1.0 - self.ties / (total * (total - 1.0)));
        let off = ((self.u - n * m / 2.0).abs() - 0.5).max(0.0);
        if off == 0.0 || variance <= 0.0 {
            return 1.0;
        }
        two_sided(off / variance.sqrt())
    }
}

/// The same chance where samples depend on each other, which makes a lopsided order less surprising:
/// that of the order which is left when the shift `estimate` is divided by `inflation`, the factor
/// by which dependence raises its variance; or that of the order itself where it is larger.
///
/// The square root of that factor would do were it known; it is estimated from the same few
/// samples, and stragglers hide part of it. How often either is wrong:
/// results/decisions/0014-compare.md.
pub(super) fn p_of_dependent(base: &[f64], new: &[f64], estimate: f64, inflation: f64) -> f64 {
    let plain = MannWhitney::of(base, new).p();
    if inflation <= 1.0 {
        return plain;
    }
    let less = estimate * (1.0 - 1.0 / inflation);
    let closer: Vec<f64> = new.iter().map(|x| x - less).collect();
    plain.max(MannWhitney::of(base, &closer).p())
}

/// The smallest chance that so many samples can give: every one of a side above every other.
pub(super) fn smallest_p(n: usize, m: usize) -> f64 {
    MannWhitney { n, m, u: (n * m) as f64, ties: 0.0 }.p()
}

/// How many of the closest pairs lie outside the 95% interval of a shift, on each side; none where
/// even the whole range is no such interval.
///
/// The largest `k` with `P(u <= k - 1) <= 2.5%`: the interval then runs from the `k`-th smallest to the
/// `k`-th largest difference.
pub(super) fn pairs_outside(n: usize, m: usize) -> Option<usize> {
    let k = if n.max(m) <= EXACT_UP_TO {
        let counts = Distribution::of(n, m);
        (0..=n * m).take_while(|&u| counts.up_to(u) <= 0.025).count()
    } else {
        let pairs = (n * m) as f64;
        let sigma = (pairs * (n + m + 1) as f64 / 12.0).sqrt();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "at least 0, and at most half of the pairs"
        )]
        let k = (pairs / 2.0 - 1.96 * sigma).floor().max(0.0) as usize;
        k
    };
    (k > 0).then_some(k)
}

/// Chances of `u` at or below each value, if both sides are alike.
struct Distribution(Vec<f64>);

impl Distribution {
    /// The numbers of orders with each `u` are the coefficients of the Gaussian binomial
    /// `prod over i = 1..m of (1 - q^(n + i)) / (1 - q^i)`; for 50 and 50 they stay below 2^97.
    fn of(n: usize, m: usize) -> Self {
        let mut counts = vec![0_i128; n * m + 1];
        counts[0] = 1;
        for i in 1..=m {
            for u in (n + i..counts.len()).rev() {
                counts[u] -= counts[u - n - i];
            }
            for u in i..counts.len() {
                counts[u] += counts[u - i];
            }
        }
        let all = counts.iter().sum::<i128>() as f64;
        let mut so_far = 0_i128;
        let chances = counts.iter().map(|count| {
            so_far += count;
            so_far as f64 / all
        });
        Self(chances.collect())
    }

    fn up_to(&self, u: usize) -> f64 {
        self.0.get(u).copied().unwrap_or(1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(ours: f64, expected: f64) {
        assert!((ours - expected).abs() < 1e-9 * expected.max(1e-3), "{ours} for {expected}");
    }

    #[test]
    fn five_above_five_is_two_orders_of_252() {
        let test = MannWhitney::of(&[1.0, 2.0, 3.0, 4.0, 5.0], &[6.0, 7.0, 8.0, 9.0, 10.0]);
        close(test.u, 25.0);
        close(test.p(), 2.0 / 252.0);
        close(smallest_p(5, 5), 2.0 / 252.0);
        close(smallest_p(4, 4), 2.0 / 70.0);
    }

    #[test]
    fn the_distribution_of_three_and_two_is_counted_by_hand() {
        // Of the 10 orders u is 0, 1, 5 and 6 in one each, 2, 3 and 4 in two each.
        let counts = Distribution::of(3, 2);
        for (u, orders) in [1.0, 2.0, 4.0, 6.0, 8.0, 9.0, 10.0].into_iter().enumerate() {
            close(counts.up_to(u), orders / 10.0);
        }
        // One new sample above all three, one below all but one: u = 3 + 1, as likely as u = 2.
        close(MannWhitney::of(&[1.0, 3.0, 4.0], &[2.0, 5.0]).p(), 2.0 * 4.0 / 10.0);
    }

    #[test]
    fn both_distributions_agree_with_scipy() {
        let base: Vec<f64> = (0..50).map(f64::from).collect();
        let new: Vec<f64> = (0..50).map(|i| f64::from(i) + 8.5).collect();
        let test = MannWhitney::of(&base, &new);
        let (exact, normal) = (test.exact_p().unwrap(), test.normal_p());
        assert!((exact / 0.007_021_899_371_388 - 1.0).abs() < 1e-9, "{exact}");
        assert!((normal / 0.007_400_817_295_091 - 1.0).abs() < 1e-9, "{normal}");
    }

    #[test]
    fn equal_samples_lower_the_variance_and_all_equal_says_nothing() {
        // N = 10, two groups of five: 25/12 * (11 - 240/90) = 17.361; (12.5 - 0.5) / 4.1667 = 2.88
        let test = MannWhitney::of(&[1.0; 5], &[2.0; 5]);
        close(test.p(), two_sided(2.88));
        close(MannWhitney::of(&[1.0; 5], &[1.0; 7]).p(), 1.0);
    }

    #[test]
    fn dependence_makes_an_order_less_surprising_unless_the_sides_are_far_apart() {
        let base = [1.0, 2.0, 3.0, 4.0, 5.0];
        let near = base.map(|x| x + 5.5);
        close(p_of_dependent(&base, &near, 5.5, 1.0), 2.0 / 252.0);
        // Half of the shift is left: 3.75 to 7.75, in 22 of 25 pairs above; 7 orders have u of at
        // most 3.
        close(p_of_dependent(&base, &near, 5.5, 2.0), 2.0 * 7.0 / 252.0);
        let far = base.map(|x| x + 100.0);
        close(p_of_dependent(&base, &far, 100.0, 4.0), 2.0 / 252.0);
    }

    #[test]
    fn an_interval_needs_four_against_four() {
        assert_eq!(pairs_outside(3, 3), None);
        // 1 / 70 = 1.4% and 2 / 70 = 2.9%: one pair on each side.
        assert_eq!(pairs_outside(4, 4), Some(1));
        // The table of Mann and Whitney: u of 2, 23 and 127 at 5%, two-sided.
        assert_eq!(pairs_outside(5, 5), Some(3));
        assert_eq!(pairs_outside(10, 10), Some(24));
        assert_eq!(pairs_outside(20, 20), Some(128));
        let many = pairs_outside(51, 51).unwrap();
        assert!((1_000..=1_010).contains(&many), "{many}");
    }
}
