//! The years ahead, and the same demand held three ways.

use super::words::{columns_of, quantity, row_of};
use crate::grid::{Cell, Column, Grid};
use freeweights_cost::Assessment;
use freeweights_cost::people::{number, percent};
use freeweights_cost::scenario::HostingKind;
use freeweights_record::units::Fraction;

/// Demand, machines and both bills, year by year.
#[must_use]
pub fn outlook(assessments: &[Assessment]) -> Grid {
    let mut grid = Grid::new(columns_of([
        Column::number("year", "year"),
        Column::number("requests_per_year", "requests"),
        Column::number("machines", "machines"),
        Column::number("self_hosted_usd_per_year", "self-hosted USD").title_wraps(),
        Column::number("api_usd_per_year", "API USD").title_wraps(),
        Column::text("cheaper", "cheaper"),
    ]));
    for assessment in assessments {
        for ahead in &assessment.outlook {
            let cheaper = if ahead.self_hosted < ahead.api { "self-hosted" } else { "API" };
            let cells = [
                ahead.year.into(),
                quantity(Some(ahead.requests_per_year)),
                ahead.machines.get().into(),
                quantity(Some(ahead.self_hosted)),
                quantity(Some(ahead.api)),
                cheaper.into(),
            ];
            grid.push(row_of(assessment, cells));
        }
    }
    grid
}

/// Owned, colocated and rented, and the subscriptions of the scenario.
#[must_use]
pub fn tenures(assessments: &[Assessment]) -> Grid {
    let mut grid = Grid::new(columns_of([
        Column::text("held", "the same demand").wraps_at(24),
        Column::number("usd_per_year", "USD a year"),
        Column::number("blended_usd_per_mtok", "USD per million tokens").title_wraps(),
        Column::number("landlord_share", "to a landlord").title_wraps(),
        Column::text("note", "note").may_drop(1).wraps_at(30),
    ]));
    for assessment in assessments {
        for tenure in &assessment.tenures {
            let name = match tenure.kind {
                HostingKind::Own => "owned",
                HostingKind::Colo => "colocated",
                HostingKind::Rent => "rented",
            };
            let chosen = (tenure.kind == assessment.hosting).then_some("as the scenario has it");
            let share = |share: Fraction| Cell::shown(share.get(), percent(share.get()));
            let cells = [
                name.into(),
                quantity(tenure.usd_per_year),
                quantity(tenure.blended),
                tenure.landlord_share.map_or(Cell::Missing, share),
                tenure.unknown_because.as_deref().or(chosen).into(),
            ];
            grid.push(row_of(assessment, cells));
        }
        for plan in &assessment.plans {
            let note = format!(
                "{} seats; by the token {} would be {} USD",
                number(plan.seats.get()),
                plan.model,
                number(plan.metered_usd_per_year.get()),
            );
            let cells = [
                format!("plan {}", plan.name).into(),
                quantity(Some(plan.usd_per_year)),
                quantity(Some(plan.usd_per_year / assessment.demand.tokens_per_year)),
                Cell::Missing,
                note.into(),
            ];
            grid.push(row_of(assessment, cells));
        }
    }
    grid
}
