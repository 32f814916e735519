//! Reports of many kinds of records on many terms.

use freeweights_cost::scenario::PRESETS;
use freeweights_cost::{Assessment, Catalogue, Drawing, Scenario, assess_all};
use freeweights_record::units::{RequestsPerSecond, Seconds, Tokens, TokensPerSecond};
use freeweights_record::{
    Measurements, ReadOptions, Record, SCHEMA_VERSION, Weights, read_results, write_results,
};
use freeweights_report::{Format, cost_report};
use jiff::civil::{Date, date};
use serde_json::Value;
use std::num::NonZero;

pub(crate) const TODAY: Date = date(2026, 11, 22);

/// SmolLM2-135M on two cores: 400 tokens/s in, 40 out.
pub(crate) fn cpu() -> Record {
    let rate = |value: f64| Some(TokensPerSecond::new(value));
    Record {
        schema_version: SCHEMA_VERSION,
        run_id: "run".into(),
        case_id: "candle-cpu-t2-smollm2-135m-b1".into(),
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
        batch: Some(1),
        requests_per_s: Some(RequestsPerSecond::new(0.52)),
        ttft_mean_s: Some(Seconds::new(0.33)),
        tpot_mean_s: Some(Seconds::new(0.025)),
        prefill_mean_tps: rate(400.0),
        prefill_ci95_low_tps: rate(390.0),
        prefill_ci95_high_tps: rate(410.0),
        decode_mean_tps: rate(40.0),
        decode_ci95_low_tps: rate(39.0),
        decode_ci95_high_tps: rate(41.0),
        ..Record::default()
    }
}

fn gpu() -> Record {
    let rate = |value: f64| Some(TokensPerSecond::new(value));
    Record {
        case_id: "vllm-h200-llama-3.1-8b-b64".into(),
        engine: "vllm".into(),
        device: "cuda".into(),
        threads: None,
        gpu_name: Some("NVIDIA H200".into()),
        gpu_count: Some(1),
        model: "meta-llama/Llama-3.1-8B-Instruct".into(),
        weights: Some(Weights::Trained),
        quant: None,
        batch: Some(64),
        requests_per_s: Some(RequestsPerSecond::new(50.0)),
        prefill_mean_tps: rate(20_000.0),
        prefill_ci95_low_tps: rate(19_000.0),
        prefill_ci95_high_tps: rate(21_000.0),
        decode_mean_tps: rate(4_000.0),
        decode_ci95_low_tps: rate(3_900.0),
        decode_ci95_high_tps: rate(4_100.0),
        ..cpu()
    }
}

/// A GPU that no table knows.
fn unknown_gpu() -> Record {
    Record { gpu_name: Some("Unheard-of 9000".into()), ..gpu() }
}

fn without_intervals() -> Record {
    Record {
        prefill_ci95_low_tps: None,
        prefill_ci95_high_tps: None,
        decode_ci95_low_tps: None,
        decode_ci95_high_tps: None,
        ..cpu()
    }
}

/// What a load generator tells: no rate of prefill.
fn imported() -> Record {
    Record {
        source_tool: Some("vllm".into()),
        batch: None,
        concurrency: Some(16),
        weights: None,
        prefill_mean_tps: None,
        prefill_ci95_low_tps: None,
        prefill_ci95_high_tps: None,
        ..gpu()
    }
}

pub(crate) fn without_samples(records: &[Record]) -> Measurements {
    Measurements { records: records.to_vec(), ..Measurements::default() }
}

/// The record with eight samples of its own, written and read back.
pub(crate) fn with_samples(record: &Record) -> Measurements {
    let folder = tempfile::tempdir().unwrap();
    write_results(folder.path(), &without_samples(std::slice::from_ref(record))).unwrap();
    let header = "run_id,case_id,sample,warmup,offset_s,prefill_s,ttft_s,decode_s,e2e_s,prefill_tps,decode_tps,rss_peak_bytes\n";
    let rows = (0..8).map(|sample| {
        let (run, case) = (&record.run_id, &record.case_id);
        format!(
            "{run},{case},{sample},false,,,,,,{},{},\n",
            396 + sample,
            39.5 + f64::from(sample) / 8.0
        )
    });
    let text = header.to_owned() + &rows.collect::<String>();
    std::fs::write(folder.path().join("raw.csv"), text).unwrap();
    read_results(folder.path(), &ReadOptions::default()).unwrap()
}

pub(crate) fn costed(
    read: &Measurements,
    preset: &str,
    sets: &[&str],
    today: Date,
) -> Vec<Assessment> {
    let draws = ["uncertainty.draws=200"];
    let sets: Vec<_> = draws.iter().chain(sets).map(|set| set.parse().unwrap()).collect();
    let scenario = Scenario::preset(preset, &sets).unwrap();
    let drawing = Drawing { samples: &read.samples, threads: NonZero::<usize>::MIN };
    assess_all(&read.records, &scenario, &Catalogue::bundled(), today, Some(drawing))
        .into_iter()
        .map(|result| result.unwrap_or_else(|error| panic!("{preset} {sets:?}: {error}")))
        .collect()
}

pub(crate) fn json_of(assessments: &[Assessment]) -> Value {
    let text = cost_report(assessments, false, Format::Json, 80).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// A name, the records, the preset and what is set in it.
type Case = (&'static str, fn() -> Vec<Record>, &'static str, &'static [&'static str]);

/// Terms that reach what the presets leave out.
const TERMS: &[Case] = &[
    ("owned", || vec![gpu()], "this-machine", &["hosting.kind=own"]),
    ("colocated", || vec![gpu()], "customer-feature", &["hosting.kind=colo"]),
    ("rented", || vec![gpu()], "rented-cloud", &["hosting.kind=rent"]),
    ("several groups", || vec![cpu(), gpu()], "this-machine", &[]),
    ("no interval", || vec![without_intervals()], "this-machine", &[]),
    (
        "no prefill rate",
        || vec![imported()],
        "this-machine",
        &["split.allocation=ratio:4", "demand.isl=128", "demand.osl=64"],
    ),
    ("half a ratio", || vec![cpu()], "this-machine", &["split.allocation=ratio:2.5"]),
    ("the bill to each", || vec![cpu()], "this-machine", &["split.allocation=full-to-each"]),
    ("one output token", || vec![cpu()], "this-machine", &["demand.osl=1"]),
    (
        "between two batches",
        || {
            let tpot = Some(Seconds::new(0.1));
            let rate = Some(TokensPerSecond::new(160.0));
            let many = Record {
                case_id: "candle-cpu-t2-smollm2-135m-b16".into(),
                batch: Some(16),
                requests_per_s: Some(RequestsPerSecond::new(2.0)),
                tpot_mean_s: tpot,
                decode_mean_tps: rate,
                decode_ci95_high_tps: rate,
                ..cpu()
            };
            vec![cpu(), many]
        },
        "this-machine",
        &["demand.isl=128", "demand.osl=64", "objective.tpot_s=0.06"],
    ),
    (
        "batch work sold",
        || vec![gpu()],
        "this-machine",
        &["backfill.idle_share=0.5", "backfill.usd_per_million_tokens=0.02"],
    ),
    (
        "batch work pays for it all",
        || vec![gpu()],
        "this-machine",
        &["backfill.idle_share=0.9", "backfill.usd_per_million_tokens=20"],
    ),
    ("no draws", || vec![cpu()], "this-machine", &["uncertainty.draws=0"]),
    ("one user of many", || vec![cpu()], "internal-chatbot", &["demand.users=3"]),
    (
        "a rent that is not known",
        || vec![unknown_gpu()],
        "this-machine",
        &["hardware.price_usd=9000", "hardware.load_w=400", "hardware.idle_w=60"],
    ),
    (
        "a dear current",
        || vec![cpu()],
        "this-machine",
        &["hosting.electricity_usd_per_kwh=90", "demand.elasticity=2"],
    ),
    (
        "busy at all hours",
        || vec![without_intervals()],
        "this-machine",
        &["demand.peak_to_mean=1", "demand.requests_per_day=44928", "staff.fte=0"],
    ),
    (
        "a price with tiers",
        || vec![cpu()],
        "this-machine",
        &["api.models=anthropic/claude-haiku-5-5", "api.fte=0.1"],
    ),
    (
        "a request in a tier",
        || vec![cpu()],
        "this-machine",
        &["api.models=anthropic/claude-haiku-5-5", "demand.isl=150000"],
    ),
];

/// The report of every preset, with and without samples, and of [`TERMS`].
pub(crate) fn documents() -> Vec<(String, Value)> {
    let mut list = Vec::new();
    let sampled = with_samples(&cpu());
    assert!(sampled.samples.of(&cpu()).is_some());
    for preset in PRESETS.iter().map(|preset| preset.name) {
        list.push((preset.to_owned(), json_of(&costed(&sampled, preset, &[], TODAY))));
        let alone = without_samples(&[cpu()]);
        let years_later = date(2028, 1, 1);
        list.push((
            format!("{preset}, no samples"),
            json_of(&costed(&alone, preset, &[], years_later)),
        ));
    }
    for (name, records, preset, sets) in TERMS {
        let read = without_samples(&records());
        list.push(((*name).to_owned(), json_of(&costed(&read, preset, sets, TODAY))));
    }
    list
}
