//! Better, worse, same, or not to be told, with the reason and what to do about it.

use super::mann_whitney::smallest_p;
use super::{ALPHA, Which};
use serde::{Serialize, Serializer};
use std::fmt;

/// What a comparison says of one rate of one case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Faster by more than the threshold, beyond chance.
    Better,
    /// Slower by more than the threshold, beyond chance; or it works no more.
    Worse,
    /// Within the threshold, the whole interval.
    Same,
    /// None of these can be told.
    Inconclusive,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Better => "better",
            Self::Worse => "worse",
            Self::Same => "same",
            Self::Inconclusive => "inconclusive",
        })
    }
}

/// Why a verdict is what it is, where the figures do not say so, and what to do next. A text in JSON.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Reason {
    /// Even a perfect order of so few samples could not be believed among so many tests.
    TooFewForTheTest {
        /// Samples of BASE.
        base: usize,
        /// Samples of NEW.
        new: usize,
        /// The smallest chance they can give.
        smallest_p: f64,
        /// Tests in the table.
        tests: usize,
        /// Samples a side that could be believed.
        needed: usize,
    },
    /// No 95% interval exists for so few samples.
    TooFewForAnInterval {
        /// Samples of BASE.
        base: usize,
        /// Samples of NEW.
        new: usize,
    },
    /// The interval reaches from one verdict into another.
    Wide {
        /// The verdicts it reaches.
        holds: String,
        /// Samples a side that would tell; none where that takes more than a thousand.
        needed: Option<usize>,
    },
    /// It looks like a difference, but one that chance makes too often among so many tests.
    Chance {
        /// The verdict it looks like.
        holds: &'static str,
        /// The chance, after Holm.
        p_holm: f64,
        /// Tests in the table.
        tests: usize,
        /// Samples a side that would tell; none where that takes more than a thousand.
        needed: Option<usize>,
    },
    /// It looks clear, but runs of the same side differ like the sides do.
    RunsDiffer,
    /// A side has neither samples nor an interval.
    NoSpread(Which),
    /// A side has no such rate.
    NoRate(Which),
    /// A side was stopped before its end.
    Interrupted(Which),
    /// A side failed.
    Failed {
        /// The side.
        side: Which,
        /// Its error.
        error: String,
    },
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooFewForTheTest { base, new, smallest_p, tests, needed } => write!(
                f,
                "{base} against {new} samples give p = {smallest_p:.2} at best, and {tests} tests ask for {:.2}: measure with --repetitions {needed} or more",
                Few(ALPHA / *tests as f64),
                smallest_p = Few(*smallest_p),
            ),
            Self::TooFewForAnInterval { base, new } => write!(
                f,
                "{base} against {new} samples are too few for an interval: measure with --repetitions 10 or more"
            ),
            Self::Wide { holds, needed: Some(needed) } => {
                write!(f, "the interval holds {holds}: --repetitions {needed} would about tell")
            }
            Self::Wide { holds, needed: None } => write!(
                f,
                "the interval holds {holds}, and more than 1,000 repetitions would be needed: quiet the machine, or choose another --threshold"
            ),
            Self::Chance { holds, p_holm, tests, needed } => {
                let p = Few(*p_holm);
                write!(f, "it looks {holds}, but chance does that too often (p = {p} after the correction for {tests} tests): ")?;
                match needed {
                    Some(needed) => write!(f, "--repetitions {needed} would about tell"),
                    None => f.write_str("quiet the machine"),
                }
            }
            Self::RunsDiffer => f.write_str(
                "runs of the same side differ as much as the sides do, so the machine drifts: measure more runs of both in alternation",
            ),
            Self::NoSpread(side) => write!(
                f,
                "{side} has neither samples nor an interval: give the folder with its raw.csv"
            ),
            Self::NoRate(side) => write!(f, "{side} has no such rate: measure it again"),
            Self::Interrupted(side) => write!(f, "interrupted in {side}: measure it again"),
            Self::Failed { side, error } => write!(f, "failed in {side}: {error}"),
        }
    }
}

impl Serialize for Reason {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A small chance with two digits.
struct Few(f64);

impl fmt::Display for Few {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut digits = 2;
        while digits < 12 && self.0 * 10_f64.powi(digits) < 10.0 {
            digits += 1;
        }
        write!(f, "{:.*}", digits.unsigned_abs() as usize, self.0)
    }
}

/// All there is to judge a rate by. Changes are ratios of NEW to BASE.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Evidence {
    pub(super) ratio: f64,
    pub(super) interval: Option<(f64, f64)>,
    /// Of the test, after Holm's correction; none where there was no test.
    pub(super) p_holm: Option<f64>,
    /// Tests in the table.
    pub(super) tests: usize,
    /// Samples of each side; none where there are none.
    pub(super) samples: Option<(usize, usize)>,
    /// Whether each run of one side is beyond each of the other.
    pub(super) runs_agree: bool,
}

/// The verdict on a rate at a threshold, with the reason where it is inconclusive.
///
/// Better and worse: `p` after Holm is at most 3%, the ratio is beyond the threshold, its interval
/// leaves out 1, and no run of one side lies among those of the other. Same: the interval lies
/// within `1 - threshold` and `1 + threshold`.
pub(super) fn judge(evidence: &Evidence, threshold: f64) -> (Verdict, Option<Reason>) {
    let Evidence { ratio, samples, tests, .. } = *evidence;
    let (slower, faster) = (1.0 - threshold, 1.0 + threshold);
    let Some((low, high)) = evidence.interval else {
        let reason = samples.map(|(base, new)| Reason::TooFewForAnInterval { base, new });
        return (Verdict::Inconclusive, reason);
    };
    if slower <= low && high <= faster {
        return (Verdict::Same, None);
    }
    let significant = evidence.p_holm.is_some_and(|p| p <= ALPHA);
    let clear = significant && (high < 1.0 || low > 1.0);
    if clear && (ratio < slower || ratio > faster) {
        if !evidence.runs_agree {
            return (Verdict::Inconclusive, Some(Reason::RunsDiffer));
        }
        let verdict = if ratio < 1.0 { Verdict::Worse } else { Verdict::Better };
        return (verdict, None);
    }
    if let Some((base, new)) = samples {
        let smallest_p = smallest_p(base, new);
        if smallest_p * tests as f64 > ALPHA {
            let needed = enough_for_the_test(tests).max(base.min(new) + 1);
            let reason = Reason::TooFewForTheTest { base, new, smallest_p, tests, needed };
            return (Verdict::Inconclusive, Some(reason));
        }
    }
    let reached = [(low < slower, "worse"), (high > slower && low < faster, "same")];
    let reached = reached.into_iter().chain([(high > faster, "better")]);
    let words: Vec<&str> = reached.filter(|(holds, _)| *holds).map(|(_, word)| word).collect();
    let half_width = (high - low) / 2.0;
    let needed = |target: f64| {
        samples.and_then(|(base, new)| more(base.min(new), half_width / target, tests))
    };
    if let ([holds], false, Some(p_holm)) = (words.as_slice(), significant, evidence.p_holm) {
        // A half-width of 0.6 of the effect is three standard errors and more.
        let needed = needed((ratio - 1.0).abs() * 0.6);
        let reason = Reason::Chance { holds, p_holm, tests, needed };
        return (Verdict::Inconclusive, Some(reason));
    }
    // How far the end that matters is from the estimate, but no less than a quarter of the threshold:
    // an effect as large as the threshold would never be told.
    let target = ((ratio - 1.0).abs() - threshold).abs().max(threshold / 4.0);
    let reason = Reason::Wide { holds: words.join(" and "), needed: needed(target) };
    (Verdict::Inconclusive, Some(reason))
}

/// The fewest samples a side whose perfect order could be believed among so many tests.
fn enough_for_the_test(tests: usize) -> usize {
    let enough = |&n: &usize| smallest_p(n, n) * tests as f64 <= ALPHA;
    (4..=1_000).find(enough).unwrap_or(1_000)
}

/// Samples that would make an interval so many times narrower, in fives; none above a thousand.
fn more(have: usize, times: f64, tests: usize) -> Option<usize> {
    // Not quite 40 is 40, whatever a division leaves over.
    let wanted = (have as f64 * times * times / 5.0 - 1e-6).ceil() * 5.0;
    if wanted > 1_000.0 {
        return None;
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a whole number from 0 to 1,000"
    )]
    let wanted = wanted as usize;
    Some(wanted.max(have + 5).max(enough_for_the_test(tests)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn evidence(ratio: f64, low: f64, high: f64, p_holm: f64) -> Evidence {
        Evidence {
            ratio,
            interval: Some((low, high)),
            p_holm: Some(p_holm),
            tests: 4,
            samples: Some((10, 10)),
            runs_agree: true,
        }
    }

    fn verdict(evidence: &Evidence) -> Verdict {
        judge(evidence, 0.02).0
    }

    fn reason(evidence: &Evidence) -> String {
        let (verdict, reason) = judge(evidence, 0.02);
        assert_eq!(verdict, Verdict::Inconclusive);
        reason.unwrap().to_string()
    }

    #[test]
    fn the_four_verdicts() {
        assert_eq!(verdict(&evidence(0.96, 0.94, 0.98, 0.001)), Verdict::Worse);
        assert_eq!(verdict(&evidence(1.04, 1.02, 1.06, 0.001)), Verdict::Better);
        assert_eq!(verdict(&evidence(1.001, 0.985, 1.015, 0.9)), Verdict::Same);
        // Slower beyond chance, but by less than matters.
        assert_eq!(verdict(&evidence(0.99, 0.985, 0.995, 0.001)), Verdict::Same);
        assert_eq!(verdict(&evidence(1.001, 0.97, 1.03, 0.9)), Verdict::Inconclusive);
        // Far off, but not beyond chance.
        assert_eq!(verdict(&evidence(0.9, 0.8, 1.1, 0.2)), Verdict::Inconclusive);
        // Beyond chance, and perhaps less than matters.
        assert_eq!(verdict(&evidence(0.985, 0.975, 0.995, 0.001)), Verdict::Inconclusive);
    }

    #[test]
    fn every_way_of_not_telling_says_what_to_do() {
        // (0.03 / 0.019)^2 * 10 = 24.9
        insta::assert_snapshot!(reason(&evidence(1.001, 0.97, 1.03, 0.9)),
            @"the interval holds worse and same and better: --repetitions 25 would about tell");
        // 0.01 / 0.005 = 2, squared 4 times the 10 there are
        insta::assert_snapshot!(reason(&evidence(0.985, 0.975, 0.995, 0.001)),
            @"the interval holds worse and same: --repetitions 40 would about tell");
        insta::assert_snapshot!(reason(&evidence(0.98, 0.8, 1.2, 0.9)),
            @"the interval holds worse and same and better, and more than 1,000 repetitions would be needed: quiet the machine, or choose another --threshold");
        let few = Evidence { samples: Some((5, 5)), tests: 8, ..evidence(0.9, 0.88, 0.92, 0.063) };
        // 2 / 252 for five, 2 / 924 for six; 0.03 / 8
        insta::assert_snapshot!(reason(&few),
            @"5 against 5 samples give p = 0.0079 at best, and 8 tests ask for 0.0037: measure with --repetitions 6 or more");
        // (0.02 / 0.06)^2 * 10 is less than there are: five more
        insta::assert_snapshot!(reason(&evidence(0.9, 0.88, 0.92, 0.075)),
            @"it looks worse, but chance does that too often (p = 0.075 after the correction for 4 tests): --repetitions 15 would about tell");
        let fewest =
            Evidence { samples: Some((3, 3)), interval: None, ..evidence(0.9, 0.0, 0.0, 1.0) };
        insta::assert_snapshot!(reason(&fewest),
            @"3 against 3 samples are too few for an interval: measure with --repetitions 10 or more");
        let drifting = Evidence { runs_agree: false, ..evidence(0.9, 0.88, 0.92, 0.001) };
        insta::assert_snapshot!(reason(&drifting),
            @"runs of the same side differ as much as the sides do, so the machine drifts: measure more runs of both in alternation");
    }

    #[test]
    fn five_against_five_pass_holm_up_to_three_tests() {
        // 2 / 70 = 0.0286 for four, 2 / 252 = 0.0079 for five, 2 / 924 = 0.0022 for six
        assert_eq!(enough_for_the_test(1), 4);
        assert_eq!(enough_for_the_test(3), 5);
        assert_eq!(enough_for_the_test(4), 6);
        assert_eq!(enough_for_the_test(13), 6);
        assert_eq!(enough_for_the_test(14), 7);
    }
}
