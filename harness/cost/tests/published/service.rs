//! T6, a machine by the hour, and T8, a service from its demand to its prices.

use crate::case::Case;
use freeweights_cost::allocation::{Allocation, split, token_prices};
use freeweights_cost::bill::{Bill, ComponentKind, Tenure, Terms};
use freeweights_cost::figure::Machines;
use freeweights_cost::finance::{yearly_capital_cost, yearly_maintenance};
use freeweights_cost::packing::servers_for;
use freeweights_cost::sizing::{busiest_hour_rate, machines_for};
use freeweights_record::units::{
    Days, Fraction, Hours, Ratio, RequestsPerDay, RequestsPerSecond, Tokens, Usd,
    UsdPerKilowattHour, UsdPerYear, Watts, Years,
};
use serde::Deserialize;

/// The bill of machines that are busy for so many hours together.
fn bill(tenure: Tenure, machines: Machines, hours: Hours, busy: Hours) -> Bill {
    Terms::of_machines(tenure, hours).bill(machines, busy).unwrap()
}

/// Straight-line depreciation: no residual, no interest.
fn straight_line(price: Usd, life: Years) -> UsdPerYear {
    yearly_capital_cost(price, Usd::new(0.0), Fraction::new(0.0), life).unwrap()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Accelerator {
    cny_per_usd: f64,
    price_cny: f64,
    life_years: Years,
    watts: Watts,
    pue: Ratio,
    cny_per_kwh: f64,
    maintenance_share: Fraction,
    hours_per_year: Hours,
}

#[test]
fn t6_an_accelerator_by_the_hour() {
    let mut case = Case::<Accelerator>::read(include_str!("cases/t6.toml"));
    let inputs = case.inputs();
    let price = Usd::new(inputs.price_cny / inputs.cny_per_usd);
    let tenure = Tenure::Own {
        capital: straight_line(price, inputs.life_years),
        maintenance: yearly_maintenance(price, inputs.maintenance_share),
        colocation: UsdPerYear::new(0.0),
        idle: inputs.watts,
        load: inputs.watts,
        pue: inputs.pue,
        electricity: UsdPerKilowattHour::new(inputs.cny_per_kwh / inputs.cny_per_usd),
    };
    let hours = inputs.hours_per_year;
    let year = bill(tenure, Machines::new(1), hours, hours);
    let hour = |usd: UsdPerYear| usd.get() / hours.get();
    let total = year.total_usd_per_year;
    case.check("hour", hour(total));
    case.check_as_stated("hour", "unrounded", hour(total));
    for (name, kind) in [
        ("capital", ComponentKind::Capital),
        ("energy", ComponentKind::EnergyActive),
        ("maintenance", ComponentKind::Maintenance),
    ] {
        case.check(name, hour(year.of(kind)));
        case.check(&format!("{name} share"), year.of(kind) / total * 100.0);
    }
    case.finish();
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Service {
    requests_per_day: RequestsPerDay,
    days_per_year: Days,
    busiest_hour_share: Fraction,
    requests_per_s_per_instance: RequestsPerSecond,
    gpus_per_instance: u32,
    gpus_per_server: u32,
    server_usd: Usd,
    life_years: Years,
    yearly_usd: Vec<UsdPerYear>,
    isl: Tokens,
    osl: Tokens,
    ratio: f64,
}

#[test]
fn t8_a_small_service() {
    let mut case = Case::<Service>::read(include_str!("cases/t8.toml"));
    let inputs = case.inputs();
    let peak = busiest_hour_rate(inputs.requests_per_day, inputs.busiest_hour_share);
    let instances = machines_for(peak, inputs.requests_per_s_per_instance);
    let (gpus, size) = (inputs.gpus_per_instance, inputs.gpus_per_server);
    let servers = servers_for(instances, gpus, size, Machines::new(0)).unwrap();
    // The source knows no electricity: what is paid is paid by the year.
    let yearly: UsdPerYear = inputs.yearly_usd.iter().copied().sum();
    let rent = straight_line(inputs.server_usd, inputs.life_years) + yearly;
    let nothing = Hours::new(0.0);
    let bill = bill(Tenure::Rent { rent }, servers, nothing, nothing).total_usd_per_year;
    let (isl, osl) = (inputs.isl, inputs.osl);
    let requests = inputs.requests_per_day * inputs.days_per_year;
    let tokens = requests * (isl + osl);
    let parts = split(bill, Allocation::Ratio(inputs.ratio), isl, osl, Fraction::new(0.0));
    let (input, output) = token_prices(parts, requests, isl, osl);

    case.check("peak", peak.get());
    case.check("instances", instances.as_f64());
    case.check("servers", servers.as_f64());
    case.check("bill", bill.get());
    case.check("tokens", tokens.get());
    case.check("blended price", (bill / tokens).get());
    case.check("input price", input.get());
    case.check("output price", output.get());
    case.check("thousand requests", (bill / requests).get() * 1_000.0);
    case.finish();
}
