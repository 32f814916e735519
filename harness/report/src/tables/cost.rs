//! What tokens cost here and at APIs.

use super::words::{interval, model, quantity};
use crate::grid::{Cell, Column, Grid};
use freeweights_cost::people::volume;
use freeweights_cost::scenario::HostingKind;
use freeweights_cost::{ApiComparison, Assessment, UnitCost};

/// The self-hosted machine at this demand and never idle, and each API beside it.
#[must_use]
pub fn cost(assessments: &[Assessment]) -> Grid {
    let mut grid = Grid::new(vec![
        Column::text("model", "model").lifts().may_drop(4),
        Column::text("engine", "engine").lifts().may_drop(5),
        Column::data("device"),
        Column::data("threads"),
        Column::data("scenario"),
        Column::data("requests_per_day"),
        Column::data("isl"),
        Column::data("osl"),
        Column::text("who", "USD per million tokens").wraps_at(22),
        Column::text("class", "class").may_drop(6).wraps_at(12),
        Column::number("input_usd_per_mtok", "input"),
        Column::number("output_usd_per_mtok", "output"),
        Column::number("blended_usd_per_mtok", "blended"),
        Column::text("blend", "blended in:out").lifts().may_drop(9),
        Column::number("blended_ci95", "blended 95%").title_wraps().for_people().may_drop(7),
        Column::data("blended_low_usd_per_mtok"),
        Column::data("blended_high_usd_per_mtok"),
        Column::number("usd_per_request", "USD a request").title_wraps().may_drop(9),
        Column::number("usd_per_year", "USD a year").title_wraps().may_drop(2),
        Column::number("self_hosted_over_api", "times API").title_wraps().may_drop(3),
        Column::data("break_even_requests_per_day"),
        Column::data("break_even_tokens_per_month"),
        Column::data("break_even_years"),
        Column::data("break_even_utilisation"),
        Column::data("net_present_saving_usd"),
        Column::data("last_winning_year"),
        Column::number("break_even", "break-even req/day").title_wraps().for_people(),
        Column::number("break_even_tokens", "tokens a month")
            .title_wraps()
            .for_people()
            .may_drop(8),
        Column::data("never_because"),
        Column::text("price_date", "price of").wraps_at(11).may_drop(1),
        Column::data("price_date_basis"),
        Column::data("price_stale"),
        Column::data("price_source"),
    ]);
    for assessment in assessments {
        let year = Cell::number(assessment.bill.total_usd_per_year.get());
        let here = here(assessment);
        grid.push(own(assessment, &here, &assessment.cost, year));
        grid.push(own(
            assessment,
            &format!("{here}, never idle"),
            &assessment.saturated,
            Cell::Missing,
        ));
        for api in &assessment.apis {
            grid.push(other(assessment, api));
        }
    }
    grid
}

fn here(assessment: &Assessment) -> String {
    let machines = assessment.fleet.serving.plus(assessment.fleet.spares).get();
    match (assessment.hosting, machines) {
        (HostingKind::Rent, 1) => "rented machine".to_owned(),
        (HostingKind::Rent, count) => format!("{count} rented machines"),
        (_, 1) => "this machine".to_owned(),
        (_, count) => format!("{count} such machines"),
    }
}

/// The cells every row of an assessment begins with.
fn head(assessment: &Assessment) -> Vec<Cell> {
    vec![
        model(&assessment.model).into(),
        assessment.engine.as_str().into(),
        assessment.device.as_str().into(),
        assessment.threads.into(),
        assessment.scenario.as_str().into(),
        assessment.demand.requests_per_day.get().into(),
        assessment.demand.isl.get().into(),
        assessment.demand.osl.get().into(),
    ]
}

fn own(assessment: &Assessment, who: &str, cost: &UnitCost, year: Cell) -> Vec<Cell> {
    let mut row = head(assessment);
    row.extend([
        who.into(),
        "self-hosted".into(),
        quantity(Some(cost.input.value)),
        quantity(Some(cost.output.value)),
        quantity(Some(cost.blended.value)),
        assessment.blend.as_str().into(),
        interval(cost.blended.low, cost.blended.high),
        quantity(cost.blended.low),
        quantity(cost.blended.high),
        Cell::number(cost.per_request.value.get()),
        year,
    ]);
    row
}

fn other(assessment: &Assessment, api: &ApiComparison) -> Vec<Cell> {
    let mut row = head(assessment);
    row.extend([
        api.price.id().into(),
        api.class.to_string().into(),
        quantity(Some(api.price.input)),
        quantity(Some(api.price.output)),
        quantity(Some(api.blended)),
        assessment.blend.as_str().into(),
        Cell::Missing,
        Cell::Missing,
        Cell::Missing,
        Cell::number(api.per_request.get()),
        Cell::number(api.usd_per_year.get()),
        Cell::number(api.ratio.get()),
        quantity(api.break_even_requests_per_day),
        quantity(api.break_even_tokens_per_month),
        quantity(api.break_even_time),
        quantity(api.break_even_utilisation),
        quantity(Some(api.net_present_saving)),
        api.last_winning_year.into(),
        break_even(api),
        break_even_tokens(api),
        api.never_because.clone().into(),
        price_date(api),
        basis(api).into(),
        api.stale.into(),
        api.price.source.as_str().into(),
    ]);
    row
}

fn break_even(api: &ApiComparison) -> Cell {
    match api.break_even_requests_per_day {
        Some(requests) => Cell::number(requests.get()),
        None => "never".into(),
    }
}

fn break_even_tokens(api: &ApiComparison) -> Cell {
    api.break_even_tokens_per_month
        .map_or(Cell::Missing, |tokens| Cell::shown(tokens.get(), volume(tokens.get())))
}

fn price_date(api: &ApiComparison) -> Cell {
    let date = api.price.checked.to_string();
    let catalogue = if basis(api) == "catalogue" { " (catalogue)" } else { "" };
    let stale = if api.stale { " stale" } else { "" };
    Cell::Named { shown: format!("{date}{catalogue}{stale}"), text: date }
}

const fn basis(api: &ApiComparison) -> &'static str {
    match api.price.date_basis {
        freeweights_cost::prices::DateBasis::Checked => "checked",
        freeweights_cost::prices::DateBasis::Catalogue => "catalogue",
    }
}
