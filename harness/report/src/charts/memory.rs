//! Memory by what it holds.

use super::subject::{Names, is_good};
use super::{Chart, Plan};
use crate::error::ReportError;
use crate::grid::{Cell, Column, Grid};
use crate::svg::{Axis, Bar, PARTS, Row, rows};
use freeweights_record::Record;
use freeweights_record::units::Bytes;

/// Subjects that are drawn and listed.
const SHOWN: usize = 12;

/// What one case held at its peak.
struct Held {
    name: String,
    weights: Option<u64>,
    kv: Option<u64>,
    workspace: Option<u64>,
    /// The rest of the resident peak: the program itself, and what it keeps beside.
    rest: Option<u64>,
    peak: Option<u64>,
    device: Option<u64>,
}

impl Held {
    fn parts(&self) -> [(&'static str, Option<u64>); 4] {
        [
            ("weights", self.weights),
            ("KV cache", self.kv),
            ("workspace", self.workspace),
            ("everything else", self.rest),
        ]
    }
}

/// A bar a subject, of the case that needed most; none where no memory is known.
pub(super) fn memory(records: &[Record], names: &Names) -> Result<Option<Chart>, ReportError> {
    let mut all: Vec<Held> = Vec::new();
    for record in records.iter().filter(|record| is_good(record)) {
        let Some(held) = held(record, names) else { continue };
        match all.iter_mut().find(|other| other.name == held.name) {
            Some(other) if top(other) < top(&held) => *other = held,
            Some(_) => {}
            None => all.push(held),
        }
    }
    all.truncate(SHOWN);
    let Some(first) = all.first() else { return Ok(None) };
    let about = format!(
        "What memory held in the case that needed most of it: weights as the engine keeps them, keys and values, buffers, and the rest of the resident peak. {}: {} in all.",
        first.name,
        Bytes::new(top(first)).human(),
    );
    let axis = Axis::linear(0.0, all.iter().map(top).max().unwrap_or(1) as f64);
    let bars: Vec<Row> = all.iter().map(row).collect();
    Plan::new("memory", "Memory by part", about, table(&all))
        .draw(|size| rows(size, &bars, &axis, None))
        .map(Some)
}

fn held(record: &Record, names: &Names) -> Option<Held> {
    let bytes = |value: Option<Bytes>| value.map(Bytes::get);
    let (weights, kv, workspace) =
        (bytes(record.weights_bytes), bytes(record.kv_peak_bytes), bytes(record.workspace_bytes));
    let (peak, device) = (bytes(record.rss_peak_bytes), bytes(record.device_peak_bytes));
    let known: u64 = [weights, kv, workspace].into_iter().flatten().sum();
    // On a GPU the resident memory is not what holds the weights. Without a peak nobody knows what
    // was held in all, and parts that exceed it are counted otherwise than the peak.
    let whole = if &*record.device == "cpu" { peak } else { device };
    let rest = Some(whole?.checked_sub(known)?);
    let held = Held { name: names.subject(record), weights, kv, workspace, rest, peak, device };
    (top(&held) > 0).then_some(held)
}

fn top(held: &Held) -> u64 {
    held.parts().iter().filter_map(|(_, bytes)| *bytes).sum()
}

fn row(held: &Held) -> Row {
    let mut from = 0.0;
    let mut bars = Vec::new();
    for ((name, bytes), ink) in held.parts().into_iter().zip(PARTS) {
        let Some(bytes) = bytes.filter(|bytes| *bytes > 0) else { continue };
        let to = from + bytes as f64;
        bars.push(Bar { from, to, ink, told: format!("{name}: {}", Bytes::new(bytes).human()) });
        from = to;
    }
    let parts: Vec<String> = held
        .parts()
        .into_iter()
        .filter_map(|(name, bytes)| {
            Some(format!("{name} {}", Bytes::new(bytes.filter(|b| *b > 0)?).human()))
        })
        .collect();
    Row {
        name: held.name.clone(),
        more: format!(": {}", parts.join(", ")),
        figure: Bytes::new(top(held)).human(),
        bars,
        whisker: None,
    }
}

fn table(all: &[Held]) -> Grid {
    let mut grid = Grid::new(vec![
        Column::text("subject", "measured"),
        Column::number("weights_bytes", "weights"),
        Column::number("kv_peak_bytes", "KV cache"),
        Column::number("workspace_bytes", "workspace"),
        Column::number("rest_bytes", "everything else"),
        Column::number("rss_peak_bytes", "resident peak"),
        Column::number("device_peak_bytes", "device peak"),
    ]);
    let size = |value: Option<u64>| {
        value.map_or(Cell::Missing, |bytes| Cell::count(bytes, Bytes::new(bytes).human()))
    };
    for held in all {
        let mut row: Vec<Cell> = vec![held.name.as_str().into()];
        row.extend(held.parts().map(|(_, bytes)| size(bytes)));
        row.extend([size(held.peak), size(held.device)]);
        grid.push(row);
    }
    grid
}
