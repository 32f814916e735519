//! From matched cases to findings: the figures of both sides, their ratio, the test, the verdict.

use super::cases::{Case, Run};
use super::dependence::{autocorrelation, inflation};
use super::key::CaseKey;
use super::mann_whitney::p_of_dependent;
use super::shift::Shift;
use super::verdict::{Evidence, Reason, Verdict, judge};
use super::{Which, holm};
use crate::read::CaseSamples;
use crate::record::{Record, Status};
use crate::stats::median;
use crate::stats::normal::two_sided;
use crate::units::{Fraction, Ratio, TokensPerSecond};
use serde::Serialize;

/// What of a case was compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Compared {
    /// Prompt tokens per second.
    Prefill,
    /// Generated tokens per second.
    Decode,
    /// Whether it could be measured: one side failed or was interrupted.
    Ending,
}

/// What a ratio and its interval come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Basis {
    /// The samples of both sides.
    Samples,
    /// Means and 95% intervals, taken as normal in the logarithm: a side has no samples.
    Intervals,
    /// Means alone.
    Means,
}

/// The figures of one side.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct SideFigures {
    /// Runs that the case was measured in.
    pub runs: u32,
    /// Samples in all of them; 0 where none were kept.
    pub samples: u32,
    /// Median rate of the samples; the mean where none were kept.
    pub typical_tps: Option<TokensPerSecond>,
    /// How the case ended.
    pub status: Status,
}

/// One rate of one case, compared.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Finding {
    /// The case.
    pub key: CaseKey,
    /// What of it.
    pub of: Compared,
    /// The figures of BASE.
    pub base: SideFigures,
    /// The figures of NEW.
    pub new: SideFigures,
    /// What ratio and interval come from.
    pub basis: Option<Basis>,
    /// NEW over BASE: the median over all pairs of samples; of means where there are none.
    pub ratio: Option<Ratio>,
    /// Lower end of its 95% interval.
    pub ratio_low: Option<Ratio>,
    /// Upper end.
    pub ratio_high: Option<Ratio>,
    /// Chance of such a difference between alike sides, by this test alone.
    pub p: Option<Fraction>,
    /// The same after Holm's correction over all tests of the table.
    pub p_holm: Option<Fraction>,
    /// What it comes to.
    pub verdict: Verdict,
    /// Why, where the figures do not say so, and what to do next.
    pub reason: Option<Reason>,
}

/// All findings of a table.
pub(super) struct Findings {
    pub(super) list: Vec<Finding>,
    pub(super) tests: usize,
    pub(super) autocorrelation: f64,
}

/// One rate of one case of one side: the logarithms of its samples, run by run.
struct Rates {
    runs: Vec<Vec<f64>>,
    figures: SideFigures,
    /// Mean and the standard error of its logarithm, where there are no samples to be had.
    mean: Option<f64>,
    log_error: Option<f64>,
}

/// A finding on its way: all but what depends on the rest of the table.
struct Draft<'c> {
    key: &'c CaseKey,
    of: Compared,
    base: Rates,
    new: Rates,
    basis: Option<Basis>,
    inflation: f64,
    shift: Option<Shift>,
    p: Option<f64>,
}

/// Compares the cases of a table, one test for each rate that both sides have.
pub(super) fn of(both: &[(&Case<'_>, &Case<'_>)], threshold: f64, seed: u64) -> Findings {
    let measured =
        both.iter().filter(|(b, n)| b.status() == Status::Ok && n.status() == Status::Ok);
    let mut drafts: Vec<Draft<'_>> = measured
        .flat_map(|(base, new)| {
            [Compared::Prefill, Compared::Decode]
                .into_iter()
                .filter_map(|of| Draft::of(base, new, of))
        })
        .collect();
    let series = drafts.iter().flat_map(|draft| draft.base.runs.iter().chain(&draft.new.runs));
    let rho = autocorrelation(series.map(Vec::as_slice));
    for draft in &mut drafts {
        draft.test(rho, seed);
    }
    let tested: Vec<f64> = drafts.iter().filter_map(|draft| draft.p).collect();
    let mut corrected = holm::adjusted(&tested).into_iter();
    let tests = tested.len();
    let mut findings: Vec<Finding> = drafts
        .into_iter()
        .map(|draft| {
            let p_holm = draft.p.and_then(|_| corrected.next());
            draft.judged(p_holm, tests, threshold)
        })
        .collect();
    findings.extend(both.iter().filter_map(|(base, new)| ended_otherwise(base, new)));
    Findings { list: findings, tests, autocorrelation: rho }
}

impl Rates {
    fn of(case: &Case<'_>, of: Compared) -> Self {
        let runs: Vec<&Run<'_>> = case.ended_well().collect();
        let rates = |samples: &CaseSamples| match of {
            Compared::Prefill => samples.prefill.clone(),
            _ => samples.decode.clone(),
        };
        let kept: Vec<Vec<TokensPerSecond>> = runs
            .iter()
            .filter_map(|run| run.samples.map(rates))
            .filter(|rates| !rates.is_empty())
            .collect();
        let all: Vec<TokensPerSecond> = kept.iter().flatten().copied().collect();
        // The logarithm of 0 is no number; a rate of 0 is no rate either.
        let logs = |run: &Vec<TokensPerSecond>| {
            run.iter().map(|rate| rate.get()).filter(|&rate| rate > 0.0).map(f64::ln).collect()
        };
        // One run stands for a side without samples: means of several have no interval in common.
        let stated = runs.first().map(|run| stated(run.record, of));
        let (mean, log_error) = stated.unwrap_or_default();
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let figures = SideFigures {
            runs: count(runs.len()),
            samples: count(all.len()),
            typical_tps: median(&all).ok().or_else(|| mean.map(TokensPerSecond::new)),
            status: case.status(),
        };
        Self { runs: kept.iter().map(logs).collect(), figures, mean, log_error }
    }

    fn all(&self) -> Vec<f64> {
        self.runs.iter().flatten().copied().collect()
    }

    /// Medians of the runs, as logarithms.
    fn middles(&self) -> Vec<f64> {
        let ratios = |run: &Vec<f64>| run.iter().copied().map(Ratio::new).collect::<Vec<_>>();
        self.runs.iter().filter_map(|run| Some(median(&ratios(run)).ok()?.get())).collect()
    }
}

/// The mean rate of a record, and the standard error of its logarithm by its 95% interval.
fn stated(record: &Record, of: Compared) -> (Option<f64>, Option<f64>) {
    let (mean, low, high) = match of {
        Compared::Prefill => {
            (record.prefill_mean_tps, record.prefill_ci95_low_tps, record.prefill_ci95_high_tps)
        }
        _ => (record.decode_mean_tps, record.decode_ci95_low_tps, record.decode_ci95_high_tps),
    };
    let mean = mean.map(TokensPerSecond::get).filter(|&mean| mean > 0.0);
    let error = low.zip(high).filter(|(low, _)| low.get() > 0.0);
    let error = error.map(|(low, high)| (high.get() / low.get()).ln() / (2.0 * 1.96));
    (mean, error.filter(|_| mean.is_some()))
}

impl<'c> Draft<'c> {
    /// None where neither side has the rate: a case of one output token has no decode.
    fn of(base: &'c Case<'_>, new: &Case<'_>, of: Compared) -> Option<Self> {
        let (b, n) = (Rates::of(base, of), Rates::of(new, of));
        if b.figures.typical_tps.is_none() && n.figures.typical_tps.is_none() {
            return None;
        }
        let key = &base.key;
        let (basis, inflation, shift, p) = (None, 1.0, None, None);
        Some(Self { key, of, base: b, new: n, basis, inflation, shift, p })
    }

    /// By the samples where both sides have them, by the intervals where both have one, else not.
    fn test(&mut self, rho: f64, seed: u64) {
        let (base, new) = (self.base.all(), self.new.all());
        self.inflation = inflation(&self.base.runs, &self.new.runs, rho);
        if let Some(shift) = Shift::of(&base, &new, self.inflation, seed) {
            self.basis = Some(Basis::Samples);
            self.shift = Some(shift);
            self.p = Some(p_of_dependent(&base, &new, shift.estimate, self.inflation));
            return;
        }
        let (Some(base), Some(new)) = (self.base.mean, self.new.mean) else { return };
        let estimate = (new / base).ln();
        let (mut interval, mut basis) = (None, Basis::Means);
        if let (Some(b), Some(n)) = (self.base.log_error, self.new.log_error) {
            let error = b.hypot(n);
            interval = Some((estimate - 1.96 * error, estimate + 1.96 * error));
            basis = Basis::Intervals;
            let z = if estimate == 0.0 { 0.0 } else { estimate / error };
            self.p = Some(two_sided(z));
        }
        self.basis = Some(basis);
        self.shift = Some(Shift { estimate, interval });
    }

    fn judged(self, p_holm: Option<f64>, tests: usize, threshold: f64) -> Finding {
        let ratio = self.shift.map(|shift| shift.estimate.exp());
        let interval = self.shift.and_then(|shift| shift.interval);
        let interval = interval.map(|(low, high)| (low.exp(), high.exp()));
        let (base, new) = (self.base.figures, self.new.figures);
        let without = |figure: fn(&Rates) -> bool| {
            if figure(&self.base) { Which::Base } else { Which::New }
        };
        let (verdict, reason) = match (ratio, self.basis) {
            (Some(_), Some(Basis::Means)) => {
                let none = without(|rates| rates.runs.is_empty() && rates.log_error.is_none());
                (Verdict::Inconclusive, Some(Reason::NoSpread(none)))
            }
            (Some(ratio), basis) => {
                let of_samples = basis == Some(Basis::Samples);
                let evidence = Evidence {
                    ratio,
                    interval,
                    p_holm,
                    tests,
                    samples: of_samples.then_some((base.samples as usize, new.samples as usize)),
                    runs_agree: self.runs_agree(),
                };
                judge(&evidence, threshold)
            }
            (None, _) => {
                let none = without(|rates| rates.figures.typical_tps.is_none());
                (Verdict::Inconclusive, Some(Reason::NoRate(none)))
            }
        };
        Finding {
            key: self.key.clone(),
            of: self.of,
            base,
            new,
            basis: self.basis,
            ratio: ratio.map(Ratio::new),
            ratio_low: interval.map(|(low, _)| Ratio::new(low)),
            ratio_high: interval.map(|(_, high)| Ratio::new(high)),
            p: self.p.map(Fraction::new),
            p_holm: p_holm.map(Fraction::new),
            verdict,
            reason,
        }
    }

    /// Whether every run of one side is beyond every run of the other; so it is with one run each.
    fn runs_agree(&self) -> bool {
        let (base, new) = (self.base.middles(), self.new.middles());
        let of = |side: &[f64], pick: fn(f64, f64) -> f64| side.iter().copied().reduce(pick);
        match (of(&base, f64::min), of(&base, f64::max), of(&new, f64::min), of(&new, f64::max)) {
            (Some(b_low), Some(b_high), Some(n_low), Some(n_high)) => {
                base.len().max(new.len()) == 1 || n_low > b_high || n_high < b_low
            }
            _ => true,
        }
    }
}

/// The figures of a case by itself: of each rate it has, or of how it ended.
pub(super) fn figures(case: &Case<'_>) -> Vec<(Compared, SideFigures)> {
    if case.status() != Status::Ok {
        return vec![(Compared::Ending, ending(case))];
    }
    [Compared::Prefill, Compared::Decode]
        .into_iter()
        .map(|of| (of, Rates::of(case, of).figures))
        .filter(|(_, figures)| figures.typical_tps.is_some())
        .collect()
}

/// The figures of a case of which nothing but its end is looked at.
fn ending(case: &Case<'_>) -> SideFigures {
    SideFigures {
        runs: u32::try_from(case.runs.len()).unwrap_or(u32::MAX),
        samples: 0,
        typical_tps: None,
        status: case.status(),
    }
}

/// A case that one side measured and the other did not: failing where it worked is worse, working
/// where it failed is better, and what was interrupted is not known.
fn ended_otherwise(base: &Case<'_>, new: &Case<'_>) -> Option<Finding> {
    let (verdict, reason) = match (base.status(), new.status()) {
        (Status::Ok, Status::Failed) => (Verdict::Worse, failed(Which::New, new)),
        (Status::Failed, Status::Ok) => (Verdict::Better, failed(Which::Base, base)),
        (Status::Ok, Status::Interrupted) => {
            (Verdict::Inconclusive, Reason::Interrupted(Which::New))
        }
        (Status::Interrupted, Status::Ok) => {
            (Verdict::Inconclusive, Reason::Interrupted(Which::Base))
        }
        _ => return None,
    };
    Some(Finding {
        key: base.key.clone(),
        of: Compared::Ending,
        base: ending(base),
        new: ending(new),
        basis: None,
        ratio: None,
        ratio_low: None,
        ratio_high: None,
        p: None,
        p_holm: None,
        verdict,
        reason: Some(reason),
    })
}

fn failed(side: Which, case: &Case<'_>) -> Reason {
    let error = case.runs.iter().find_map(|run| run.record.error.as_deref());
    Reason::Failed { side, error: error.unwrap_or("no reason recorded").to_owned() }
}
