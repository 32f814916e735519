//! Two runs compared, at widths a terminal has.

use freeweights_record::compare::{CompareOptions, Comparison, HistoryRun, Side, compare, history};
use freeweights_record::stats::mean;
use freeweights_record::units::TokensPerSecond;
use freeweights_record::{CaseSamples, Measurements, Record, Status};
use freeweights_report::{Format, comparison_report, history_report};

/// A run of two cases and one that failed; `decode` is the rate of the first.
fn run(id: &str, decode: f64) -> Measurements {
    let mut run = Measurements::default();
    for (batch, rate) in [(1, decode), (4, 300.0)] {
        let steps = [0.1, -0.9, 0.6, -0.3, 1.0, -0.7, 0.3, -1.0, 0.8, -0.2];
        let rates = |centre: f64| -> Vec<TokensPerSecond> {
            steps.iter().map(|x| TokensPerSecond::new(centre * (1.0 + x / 300.0))).collect()
        };
        let samples = CaseSamples { prefill: Vec::new(), decode: rates(rate) };
        let record = Record {
            run_id: id.into(),
            case_id: format!("b{batch}").into(),
            started_at: "2026-11-22T08:00:00Z".into(),
            git_commit: Some(id.into()),
            engine: "fused".into(),
            model: "hf:org/a-model-with-a-long-name".into(),
            batch: Some(batch),
            decode_mean_tps: mean(&samples.decode).ok(),
            ..Record::default()
        };
        run.samples.insert(&record, samples);
        run.records.push(record);
    }
    let failed = Record {
        case_id: "b64".into(),
        batch: Some(64),
        status: Status::Failed,
        error: Some("out of memory".into()),
        decode_mean_tps: None,
        ..run.records[0].clone()
    };
    run.records.push(failed);
    run
}

fn compared(base: &Measurements, new: &Measurements) -> Comparison {
    let side = |measurements| Side { measurements, hosts: &[] };
    compare(side(base), side(new), &CompareOptions::default()).unwrap()
}

#[test]
fn a_comparison_at_100_and_at_50() {
    let (base, new) = (run("before", 100.0), run("after", 94.0));
    let report = |width| comparison_report(&compared(&base, &new), Format::Table, width).unwrap();
    insta::assert_snapshot!("comparison_at_100", report(100));
    insta::assert_snapshot!("comparison_at_50", report(50));
    // Where nothing is told apart there is still a table, however narrow.
    for width in [0, 1, 20] {
        assert!(!report(width).is_empty());
    }
}

#[test]
fn what_no_side_measured_is_a_note_and_not_a_table() {
    let mut base = run("before", 100.0);
    base.records.retain(|record| record.status == Status::Failed);
    let report = comparison_report(&compared(&base, &base), Format::Md, 80).unwrap();
    insta::assert_snapshot!(report, @r"
    0 better, 0 worse, 0 same, 0 inconclusive


    left out, failed in BASE and failed in NEW: model hf:org/a-model-with-a-long-name, engine fused, batch 64
    ");
}

#[test]
fn a_history_at_60() {
    let named =
        |name: &str, decode| HistoryRun { name: name.to_owned(), measurements: run(name, decode) };
    let runs = [named("a", 100.0), named("b", 94.0)];
    let told = history(&runs, &CompareOptions::default()).unwrap();
    insta::assert_snapshot!("history_at_60", history_report(&told, Format::Table, 60).unwrap());
}
