//! Just below and just above the threshold of each claim, its verdicts differ.

use crate::fixture::{figure, judge, on, record, records, threshold};
use freeweights_cost::Catalogue;
use freeweights_cost::claims::{ClaimId, Verdict};
use freeweights_record::units::{Usd, UsdPerMillionTokens, UsdPerYear};

/// As near to a threshold as rounding allows.
const NEAR: f64 = 1e-6;

/// The verdicts of a claim on both sides of a number.
fn sides(at: f64, judge: impl Fn(f64) -> Verdict) -> (Verdict, Verdict) {
    (judge(at * (1.0 - NEAR)), judge(at * (1.0 + NEAR)))
}

fn demand(id: ClaimId, more: &[&str]) -> impl Fn(f64) -> Verdict {
    let more: Vec<String> = more.iter().map(ToString::to_string).collect();
    move |requests| {
        let set = format!("demand.requests_per_day={requests}");
        let sets: Vec<&str> = more.iter().map(String::as_str).chain([set.as_str()]).collect();
        judge(id, "this-machine", &sets).verdict
    }
}

#[test]
fn c1_tokens_are_free_once_batch_work_pays_for_them() {
    let answer = judge(ClaimId::C1, "this-machine", &[]);
    assert_eq!(answer.verdict, Verdict::Supported);
    let at = |price: f64| {
        let price = format!("backfill.usd_per_million_tokens={price}");
        judge(ClaimId::C1, "this-machine", &["backfill.idle_share=1", &price]).verdict
    };
    assert_eq!(sides(threshold(&answer), at), (Verdict::Supported, Verdict::Refuted));
}

#[test]
fn c2_speed_saves_machines_from_the_slow_engines_capacity_on() {
    let answer = judge(ClaimId::C2, "this-machine", &[]);
    assert_eq!(answer.verdict, Verdict::Depends);
    // Candle takes 128 / 400 + 63 / 40 = 1.895 s a request: 86,400 / 1.895 / 1.528 a day.
    let capacity = 86_400.0 / 1.895 / 1.528;
    assert!((threshold(&answer) / capacity - 1.0).abs() < 1e-9, "{}", threshold(&answer));
    let found = sides(capacity, demand(ClaimId::C2, &[]));
    assert_eq!(found, (Verdict::Depends, Verdict::Supported));
    assert!(answer.sentence.contains("with candle") && answer.sentence.contains("with fused"));
}

#[test]
fn c2_needs_two_engines_that_differ() {
    let one = [record("fused", 1, 1_600.0, 160.0)];
    let prices = Catalogue::bundled();
    let judge = |records: &[_]| on(records, ClaimId::C2, "this-machine", &[], &prices);
    let alone = judge(&one);
    assert_eq!(alone.verdict, Verdict::NotMeasured);
    assert!(alone.needs.unwrap().contains("--engine fused,candle"));
    let same = [one[0].clone(), record("candle", 1, 1_590.0, 159.0)];
    assert_eq!(judge(&same).verdict, Verdict::Refuted);
    let other_weights = [
        one[0].clone(),
        freeweights_record::Record {
            quant: Some("q8_0".into()),
            ..record("candle", 1, 400.0, 40.0)
        },
    ];
    assert_eq!(judge(&other_weights).verdict, Verdict::NotMeasured);
}

#[test]
fn c6_flips_at_a_mean_pay() {
    let answer = judge(ClaimId::C6, "this-machine", &[]);
    // (147,210 + 3 * 132,930) / (1 - 0.299), and at the ends of their ranges.
    let load = 1.0 / (1.0 - 0.299);
    let team = figure(&answer, "team");
    assert!((team.value / ((147_210.0 + 3.0 * 132_930.0) * load) - 1.0).abs() < 1e-12);
    assert!((team.low.unwrap() / ((133_190.0 + 3.0 * 110_000.0) * load) - 1.0).abs() < 1e-12);
    assert_eq!(answer.verdict, Verdict::Depends);
    assert!((threshold(&answer) / (700_000.0 / (4.0 * load)) - 1.0).abs() < 1e-12);
    let at = |pay: f64| {
        let sets: Vec<String> = ["a", "b", "c", "d"]
            .iter()
            .flat_map(|role| {
                let key = |part: &str| format!("staff.roles.{role}.{part}");
                [format!("{}=1", key("fte")), format!("{}={pay}", key("salary_usd_per_year"))]
            })
            .collect();
        let sets: Vec<&str> = sets.iter().map(String::as_str).collect();
        judge(ClaimId::C6, "this-machine", &sets).verdict
    };
    assert_eq!(sides(threshold(&answer), at), (Verdict::Refuted, Verdict::Supported));
}

/// No staff, and a dear API: self-hosting can win.
const WINNABLE: [&str; 2] = ["staff.fte=0", "api.models=openai/gpt-6.1-sol"];

#[test]
fn c7_flips_at_break_even() {
    let never = judge(ClaimId::C7, "this-machine", &[]);
    assert_eq!((never.verdict, never.threshold), (Verdict::Supported, None));
    let few = [&WINNABLE[..], &["demand.requests_per_day=10"]].concat();
    let answer = judge(ClaimId::C7, "this-machine", &few);
    assert_eq!(answer.verdict, Verdict::Depends);
    let found = sides(threshold(&answer), demand(ClaimId::C7, &WINNABLE));
    assert_eq!(found, (Verdict::Depends, Verdict::Refuted));
    // Seen from the other side it is the same number.
    let many = [&WINNABLE[..], &["demand.requests_per_day=5000"]].concat();
    let other = judge(ClaimId::C7, "this-machine", &many);
    assert!((threshold(&other) / threshold(&answer) - 1.0).abs() < 1e-12);
}

#[test]
fn c8_flips_where_rent_is_half_of_the_bill() {
    let answer = judge(ClaimId::C8, "this-machine", &["demand.requests_per_day=1"]);
    assert_eq!(answer.verdict, Verdict::Depends);
    let found = sides(threshold(&answer), demand(ClaimId::C8, &[]));
    assert_eq!(found, (Verdict::Depends, Verdict::Supported));
    // Without people all of it is rent at any volume, and nothing flips.
    let bare = judge(ClaimId::C8, "this-machine", &["staff.fte=0"]);
    assert_eq!((bare.verdict, bare.threshold), (Verdict::Supported, None));
}

#[test]
fn c9_flips_at_the_price_of_the_challenger() {
    let answer = judge(ClaimId::C9, "this-machine", &[]);
    assert_eq!(answer.verdict, Verdict::Refuted);
    let bundled = Catalogue::bundled();
    let most = &figure(&answer, "most").what;
    let id = most.rsplit(' ').next().unwrap();
    let at = |usd: f64| {
        let mut price = bundled.find(id, crate::fixture::TODAY).unwrap();
        price.input = UsdPerMillionTokens::new(usd);
        price.output = UsdPerMillionTokens::new(usd);
        let prices = bundled.clone().with(vec![price]);
        on(&records(), ClaimId::C9, "this-machine", &[], &prices).verdict
    };
    assert_eq!(sides(threshold(&answer), at), (Verdict::Depends, Verdict::Refuted));
    let one = bundled.find("openai/gpt-6.1-sol", crate::fixture::TODAY).unwrap();
    let one = Catalogue::of(vec![one]);
    let sets = ["api.models=openai/gpt-6.1-sol"];
    let unknown = on(&records(), ClaimId::C9, "this-machine", &sets, &one);
    assert_eq!(unknown.verdict, Verdict::NotMeasured);
}

#[test]
fn c10_flips_at_a_fall_of_the_price() {
    let many = [&WINNABLE[..], &["demand.requests_per_day=500"]].concat();
    let answer = judge(ClaimId::C10, "this-machine", &many);
    let at = |decline: f64| {
        let decline = format!("api.price_decline_per_year={decline}");
        let sets = [&many[..], &[decline.as_str()]].concat();
        judge(ClaimId::C10, "this-machine", &sets).verdict
    };
    assert_eq!(sides(threshold(&answer), at), (Verdict::Refuted, Verdict::Supported));
    // Staff that no price pays for: they lose at any fall, and nothing flips.
    let lost = judge(ClaimId::C10, "this-machine", &[]);
    assert_eq!((lost.verdict, lost.threshold), (Verdict::Supported, None));
    // One step of throughput makes 1 / 1.5 of the cost of a full machine, and no less here.
    let cost = |key: &str| figure(&answer, key).value;
    let left = cost("cost_faster") / cost("cost");
    assert!(left < 1.0 && left > 1.0 / 1.5, "{left}");
}

#[test]
fn c11_flips_at_the_use_that_a_seat_buys() {
    let none = judge(ClaimId::C11, "this-machine", &[]);
    assert_eq!(none.verdict, Verdict::NotMeasured);
    assert!(none.needs.unwrap().contains("internal-chatbot"));
    let answer = judge(ClaimId::C11, "internal-chatbot", &[]);
    // A seat of 20 USD buys 100; the claim's 6,000 / 200 = 30 times are reached at 600.
    assert_eq!((figure(&answer, "factor").value, threshold(&answer)), (5.0, 600.0));
    let at = |buys: f64| {
        let buys = format!("api.plans.seat.buys_usd_per_month={buys}");
        judge(ClaimId::C11, "internal-chatbot", &[&buys]).verdict
    };
    assert_eq!(sides(600.0, at), (Verdict::Refuted, Verdict::Supported));
}

#[test]
fn c12_flips_at_an_elasticity_of_one() {
    let at = |elasticity: f64| {
        let set = format!("demand.elasticity={elasticity}");
        judge(ClaimId::C12, "this-machine", &[&set])
    };
    assert!((threshold(&at(0.7)) - 1.0).abs() < 1e-12);
    assert_eq!(at(1.0).verdict, Verdict::Depends);
    assert_eq!(sides(1.0, |e| at(e).verdict), (Verdict::Refuted, Verdict::Supported));
    // Half the price at an elasticity of 2: four times the tokens, twice the spend.
    let twice = at(2.0);
    assert!((figure(&twice, "volume").value - 4.0).abs() < 1e-12);
    assert!((figure(&twice, "spend").value - 2.0).abs() < 1e-12);
}

#[test]
fn c13_flips_where_one_machine_no_longer_holds_the_cone() {
    let answer = judge(ClaimId::C13, "this-machine", &[]);
    assert_eq!(answer.verdict, Verdict::Depends);
    let found = sides(threshold(&answer), demand(ClaimId::C13, &[]));
    assert_eq!(found, (Verdict::Depends, Verdict::Supported));
    let certain = judge(ClaimId::C13, "this-machine", &["demand.growth_per_year=0.5"]);
    assert_eq!(certain.verdict, Verdict::NotMeasured);
}

#[test]
fn c13_flips_at_the_growth_that_doubles_the_demand() {
    let (value, high) = (0.1, 0.12);
    let at = |high: f64| {
        let range = format!("value = {value}, low = 0.08, high = {high}, source = \"test\"");
        let set = format!("demand.growth_per_year={{ {range} }}");
        judge(ClaimId::C13, "this-machine", &[&set])
    };
    let answer = at(high);
    assert_eq!(answer.verdict, Verdict::Refuted);
    // P90 lies as far towards the high end, P95, in any range above the value.
    let p90 = (1.0 + figure(&answer, "week_p90").value).powf(52.0) - 1.0;
    let share = (p90 - value) / (high - value);
    let needed = value + (threshold(&answer) - value) / share;
    let found = sides(needed, |high| at(high).verdict);
    assert_eq!(found, (Verdict::Refuted, Verdict::Depends));
}

#[test]
fn c14_flips_at_the_electricity_of_batch_work() {
    let answer = judge(ClaimId::C14, "this-machine", &[]);
    let at = |price: f64| {
        let price = format!("backfill.usd_per_million_tokens={price}");
        judge(ClaimId::C14, "this-machine", &[&price]).verdict
    };
    assert_eq!(sides(threshold(&answer), at), (Verdict::Refuted, Verdict::Supported));
    // All idle hours filled: use is whole, so the bill before sales is that of machines never idle.
    let filled = figure(&answer, "full").value;
    let saturated = figure(&judge(ClaimId::C1, "this-machine", &[]), "saturated").value;
    assert!((filled / saturated - 1.0).abs() < 1e-9, "{filled} {saturated}");
}

#[test]
fn c15_is_the_arithmetic_of_the_example() {
    let answer = judge(ClaimId::C15, "this-machine", &[]);
    assert_eq!((answer.verdict, threshold(&answer)), (Verdict::Supported, 2.0));
    let million = |key: &str| Usd::new(figure(&answer, key).value / 1e6);
    let company = [million("company_1"), million("company_2"), million("company_3")];
    assert_eq!(company, [-100.0, -800.0, -8_000.0].map(Usd::new));
    assert_eq!([million("model_1"), million("model_2")], [100.0, 1_000.0].map(Usd::new));
    let tuned = judge(ClaimId::C15, "this-machine", &["training.one_off_usd=1000"]);
    assert!(tuned.sentence.contains("training is 1,080 USD a year"), "{}", tuned.sentence);
}

#[test]
fn c16_flips_at_the_use_that_makes_a_margin() {
    let loses = judge(ClaimId::C16, "this-machine", &["demand.requests_per_day=10"]);
    assert_eq!((loses.verdict, loses.threshold), (Verdict::Supported, None));
    let some = [&WINNABLE[..], &["demand.requests_per_day=10"]].concat();
    let answer = judge(ClaimId::C16, "this-machine", &some);
    assert_eq!(answer.verdict, Verdict::Depends);
    // One machine either way, so its use is as the demand.
    let at = 10.0 * threshold(&answer) / figure(&answer, "used").value;
    let found = sides(at, demand(ClaimId::C16, &WINNABLE));
    assert_eq!(found, (Verdict::Depends, Verdict::Refuted));
    // C(U) = C(1) / U, so at half of that use the margin is 1 - 2.
    let half = format!("demand.requests_per_day={}", at / 2.0);
    let half = [&WINNABLE[..], &[half.as_str()]].concat();
    let half = judge(ClaimId::C16, "this-machine", &half);
    assert!((figure(&half, "margin").value + 1.0).abs() < 1e-6);
}

#[test]
fn c17_flips_at_the_worth_of_an_hour() {
    let answer = judge(ClaimId::C17, "this-machine", &["staff.fte=0"]);
    // With one request at once a token takes 1 / 160 s, with four 4 / 400.
    assert_eq!(
        (figure(&answer, "fast_speed").value, figure(&answer, "slow_speed").value),
        (160.0, 100.0)
    );
    let at = |worth: f64| {
        let year = UsdPerYear::new(worth * 8_760.0 * (1.0 - 0.299));
        let salary = format!("staff.salary_usd_per_year={}", year.get());
        judge(ClaimId::C17, "this-machine", &["staff.fte=0", &salary]).verdict
    };
    assert_eq!(sides(threshold(&answer), at), (Verdict::Refuted, Verdict::Supported));
    let alone = [record("fused", 1, 1_600.0, 160.0)];
    let alone = on(&alone, ClaimId::C17, "this-machine", &[], &Catalogue::bundled());
    assert_eq!(alone.verdict, Verdict::NotMeasured);
}
