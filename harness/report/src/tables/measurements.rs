//! What was measured: one row per case.

use super::words::{interval, model, peak_memory, quantity, size, time};
use crate::grid::{Cell, Column, Grid};
use freeweights_record::units::Tokens;
use freeweights_record::{Record, Status};

/// One row per case; `±` is the sample standard deviation, `95%` the interval of the mean.
///
/// `summary.csv` has all columns of a record; these are the ones people look at.
#[must_use]
pub fn measurements(records: &[Record]) -> Grid {
    let mut grid = Grid::new(vec![
        Column::text("engine", "engine").lifts().may_drop(2),
        Column::text("device", "device").lifts().may_drop(7),
        Column::number("threads", "threads").lifts().may_drop(7),
        Column::text("model", "model").lifts().wraps_at(16),
        Column::text("quant", "quant").lifts().may_drop(3),
        Column::number("isl", "isl"),
        Column::number("osl", "osl"),
        Column::number("depth", "depth").lifts().may_drop(7),
        Column::number("batch", "batch"),
        Column::text("prompts", "prompts").lifts().may_drop(7),
        Column::number("prefill_mean_tps", "prefill tok/s").title_wraps(),
        Column::number("prefill_stddev_tps", "prefill ±").title_wraps().may_drop(9),
        Column::number("prefill_ci95", "prefill 95%").title_wraps().for_people().may_drop(6),
        Column::data("prefill_ci95_low_tps"),
        Column::data("prefill_ci95_high_tps"),
        Column::number("decode_mean_tps", "decode tok/s").title_wraps(),
        Column::number("decode_stddev_tps", "decode ±").title_wraps().may_drop(8),
        Column::number("decode_ci95", "decode 95%").title_wraps().for_people().may_drop(5),
        Column::data("decode_ci95_low_tps"),
        Column::data("decode_ci95_high_tps"),
        Column::number("ttft_mean_s", "TTFT").may_drop(3),
        Column::number("peak_bytes", "peak memory").title_wraps().may_drop(4),
        Column::text("status", "status").lifts().may_drop(2),
        Column::data("error"),
    ]);
    for record in records {
        grid.push(row(record));
    }
    // Where all read the same there is nothing to tell apart.
    let mixed = records.windows(2).any(|pair| pair[0].prompts != pair[1].prompts);
    if mixed { grid } else { grid.hide("prompts") }
}

fn row(record: &Record) -> Vec<Cell> {
    let tokens = |count: Option<Tokens>| Cell::from(count.map(Tokens::get));
    vec![
        record.engine.as_str().into(),
        record.device.as_str().into(),
        record.threads.into(),
        model(&record.model).into(),
        record.quant.as_deref().map(str::to_owned).into(),
        tokens(record.isl),
        tokens(record.osl),
        tokens(record.depth),
        record.batch.into(),
        record.prompts.as_deref().map(str::to_owned).into(),
        quantity(record.prefill_mean_tps),
        quantity(record.prefill_stddev_tps),
        interval(record.prefill_ci95_low_tps, record.prefill_ci95_high_tps),
        quantity(record.prefill_ci95_low_tps),
        quantity(record.prefill_ci95_high_tps),
        quantity(record.decode_mean_tps),
        quantity(record.decode_stddev_tps),
        interval(record.decode_ci95_low_tps, record.decode_ci95_high_tps),
        quantity(record.decode_ci95_low_tps),
        quantity(record.decode_ci95_high_tps),
        time(record.ttft_mean_s),
        size(peak_memory(record)),
        status(record.status).into(),
        record.error.as_deref().map(str::to_owned).into(),
    ]
}

pub(crate) const fn status(status: Status) -> &'static str {
    match status {
        Status::Ok => "ok",
        Status::Failed => "failed",
        Status::Interrupted => "interrupted",
    }
}
