//! Whole answers: the smallest fleet, what it costs, and what keeps it from being found.

use crate::traces::trace;
use freeweights_cost::figure::Machines;
use freeweights_cost::fleet::{
    Bounds, Demand, FleetAnswer, FleetConfig, FleetError, FleetQuestion, Replay, Target, Way, fleet,
};
use freeweights_cost::scenario::DEFAULT_PRESET;
use freeweights_cost::trace::Trace;
use freeweights_cost::{Catalogue, Scenario};
use freeweights_record::Record;
use freeweights_record::units::{Bytes, Percent, Seconds, Tokens, TokensPerSecond};
use jiff::civil::date;

/// A sweep of a small model on two cores.
fn records() -> Vec<Record> {
    let one = |batch: u32, prefill: f64, decode: f64| Record {
        run_id: "run".into(),
        case_id: format!("b{batch}").into(),
        engine: "fused".into(),
        device: "cpu".into(),
        threads: Some(2),
        cpu_cores: Some(2),
        model: "dummy:smollm2-135m".into(),
        params_total: Some(134_515_008),
        memory_total_bytes: Some(Bytes::new(16 << 30)),
        weights_bytes: Some(Bytes::new(77 << 20)),
        kv_peak_bytes: Some(Bytes::new(u64::from(batch) * 192 * 46_080)),
        isl: Some(Tokens::new(128)),
        osl: Some(Tokens::new(64)),
        depth: Some(Tokens::new(0)),
        batch: Some(batch),
        prefill_mean_tps: Some(TokensPerSecond::new(prefill)),
        decode_mean_tps: Some(TokensPerSecond::new(decode)),
        ..Record::default()
    };
    vec![one(1, 2_000.0, 180.0), one(4, 2_400.0, 450.0), one(8, 2_500.0, 600.0)]
}

/// Eight requests a second, four at once: 400 tokens in, and 20 or 80 out.
fn steady() -> Trace {
    let row = |i: u32| {
        let osl = if i.is_multiple_of(2) { 20 } else { 80 };
        format!("{},400,{osl}", f64::from(i / 4) * 0.5)
    };
    let rows: Vec<String> = (0..4_800).map(row).collect();
    Trace::parse(&format!("arrival_s,isl,osl\n{}", rows.join("\n"))).unwrap()
}

fn ask(
    trace: &Trace,
    bounds: Bounds,
    change: impl Fn(&mut FleetQuestion<'_>, &mut FleetConfig),
) -> Result<FleetAnswer, FleetError> {
    let demand = Demand::Replay(Replay::once(trace));
    let scenario = Scenario::preset(DEFAULT_PRESET, &[]).unwrap();
    let prices = Catalogue::bundled();
    let records = records();
    let mut config = FleetConfig { batch_max: 0, ..FleetConfig::of(Machines::new(1), 1) };
    let mut question = FleetQuestion {
        records: &records,
        scenario: &scenario,
        prices: &prices,
        today: date(2026, 11, 22),
        demand: &demand,
        demand_name: "steady.csv",
        target: Target { bounds, percentile: Percent::new(95.0) },
        config: &FleetConfig::of(Machines::new(1), 1),
        replicas: None,
        most: Machines::new(100),
        drop_long: false,
        threads: 2,
    };
    change(&mut question, &mut config);
    fleet(&FleetQuestion { config: &config, ..question })
}

fn ttft(seconds: f64) -> Bounds {
    Bounds { ttft_s: Some(Seconds::new(seconds)), ..Bounds::default() }
}

#[test]
fn the_smallest_fleet_meets_the_target_and_one_fewer_does_not() {
    let answer = ask(&steady(), ttft(0.5), |_, _| ()).unwrap();
    insta::assert_snapshot!(answer.sentence, @"4 replicas of dummy:smollm2-135m on fused meet TTFT p95 <= 0.5 s under steady.csv (691,632 requests a day, 400 tokens in and 50 out on average), 81.2% busy, for 5,101 USD a year owned (0.0449 USD per million tokens); novita/meta-llama/llama-3.1-8b-instruct charges 2,651 USD a year for the same (0.0233 USD per million, similar open model, checked 2026-10-18).");
    insta::assert_snapshot!(answer.notes.join("\n"), @r#"
A replica steps up to 8 sequences together, the largest batch that was measured.
The KV cache of a replica holds 333,792 tokens: 90% of its memory less the weights, over the bytes a token took.
Prefill was measured up to 128 input tokens and prompts have up to 400: longer ones take the time per token of the longest measured, which is too little where attention grows with the length. Measure them with --isl.
Decode steps were measured with up to 160 tokens in the KV cache of a sequence and requests reach 480: deeper ones take the time of the deepest measured, which is too little. Measure them with --depth.
"#);
    let count = answer.replicas.get();
    for size in &answer.sizes {
        assert_eq!(size.meets, size.replicas.get() >= count, "{}", size.replicas.get());
    }
    assert!(answer.sizes.iter().any(|size| size.replicas.get() + 1 == count));
    assert!(answer.littles_law_off.get() < 1e-3);
    assert!(answer.fleet.utilisation.get() < 1.0 && answer.fleet.utilisation.get() > 0.1);
    assert!(answer.offered_load.get() <= f64::from(count));
}

#[test]
fn every_way_has_its_bill() {
    let answer = ask(&steady(), ttft(0.5), |_, _| ()).unwrap();
    let usd = |way| {
        let found = answer.ways.iter().find(|cost| cost.way == way).unwrap();
        found.usd_per_year.unwrap().get()
    };
    // The preset owns its machines, so its bill is that of the fleet.
    assert!((usd(Way::Owned) / answer.fleet.usd_per_year.get() - 1.0).abs() < 1e-12);
    assert!(usd(Way::Reserved) < usd(Way::OnDemand));
    assert!(usd(Way::ReservedAndOnDemand) <= usd(Way::Autoscaled));
    assert!(usd(Way::Backfilled) < usd(Way::Owned));
    // 8 requests a second of 400 + 50 tokens; the last four come half a second early.
    assert!((answer.requests_per_day.get() / (8.0 * 86_400.0) - 1.0).abs() < 2e-3);
    let tokens = answer.requests_per_day.get() * 365.0 * 450.0;
    assert!((answer.tokens_per_year.get() / tokens - 1.0).abs() < 1e-9);
    for api in &answer.apis {
        let per_token = api.usd_per_year.get() / answer.tokens_per_year.get() * 1e6;
        assert!((api.usd_per_mtok.get() / per_token - 1.0).abs() < 1e-9, "{}", api.id);
    }
    assert!(answer.main_api.is_some() && answer.apis.len() > 2);
}

#[test]
fn the_years_ahead_widen_and_the_best_level_is_the_cheapest() {
    let answer = ask(&steady(), ttft(0.5), |_, _| ()).unwrap();
    let growth = answer.growth.unwrap();
    let (first, last) = (growth.fan.first().unwrap(), growth.fan.last().unwrap());
    assert_eq!(first.machines.p50, answer.replicas);
    assert_eq!(last.week, 208, "four years, the life of the machines");
    assert!(
        last.machines.p90 > last.machines.p10 && last.usd_per_year.p90 > first.usd_per_year.p90
    );
    assert!(growth.levels.iter().all(|level| level.usd_per_year >= growth.best.usd_per_year));
}

#[test]
fn a_fleet_that_is_asked_for_is_judged_and_not_searched() {
    let one = ask(&steady(), ttft(0.21), |question, _| question.replicas = Some(Machines::new(1)));
    let one = one.unwrap();
    assert_eq!(one.replicas, Machines::new(1));
    insta::assert_snapshot!(one.sentence, @"1 replica of dummy:smollm2-135m on fused does not meet TTFT p95 <= 0.21 s under steady.csv (691,632 requests a day, 400 tokens in and 50 out on average), 100% busy, for 4,831 USD a year owned (0.0425 USD per million tokens); novita/meta-llama/llama-3.1-8b-instruct charges 2,651 USD a year for the same (0.0233 USD per million, similar open model, checked 2026-10-18).");
    assert!(one.growth.is_none());
}

#[test]
fn one_request_alone_that_is_too_slow_is_told() {
    // 400 tokens at 2,000 a second are 0.2 s.
    let error = ask(&steady(), ttft(0.1), |_, _| ()).unwrap_err();
    insta::assert_snapshot!(error, @"no fleet meets TTFT p95 <= 0.1 s: on an idle replica, with nobody else, TTFT p95 is 0.2 s already; a faster machine or a smaller model would help, more replicas do not: relax it to at least 0.2 s with --ttft");
    let tpot = Bounds { tpot_s: Some(Seconds::new(0.005)), ..Bounds::default() };
    insta::assert_snapshot!(ask(&steady(), tpot, |_, _| ()).unwrap_err(), @"no fleet meets TPOT p95 <= 0.005 s: on an idle replica, with nobody else, TPOT p95 is 0.00556 s already; a faster machine or a smaller model would help, more replicas do not: relax it to at least 0.00556 s with --tpot");
    let e2e = Bounds { e2e_s: Some(Seconds::new(0.5)), ..Bounds::default() };
    insta::assert_snapshot!(ask(&steady(), e2e, |_, _| ()).unwrap_err(), @"no fleet meets latency p95 <= 0.5 s: on an idle replica, with nobody else, latency p95 is 0.639 s already; a faster machine or a smaller model would help, more replicas do not: relax it to at least 0.639 s with --e2e");
}

#[test]
fn requests_longer_than_the_context_are_told_or_left_out() {
    let context = |question: &mut FleetQuestion<'_>, config: &mut FleetConfig| {
        config.context = Some(Tokens::new(450));
        question.drop_long = false;
    };
    insta::assert_snapshot!(ask(&steady(), ttft(0.5), context).unwrap_err(), @"2400 of 4800 requests need more than the 450 tokens that the context holds, the longest 480; raise it with --context if the machine has the room, or leave those requests out with --drop-long");
    let memory = |_: &mut FleetQuestion<'_>, config: &mut FleetConfig| {
        config.kv_tokens = Some(Tokens::new(100));
    };
    insta::assert_snapshot!(ask(&steady(), ttft(0.5), memory).unwrap_err(), @"4800 of 4800 requests need more than the 100 tokens that the KV cache of a replica holds, the longest 480; raise it with --kv-tokens if the machine has the room, or leave those requests out with --drop-long");
    let dropped = ask(&steady(), ttft(0.5), |question, config| {
        config.context = Some(Tokens::new(450));
        question.drop_long = true;
    });
    let notes = dropped.unwrap().notes;
    assert!(notes.iter().any(|note| note.starts_with("2400 requests")), "{notes:?}");
}

#[test]
fn a_target_out_of_reach_says_how_near_it_came() {
    let few = ask(&steady(), ttft(0.21), |question, _| question.most = Machines::new(1));
    insta::assert_snapshot!(few.unwrap_err(), @"even with 1 replicas, the most that were tried, TTFT p95 <= 0.21 s is missed: there is TTFT p95 of 613 s; relax the objective, or allow more with --replicas-max");
    let absurd = ask(&steady(), ttft(-1.0), |_, _| ());
    insta::assert_snapshot!(absurd.unwrap_err(), @"TTFT is -1, but a bound must be a number above 0; give another value");
    let percentile = ask(&steady(), ttft(1.0), |question, _| {
        question.target.percentile = Percent::new(100.0);
    });
    insta::assert_snapshot!(percentile.unwrap_err(), @"the percentile of the objective is 100, but it must be more than 0 and below 100; give another value");
}

#[test]
fn an_hour_of_azure_on_such_machines() {
    let Some(trace) = trace("azure-2023-conversation.csv") else { return };
    let answer = ask(&trace, Target::DEFAULT.bounds, |_, _| ()).unwrap();
    assert!(answer.fleet.meets && answer.littles_law_off.get() < 1e-3);
    // What the trace costs at an API is what the trace itself says, request by request.
    let api = answer.apis.iter().find(|api| Some(&api.id) == answer.main_api.as_ref()).unwrap();
    let price = Catalogue::bundled().find(&api.id, date(2026, 11, 22)).unwrap();
    let hour = trace.cost(price.input, price.output).get();
    let hours = 365.0 * 24.0 * 3_600.0 / Replay::once(&trace).period().get();
    assert!((api.usd_per_year.get() / (hour * hours) - 1.0).abs() < 1e-6, "{}", api.id);
}
