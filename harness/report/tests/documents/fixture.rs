//! Fixed records, their machine, and their assessments.

use freeweights_cost::{Assessment, Catalogue, Drawing, Scenario, assess_all};
use freeweights_record::host::Ceilings;
use freeweights_record::units::{
    Bytes, BytesPerSecond, FlopsPerSecond, RequestsPerSecond, Seconds, Tokens, TokensPerSecond,
};
use freeweights_record::{Host, Record, SCHEMA_VERSION, Samples, Status, Weights};
use jiff::civil::{Date, date};
use std::num::NonZero;

pub const TODAY: Date = date(2026, 11, 22);

pub fn record(batch: u32, prefill: f64, decode: f64) -> Record {
    let rate = |value: f64| Some(TokensPerSecond::new(value));
    Record {
        schema_version: SCHEMA_VERSION,
        run_id: "run".into(),
        case_id: format!("candle-cpu-t2-smollm2-135m-i128-o64-b{batch}").into(),
        engine: "candle".into(),
        device: "cpu".into(),
        threads: Some(2),
        cpu_cores: Some(2),
        model: "dummy:smollm2-135m".into(),
        weights: Some(Weights::Dummy),
        quant: Some("q8_0".into()),
        params_total: Some(134_515_008),
        isl: Some(Tokens::new(128)),
        osl: Some(Tokens::new(64)),
        depth: Some(Tokens::new(0)),
        batch: Some(batch),
        repetitions: Some(8),
        ttft_mean_s: Some(Seconds::new(0.341)),
        requests_per_s: Some(RequestsPerSecond::new(f64::from(batch) * 0.4)),
        prefill_mean_tps: rate(prefill),
        prefill_stddev_tps: rate(prefill * 0.012),
        prefill_ci95_low_tps: rate(prefill * 0.99),
        prefill_ci95_high_tps: rate(prefill * 1.01),
        decode_mean_tps: rate(decode),
        decode_stddev_tps: rate(decode * 0.034),
        decode_ci95_low_tps: rate(decode * 0.975),
        decode_ci95_high_tps: rate(decode * 1.025),
        rss_peak_bytes: Some(Bytes::new(412_000_000)),
        ..Record::default()
    }
}

pub fn records() -> Vec<Record> {
    let failed = Record {
        case_id: "candle-cpu-t2-smollm2-135m-i128-o64-b64".into(),
        batch: Some(64),
        status: Status::Failed,
        error: Some("out of memory".into()),
        ttft_mean_s: None,
        requests_per_s: None,
        prefill_mean_tps: None,
        prefill_stddev_tps: None,
        prefill_ci95_low_tps: None,
        prefill_ci95_high_tps: None,
        decode_mean_tps: None,
        decode_stddev_tps: None,
        decode_ci95_low_tps: None,
        decode_ci95_high_tps: None,
        rss_peak_bytes: None,
        ..record(1, 0.0, 0.0)
    };
    vec![record(1, 402.3, 41.72), record(4, 520.0, 118.4), failed]
}

pub fn host() -> Host {
    Host {
        os: Some("Debian 13".into()),
        cpu_model: Some("AMD EPYC 9654 96-Core Processor".into()),
        cpu_cores: Some(2),
        cpu_features: vec!["avx2".into(), "avx512f".into()],
        memory_total_bytes: Some(Bytes::new(16 << 30)),
        virtualised: Some(true),
        ceilings: Some(Ceilings {
            threads: 2,
            read_bytes_per_s: BytesPerSecond::new(21.4e9),
            f32_flops_per_s: FlopsPerSecond::new(155e9),
            bf16_flops_per_s: None,
            int8_ops_per_s: None,
        }),
        ..Host::default()
    }
}

pub fn assessments(records: &[Record], sets: &[&str]) -> Vec<Assessment> {
    // A shape of its own: the preset's may change with the default benchmark.
    let shape = ["demand.isl=128", "demand.osl=64"];
    let sets: Vec<_> = shape.iter().chain(sets).map(|set| set.parse().unwrap()).collect();
    let scenario = Scenario::preset("this-machine", &sets).unwrap();
    assess_all(records, &scenario, &Catalogue::bundled(), TODAY, None)
        .into_iter()
        .map(Result::unwrap)
        .collect()
}

pub fn default() -> Vec<Assessment> {
    assessments(&records(), &[])
}

/// With scenarios drawn.
pub fn drawn() -> Vec<Assessment> {
    let sets = ["demand.isl=128", "demand.osl=64", "uncertainty.draws=2000"];
    let sets: Vec<_> = sets.iter().map(|set| set.parse().unwrap()).collect();
    let scenario = Scenario::preset("this-machine", &sets).unwrap();
    let drawing = Drawing { samples: &Samples::default(), threads: NonZero::<usize>::MIN };
    assess_all(&records(), &scenario, &Catalogue::bundled(), TODAY, Some(drawing))
        .into_iter()
        .map(Result::unwrap)
        .collect()
}
