//! Two runs compared, case by case: better, worse, same, or not to be told.
//!
//! Samples are compared, not summaries. The size of an effect is the middle of all pairwise ratios
//! with a 95% interval; whether it is chance is judged by the test of Mann and Whitney with Holm's
//! correction over the table; both allow for samples that depend on each other. How often this is
//! wrong: results/decisions/0014-compare.md and tests/compare.rs.
//!
//! What is not here: how it is printed, and which exit code it becomes.

mod cases;
mod dependence;
mod environment;
mod error;
mod findings;
mod history;
mod holm;
mod integrity;
mod key;
mod mann_whitney;
mod shift;
mod verdict;

pub use environment::{Difference, Environment};
pub use error::CompareError;
pub use findings::{Basis, Compared, Finding, SideFigures};
pub use history::{Change, History, HistoryPoint, HistoryRun, history};
pub use key::{CaseKey, KEY_COLUMNS, KeyColumn, UnknownKeyColumn};
pub use verdict::{Reason, Verdict};

use crate::host::Host;
use crate::read::Measurements;
use crate::record::Status;
use crate::units::{Fraction, Ratio};
use serde::Serialize;
use std::fmt;

/// The chance of any false better or worse in a table that is accepted, were it known how far samples
/// depend on each other. As that is estimated, 3% it is for less than 5% in the end:
/// results/decisions/0014-compare.md.
const ALPHA: f64 = 0.03;

/// Which side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Which {
    /// What is compared with.
    Base,
    /// What is judged.
    New,
}

impl fmt::Display for Which {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Base => "BASE",
            Self::New => "NEW",
        })
    }
}

/// One side: its measurements, and the machines they were made on as far as `host.json` lies beside.
#[derive(Debug, Clone, Copy)]
pub struct Side<'a> {
    /// Records, and the samples behind them.
    pub measurements: &'a Measurements,
    /// The machines of its runs.
    pub hosts: &'a [Host],
}

/// How to compare.
#[derive(Debug, Clone, PartialEq)]
pub struct CompareOptions {
    /// The smallest change that matters, as a share.
    pub threshold: Fraction,
    /// Columns of the key that are left out of it.
    pub ignore: Vec<&'static str>,
    /// Seed of the intervals.
    pub seed: u64,
}

impl Default for CompareOptions {
    /// 2%, nothing ignored, seed 42.
    fn default() -> Self {
        Self { threshold: Fraction::new(0.02), ignore: Vec::new(), seed: 42 }
    }
}

/// Two sides compared.
///
/// As JSON an object of these fields by these names; a rate, a ratio or a chance that is not known
/// is `null`, a [`Verdict`] or [`Status`] a word in lower case, a [`CaseKey`] an object of texts.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// Version of this JSON.
    pub comparison_version: u32,
    /// The smallest change that matters, as a share.
    pub threshold: Fraction,
    /// Columns of the key that were left out of it.
    pub ignored: Vec<&'static str>,
    /// What differs besides.
    pub environment: Environment,
    /// How many of each verdict.
    pub tally: Tally,
    /// Geometric mean of the decode ratios.
    pub decode_ratio: Option<Ratio>,
    /// Geometric mean of the prefill ratios.
    pub prefill_ratio: Option<Ratio>,
    /// Tests that Holm's correction is over.
    pub tests: u32,
    /// Autocorrelation of neighbouring samples, over the table; 0 where they do not depend on each
    /// other.
    pub autocorrelation: Fraction,
    /// A row for each rate of each case that both have, and one for each case that one side failed
    /// to measure.
    pub findings: Vec<Finding>,
    /// Cases that both sides failed to measure.
    pub left_out: Vec<LeftOut>,
    /// Cases of BASE that NEW has not.
    pub only_base: Vec<CaseKey>,
    /// Cases of NEW that BASE has not.
    pub only_new: Vec<CaseKey>,
}

/// How many of each verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Tally {
    /// Better.
    pub better: u32,
    /// Worse.
    pub worse: u32,
    /// Same.
    pub same: u32,
    /// Inconclusive.
    pub inconclusive: u32,
}

impl Tally {
    fn of(verdicts: impl IntoIterator<Item = Verdict>) -> Self {
        let mut tally = Self::default();
        for verdict in verdicts {
            *match verdict {
                Verdict::Better => &mut tally.better,
                Verdict::Worse => &mut tally.worse,
                Verdict::Same => &mut tally.same,
                Verdict::Inconclusive => &mut tally.inconclusive,
            } += 1;
        }
        tally
    }
}

/// A case that neither side measured to its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LeftOut {
    /// The case.
    pub key: CaseKey,
    /// How it ended in BASE.
    pub base: Status,
    /// How it ended in NEW.
    pub new: Status,
}

/// Compares the cases that both sides have.
///
/// # Errors
/// [`CompareError`] where no case is in common, where samples do not add up to their summary, or
/// where ignored columns would mix cases.
pub fn compare(
    base: Side<'_>,
    new: Side<'_>,
    options: &CompareOptions,
) -> Result<Comparison, CompareError> {
    let base_cases = cases::of(Which::Base, base.measurements, &options.ignore)?;
    let new_cases = cases::of(Which::New, new.measurements, &options.ignore)?;
    let matched = cases::matched(&base_cases, &new_cases);
    if matched.both.is_empty() {
        return Err(cases::nothing_in_common(&base_cases, &new_cases));
    }
    let found = findings::of(&matched.both, options.threshold.get(), options.seed);
    let left_out = matched.both.iter().map(|(base, new)| (base, base.status(), new.status()));
    let left_out = left_out.filter(|(_, base, new)| *base != Status::Ok && *new != Status::Ok);
    Ok(Comparison {
        comparison_version: 1,
        threshold: options.threshold,
        ignored: options.ignore.clone(),
        environment: Environment::of(&matched.both, [base.hosts, new.hosts]),
        tally: Tally::of(found.list.iter().map(|finding| finding.verdict)),
        decode_ratio: geometric_mean(&found.list, Compared::Decode),
        prefill_ratio: geometric_mean(&found.list, Compared::Prefill),
        tests: u32::try_from(found.tests).unwrap_or(u32::MAX),
        autocorrelation: Fraction::new(found.autocorrelation),
        findings: found.list,
        left_out: left_out
            .map(|(case, base, new)| LeftOut { key: case.key.clone(), base, new })
            .collect(),
        only_base: matched.only_base,
        only_new: matched.only_new,
    })
}

fn geometric_mean(findings: &[Finding], of: Compared) -> Option<Ratio> {
    let own = findings.iter().filter(|finding| finding.of == of);
    let logs: Vec<f64> = own.filter_map(|finding| Some(finding.ratio?.get().ln())).collect();
    let mean = logs.iter().sum::<f64>() / logs.len() as f64;
    (!logs.is_empty() && mean.is_finite()).then(|| Ratio::new(mean.exp()))
}
