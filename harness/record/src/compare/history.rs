//! Many runs in the order of time: each case against its run before and its first.

use super::cases::{self, Case};
use super::{CaseKey, Tally};
use super::{CompareError, CompareOptions, Compared, Finding, Reason, Verdict, Which, findings};
use crate::read::Measurements;
use crate::record::Status;
use crate::units::{Fraction, Ratio, TokensPerSecond};
use serde::Serialize;

/// One run, by the name of its folder.
#[derive(Debug, Clone)]
pub struct HistoryRun {
    /// The name.
    pub name: String,
    /// What it measured.
    pub measurements: Measurements,
}

/// Cases over time.
///
/// As JSON an object of these fields by these names.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct History {
    /// Version of this JSON.
    pub history_version: u32,
    /// The smallest change that matters, as a share.
    pub threshold: Fraction,
    /// Columns of the key that were left out of it.
    pub ignored: Vec<&'static str>,
    /// A point for each rate of each case of each run: by case, then rate, then time.
    pub points: Vec<HistoryPoint>,
    /// How many of each verdict the latest run has against the runs before.
    pub latest: Tally,
}

/// One rate of one case in one run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HistoryPoint {
    /// The case.
    pub key: CaseKey,
    /// What of it.
    pub of: Compared,
    /// The run.
    pub run: String,
    /// When the run began: the earliest of its cases.
    pub started_at: String,
    /// Commit that was measured.
    pub git_commit: Option<String>,
    /// Samples.
    pub samples: u32,
    /// Median of the samples; the mean where none were kept.
    pub typical_tps: Option<TokensPerSecond>,
    /// How the case ended.
    pub status: Status,
    /// Against the latest run before that has the case.
    pub from_previous: Option<Change>,
    /// Against the first run that has the case.
    pub from_first: Option<Change>,
}

/// What became of a rate since another run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Change {
    /// Over the rate then.
    pub ratio: Option<Ratio>,
    /// Lower end of its 95% interval.
    pub ratio_low: Option<Ratio>,
    /// Upper end.
    pub ratio_high: Option<Ratio>,
    /// As [`compare`](super::compare) would say of the two runs.
    pub verdict: Verdict,
    /// Why, where the figures do not say so.
    pub reason: Option<Reason>,
}

impl From<&Finding> for Change {
    fn from(finding: &Finding) -> Self {
        Self {
            ratio: finding.ratio,
            ratio_low: finding.ratio_low,
            ratio_high: finding.ratio_high,
            verdict: finding.verdict,
            reason: finding.reason.clone(),
        }
    }
}

/// Orders runs by time and compares each with the one before and with the first, case by case. Each
/// step is a table of its own, so Holm's correction is over the cases of one run: a run that is
/// added changes no verdict that was given.
///
/// # Errors
/// [`CompareError`] where there is no run, where samples do not add up to their summary, or where
/// ignored columns would mix cases.
pub fn history(runs: &[HistoryRun], options: &CompareOptions) -> Result<History, CompareError> {
    let mut dated = Vec::new();
    for run in runs {
        let cases = cases::of(Which::New, &run.measurements, &options.ignore)?;
        let began = run.measurements.records.iter().map(|record| &*record.started_at).min();
        dated.push(Dated { began: began.unwrap_or_default(), name: &run.name, cases });
    }
    dated.sort_by(|a, b| (a.began, a.name).cmp(&(b.began, b.name)));
    let mut points = Vec::new();
    let mut latest = Tally::default();
    for (at, run) in dated.iter().enumerate() {
        let earlier = &dated[..at];
        let since_previous =
            run.against(|key| earlier.iter().rev().find_map(|r| r.case(key)), options);
        let since_first = run.against(|key| earlier.iter().find_map(|r| r.case(key)), options);
        latest = Tally::of(since_previous.iter().map(|finding| finding.verdict));
        for case in &run.cases {
            for (of, figures) in findings::figures(case) {
                let change = |list: &[Finding]| {
                    let own = list.iter().filter(|finding| finding.key == case.key);
                    let mut own = own.filter(|f| f.of == of || f.of == Compared::Ending);
                    own.next().map(Change::from)
                };
                points.push(HistoryPoint {
                    key: case.key.clone(),
                    of,
                    run: run.name.to_owned(),
                    started_at: run.began.to_owned(),
                    git_commit: case.runs[0].record.git_commit.as_deref().map(str::to_owned),
                    samples: figures.samples,
                    typical_tps: figures.typical_tps,
                    status: figures.status,
                    from_previous: change(&since_previous),
                    from_first: change(&since_first),
                });
            }
        }
    }
    if points.is_empty() {
        return Err(CompareError::NoRuns);
    }
    Ok(History {
        history_version: 1,
        threshold: options.threshold,
        ignored: options.ignore.clone(),
        points: by_case(points),
        latest,
    })
}

/// The cases of a run, and when it began.
struct Dated<'a> {
    began: &'a str,
    name: &'a str,
    cases: Vec<Case<'a>>,
}

impl<'a> Dated<'a> {
    fn case(&self, key: &CaseKey) -> Option<&Case<'a>> {
        self.cases.iter().find(|case| case.key == *key)
    }

    /// Its cases against what they were, as far as they were.
    fn against<'b, 'c: 'b>(
        &self,
        then: impl Fn(&CaseKey) -> Option<&'b Case<'c>>,
        options: &CompareOptions,
    ) -> Vec<Finding> {
        let pairs: Vec<_> =
            self.cases.iter().filter_map(|case| Some((then(&case.key)?, case))).collect();
        findings::of(&pairs, options.threshold.get(), options.seed).list
    }
}

/// Points of one case one after the other, cases and rates in the order in which they first come.
fn by_case(points: Vec<HistoryPoint>) -> Vec<HistoryPoint> {
    let mut order: Vec<(CaseKey, Compared)> = Vec::new();
    for point in &points {
        if !order.iter().any(|(key, of)| *key == point.key && *of == point.of) {
            order.push((point.key.clone(), point.of));
        }
    }
    let place = |point: &HistoryPoint| {
        order.iter().position(|(key, of)| *key == point.key && *of == point.of)
    };
    let mut points = points;
    points.sort_by_key(place);
    points
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Record, Status};

    /// A run of one case whose decode rates lie around `rate`.
    fn run(name: &str, day: u32, rate: f64) -> HistoryRun {
        let record = Record {
            run_id: name.into(),
            case_id: "a".into(),
            started_at: format!("2026-11-{day:02}T00:00:00Z").into(),
            model: "m".into(),
            ..Record::default()
        };
        let mut measurements = Measurements::default();
        let samples = measurements.samples.entry(&record.run_id, &record.case_id);
        samples.decode = [0.0, 0.4, -0.4, 0.2, -0.2, 0.3, -0.3, 0.1, -0.1, 0.05]
            .map(|percent| TokensPerSecond::new(rate * (1.0 + percent / 100.0)))
            .to_vec();
        let mean = crate::stats::mean(&samples.decode).ok();
        measurements.records = vec![Record { decode_mean_tps: mean, ..record }];
        HistoryRun { name: name.to_owned(), measurements }
    }

    #[test]
    fn each_run_is_held_to_the_one_before_and_to_the_first() {
        // Given out of order; 1.5% slower twice: each step is too small to matter, both are not.
        let runs = [run("c", 3, 97.0), run("a", 1, 100.0), run("b", 2, 98.5)];
        let told = history(&runs, &CompareOptions::default()).unwrap();
        let verdicts: Vec<_> = told
            .points
            .iter()
            .map(|point| {
                let verdict = |change: &Option<Change>| change.as_ref().map(|c| c.verdict);
                (point.run.as_str(), verdict(&point.from_previous), verdict(&point.from_first))
            })
            .collect();
        assert_eq!(
            verdicts,
            [
                ("a", None, None),
                ("b", Some(Verdict::Same), Some(Verdict::Same)),
                ("c", Some(Verdict::Same), Some(Verdict::Worse)),
            ]
        );
        assert_eq!(told.latest, Tally { same: 1, ..Tally::default() });
    }

    #[test]
    fn a_case_that_fails_has_a_point_too() {
        let mut broken = run("b", 2, 100.0);
        broken.measurements.records[0].status = Status::Failed;
        broken.measurements.records[0].error = Some("out of memory".into());
        let told = history(&[run("a", 1, 100.0), broken], &CompareOptions::default()).unwrap();
        let last = told.points.last().unwrap();
        assert_eq!((last.of, last.status), (Compared::Ending, Status::Failed));
        assert_eq!(last.from_previous.as_ref().unwrap().verdict, Verdict::Worse);
        assert_eq!(told.latest.worse, 1);
    }

    #[test]
    fn no_run_has_no_history() {
        assert_eq!(history(&[], &CompareOptions::default()), Err(CompareError::NoRuns));
    }
}
