//! A `summary.csv` of 1,000 records, written and read back.
//!
//! Timed: records to text and text to records, the checks of both included. Not timed: the disk.

use criterion::{Criterion, Throughput};
use freeweights_record::units::{Seconds, Tokens, TokensPerSecond};
use freeweights_record::{Record, SCHEMA_VERSION, read_summary_from, summary_text};
use std::hint::black_box;

const RECORDS: u32 = 1_000;

fn record(number: u32) -> Record {
    let share = f64::from(number) / f64::from(RECORDS);
    Record {
        schema_version: SCHEMA_VERSION,
        run_id: "bench".into(),
        case_id: format!("candle/cpu/t2/smollm2-135m, case {number}").into(),
        started_at: "2026-11-22T00:00:00Z".into(),
        engine: "candle".into(),
        device: "cpu".into(),
        model: "dummy:smollm2-135m".into(),
        isl: Some(Tokens::new(u64::from(number) + 1)),
        ttft_mean_s: Some(Seconds::new(0.1 + share / 3.0)),
        tpot_mean_s: Some(Seconds::new(0.01 + share / 7.0)),
        prefill_mean_tps: Some(TokensPerSecond::new(400.0 - share / 3.0)),
        decode_mean_tps: Some(TokensPerSecond::new(40.0 - share / 7.0)),
        ..Record::default()
    }
}

fn main() {
    let records: Vec<Record> = (0..RECORDS).map(record).collect();
    let text = summary_text(&records).expect("invariant: every figure is finite");
    let back = read_summary_from(text.as_bytes()).expect("invariant: what is written is read");
    assert!(back == records, "the records came back changed");

    let mut criterion = Criterion::default().configure_from_args();
    let mut group = criterion.benchmark_group("csv");
    group.throughput(Throughput::ElementsAndBytes {
        elements: u64::from(RECORDS),
        bytes: text.len() as u64,
    });
    group.bench_function("write", |bencher| bencher.iter(|| summary_text(black_box(&records))));
    group.bench_function("read", |bencher| {
        bencher.iter(|| read_summary_from(black_box(text.as_bytes())));
    });
    group.finish();
    criterion.final_summary();
}
