//! Which measured point the bill is divided by.

use crate::fixture::{record, try_cost};
use freeweights_cost::figure::Label;
use freeweights_cost::{Assessment, CostError};
use freeweights_record::Record;
use freeweights_record::units::{RequestsPerSecond, Seconds, Tokens, TokensPerSecond};

/// A point whose batch takes so long to its first token, and serves so many requests a second.
fn batch(batch: u32, ttft: f64, tpot: f64, requests: f64) -> Record {
    Record {
        case_id: format!("b{batch}").into(),
        batch: Some(batch),
        ttft_mean_s: Some(Seconds::new(ttft)),
        tpot_mean_s: Some(Seconds::new(tpot)),
        requests_per_s: Some(RequestsPerSecond::new(requests)),
        ..record()
    }
}

/// 1, 4 and 16 sequences: throughput rises, and so do both latencies.
fn sweep() -> Vec<Record> {
    vec![batch(4, 1.0, 0.04, 2.0), batch(1, 0.3, 0.025, 0.5), batch(16, 4.0, 0.1, 5.0)]
}

fn chosen(records: &[Record], sets: &[&str]) -> Result<Assessment, CostError> {
    try_cost(records, "this-machine", sets)
}

#[test]
fn without_an_objective_the_highest_throughput_counts() {
    let point = chosen(&sweep(), &[]).unwrap().operating_point;
    assert_eq!((point.case_id.as_str(), point.upper_case_id), ("b16", None));
}

#[test]
fn an_objective_is_met_between_two_measured_batches() {
    // TTFT 1.0 s at 4 and 4.0 s at 16: 2.0 s at 8, where 2 + (5 - 2) / 3 = 3 requests a second.
    let assessment = chosen(&sweep(), &["objective.ttft_s=2"]).unwrap();
    let point = &assessment.operating_point;
    assert_eq!((point.batch, point.basis), (8, Label::Derived));
    assert_eq!((point.case_id.as_str(), point.upper_case_id.as_deref()), ("b4", Some("b16")));
    assert!((point.requests_per_s.value.get() - 3.0).abs() < 1e-12);
    assert!((point.ttft_s.unwrap().get() - 2.0).abs() < 1e-12);
    assert!(assessment.notes.iter().any(|note| note.contains("between two measured points")));
    // The tighter of two bounds counts: 0.06 s a token at 4 + 12 / 3 = 8, 0.05 s at 6.
    let point = chosen(&sweep(), &["objective.ttft_s=2", "objective.tpot_s=0.05"]).unwrap();
    assert_eq!(point.operating_point.batch, 6);
}

#[test]
fn nothing_is_read_off_beyond_the_measured_batches() {
    let loose = chosen(&sweep(), &["objective.ttft_s=100"]).unwrap();
    assert_eq!(loose.operating_point.batch, 16);
    let error = chosen(&sweep(), &["objective.ttft_s=0.2"]).unwrap_err();
    insta::assert_snapshot!(error, @"dummy:smollm2-135m on candle, cpu, 2 threads: no measured point meets TTFT <= 0.2 s; the nearest is b1 with TTFT 0.3 s; relax the objective or measure smaller batches");
}

#[test]
fn of_repeats_the_median_counts_and_not_the_luckiest() {
    let repeats: Vec<Record> = [1.0, 9.0, 1.2]
        .into_iter()
        .enumerate()
        .map(|(run, requests)| Record {
            run_id: format!("run{run}").into(),
            ..batch(1, 0.3, 0.025, requests)
        })
        .collect();
    let point = chosen(&repeats, &[]).unwrap().operating_point;
    assert_eq!((point.run_id.as_str(), point.requests_per_s.value.get()), ("run2", 1.2));
}

/// What a server's benchmark says: requests a second, latencies, no prefill rate.
fn served() -> Record {
    Record {
        engine: "vllm".into(),
        concurrency: Some(16),
        batch: None,
        threads: None,
        // means of real requests, not quite the scenario's
        isl: Some(Tokens::new(127)),
        osl: Some(Tokens::new(64)),
        prefill_mean_tps: None,
        prefill_ci95_low_tps: None,
        prefill_ci95_high_tps: None,
        decode_mean_tps: Some(TokensPerSecond::new(640.0)),
        requests_per_s: Some(RequestsPerSecond::new(10.0)),
        ..record()
    }
}

#[test]
fn a_server_is_costed_at_the_shape_it_was_measured_at() {
    let assessment = chosen(&[served()], &[]).unwrap();
    let point = &assessment.operating_point;
    assert_eq!((point.basis, point.prefill), (Label::Measured, None));
    assert!((point.requests_per_s.value.get() - 10.0).abs() < 1e-12);
    // 0.32 / (0.32 + 63 * 0.025) of a request's latency
    assert!((point.prefill_share.unwrap().get() - 0.32 / 1.895).abs() < 1e-12);

    let error = chosen(&[served()], &["demand.isl=2048"]).unwrap_err();
    insta::assert_snapshot!(error, @"dummy:smollm2-135m on vllm, cpu: it was measured at isl 127, osl 64 without a prefill rate, so no other shape can be derived; use --set demand.isl=127 --set demand.osl=64, or measure the scenario's shape");
}

#[test]
fn without_latencies_the_bill_cannot_be_split_by_time() {
    let silent = Record { ttft_mean_s: None, tpot_mean_s: None, ..served() };
    let silent = [Record { decode_mean_tps: None, ..silent }];
    let error = chosen(&silent, &[]).unwrap_err();
    insta::assert_snapshot!(error, @"dummy:smollm2-135m on vllm, cpu: no record says how much of a request's time is prefill, so the bill cannot be split by time; use --set split.allocation=ratio:4");
    let assessment = chosen(&silent, &["split.allocation=ratio:4"]).unwrap();
    let ratio = assessment.cost.output.value / assessment.cost.input.value;
    assert!((ratio - 4.0).abs() < 1e-9);
    // A bound on a latency that nobody measured is not met.
    let sets = ["split.allocation=ratio:4", "objective.ttft_s=1"];
    assert!(matches!(chosen(&silent, &sets), Err(CostError::ObjectiveMissed { .. })));
}
