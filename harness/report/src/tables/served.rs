//! What was seen of a server: one row per case.

use super::measurements::status;
use super::words::{interval, model, quantity, time};
use crate::grid::{Cell, Column, Grid};
use freeweights_record::Record;
use freeweights_record::units::Tokens;

/// One row per case: the load, the latencies of requests, and the throughput in the window at full
/// load. `summary.csv` has all columns.
#[must_use]
pub fn served(records: &[Record]) -> Grid {
    let mut grid = Grid::new(vec![
        Column::text("model", "model").lifts().wraps_at(16),
        Column::text("load", "load"),
        Column::number("isl", "isl"),
        Column::number("osl", "osl"),
        Column::text("prefix", "prefix").lifts().may_drop(7),
        Column::number("requests", "requests").may_drop(5),
        Column::number("requests_failed", "failed").may_drop(2),
        Column::number("ttft_p50_s", "TTFT p50").title_wraps(),
        Column::number("ttft_p99_s", "TTFT p99").title_wraps().may_drop(4),
        Column::number("tpot_p50_s", "TPOT p50").title_wraps(),
        Column::number("tpot_p99_s", "TPOT p99").title_wraps().may_drop(4),
        Column::number("e2e_mean_s", "e2e mean").title_wraps().may_drop(6),
        Column::number("decode_mean_tps", "output tok/s").title_wraps(),
        Column::number("decode_ci95", "95%").for_people().may_drop(3),
        Column::data("decode_ci95_low_tps"),
        Column::data("decode_ci95_high_tps"),
        Column::number("requests_per_s", "requests/s").title_wraps().may_drop(2),
        Column::number("goodput_rps", "good/s").may_drop(3),
        Column::text("status", "status").lifts().may_drop(2),
        Column::data("errors"),
        Column::data("error"),
    ]);
    for record in records {
        grid.push(row(record));
    }
    let bounded = records.iter().any(|record| record.goodput_rps.is_some());
    if bounded { grid } else { grid.hide("goodput_rps") }
}

/// `4 in flight`, `2/s poisson`, `trace at 5.5/s`.
fn load(record: &Record) -> String {
    let arrival = record.arrival.as_deref().unwrap_or_default();
    match (record.concurrency, record.rate_rps) {
        (Some(concurrency), _) => format!("{concurrency} in flight"),
        (None, Some(rate)) if arrival == "trace" => format!("trace, {:.3}/s", rate.get()),
        (None, Some(rate)) => format!("{:.3}/s {arrival}", rate.get()),
        (None, None) => arrival.to_owned(),
    }
}

fn row(record: &Record) -> Vec<Cell> {
    let tokens = |count: Option<Tokens>| Cell::from(count.map(Tokens::get));
    let text = |text: Option<&str>| Cell::from(text.map(str::to_owned));
    vec![
        model(&record.model).into(),
        load(record).into(),
        tokens(record.isl),
        tokens(record.osl),
        text(record.prefix.as_deref()),
        record.requests.into(),
        record.requests_failed.into(),
        time(record.ttft_p50_s),
        time(record.ttft_p99_s),
        time(record.tpot_p50_s),
        time(record.tpot_p99_s),
        time(record.e2e_mean_s),
        quantity(record.decode_mean_tps),
        interval(record.decode_ci95_low_tps, record.decode_ci95_high_tps),
        quantity(record.decode_ci95_low_tps),
        quantity(record.decode_ci95_high_tps),
        quantity(record.requests_per_s),
        quantity(record.goodput_rps),
        status(record.status).into(),
        text(record.errors.as_deref()),
        text(record.error.as_deref()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Format;
    use freeweights_record::Status;
    use freeweights_record::units::{RequestsPerSecond, Seconds, TokensPerSecond};

    #[test]
    fn loads_of_every_kind_stand_in_one_table() {
        let closed = Record {
            model: "m".into(),
            arrival: Some("closed".into()),
            concurrency: Some(4),
            isl: Some(Tokens::new(128)),
            osl: Some(Tokens::new(64)),
            prefix: Some("bust".into()),
            requests: Some(120),
            requests_failed: Some(0),
            ttft_p50_s: Some(Seconds::new(0.012)),
            ttft_p99_s: Some(Seconds::new(0.034)),
            tpot_p50_s: Some(Seconds::new(0.005)),
            decode_mean_tps: Some(TokensPerSecond::new(800.0)),
            requests_per_s: Some(RequestsPerSecond::new(12.5)),
            ..Record::default()
        };
        let open = Record {
            arrival: Some("poisson".into()),
            concurrency: None,
            rate_rps: Some(RequestsPerSecond::new(2.0)),
            goodput_rps: Some(RequestsPerSecond::new(1.9)),
            ..closed.clone()
        };
        let failed = Record {
            arrival: Some("trace".into()),
            rate_rps: Some(RequestsPerSecond::new(5.53)),
            status: Status::Failed,
            ..Record { model: "m".into(), ..Record::default() }
        };
        let grid = served(&[closed, open, failed]);
        insta::assert_snapshot!(grid.render(Format::Table, 140).unwrap());
    }
}
