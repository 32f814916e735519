//! The answer in one plain sentence.

use super::answer::FleetAnswer;
use super::ways::{Way, WayCost};
use crate::people::{number, percent, volume};
use crate::scenario::HostingKind;

/// How many replicas, how busy, for how much, beside what an API charges.
pub(super) fn sentence(answer: &FleetAnswer) -> String {
    let count = answer.replicas.get();
    let replicas = if count == 1 { "1 replica".to_owned() } else { format!("{count} replicas") };
    let spares = match answer.spares.get() {
        0 => String::new(),
        1 => " and a spare".to_owned(),
        spares => format!(" and {spares} spares"),
    };
    let held = match answer.hosting {
        HostingKind::Own => "owned",
        HostingKind::Colo => "colocated",
        HostingKind::Rent => "rented",
    };
    let meets = if answer.fleet.meets { "meet" } else { "do not meet" };
    let verb = match (count + answer.spares.get(), answer.fleet.meets) {
        (1, true) => "meets",
        (1, false) => "does not meet",
        _ => meets,
    };
    let mut text = format!(
        "{replicas}{spares} of {} on {} {verb} {} under {} ({} requests a day, {} tokens in and {} out on average), {} busy, for {} USD a year {held} ({} USD per million tokens)",
        answer.model,
        answer.engine,
        answer.objective,
        answer.demand_name,
        volume(answer.requests_per_day.get()),
        number(answer.demand.isl.get()),
        number(answer.demand.osl.get()),
        percent(answer.fleet.utilisation.get()),
        number(answer.fleet.usd_per_year.get()),
        number(answer.fleet.usd_per_mtok.get()),
    );
    if let Some(api) = answer.apis.iter().find(|api| Some(&api.id) == answer.main_api.as_ref()) {
        let stale = if api.stale { ", stale" } else { "" };
        let charged = format!(
            "; {} charges {} USD a year for the same ({} USD per million, {}, {}{stale})",
            api.id,
            number(api.usd_per_year.get()),
            number(api.usd_per_mtok.get()),
            api.class,
            api.dated,
        );
        text.push_str(&charged);
    }
    if let Some((way, usd)) = cheapest(&answer.ways)
        && usd < answer.fleet.usd_per_year.get()
    {
        let cheaper = format!("; cheapest is {} at {} USD", way.words(), number(usd));
        text.push_str(&cheaper);
    }
    text.push('.');
    text
}

/// The cheapest way that sells nothing on the side.
fn cheapest(ways: &[WayCost]) -> Option<(Way, f64)> {
    ways.iter()
        .filter(|way| way.way != Way::Backfilled)
        .filter_map(|way| Some((way.way, way.usd_per_year?.get())))
        .min_by(|a, b| a.1.total_cmp(&b.1))
}
