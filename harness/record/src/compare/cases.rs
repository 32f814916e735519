//! The cases of one side, runs that repeat a case put together, and which of them the sides share.

use super::key::{CaseKey, KEY_COLUMNS};
use super::{CompareError, Which, integrity};
use crate::read::{CaseSamples, Measurements};
use crate::record::{Record, Status};

/// One case of a side: every run of it.
#[derive(Debug, Clone)]
pub(super) struct Case<'a> {
    pub(super) key: CaseKey,
    pub(super) runs: Vec<Run<'a>>,
}

/// A case in one run.
#[derive(Debug, Clone, Copy)]
pub(super) struct Run<'a> {
    pub(super) record: &'a Record,
    pub(super) samples: Option<&'a CaseSamples>,
}

impl<'a> Case<'a> {
    /// How it ended: failed where any run of it did, since a case that fails now and then is no
    /// case that works; interrupted where no run came to its end.
    pub(super) fn status(&self) -> Status {
        let any = |status| self.runs.iter().any(|run| run.record.status == status);
        match (any(Status::Failed), any(Status::Ok)) {
            (true, _) => Status::Failed,
            (false, true) => Status::Ok,
            (false, false) => Status::Interrupted,
        }
    }

    /// The runs that came to their end.
    pub(super) fn ended_well(&self) -> impl Iterator<Item = &Run<'a>> {
        self.runs.iter().filter(|run| run.record.status == Status::Ok)
    }
}

/// The cases of a side, in the order of the file, after a check of its samples.
pub(super) fn of<'a>(
    side: Which,
    measurements: &'a Measurements,
    ignored: &[&'static str],
) -> Result<Vec<Case<'a>>, CompareError> {
    integrity::check(side, measurements)?;
    let mut cases: Vec<Case<'a>> = Vec::new();
    let mut places = std::collections::HashMap::new();
    for record in &measurements.records {
        let key = CaseKey::of(record, ignored);
        let run = Run { record, samples: measurements.samples.of(record) };
        let place = *places.entry(key.clone()).or_insert(cases.len());
        match cases.get_mut(place) {
            Some(case) => {
                refuse_mixed(side, case.runs[0].record, record, ignored)?;
                case.runs.push(run);
            }
            None => cases.push(Case { key, runs: vec![run] }),
        }
    }
    Ok(cases)
}

fn refuse_mixed(
    side: Which,
    first: &Record,
    second: &Record,
    ignored: &[&'static str],
) -> Result<(), CompareError> {
    let (one, other) = (CaseKey::of(first, &[]), CaseKey::of(second, &[]));
    if one == other {
        return Ok(());
    }
    let (first, second) = (one.to_string(), other.to_string());
    Err(CompareError::Mixed { side, ignored: ignored.join(", "), first, second })
}

/// Cases of both sides, and those of one side only.
pub(super) struct Matched<'c, 'a> {
    pub(super) both: Vec<(&'c Case<'a>, &'c Case<'a>)>,
    pub(super) only_base: Vec<CaseKey>,
    pub(super) only_new: Vec<CaseKey>,
}

pub(super) fn matched<'c, 'a>(base: &'c [Case<'a>], new: &'c [Case<'a>]) -> Matched<'c, 'a> {
    let keys = |side: &'c [Case<'a>]| -> std::collections::HashMap<&'c CaseKey, &'c Case<'a>> {
        side.iter().map(|case| (&case.key, case)).collect()
    };
    let (of_base, of_new) = (keys(base), keys(new));
    let both = base.iter().filter_map(|case| Some((case, *of_new.get(&case.key)?)));
    let only = |side: &'c [Case<'a>], other: &std::collections::HashMap<_, _>| -> Vec<CaseKey> {
        let alone = side.iter().filter(|case| !other.contains_key(&case.key));
        alone.map(|case| case.key.clone()).collect()
    };
    Matched { both: both.collect(), only_base: only(base, &of_new), only_new: only(new, &of_base) }
}

/// Which columns keep the sides apart, and what to do about it.
pub(super) fn nothing_in_common(base: &[Case<'_>], new: &[Case<'_>]) -> CompareError {
    let apart: Vec<(&str, String)> = KEY_COLUMNS
        .iter()
        .filter_map(|column| {
            let (ours, theirs) = (values(base, column.name), values(new, column.name));
            let shared = ours.iter().any(|value| theirs.contains(value));
            let words = format!(
                "{} is {} in BASE and {} in NEW",
                column.name,
                listed(&ours),
                listed(&theirs)
            );
            (!shared).then_some((column.name, words))
        })
        .collect();
    let why = if apart.is_empty() {
        "each column of the key has values in common, but no case has them all; measure the same cases on both sides".to_owned()
    } else {
        let (names, words): (Vec<&str>, Vec<String>) = apart.into_iter().unzip();
        format!("{}; --ignore {} compares them all the same", words.join(", "), names.join(","))
    };
    CompareError::NothingInCommon { why }
}

fn values(side: &[Case<'_>], column: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    // A column that is ignored already is in no key and keeps nothing apart.
    for case in side {
        let value = case.key.get(column).unwrap_or("empty").to_owned();
        if !found.contains(&value) {
            found.push(value);
        }
    }
    found
}

fn listed(values: &[String]) -> String {
    match values {
        [.., last] if values.len() > 4 => {
            format!("{}, .. or {last}", values[..3].join(", "))
        }
        _ => values.join(" or "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(run: &str, engine: &str, batch: u32) -> Record {
        Record {
            run_id: run.into(),
            case_id: format!("{engine}-{batch}").into(),
            engine: engine.into(),
            batch: Some(batch),
            ..Record::default()
        }
    }

    fn file(records: &[Record]) -> Measurements {
        Measurements { records: records.to_vec(), ..Measurements::default() }
    }

    #[test]
    fn runs_of_one_case_are_put_together_and_the_rest_is_told_apart() {
        let base = file(&[record("1", "a", 1), record("2", "a", 1), record("1", "a", 2)]);
        let new = file(&[record("3", "a", 1), record("3", "a", 4)]);
        let (base, new) =
            (of(Which::Base, &base, &[]).unwrap(), of(Which::New, &new, &[]).unwrap());
        let matched = matched(&base, &new);
        assert_eq!(matched.both.len(), 1);
        assert_eq!(matched.both[0].0.runs.len(), 2);
        assert_eq!(matched.only_base[0].get("batch"), Some("2"));
        assert_eq!(matched.only_new[0].get("batch"), Some("4"));
    }

    #[test]
    fn what_keeps_the_sides_apart_is_named() {
        let base = file(&[record("1", "fused", 1)]);
        let new = file(&[record("3", "candle", 1), record("3", "candle", 2)]);
        let cases = |side, file, ignored: &[&'static str]| of(side, file, ignored).unwrap();
        let error =
            nothing_in_common(&cases(Which::Base, &base, &[]), &cases(Which::New, &new, &[]));
        insta::assert_snapshot!(error, @"no case in common: engine is fused in BASE and candle in NEW; --ignore engine compares them all the same");
        let base = cases(Which::Base, &base, &["engine"]);
        let new = cases(Which::New, &new, &["engine"]);
        assert_eq!(matched(&base, &new).both.len(), 1);
        let (one, two) =
            (file(&[record("1", "a", 1), record("1", "b", 2)]), file(&[record("3", "a", 2)]));
        let error =
            nothing_in_common(&cases(Which::Base, &one, &[]), &cases(Which::New, &two, &[]));
        insta::assert_snapshot!(error, @"no case in common: each column of the key has values in common, but no case has them all; measure the same cases on both sides");
    }

    #[test]
    fn ignoring_a_column_mixes_nothing() {
        let both = file(&[record("1", "fused", 1), record("1", "candle", 1)]);
        insta::assert_snapshot!(
            of(Which::Base, &both, &["engine"]).unwrap_err(),
            @"without engine, cases of BASE that differ would be taken for one: engine fused, batch 1; engine candle, batch 1; give a file with one of them, or ignore less"
        );
    }

    #[test]
    fn a_case_that_fails_now_and_then_failed() {
        let with = |statuses: &[Status]| {
            let records: Vec<Record> = statuses
                .iter()
                .enumerate()
                .map(|(run, &status)| Record { status, ..record(&run.to_string(), "a", 1) })
                .collect();
            let file = file(&records);
            of(Which::New, &file, &[]).unwrap()[0].status()
        };
        assert_eq!(with(&[Status::Ok, Status::Failed]), Status::Failed);
        assert_eq!(with(&[Status::Interrupted, Status::Ok]), Status::Ok);
        assert_eq!(with(&[Status::Interrupted]), Status::Interrupted);
    }
}
