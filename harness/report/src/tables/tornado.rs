//! What one input does to the cost, everything else held.

use super::words::{columns_of, quantity, row_of, unit};
use crate::grid::{Cell, Column, Grid};
use freeweights_cost::people::number;
use freeweights_cost::{Assessment, Swing};

/// Inputs that people are shown; CSV has them all.
const SHOWN: usize = 8;

/// Each input with a range, the one that matters most first.
#[must_use]
pub fn tornado(assessments: &[Assessment]) -> Grid {
    table(assessments, usize::MAX)
}

/// The inputs that matter most.
#[must_use]
pub fn tornado_for_people(assessments: &[Assessment]) -> Grid {
    table(assessments, SHOWN)
}

fn table(assessments: &[Assessment], most: usize) -> Grid {
    let mut grid = Grid::new(columns_of([
        Column::text("input", "one at a time").wraps_at(31),
        Column::data("low"),
        Column::data("value"),
        Column::data("high"),
        Column::text("range", "from – to").for_people().may_drop(8),
        Column::data("unit"),
        Column::number("cost_at_low_usd_per_mtok", "USD/Mtok at low").title_wraps(),
        Column::number("cost_at_high_usd_per_mtok", "at high").title_wraps(),
        Column::text("bar", "swing").for_people().may_drop(3),
        Column::number("ratio_at_low", "times API at low").title_wraps().may_drop(5),
        Column::number("ratio_at_high", "at high").title_wraps().may_drop(4),
    ]));
    for assessment in assessments {
        let widest = assessment.tornado.iter().map(size).fold(0.0, f64::max);
        for swing in assessment.tornado.iter().take(most) {
            let cells = [
                swing.name.as_str().into(),
                swing.low.into(),
                swing.value.into(),
                swing.high.into(),
                format!("{} – {}", number(swing.low), number(swing.high)).into(),
                unit(&swing.unit).into(),
                quantity(Some(swing.cost_at_low)),
                quantity(Some(swing.cost_at_high)),
                bar(size(swing), widest),
                swing.ratio_at_low.into(),
                swing.ratio_at_high.into(),
            ];
            grid.push(row_of(assessment, cells));
        }
    }
    grid
}

fn size(swing: &Swing) -> f64 {
    (swing.cost_at_high - swing.cost_at_low).get().abs()
}

/// A bar of up to twelve blocks; the smallest swing that is one has a dot.
fn bar(size: f64, widest: f64) -> Cell {
    const BLOCKS: f64 = 12.0;
    if widest <= 0.0 || size <= 0.0 {
        return Cell::Missing;
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 0 and the number of blocks"
    )]
    let blocks = (size / widest * BLOCKS).round() as usize;
    if blocks == 0 { "·".into() } else { "█".repeat(blocks).into() }
}
