//! Cases over time.

use super::compared::{key_cells, key_columns, rate, ratio, verdict};
use super::measurements::status;
use super::words::quantity;
use crate::grid::{Cell, Column, Grid};
use freeweights_record::compare::{CaseKey, Change, Compared, History, HistoryPoint};

/// One row per rate, case and run, in the order of time.
#[must_use]
pub fn history(history: &History) -> Grid {
    let keys: Vec<&CaseKey> = history.points.iter().map(|point| &point.key).collect();
    let mut columns = vec![Column::number("row", "#").for_people()];
    columns.extend(key_columns(&keys));
    columns.extend([
        Column::text("of", "rate"),
        Column::text("started_at", "started").may_drop(4),
        Column::text("run", "run").wraps_at(20),
        Column::text("git_commit", "commit").may_drop(5),
        Column::number("samples", "samples").may_drop(6),
        Column::text("status", "status").may_drop(7),
        Column::number("typical_tps", "tok/s"),
    ]);
    for (name, title) in [("from_previous", "since before"), ("from_first", "since first")] {
        columns.extend([
            Column::number(format!("{name}_ratio"), title).title_wraps(),
            Column::data(format!("{name}_ratio_low")),
            Column::data(format!("{name}_ratio_high")),
            Column::text(format!("{name}_verdict"), "verdict"),
            Column::data(format!("{name}_reason")),
        ]);
    }
    let mut grid = Grid::new(columns);
    for (row, point) in (1_u64..).zip(&history.points) {
        grid.push(cells(row, point));
    }
    grid
}

fn cells(row: u64, point: &HistoryPoint) -> Vec<Cell> {
    let mut cells = vec![row.into()];
    cells.extend(key_cells(&point.key));
    cells.extend([
        match point.of {
            // Of a case without rates people want to know how it ended.
            Compared::Ending => {
                let shown = format!("({})", status(point.status));
                Cell::Named { text: rate(point.of).to_owned(), shown }
            }
            of => rate(of).into(),
        },
        started(&point.started_at),
        point.run.as_str().into(),
        point.git_commit.clone().into(),
        point.samples.into(),
        status(point.status).into(),
        quantity(point.typical_tps),
    ]);
    cells.extend(since(point.from_previous.as_ref()));
    cells.extend(since(point.from_first.as_ref()));
    cells
}

/// A moment, read to the minute.
fn started(moment: &str) -> Cell {
    let shown = moment.get(..16).unwrap_or(moment).replace('T', " ");
    Cell::Named { text: moment.to_owned(), shown }
}

fn since(change: Option<&Change>) -> [Cell; 5] {
    let Some(change) = change else { return std::array::from_fn(|_| Cell::Missing) };
    [
        ratio(change.ratio),
        quantity(change.ratio_low),
        quantity(change.ratio_high),
        verdict(change.verdict),
        change.reason.as_ref().map(ToString::to_string).into(),
    ]
}
