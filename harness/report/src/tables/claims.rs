//! The claims, one a row.

use super::words::numbers;
use crate::grid::{Cell, Column, Grid};
use freeweights_cost::claims::{ClaimAnswer, ClaimAnswers, reading};
use freeweights_record::units::Fraction;

/// Each claim, its verdict, the number that answers it and the one that would flip it.
#[must_use]
pub fn claims(groups: &[ClaimAnswers]) -> Grid {
    let mut grid = Grid::new(vec![
        Column::data("model"),
        Column::data("engine"),
        Column::data("device"),
        Column::data("threads"),
        Column::data("scenario"),
        Column::text("id", "id"),
        Column::text("title", "claim").wraps_at(20),
        Column::text("verdict", "verdict").wraps_at(12),
        Column::number("number", "number").for_people().wraps_at(14),
        Column::data("value"),
        Column::data("low"),
        Column::data("high"),
        Column::text("range", "within").for_people().may_drop(3),
        Column::data("unit"),
        Column::text("what", "of").wraps_at(16).may_drop(1),
        Column::number("flips", "flips at").for_people().wraps_at(14),
        Column::data("threshold"),
        Column::data("threshold_unit"),
        Column::text("threshold_what", "of that").wraps_at(16).may_drop(2),
        Column::data("sentence"),
        Column::data("needs"),
    ]);
    for group in groups {
        for answer in &group.answers {
            grid.push(row(group, answer));
        }
    }
    grid
}

fn row(group: &ClaimAnswers, answer: &ClaimAnswer) -> Vec<Cell> {
    // What was not measured has no number of ours, only those of the claim.
    let first = answer.figures.first().filter(|_| answer.needs.is_none());
    let threshold = answer.threshold.as_ref();
    vec![
        group.model.as_str().into(),
        group.engine.as_str().into(),
        group.device.as_str().into(),
        group.threads.into(),
        group.scenario.as_str().into(),
        answer.id.name().into(),
        answer.title.as_str().into(),
        answer.verdict.to_string().into(),
        first.map(|figure| in_unit(figure.value, &figure.unit)).into(),
        first.map(|figure| figure.value).into(),
        first.and_then(|figure| figure.low).into(),
        first.and_then(|figure| figure.high).into(),
        first.map_or(Cell::Missing, |figure| match figure.unit.as_str() {
            Fraction::SYMBOL => percentages(figure.low, figure.high),
            _ => numbers(figure.low, figure.high),
        }),
        first.map(|figure| figure.unit.as_str()).into(),
        first.map(|figure| figure.what.as_str()).into(),
        threshold.map(|at| in_unit(at.value, &at.unit)).into(),
        threshold.map(|at| at.value).into(),
        threshold.map(|at| at.unit.as_str()).into(),
        threshold.map(|at| at.what.as_str()).into(),
        answer.sentence.as_str().into(),
        answer.needs.as_deref().into(),
    ]
}

/// A number with its unit; a share and a ratio have none to show.
fn in_unit(value: f64, unit: &str) -> String {
    let number = reading(value, unit);
    match unit {
        Fraction::SYMBOL => number,
        "ratio" => format!("{number} times"),
        _ => format!("{number} {unit}"),
    }
}

fn percentages(low: Option<f64>, high: Option<f64>) -> Cell {
    let percent = |share| reading(share, Fraction::SYMBOL);
    low.zip(high)
        .map_or(Cell::Missing, |(low, high)| format!("{}–{}", percent(low), percent(high)).into())
}
