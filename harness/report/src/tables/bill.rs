//! What a year costs, by component.

use super::words::model;
use crate::grid::{Cell, Column, Grid};
use freeweights_cost::Assessment;
use freeweights_cost::people::percent;

/// The yearly bill by component, with its total last.
#[must_use]
pub fn bill(assessments: &[Assessment]) -> Grid {
    let mut grid = Grid::new(vec![
        Column::text("model", "model").lifts(),
        Column::text("engine", "engine").lifts(),
        Column::data("device"),
        Column::data("threads"),
        Column::data("scenario"),
        Column::text("component", "component"),
        Column::number("usd_per_year", "USD a year"),
        Column::number("share", "share"),
    ]);
    for assessment in assessments {
        let mut push = |name: String, usd: f64, share: f64| {
            grid.push(vec![
                model(&assessment.model).into(),
                assessment.engine.as_str().into(),
                assessment.device.as_str().into(),
                assessment.threads.into(),
                assessment.scenario.as_str().into(),
                name.into(),
                Cell::number(usd),
                Cell::shown(share, percent(share)),
            ]);
        };
        for part in &assessment.bill.components {
            push(part.kind.to_string(), part.usd_per_year.get(), part.share.get());
        }
        push("total".to_owned(), assessment.bill.total_usd_per_year.get(), 1.0);
    }
    grid
}
