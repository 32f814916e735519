//! Every figure in use, with its label, its source and its date.

use crate::grid::{Cell, Column, Grid};
use freeweights_cost::{Assessment, ListedFigure};

/// Every figure in use; one that several assessments share is listed once.
#[must_use]
pub fn assumptions(assessments: &[Assessment]) -> Grid {
    let mut grid = Grid::new(vec![
        Column::text("name", "figure").wraps_at(15),
        Column::number("value", "value"),
        Column::text("unit", "unit").wraps_at(8),
        Column::text("label", "label"),
        Column::text("source", "source").wraps_at(14),
        Column::text("checked", "date").may_drop(1),
    ]);
    let mut listed: Vec<&ListedFigure> = Vec::new();
    for figure in assessments.iter().flat_map(|assessment| &assessment.figures) {
        if listed.contains(&figure) {
            continue;
        }
        listed.push(figure);
        grid.push(vec![
            figure.name.as_str().into(),
            Cell::number(figure.value),
            unit(&figure.unit).into(),
            figure.label.to_string().into(),
            figure.source.as_str().into(),
            figure.checked.clone().into(),
        ]);
    }
    grid
}

/// `1` is the unit of a share.
fn unit(symbol: &str) -> &str {
    if symbol == "1" { "share" } else { symbol }
}
