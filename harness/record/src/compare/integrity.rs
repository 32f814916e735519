//! Whether the samples of a case give what its summary says. A file in which they do not was edited,
//! or put together from two, and no comparison with it means anything.

use super::{CompareError, Which};
use crate::read::{CaseSamples, Measurements};
use crate::record::{Record, Status};
use crate::stats::mean;
use crate::units::TokensPerSecond;
use std::collections::HashSet;

/// How far a mean written by freeweights may be off the mean of its samples, as a share: both are
/// written with every digit.
const ROUNDING: f64 = 1e-6;

/// The same for other tools, which print some digits.
const ROUNDING_OF_OTHERS: f64 = 1e-3;

/// Refuses a case whose samples do not add up to its summary. A case without samples passes where no
/// case of its run has any: then it was the summary alone that was given.
pub(super) fn check(side: Which, measurements: &Measurements) -> Result<(), CompareError> {
    let with_samples =
        measurements.records.iter().filter(|record| measurements.samples.of(record).is_some());
    let kept: HashSet<&str> = with_samples.map(|record| &*record.run_id).collect();
    for record in measurements.records.iter().filter(|record| record.status == Status::Ok) {
        let none = CaseSamples::default();
        let samples = match measurements.samples.of(record) {
            Some(samples) => samples,
            None if record.source_tool.is_some() || !kept.contains(&*record.run_id) => continue,
            None => &none,
        };
        check_case(side, record, samples)?;
    }
    Ok(())
}

fn check_case(side: Which, record: &Record, samples: &CaseSamples) -> Result<(), CompareError> {
    let refuse = |column, summary: Option<String>, raw: String| CompareError::SamplesDisagree {
        side,
        run_id: record.run_id.to_string(),
        case_id: record.case_id.to_string(),
        column,
        summary: summary.unwrap_or_else(|| "empty".to_owned()),
        raw,
    };
    for (column, stated, rates) in [
        ("prefill_mean_tps", record.prefill_mean_tps, &samples.prefill),
        ("decode_mean_tps", record.decode_mean_tps, &samples.decode),
    ] {
        let counted = u32::try_from(rates.len()).unwrap_or(u32::MAX);
        // Samples of a server are slices of time, and its repetitions are requests.
        let stated_count = record.repetitions.filter(|&n| n != counted && record.arrival.is_none());
        if let (Some(repetitions), true) = (stated_count, stated.is_some() || counted > 0) {
            let raw = format!("{counted} for {column}");
            return Err(refuse("repetitions", Some(repetitions.to_string()), raw));
        }
        let found = mean(rates).ok();
        if !agree(stated, found, record.source_tool.is_some()) {
            let summary = stated.map(|rate| rate.get().to_string());
            let raw = found.map_or_else(|| "empty".to_owned(), |rate| rate.get().to_string());
            return Err(refuse(column, summary, raw));
        }
    }
    Ok(())
}

fn agree(stated: Option<TokensPerSecond>, found: Option<TokensPerSecond>, by_others: bool) -> bool {
    let rounding = if by_others { ROUNDING_OF_OTHERS } else { ROUNDING };
    match (stated, found) {
        (Some(stated), Some(found)) => {
            (stated.get() - found.get()).abs() <= rounding * stated.get().max(found.get())
        }
        (stated, found) => stated.is_none() == found.is_none(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured() -> Measurements {
        let record = Record {
            run_id: "r".into(),
            case_id: "a".into(),
            repetitions: Some(2),
            decode_mean_tps: Some(TokensPerSecond::new(15.0)),
            ..Record::default()
        };
        let mut measured = Measurements { records: vec![record], ..Measurements::default() };
        let samples = measured.samples.entry(&"r".into(), &"a".into());
        samples.decode = [10.0, 20.0].map(TokensPerSecond::new).to_vec();
        measured
    }

    fn refused(change: impl FnOnce(&mut Measurements)) -> String {
        let mut measured = measured();
        change(&mut measured);
        check(Which::New, &measured).unwrap_err().to_string()
    }

    #[test]
    fn samples_that_add_up_pass_and_so_does_a_summary_alone() {
        assert_eq!(check(Which::Base, &measured()), Ok(()));
        let alone = Measurements { samples: crate::Samples::default(), ..measured() };
        assert_eq!(check(Which::Base, &alone), Ok(()));
    }

    #[test]
    fn a_mean_a_count_and_a_missing_case_are_named_with_both_figures() {
        insta::assert_snapshot!(
            refused(|m| m.records[0].decode_mean_tps = Some(TokensPerSecond::new(15.1))),
            @"NEW, run r, case a: decode_mean_tps is 15.1 in summary.csv and 15 by the samples in raw.csv; give the files as they were written"
        );
        insta::assert_snapshot!(
            refused(|m| m.records[0].repetitions = Some(3)),
            @"NEW, run r, case a: repetitions is 3 in summary.csv and 2 for decode_mean_tps by the samples in raw.csv; give the files as they were written"
        );
        insta::assert_snapshot!(
            refused(|m| m.records[0].decode_mean_tps = None),
            @"NEW, run r, case a: decode_mean_tps is empty in summary.csv and 15 by the samples in raw.csv; give the files as they were written"
        );
        insta::assert_snapshot!(
            refused(|m| {
                let lost = Record { case_id: "b".into(), ..m.records[0].clone() };
                m.records.push(lost);
            }),
            @"NEW, run r, case b: repetitions is 2 in summary.csv and 0 for decode_mean_tps by the samples in raw.csv; give the files as they were written"
        );
    }

    #[test]
    fn other_tools_round() {
        let mut measured = measured();
        measured.records[0].source_tool = Some("llama-bench".into());
        measured.records[0].decode_mean_tps = Some(TokensPerSecond::new(15.01));
        assert_eq!(check(Which::Base, &measured), Ok(()));
        measured.records[0].decode_mean_tps = Some(TokensPerSecond::new(15.1));
        assert!(check(Which::Base, &measured).is_err());
    }
}
