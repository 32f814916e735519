//! Every figure in use, with its label, its source and its date.

use super::words::{numbers, unit};
use crate::grid::{Cell, Column, Grid};
use freeweights_cost::{Assessment, ListedFigure};

/// Every figure in use; one that several assessments share is listed once.
#[must_use]
pub fn assumptions(assessments: &[Assessment]) -> Grid {
    listed_figures(assessments.iter().flat_map(|assessment| &assessment.figures))
}

/// Figures with their labels, sources and dates, each listed once.
#[must_use]
pub fn listed_figures<'a>(figures: impl IntoIterator<Item = &'a ListedFigure>) -> Grid {
    let mut grid = Grid::new(vec![
        Column::text("name", "figure").wraps_at(15),
        Column::number("value", "value"),
        Column::data("low"),
        Column::data("high"),
        Column::text("range", "within").for_people().may_drop(2),
        Column::text("unit", "unit").wraps_at(8),
        Column::text("label", "label"),
        Column::text("source", "source").wraps_at(14),
        Column::text("checked", "date").may_drop(1),
    ]);
    let mut listed: Vec<&ListedFigure> = Vec::new();
    for figure in figures {
        if listed.contains(&figure) {
            continue;
        }
        listed.push(figure);
        grid.push(vec![
            (&*figure.name).into(),
            Cell::number(figure.value),
            figure.low.into(),
            figure.high.into(),
            numbers(figure.low, figure.high),
            unit(&figure.unit).into(),
            figure.label.to_string().into(),
            figure.source.as_str().into(),
            figure.checked.as_deref().into(),
        ]);
    }
    grid
}
