//! What holds for every cost, whatever the scenario: through whole assessments where the command
//! goes through them, through the formulas where not.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod open;
#[path = "../whole/record.rs"]
mod record;

use freeweights_cost::break_even::{BreakEven, NeverReason};
use freeweights_cost::finance::capital_recovery_factor;
use freeweights_cost::utilisation::cost_at;
use freeweights_cost::{Assessment, Catalogue, CostError, Scenario, assess};
use freeweights_record::units::{
    Fraction, RequestsPerYear, Tokens, TokensPerYear, UsdPerMillionTokens, UsdPerYear, Years,
};
use jiff::civil::{Date, date};
use open::open;
use proptest::prelude::*;
use record::record;

const TODAY: Date = date(2026, 11, 22);

/// A fleet can be had, its watts are given, and it is compared with both kinds of API.
const SETS: [&str; 4] = [
    "hardware.machines_max=100",
    "hardware.load_w=400",
    "hardware.idle_w=80",
    "api.models=baseline,frontier",
];

/// The assessment of a scenario, changed by overrides.
fn try_cost(preset: &str, sets: &[String]) -> Result<Assessment, CostError> {
    let shape = ["demand.isl=128", "demand.osl=64"];
    let own = sets.iter().map(String::as_str);
    let sets = shape.into_iter().chain(SETS).chain(own).map(str::parse);
    let scenario = Scenario::preset(preset, &sets.collect::<Result<Vec<_>, _>>()?)?;
    assess(&[record()], &scenario, &Catalogue::bundled(), TODAY)
}

fn cost(sets: &[String]) -> Assessment {
    try_cost("this-machine", sets).unwrap()
}

fn blended(sets: &[String]) -> UsdPerMillionTokens {
    cost(sets).cost.blended.value
}

/// A figure that may not fall when another rises, but for the last bits of a sum.
fn not_below(more: UsdPerMillionTokens, less: UsdPerMillionTokens) -> bool {
    more.get() >= less.get() * (1.0 - 1e-12)
}

proptest! {
    // Each case costs a few whole assessments.
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn cost_rises_with_price_power_pue_salary_and_spares(
        open in open(),
        name in prop::sample::select(vec![
            "hardware.price_usd", "hardware.cost_of_capital", "hosting.electricity_usd_per_kwh",
            "hosting.pue", "staff.salary_usd_per_year", "staff.fte", "hardware.spares",
        ]),
        more in 1_u32..4,
    ) {
        let higher = open.of(name) + f64::from(more);
        prop_assert!(not_below(blended(&open.with(name, higher)), blended(&open.sets())), "{name}");
    }

    #[test]
    fn cost_rises_with_power_busy_and_idle(open in open(), load in 80.0..2_000.0_f64, more in 0.0..500.0_f64) {
        let at = |idle: f64, load: f64| {
            let mut sets = open.with("hardware.load_w", load);
            sets.push(format!("hardware.idle_w={idle}"));
            blended(&sets)
        };
        prop_assert!(not_below(at(80.0, load + more), at(80.0, load)));
        prop_assert!(not_below(at((80.0 + more).min(load), load), at(80.0, load)));
    }

    #[test]
    fn a_higher_residual_never_raises_the_cost(open in open(), more in 0.0..0.1_f64) {
        let higher = open.with("hardware.residual_share", open.residual + more);
        prop_assert!(not_below(blended(&open.sets()), blended(&higher)));
    }

    #[test]
    fn shares_sum_to_a_hundred_percent(open in open()) {
        let bill = try_cost(open.preset, &open.sets()).unwrap().bill;
        let parts: UsdPerYear = bill.components.iter().map(|part| part.usd_per_year).sum();
        prop_assert!((parts - bill.total_usd_per_year).get().abs() <= 1e-9 * parts.get());
        let shares: f64 = bill.components.iter().map(|part| part.share.get()).sum();
        prop_assert!(bill.total_usd_per_year.get() == 0.0 || (shares - 1.0).abs() < 1e-9);
    }

    #[test]
    fn input_and_output_make_up_the_bill_to_the_cent(
        open in open(), ratio in 0.1..20.0_f64, by_time in any::<bool>(),
    ) {
        let mut sets = open.sets();
        let policy = if by_time { "time-share".to_owned() } else { format!("ratio:{ratio}") };
        sets.push(format!("split.allocation={policy}"));
        let assessment = try_cost(open.preset, &sets).unwrap();
        let requests = RequestsPerYear::new(open.requests_per_day * 365.0);
        let volume = |tokens| -> TokensPerYear { requests * Tokens::new(tokens) };
        let cost = assessment.cost;
        let parts = cost.input.value * volume(open.isl) + cost.output.value * volume(open.osl);
        let bill = assessment.bill.total_usd_per_year;
        prop_assert!((parts - bill).get().abs() < 0.005 + 1e-12 * bill.get(), "{parts} of {bill}");
    }

    #[test]
    fn a_fixed_bill_costs_its_saturated_price_over_the_utilisation(open in open()) {
        // One rented machine and nobody: all of the bill is fixed, so C(U) = C(1) / U exactly.
        let mut sets = open.sets();
        sets.extend(["hardware.spares=0", "staff.fte=0", "demand.peak_to_mean=1"].map(str::to_owned));
        let assessment = try_cost("rented-cloud", &sets).unwrap();
        let expected = cost_at(assessment.utilisation, assessment.saturated.blended.value);
        let ours = assessment.cost.blended.value;
        prop_assert!((ours / expected - 1.0).abs() < 1e-9, "{ours} and {expected}");
    }

    #[test]
    fn half_the_demand_on_the_same_machine_doubles_a_fixed_cost(requests in 2.0..10_000.0_f64) {
        // With as much power idle as busy, energy is fixed, too.
        let at = |requests: f64| {
            let sets = [format!("demand.requests_per_day={requests}"), "hardware.idle_w=400".into()];
            let assessment = cost(&sets);
            prop_assert_eq!(assessment.fleet.serving.get(), 1);
            Ok((assessment.cost.blended.value, assessment.utilisation))
        };
        let ((full, busy), (half, idle)) = (at(requests)?, at(requests / 2.0)?);
        prop_assert!((half / full - 2.0).abs() < 1e-9);
        prop_assert!((busy / idle - 2.0).abs() < 1e-9);
    }

    #[test]
    fn break_even_is_never_where_the_api_is_at_or_below_our_marginal_cost(open in open()) {
        let assessment = try_cost(open.preset, &open.sets()).unwrap();
        let marginal = assessment.staircase.per_request;
        for api in &assessment.apis {
            let never = matches!(
                api.break_even,
                BreakEven::Never(NeverReason::ApiAtOrBelowMarginal { .. })
            );
            prop_assert_eq!(never, api.per_request <= marginal, "{} and {}", api.per_request, marginal);
            if never {
                prop_assert!(api.break_even_requests_per_day.is_none() && api.never_because.is_some());
            }
        }
    }

    #[test]
    fn every_amount_is_finite_or_an_error(
        open in open(),
        name in prop::sample::select(vec![
            "demand.requests_per_day", "demand.isl", "demand.osl", "hardware.price_usd",
            "hardware.life_years", "hardware.cost_of_capital", "hosting.electricity_usd_per_kwh",
            "hosting.pue", "staff.salary_usd_per_year", "staff.fte", "hosting.usd_per_machine_year",
        ]),
        exponent in -300_i32..309,
    ) {
        let mut sets = open.sets();
        sets.push(format!("{name}=1e{exponent}"));
        // An error is an answer, too.
        if let Ok(assessment) = try_cost(open.preset, &sets) {
            for (what, amount) in amounts(&assessment) {
                prop_assert!(amount.is_finite(), "{name}=1e{exponent}: {what} is {amount}");
            }
        }
    }

    #[test]
    fn the_factor_runs_into_one_over_the_life(life in 0.5..50.0_f64, exponent in 3_i32..16) {
        let rate = 10.0_f64.powi(-exponent);
        let factor = |rate| {
            capital_recovery_factor(Fraction::new(rate), Years::new(life)).unwrap().get()
        };
        prop_assert!((factor(0.0) * life - 1.0).abs() < 1e-12);
        // CRF = 1/n + r (n + 1) / (2 n) + ..
        let slope = (life + 1.0) / (2.0 * life);
        let bound = rate * slope * (1.0 + rate * life) + 1e-15;
        prop_assert!((factor(rate) - 1.0 / life).abs() <= bound, "{} {}", factor(rate), 1.0 / life);
    }
}

/// Every amount of money of an assessment.
fn amounts(assessment: &Assessment) -> Vec<(String, f64)> {
    let mut list = vec![("bill".to_owned(), assessment.bill.total_usd_per_year.get())];
    for part in &assessment.bill.components {
        list.push((part.kind.to_string(), part.usd_per_year.get()));
        list.push((format!("share of {}", part.kind), part.share.get()));
    }
    for (name, cost) in [("cost", &assessment.cost), ("saturated", &assessment.saturated)] {
        for (of, price) in
            [("input", cost.input), ("output", cost.output), ("blended", cost.blended)]
        {
            for end in [Some(price.value), price.low, price.high].into_iter().flatten() {
                list.push((format!("{name} {of}"), end.get()));
            }
        }
        list.push((format!("{name} per request"), cost.per_request.value.get()));
    }
    for api in &assessment.apis {
        let id = api.price.id();
        list.push((format!("{id} per year"), api.usd_per_year.get()));
        list.push((format!("{id} ratio"), api.ratio.get()));
        let crossing = api.break_even_requests_per_day;
        list.extend(crossing.map(|volume| (format!("{id} break-even"), volume.get())));
        let time = api.break_even_time;
        list.extend(time.map(|time| (format!("{id} break-even time"), time.get())));
    }
    list
}
