//! The answer: its sentence, its bill, its prices.

use crate::fixture::{TODAY, record, scenario, try_cost};
use freeweights_cost::bill::{Component, ComponentKind};
use freeweights_cost::figure::Label;
use freeweights_cost::{Assessment, Catalogue, Class, CostError, assess, assess_all};
use freeweights_record::units::{RequestsPerYear, Tokens, TokensPerSecond, TokensPerYear, Watts};
use freeweights_record::{Record, Status};
use proptest::prelude::*;

fn cost(record: &Record, preset: &str, sets: &[&str]) -> Assessment {
    try_cost(std::slice::from_ref(record), preset, sets).unwrap()
}

#[test]
fn the_default_scenario_of_a_small_model_on_two_cores() {
    let assessment = cost(&record(), "this-machine", &[]);
    insta::assert_snapshot!(assessment.sentence, @"At 1,000 requests a day (128 tokens in, 64 out), running smollm2-135m on this machine costs 68.9 USD per million tokens, 2,297 times the 0.03 USD that novita/meta-llama/llama-3.1-8b-instruct charges (similar open model, checked 2026-10-18); it never breaks even within the measured capacity of this machine, 29,839 requests a day.");
    // 128 / 400 + 63 / 40 = 1.895 s a request; 365,000 of them are 192.13 of 8760 h.
    let capacity = assessment.operating_point.requests_per_s.value.get();
    assert!((capacity - 1.0 / 1.895).abs() < 1e-12);
    assert!((assessment.utilisation.get() - 365_000.0 * 1.895 / 3_600.0 / 8_760.0).abs() < 1e-12);
    assert_eq!((assessment.fleet.serving.get(), assessment.blend.as_str()), (1, "128:64"));
    insta::assert_snapshot!(bill(&assessment), @r"
    capital 72.85 0.0151
    maintenance 13.02 0.0027
    energy, active 0.10 0.0000
    energy, idle 1.50 0.0003
    staff 4740.73 0.9819
    total 4828.20
    ");
    assert_eq!(assessment.apis.len(), 4);
    assert!(assessment.apis.iter().any(|api| api.class == Class::Frontier));
    let blended = assessment.cost.blended;
    assert!(blended.low.unwrap() <= blended.value && blended.value <= blended.high.unwrap());
    let saturated = assessment.saturated.blended;
    assert!(saturated.value < blended.value);
    assert!(saturated.low.unwrap() < saturated.value && saturated.value < saturated.high.unwrap());
}

fn bill(assessment: &Assessment) -> String {
    let line = |part: &Component| {
        format!("{} {:.2} {:.4}\n", part.kind, part.usd_per_year.get(), part.share.get())
    };
    let lines: String = assessment.bill.components.iter().map(line).collect();
    format!("{lines}total {:.2}", assessment.bill.total_usd_per_year.get())
}

#[test]
fn rented_machines_have_rent_and_no_electricity() {
    let assessment = cost(&record(), "rented-cloud", &[]);
    insta::assert_snapshot!(bill(&assessment), @r"
    rent 899.13 0.0866
    staff 9481.46 0.9134
    total 10380.58
    ");
    insta::assert_snapshot!(assessment.sentence, @"At 1,000 requests a day (128 tokens in, 64 out), running smollm2-135m on one rented machine costs 148 USD per million tokens, 4,937 times the 0.03 USD that novita/meta-llama/llama-3.1-8b-instruct charges (similar open model, checked 2026-10-18); it never breaks even within the measured capacity of 1,000 such machines, 29.8 million requests a day.");
    assert!(assessment.apis.iter().all(|api| api.break_even_time.is_none()));
}

#[test]
fn a_busy_server_beats_a_frontier_price_and_says_from_when() {
    let gpu = Record {
        gpu_name: Some("NVIDIA H200".into()),
        gpu_count: Some(1),
        model: "meta-llama/Llama-3.1-8B-Instruct".into(),
        batch: Some(64),
        prefill_mean_tps: Some(TokensPerSecond::new(20_000.0)),
        decode_mean_tps: Some(TokensPerSecond::new(4_000.0)),
        ttft_mean_s: None,
        tpot_mean_s: None,
        ..record()
    };
    let sets = ["demand.requests_per_day=1_000_000", "api.models=frontier,baseline"];
    let assessment = cost(&gpu, "this-machine", &sets);
    insta::assert_snapshot!(assessment.sentence, @"At 1 million requests a day (128 tokens in, 64 out), running meta-llama/Llama-3.1-8B-Instruct on this machine costs 0.242 USD per million tokens, 8.08 times the 0.03 USD that novita/meta-llama/llama-3.1-8b-instruct charges (same open model, checked 2026-10-18); it never breaks even within the measured capacity of this machine, 2.55 million requests a day.");
    let frontier = &assessment.apis[0];
    assert!(frontier.break_even_requests_per_day.unwrap().get() < 1e6);
    assert!(frontier.break_even_time.unwrap().get() < 1.0);
    let open = assessment.main_comparison().unwrap();
    assert_eq!(open.class, Class::SameOpenModel);
}

#[test]
fn measured_watts_reach_the_bill() {
    let measured = Record {
        energy_source: Some("rapl".into()),
        idle_w: Some(Watts::new(10.0)),
        prefill_w: Some(Watts::new(30.0)),
        decode_w: Some(Watts::new(30.0)),
        ..record()
    };
    let assessment = cost(&measured, "this-machine", &[]);
    let figure =
        assessment.figures.iter().find(|figure| figure.name == "machine.decode_w").unwrap();
    assert_eq!((figure.label, figure.source.as_str()), (Label::Measured, "rapl"));
    // idle: (8760 - 192.13) h * 10 W * 0.1872 = 16.04 USD
    let idle = assessment.bill.of(ComponentKind::EnergyIdle);
    assert!((idle.get() - (8_760.0 - 192.131_9) * 0.01 * 0.1872).abs() < 1e-3);
}

#[test]
fn every_figure_in_use_has_a_name_a_unit_and_a_source() {
    let assessment = cost(&record(), "this-machine", &[]);
    let mut names = std::collections::HashSet::new();
    for figure in &assessment.figures {
        assert!(figure.value.is_finite() && !figure.unit.is_empty() && !figure.source.is_empty());
        assert!(names.insert(&figure.name), "{} twice", figure.name);
        let dated = figure.checked.is_some() || figure.label != Label::Assumed;
        assert!(dated, "{}", figure.name);
    }
}

#[test]
fn an_assessment_is_read_back_from_its_json() {
    let assessment = cost(&record(), "this-machine", &[]);
    let text = serde_json::to_string_pretty(&assessment).unwrap();
    let back: Assessment = serde_json::from_str(&text).unwrap();
    // The JSON reader may be off by the last bit of a number, so not all is compared.
    assert_eq!((&back.sentence, &back.notes), (&assessment.sentence, &assessment.notes));
    assert_eq!(back.figures.len(), assessment.figures.len());
    assert_eq!(back.apis[0].never_because, assessment.apis[0].never_because);
    assert!(text.contains("\"assessment_version\": 2"));
}

#[test]
fn each_group_gets_its_own_answer() {
    let failed = Record { status: Status::Failed, engine: "fused".into(), ..record() };
    let other = Record { threads: Some(1), ..record() };
    let records = [record(), failed, other];
    let scenario = scenario("this-machine", &[]);
    let all = assess_all(&records, &scenario, &Catalogue::bundled(), TODAY, None);
    assert!(all[0].is_ok() && all[2].is_ok());
    assert!(matches!(all[1], Err(CostError::NoUsableRecord { .. })));
    let one = assess(&records, &scenario, &Catalogue::bundled(), TODAY).unwrap_err();
    assert!(matches!(one, CostError::SeveralGroups { .. }));
    let none = assess(&[], &scenario, &Catalogue::bundled(), TODAY).unwrap_err();
    insta::assert_snapshot!(none, @"there is no record to cost; measure first with: freeweights bench");
}

#[test]
fn an_unknown_api_is_refused() {
    let records = [record()];
    let scenario = scenario("this-machine", &["api.models=openai/gpt-99"]);
    let error = assess(&records, &scenario, &Catalogue::bundled(), TODAY).unwrap_err();
    assert!(matches!(error, CostError::UnknownPrice { .. }), "{error}");
}

#[test]
fn an_amount_beyond_all_numbers_is_refused() {
    let records = [record()];
    let scenario = scenario("this-machine", &["hardware.price_usd=1.7e308", "hardware.spares=9"]);
    let error = assess(&records, &scenario, &Catalogue::bundled(), TODAY).unwrap_err();
    assert_eq!(error, CostError::NotFinite { what: "the yearly bill" });
}

#[test]
fn a_longer_shape_is_costed_with_a_warning() {
    let assessment = cost(&record(), "this-machine", &["demand.isl=2048", "demand.osl=256"]);
    assert_eq!(assessment.operating_point.basis, Label::Derived);
    insta::assert_snapshot!(assessment.notes.join("\n"), @r"
    Throughput at isl 2048, osl 256 is recomposed from rates measured at isl 128, osl 64. The scenario's requests are longer than any measured, and long contexts are slower: measure that shape for a better answer.
    Frontier APIs sell another class of model; they are no like-for-like comparison.
    ");
}

proptest! {
    #[test]
    fn input_and_output_prices_make_up_the_bill(
        demand in 1.0..1e6_f64, isl in 1_u64..100_000, osl in 1_u64..10_000, ratio in 0.1..20.0_f64,
        by_time in any::<bool>(),
    ) {
        let policy = if by_time { "time-share".to_owned() } else { format!("ratio:{ratio}") };
        let assessment = cost(&record(), "this-machine", &[
            &format!("demand.requests_per_day={demand}"),
            &format!("demand.isl={isl}"),
            &format!("demand.osl={osl}"),
            &format!("split.allocation={policy}"),
        ]);
        let requests = RequestsPerYear::new(demand * 365.0);
        let volume = |tokens| -> TokensPerYear { requests * Tokens::new(tokens) };
        let parts = assessment.cost.input.value * volume(isl) + assessment.cost.output.value * volume(osl);
        let bill = assessment.bill.total_usd_per_year;
        // to the cent
        prop_assert!((parts - bill).get().abs() < 0.005 + 1e-12 * bill.get());
    }

    #[test]
    fn the_cost_rises_with_price_power_pue_and_salary(
        key in prop::sample::select(vec![
            ("hardware.price_usd", 1_000.0), ("hardware.load_w", 100.0), ("hosting.pue", 1.0),
            ("staff.salary_usd_per_year", 50_000.0), ("hosting.electricity_usd_per_kwh", 0.1),
            ("hardware.maintenance_share", 0.05), ("hardware.cost_of_capital", 0.05),
        ]),
        more in 1.0..3.0_f64,
    ) {
        let (name, value) = key;
        let at = |value: f64| {
            let set = format!("{name}={value}");
            cost(&record(), "this-machine", &[&set]).cost.blended.value
        };
        prop_assert!(at(value * more) >= at(value));
    }

    #[test]
    fn a_spare_never_lowers_and_a_residual_never_raises_the_cost(spares in 0_u32..4, residual in 0.0..0.9_f64) {
        let at = |spares: u32, residual: f64| {
            cost(&record(), "this-machine", &[
                &format!("hardware.spares={spares}"),
                &format!("hardware.residual_share={residual}"),
            ]).cost.blended.value
        };
        prop_assert!(at(spares + 1, residual) >= at(spares, residual));
        prop_assert!(at(spares, residual + 0.1) <= at(spares, residual));
    }
}
