//! One input at a time, all of them at once, and the years ahead.

use crate::fixture::{TODAY, cost, record, scenario};
use freeweights_cost::{Assessment, Catalogue, Drawing, Simulation, ThroughputSpread, assess_all};
use freeweights_record::Samples;
use freeweights_record::units::Fraction;
use std::num::NonZero;

fn drawn_on(threads: usize, preset: &str, sets: &[&str]) -> Simulation {
    let drawing = Drawing { samples: &Samples::default(), threads: NonZero::new(threads).unwrap() };
    let all = assess_all(
        &[record()],
        &scenario(preset, sets),
        &Catalogue::bundled(),
        TODAY,
        Some(drawing),
    );
    all.into_iter().next().unwrap().unwrap().simulation.unwrap()
}

fn headline(simulation: &Simulation, name: &str) -> [f64; 3] {
    let found = simulation.headlines.iter().find(|headline| headline.name == name).unwrap();
    [found.p5, found.p50, found.p95]
}

#[test]
fn the_drawn_scenarios_are_the_same_on_any_number_of_threads() {
    let sets = ["uncertainty.draws=10000"];
    let one = drawn_on(1, "customer-feature", &sets);
    assert_eq!(one, drawn_on(2, "customer-feature", &sets));
    assert_eq!(one, drawn_on(3, "customer-feature", &sets));
    let seed = drawn_on(1, "customer-feature", &["uncertainty.draws=10000", "uncertainty.seed=2"]);
    assert_ne!(one.headlines, seed.headlines);
}

/// Nothing is uncertain but what is set.
const CERTAIN: [&str; 20] = [
    "demand.requests_per_day=1000",
    "demand.growth_per_year=0",
    "hardware.price_factor=1",
    "hardware.life_years=4",
    "hardware.residual_share=0.1",
    "hardware.cost_of_capital=0.08",
    "hardware.maintenance_share=0.05",
    "hardware.price_usd=1000",
    "hardware.load_w=100",
    "hardware.idle_w=50",
    "hosting.electricity_usd_per_kwh=0.2",
    "hosting.pue=1.2",
    "hosting.colo_usd_per_kw_month=200",
    "hosting.reserved_discount=0.3",
    "staff.fte=0.025",
    "staff.salary_usd_per_year=100000",
    "api.price_factor=1",
    "api.price_decline_per_year=0.5",
    "uncertainty.draws=20000",
    "api.models=openai/gpt-6.1-sol",
];

#[test]
fn one_uncertain_input_is_its_own_percentiles() {
    let pay =
        "staff.salary_usd_per_year={ value = 100000, low = 50000, high = 300000, source = \"us\" }";
    let simulation = drawn_on(2, "this-machine", &[&CERTAIN[..], &[pay]].concat());
    let bill = |salary: &str| {
        let set = format!("staff.salary_usd_per_year={salary}");
        let assessment = cost("this-machine", &[&CERTAIN[..], &[&set]].concat());
        assessment.bill.total_usd_per_year.get()
    };
    // The bill rises with pay alone, so its percentiles are the bills at low, value and high; the
    // measured throughput moves it by next to nothing.
    let drawn = headline(&simulation, "bill of a year");
    for (drawn, salary) in drawn.into_iter().zip(["50000", "100000", "300000"]) {
        assert!((drawn / bill(salary) - 1.0).abs() < 0.03, "{drawn} {}", bill(salary));
    }
    assert_eq!(simulation.throughput, ThroughputSpread::Interval);
}

#[test]
fn a_certain_scenario_has_one_answer() {
    let mut still = record();
    (still.prefill_ci95_low_tps, still.decode_ci95_low_tps) = (None, None);
    let drawing = Drawing { samples: &Samples::default(), threads: NonZero::<usize>::MIN };
    let scenario = scenario("this-machine", &CERTAIN);
    let all = assess_all(&[still], &scenario, &Catalogue::bundled(), TODAY, Some(drawing));
    let assessment = all.into_iter().next().unwrap().unwrap();
    let simulation = assessment.simulation.as_ref().unwrap();
    assert_eq!(simulation.throughput, ThroughputSpread::Held);
    let blended = assessment.cost.blended.value.get();
    for value in headline(simulation, "cost, blended") {
        assert!((value / blended - 1.0).abs() < 1e-9);
    }
    let main = assessment.main_comparison().unwrap();
    let saved = headline(simulation, "saved over the years ahead")[1];
    assert!((saved - main.net_present_saving.get()).abs() < 1e-6);
    let cheaper = simulation.odds[0].self_hosting_cheaper;
    assert_eq!(cheaper, Fraction::new(if main.ratio.get() < 1.0 { 1.0 } else { 0.0 }));
}

#[test]
fn odds_turn_with_the_demand() {
    let odds = |requests: &str| {
        let set = format!("demand.requests_per_day={requests}");
        let sets =
            [&CERTAIN[..], &[&set, "hardware.machines_max=1000", "staff.fte=0.001"]].concat();
        drawn_on(2, "this-machine", &sets).odds[0].self_hosting_cheaper.get()
    };
    assert_eq!((odds("10"), odds("20000")), (0.0, 1.0));
}

#[test]
fn no_draws_are_no_simulation() {
    let drawing = Drawing { samples: &Samples::default(), threads: NonZero::<usize>::MIN };
    let scenario = scenario("this-machine", &["uncertainty.draws=0"]);
    let all = assess_all(&[record()], &scenario, &Catalogue::bundled(), TODAY, Some(drawing));
    assert!(all[0].as_ref().unwrap().simulation.is_none());
}

fn names(assessment: &Assessment) -> Vec<&str> {
    assessment.tornado.iter().map(|swing| swing.name.as_str()).collect()
}

#[test]
fn the_tornado_is_sorted_and_agrees_with_the_overrides() {
    let assessment = cost("this-machine", &[]);
    let size =
        |swing: &freeweights_cost::Swing| (swing.cost_at_high - swing.cost_at_low).get().abs();
    assert!(assessment.tornado.windows(2).all(|pair| size(&pair[0]) >= size(&pair[1])));
    assert_eq!(names(&assessment)[..2], ["demand.requests_per_day", "staff.fte"]);
    assert!(names(&assessment).contains(&"measured.requests_per_s"));
    for swing in assessment.tornado.iter().filter(|swing| swing.name.starts_with("staff")) {
        let at = |value: f64| {
            let set = format!("{}={value}", swing.name);
            cost("this-machine", &[&set]).cost.blended.value
        };
        assert!((at(swing.low) - swing.cost_at_low).get().abs() < 1e-9, "{}", swing.name);
        assert!((at(swing.high) - swing.cost_at_high).get().abs() < 1e-9, "{}", swing.name);
    }
}

#[test]
fn a_given_value_has_no_swing() {
    assert!(!names(&cost("this-machine", &["staff.fte=0.025"])).contains(&"staff.fte"));
}

#[test]
fn prices_that_fall_turn_a_winner_into_a_loser() {
    let sets = |decline: &str| {
        let set = format!("api.price_decline_per_year={decline}");
        cost(
            "this-machine",
            &[
                "demand.requests_per_day=20000",
                "staff.fte=0",
                "api.models=openai/gpt-6.1-sol",
                &set,
            ],
        )
    };
    let steady = sets("0");
    assert_eq!(steady.apis[0].last_winning_year, Some(4));
    let falling = sets("0.9");
    assert_eq!(falling.outlook.len(), 4);
    assert!(falling.apis[0].last_winning_year.unwrap() < 4);
    assert!(falling.apis[0].net_present_saving < steady.apis[0].net_present_saving);
    // A tenth is left of the price after a year.
    let ratio = falling.outlook[1].api.get() / falling.outlook[0].api.get();
    assert!((ratio - 0.1).abs() < 1e-9);
}

#[test]
fn demand_answers_to_the_price() {
    let at = |elasticity: &str| {
        let set = format!("demand.elasticity={elasticity}");
        cost("this-machine", &[&set]).demand_response.unwrap()
    };
    let neutral = at("1");
    assert!((neutral.spend_after / neutral.spend_before - 1.0).abs() < 1e-9);
    // Ours is the dearer price: inelastic users spend more, elastic ones less.
    assert!(at("0.5").spend_after > neutral.spend_after);
    assert!(at("2").spend_after < neutral.spend_after);
}
