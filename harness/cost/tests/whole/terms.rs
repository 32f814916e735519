//! How machines are held, who looks after them, what else is paid, and what is earned.

use crate::fixture::cost;
use freeweights_cost::Assessment;
use freeweights_cost::bill::ComponentKind;
use freeweights_cost::scenario::HostingKind;

fn part(assessment: &Assessment, kind: ComponentKind) -> f64 {
    assessment.bill.of(kind).get()
}

/// One machine of 1,000 W and 10,000 USD, nothing else to pay but what is set.
const PLAIN: [&str; 9] = [
    "hardware.price_usd=10000",
    "hardware.residual_share=0",
    "hardware.cost_of_capital=0",
    "hardware.maintenance_share=0",
    "hardware.load_w=1000",
    "hardware.idle_w=100",
    "staff.fte=0",
    "hosting.electricity_usd_per_kwh=0.1",
    "api.models=openai/gpt-6.1-sol",
];

fn plain(sets: &[&str]) -> Assessment {
    cost("this-machine", &[&PLAIN, sets].concat())
}

#[test]
fn colocation_is_paid_by_provisioned_power_and_electricity_on_top() {
    let colo = plain(&["hosting.kind=colo", "hosting.pue=1.5"]);
    // 200 USD * 1 kW * 12 months
    assert!((part(&colo, ComponentKind::Colocation) - 2_400.0).abs() < 1e-9);
    let own = plain(&["hosting.pue=1.5"]);
    assert!(part(&own, ComponentKind::Colocation).abs() < 1e-12);
    let idle = |assessment| part(assessment, ComponentKind::EnergyIdle);
    assert!((idle(&colo) - idle(&own)).abs() < 1e-9);
}

#[test]
fn a_reservation_takes_its_share_off_the_rent() {
    let rent = |sets: &[&str]| {
        let own = ["hosting.kind=rent", "hosting.rent_usd_per_hour=2"];
        part(&plain(&[&own, sets].concat()), ComponentKind::Rent)
    };
    assert!((rent(&[]) - 2.0 * 8_760.0).abs() < 1e-9);
    // half of the hours at 40% off: 80%
    let reserved = ["hosting.reserved_share=0.5", "hosting.reserved_discount=0.4"];
    assert!((rent(&reserved) - 0.8 * 2.0 * 8_760.0).abs() < 1e-9);
}

#[test]
fn space_is_paid_once() {
    // 5,000 USD of space on a site of ours: neither a landlord's site nor a cloud has it on top.
    let space = "hosting.usd_per_machine_year=5000";
    let bills = |sets: &[&str]| -> Vec<f64> {
        let rent = ["hosting.rent_usd_per_hour=2"];
        let assessment = plain(&[&rent, sets].concat());
        assessment.tenures.iter().map(|tenure| tenure.usd_per_year.unwrap().get()).collect()
    };
    let (without, with) = (bills(&[]), bills(&[space]));
    assert!((with[0] - without[0] - 5_000.0).abs() < 1e-9);
    assert_eq!(with[1..], without[1..]);
    let rented = bills(&[space, "hosting.kind=rent"]);
    assert!((rented[2] - without[2] - 5_000.0).abs() < 1e-9);
}

#[test]
fn every_way_to_hold_a_machine_stands_side_by_side() {
    let assessment = plain(&["hosting.rent_usd_per_hour=2"]);
    let kinds: Vec<_> = assessment.tenures.iter().map(|tenure| tenure.kind).collect();
    assert_eq!(kinds, [HostingKind::Own, HostingKind::Colo, HostingKind::Rent]);
    let bill = |index: usize| assessment.tenures[index].usd_per_year.unwrap();
    assert_eq!(bill(0), assessment.bill.total_usd_per_year);
    assert!((bill(1) - bill(0)).get() - 2_400.0 < 1e-9);
    assert!((bill(2).get() - 17_520.0).abs() < 1e-9);
    let landlord = |index: usize| assessment.tenures[index].landlord_share.unwrap().get();
    assert_eq!((landlord(0), landlord(2)), (0.0, 1.0));
}

#[test]
fn a_way_that_nobody_knows_the_price_of_says_so() {
    let gpu = freeweights_record::Record {
        gpu_name: Some("Tesla T4".into()),
        ..crate::fixture::record()
    };
    let assessment = crate::fixture::try_cost(&[gpu], "this-machine", &PLAIN).unwrap();
    let rented = &assessment.tenures[2];
    assert_eq!(rented.usd_per_year, None);
    assert!(rented.unknown_because.as_ref().unwrap().contains("hosting.rent_usd_per_hour"));
}

#[test]
fn roles_are_paid_beside_the_staff() {
    let assessment = plain(&[
        "staff.fte=1",
        "staff.salary_usd_per_year=100000",
        "staff.benefits_share=0.2",
        "staff.roles.mlops-engineer.fte=0.5",
        "staff.roles.mlops-engineer.salary_usd_per_year=200000",
    ]);
    // (1 * 100,000 + 0.5 * 200,000) / (1 - 0.2)
    assert!((part(&assessment, ComponentKind::Staff) - 250_000.0).abs() < 1e-6);
}

#[test]
fn training_is_paid_off_over_its_own_life() {
    let assessment = plain(&[
        "training.one_off_usd=30000",
        "training.life_years=2",
        "training.usd_per_year=1000",
    ]);
    // 30,000 / 2 at no cost of capital, and 1,000 each year
    assert!((part(&assessment, ComponentKind::Training) - 16_000.0).abs() < 1e-9);
    let software = plain(&["software.usd_per_year=500", "software.usd_per_machine_year=50"]);
    assert!((part(&software, ComponentKind::Software) - 550.0).abs() < 1e-9);
}

#[test]
fn idle_hours_sold_lower_the_bill_by_what_they_earn() {
    let idle = plain(&[]);
    let sold = plain(&["backfill.idle_share=0.5", "backfill.usd_per_million_tokens=1"]);
    // 365,000 requests of 1.895 s keep the machine busy for 192.13 h; half of the rest is sold at
    // 3600 / 1.895 * 192 tokens an hour.
    let hours = (8_760.0 - 365_000.0 * 1.895 / 3_600.0) / 2.0;
    let sales = hours * 3_600.0 / 1.895 * 192.0 / 1e6;
    assert!((part(&sold, ComponentKind::BatchSales) + sales).abs() < 1e-9);
    // and takes 900 W more than idling would, at 0.1 USD a kWh
    let energy = hours * 0.9 * 0.1;
    let saved = (idle.bill.total_usd_per_year - sold.bill.total_usd_per_year).get();
    assert!((saved - (sales - energy)).abs() < 1e-9);
    let shares: f64 = sold.bill.components.iter().map(|part| part.share.get()).sum();
    assert!((shares - 1.0).abs() < 1e-12);
}

#[test]
fn a_spare_comes_after_the_machines_the_peak_needs() {
    // 250,000 requests a day at a peak of 1.528 need 4.42 requests/s at 0.528 each: 9 machines.
    let assessment = plain(&["demand.requests_per_day=250_000", "hardware.spares=2"]);
    assert_eq!((assessment.fleet.serving.get(), assessment.fleet.spares.get()), (9, 2));
    // With 80% of the throughput left in service: 4.42 / 0.422 = 10.5, so 11.
    let sets = ["demand.requests_per_day=250_000", "hardware.usable_share=0.8"];
    assert_eq!(plain(&sets).fleet.serving.get(), 11);
}

#[test]
fn users_share_the_bill_and_subscriptions_stand_beside_it() {
    let assessment = plain(&[
        "demand.users=10",
        "api.plans.seat.usd_per_month=20",
        "api.plans.seat.buys_usd_per_month=100",
        "api.plans.seat.model=openai/gpt-6.1-sol",
    ]);
    let total = assessment.bill.total_usd_per_year.get();
    assert!((assessment.usd_per_user_year.unwrap().get() - total / 10.0).abs() < 1e-9);
    // 365,000 requests of 128 tokens at 2 and 64 at 10 USD a million: 327.04 USD a year, less than
    // ten seats buy, so it is ten seats.
    let plan = &assessment.plans[0];
    assert!((plan.metered_usd_per_year.get() - 327.04).abs() < 1e-9);
    assert_eq!((plan.seats.get(), plan.usd_per_year.get()), (10.0, 2_400.0));
}

#[test]
fn caches_and_batches_make_an_api_cheaper() {
    let bill = |sets: &[&str]| plain(sets).apis[0].usd_per_year.get();
    let full = bill(&[]);
    assert!(bill(&["demand.cached_share=0.5"]) < full);
    assert!(bill(&["api.batch_share=0.5"]) < full);
    assert!((bill(&["api.price_factor=2"]) - 2.0 * full).abs() < 1e-9);
}

#[test]
fn every_preset_answers_in_one_sentence() {
    for preset in freeweights_cost::scenario::PRESETS {
        let assessment = cost(preset.name, &[]);
        assert!(assessment.sentence.starts_with("At "), "{}", assessment.sentence);
        assert!(!assessment.tornado.is_empty(), "{}", preset.name);
        assert!(assessment.bill.total_usd_per_year.get() > 0.0);
    }
}

#[test]
fn the_sentence_names_a_lead_that_is_lost_a_spare_and_a_bill_below_nothing() {
    let tail = |sets: &[&str]| {
        let sentence = plain(sets).sentence;
        sentence.split_once("running ").unwrap().1.to_owned()
    };
    // Nothing is paid by the token: people who use the API cost more than the machine.
    insta::assert_snapshot!(tail(&["api.fte=1"]), @"smollm2-135m on this machine costs 37.2 USD per million tokens, 1.37% of the 2,711 USD of openai/gpt-6.1-sol and the people who use it (4.67 USD by the token, frontier, checked 2026-10-14); it is the cheaper from the first request on.");
    // Each machine costs more than its tokens do at this API: the lead of its people is lost.
    let many = [
        "api.fte=0.03",
        "api.models=novita/meta-llama/llama-3.1-8b-instruct",
        "demand.requests_per_day=300000",
        "hardware.machines_max=20",
    ];
    insta::assert_snapshot!(tail(&many), @"smollm2-135m on 11 machines like this one costs 1.6 USD per million tokens, 5.32 times the 0.301 USD of novita/meta-llama/llama-3.1-8b-instruct and the people who use it (0.03 USD by the token, similar open model, checked 2026-10-18); it is the cheaper from the first request on, but no longer is the cheaper at this demand.");
    insta::assert_snapshot!(tail(&["hardware.spares=1"]), @"smollm2-135m on this machine and a spare costs 74.1 USD per million tokens, 15.9 times the 4.67 USD that openai/gpt-6.1-sol charges (frontier, checked 2026-10-14); it breaks even at 16,708 requests a day.");
    let sold = ["backfill.idle_share=0.9", "backfill.usd_per_million_tokens=50"];
    insta::assert_snapshot!(tail(&sold), @"smollm2-135m on this machine costs -1,960 USD per million tokens, below nothing because batch work pays more than all of it costs, beside the 4.67 USD that openai/gpt-6.1-sol charges (frontier, checked 2026-10-14); it is the cheaper from the first request on.");
}

#[test]
fn a_price_of_tomorrow_is_told() {
    let prices = freeweights_cost::Catalogue::bundled();
    let at = |day| {
        let scenario = crate::fixture::scenario("this-machine", &PLAIN);
        let records = [crate::fixture::record()];
        freeweights_cost::assess(&records, &scenario, &prices, day).unwrap().notes
    };
    let told = |notes: &[String]| notes.iter().any(|note| note.starts_with("Prices dated after"));
    assert!(!told(&at(crate::fixture::TODAY)));
    let early = at(jiff::civil::date(2026, 10, 1));
    insta::assert_snapshot!(early.iter().find(|note| note.starts_with("Prices dated")).unwrap(), @"Prices dated after today, 2026-10-01, whose dates cannot be right: openai/gpt-6.1-sol.");
}

#[test]
fn a_demand_that_needs_more_machines_is_compared_on_all_of_them() {
    // Nine machines at 250,000 requests a day, more than the one the preset looks at.
    let assessment = plain(&["demand.requests_per_day=250_000"]);
    let api = &assessment.apis[0];
    assert!(api.ratio.get() < 1.0, "{}", api.ratio.get());
    assert!(api.break_even_requests_per_day.is_some(), "{:?}", api.never_because);
}
