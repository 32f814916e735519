//! How figures read in the tables.

use crate::grid::{Cell, Column};
use freeweights_cost::Assessment;
use freeweights_cost::people::number;
use freeweights_record::Record;
use freeweights_record::units::{Bytes, Quantity, Seconds};

/// A quantity, or nothing.
pub(super) fn quantity<Q: Quantity>(value: Option<Q>) -> Cell {
    value.map(Quantity::as_f64).into()
}

/// The ends of an interval: `390–410`.
pub(super) fn interval<Q: Quantity>(low: Option<Q>, high: Option<Q>) -> Cell {
    numbers(low.map(Quantity::as_f64), high.map(Quantity::as_f64))
}

/// The ends of a range of bare numbers.
pub(super) fn numbers(low: Option<f64>, high: Option<f64>) -> Cell {
    match (low, high) {
        (Some(low), Some(high)) => format!("{}–{}", number(low), number(high)).into(),
        _ => Cell::Missing,
    }
}

/// A time in seconds, read in milliseconds below one.
pub(super) fn time(value: Option<Seconds>) -> Cell {
    let Some(seconds) = value.map(Seconds::get) else { return Cell::Missing };
    let shown = if seconds.abs() < 1.0 {
        format!("{} ms", number(seconds * 1e3))
    } else {
        format!("{} s", number(seconds))
    };
    Cell::shown(seconds, shown)
}

/// A size in bytes, read with a binary prefix.
pub(super) fn size(value: Option<Bytes>) -> Cell {
    value.map_or(Cell::Missing, |bytes| Cell::shown(bytes.as_f64(), bytes.human()))
}

/// What the model of a record needed at its peak: on the GPU where it ran on one.
pub(super) fn peak_memory(record: &Record) -> Option<Bytes> {
    record.device_peak_bytes.or(record.rss_peak_bytes)
}

/// A model without the word that says where it came from.
pub(super) fn model(name: &str) -> &str {
    name.strip_prefix("hf:").unwrap_or(name)
}

/// `1` is the unit of a share.
pub(super) fn unit(symbol: &str) -> &str {
    if symbol == "1" { "share" } else { symbol }
}

/// Columns that say which assessment a row is of, for programs: people read it above the table.
pub(super) fn whose_columns() -> Vec<Column> {
    ["model", "engine", "device", "threads", "scenario"].map(Column::data).into()
}

/// The cells of [`whose_columns`].
pub(super) fn whose(assessment: &Assessment) -> Vec<Cell> {
    vec![
        model(&assessment.model).into(),
        assessment.engine.as_str().into(),
        assessment.device.as_str().into(),
        assessment.threads.into(),
        assessment.scenario.as_str().into(),
    ]
}

/// A row that begins with [`whose`].
pub(super) fn row_of<const N: usize>(assessment: &Assessment, cells: [Cell; N]) -> Vec<Cell> {
    let mut row = whose(assessment);
    row.extend(cells);
    row
}

/// Columns that begin with [`whose_columns`].
pub(super) fn columns_of<const N: usize>(columns: [Column; N]) -> Vec<Column> {
    let mut all = whose_columns();
    all.extend(columns);
    all
}
