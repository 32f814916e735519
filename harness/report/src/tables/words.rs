//! How figures read in the tables.

use crate::grid::Cell;
use freeweights_cost::people::number;
use freeweights_record::Record;
use freeweights_record::units::{Bytes, Quantity, Seconds};

/// A quantity, or nothing.
pub(super) fn quantity<Q: Quantity>(value: Option<Q>) -> Cell {
    value.map(Quantity::as_f64).into()
}

/// The ends of an interval: `390–410`.
pub(super) fn interval<Q: Quantity>(low: Option<Q>, high: Option<Q>) -> Cell {
    match (low, high) {
        (Some(low), Some(high)) => {
            format!("{}–{}", number(low.as_f64()), number(high.as_f64())).into()
        }
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
