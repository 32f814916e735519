//! Costing one record: `assess` with the default scenario and the bundled prices, and scenarios
//! drawn around it on one and on two threads.
//!
//! Timed: choosing the operating point, the bill, the comparison with each API, the tornado and the
//! sentence; in `draws` the drawn scenarios and their percentiles on top, so many of them that the
//! assessment does not count.
//! Not timed: reading the scenario, the prices and the record, and printing.

use criterion::{Criterion, Throughput};
use freeweights_cost::{Catalogue, Drawing, Override, Scenario, assess, assess_all};
use freeweights_record::units::{Seconds, Tokens, TokensPerSecond};
use freeweights_record::{Record, Samples, Weights};
use jiff::civil::date;
use std::hint::black_box;
use std::num::NonZero;

/// Scenarios drawn in one iteration.
const DRAWS: u64 = 1_000_000;

fn draws() -> Override {
    format!("uncertainty.draws={DRAWS}").parse().expect("invariant: it is a key")
}

fn main() {
    let scenario =
        Scenario::preset("this-machine", &[]).expect("invariant: the preset is in the crate");
    let prices = Catalogue::bundled();
    let today = date(2026, 11, 22);
    // One small model on two cores, measured in the shape the scenario asks for.
    let records = [Record {
        case_id: "candle/cpu/t2/smollm2-135m".into(),
        engine: "candle".into(),
        device: "cpu".into(),
        threads: Some(2),
        cpu_cores: Some(2),
        model: "dummy:smollm2-135m".into(),
        weights: Some(Weights::Dummy),
        params_total: Some(134_515_008),
        isl: Some(scenario.demand.isl.value),
        osl: Some(scenario.demand.osl.value),
        depth: Some(Tokens::new(0)),
        batch: Some(1),
        ttft_mean_s: Some(Seconds::new(0.33)),
        tpot_mean_s: Some(Seconds::new(0.025)),
        prefill_mean_tps: Some(TokensPerSecond::new(400.0)),
        prefill_ci95_low_tps: Some(TokensPerSecond::new(390.0)),
        prefill_ci95_high_tps: Some(TokensPerSecond::new(410.0)),
        decode_mean_tps: Some(TokensPerSecond::new(40.0)),
        decode_ci95_low_tps: Some(TokensPerSecond::new(39.0)),
        decode_ci95_high_tps: Some(TokensPerSecond::new(41.0)),
        ..Record::default()
    }];

    let assessment =
        assess(&records, &scenario, &prices, today).expect("invariant: the record can be costed");
    let cost = assessment.cost.blended.value.get();
    assert!(cost.is_finite() && cost > 0.0, "{cost} USD per million tokens");
    assert!(!assessment.apis.is_empty(), "nothing was compared");

    let mut criterion = Criterion::default().configure_from_args();
    criterion.bench_function("assessment/this-machine", |bencher| {
        bencher.iter(|| assess(black_box(&records), &scenario, &prices, today));
    });
    let drawn = Scenario::preset("this-machine", &[draws()])
        .expect("invariant: the preset is in the crate");
    let mut group = criterion.benchmark_group("draws");
    group.throughput(Throughput::Elements(DRAWS));
    group.sample_size(10);
    for threads in [1, 2] {
        let threads = NonZero::new(threads).expect("invariant: not zero");
        let drawing = Drawing { samples: &Samples::default(), threads };
        let draw = || assess_all(black_box(&records), &drawn, &prices, today, Some(drawing));
        let simulation = draw().remove(0).ok().and_then(|assessment| assessment.simulation);
        assert!(simulation.is_some_and(|simulation| u64::from(simulation.draws) == DRAWS));
        group.bench_function(format!("threads-{threads}"), |bencher| bencher.iter(draw));
    }
    group.finish();
    criterion.final_summary();
}
