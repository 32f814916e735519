//! Records of two engines at two batch sizes, and their answers.

use freeweights_cost::claims::{ClaimAnswer, ClaimAnswers, ClaimFigure, ClaimId, answers};
use freeweights_cost::{Catalogue, Drawing, Scenario};
use freeweights_record::units::{Bytes, Tokens, TokensPerSecond};
use freeweights_record::{Record, Samples, Weights};
use jiff::civil::{Date, date};
use std::num::NonZero;

pub const TODAY: Date = date(2026, 11, 22);

/// SmolLM2-135M on two cores, measured at 128 tokens in and 64 out.
pub fn record(engine: &str, batch: u32, prefill: f64, decode: f64) -> Record {
    let rate = |value: f64| Some(TokensPerSecond::new(value));
    Record {
        run_id: "run".into(),
        case_id: format!("{engine}-b{batch}").into(),
        engine: engine.into(),
        device: "cpu".into(),
        threads: Some(2),
        cpu_cores: Some(2),
        model: "smollm2-135m".into(),
        quant: Some("q4_0".into()),
        weights: Some(Weights::Dummy),
        params_total: Some(134_515_008),
        isl: Some(Tokens::new(128)),
        osl: Some(Tokens::new(64)),
        depth: Some(Tokens::new(0)),
        batch: Some(batch),
        prefill_mean_tps: rate(prefill),
        prefill_ci95_low_tps: rate(prefill * 0.98),
        prefill_ci95_high_tps: rate(prefill * 1.02),
        decode_mean_tps: rate(decode),
        decode_ci95_low_tps: rate(decode * 0.98),
        decode_ci95_high_tps: rate(decode * 1.02),
        rss_peak_bytes: Some(Bytes::new(106_000_000)),
        ..Record::default()
    }
}

/// The fast engine first, so that it is the group that is judged.
pub fn records() -> Vec<Record> {
    vec![
        record("fused", 1, 1_600.0, 160.0),
        record("fused", 4, 2_000.0, 400.0),
        record("candle", 1, 400.0, 40.0),
    ]
}

pub fn scenario(preset: &str, sets: &[&str]) -> Scenario {
    let shape = ["demand.isl=128", "demand.osl=64", "uncertainty.draws=2000"];
    let sets: Vec<_> = shape.iter().chain(sets).map(|set| set.parse().unwrap()).collect();
    Scenario::preset(preset, &sets).unwrap()
}

pub fn all(records: &[Record], scenario: &Scenario, prices: &Catalogue) -> ClaimAnswers {
    let samples = Samples::default();
    let drawing = Drawing { samples: &samples, threads: NonZero::<usize>::MIN };
    let mut groups = answers(records, scenario, prices, TODAY, Some(drawing), &[]);
    groups.swap_remove(0).unwrap()
}

/// One claim on the records of [`records`].
pub fn judge(id: ClaimId, preset: &str, sets: &[&str]) -> ClaimAnswer {
    on(&records(), id, preset, sets, &Catalogue::bundled())
}

pub fn on(
    records: &[Record],
    id: ClaimId,
    preset: &str,
    sets: &[&str],
    prices: &Catalogue,
) -> ClaimAnswer {
    let scenario = scenario(preset, sets);
    let mut groups = answers(records, &scenario, prices, TODAY, None, &[id]);
    groups.swap_remove(0).unwrap().answers.swap_remove(0)
}

pub fn figure<'a>(answer: &'a ClaimAnswer, key: &str) -> &'a ClaimFigure {
    let found = answer.figures.iter().find(|figure| figure.key == key);
    found.unwrap_or_else(|| panic!("{} has no figure {key}: {}", answer.id, answer.sentence))
}

pub fn threshold(answer: &ClaimAnswer) -> f64 {
    answer.threshold.as_ref().unwrap_or_else(|| panic!("no threshold: {}", answer.sentence)).value
}
