//! Models, engines and machines by what their tokens cost.

use super::words::{interval, model, quantity, time};
use crate::grid::{Cell, Column, Grid};
use freeweights_cost::Assessment;

/// One row an assessment, the cheapest first on machines that are never idle, with the point it was
/// measured at.
#[must_use]
pub fn leaderboard(assessments: &[Assessment]) -> Grid {
    let mut grid = Grid::new(vec![
        Column::number("rank", "#"),
        Column::text("model", "model").wraps_at(16),
        Column::text("quant", "quant").lifts(),
        Column::text("engine", "engine").lifts(),
        Column::text("device", "device").lifts().may_drop(6),
        Column::number("threads", "threads").lifts().may_drop(5),
        Column::number("saturated_usd_per_mtok", "USD/Mtok never idle").title_wraps(),
        Column::text("saturated_ci95", "95%").for_people().may_drop(3),
        Column::data("saturated_low_usd_per_mtok"),
        Column::data("saturated_high_usd_per_mtok"),
        Column::number("usd_per_mtok", "at this demand").title_wraps(),
        Column::number("batch", "batch"),
        Column::number("measured_isl", "isl").may_drop(7),
        Column::number("measured_osl", "osl").may_drop(7),
        Column::number("prefill_tps", "prefill tok/s").title_wraps().may_drop(4),
        Column::number("decode_tps", "decode tok/s").title_wraps(),
        Column::number("ttft_s", "TTFT").may_drop(8),
        Column::data("run_id"),
        Column::data("case_id"),
    ]);
    let mut sorted: Vec<&Assessment> = assessments.iter().collect();
    sorted.sort_by(|a, b| {
        let usd = |one: &Assessment| one.saturated.blended.value.get();
        usd(a).total_cmp(&usd(b))
    });
    for (rank, one) in (1_u64..).zip(sorted) {
        let (never_idle, point) = (&one.saturated.blended, &one.operating_point);
        grid.push(vec![
            Cell::Whole(rank),
            model(&one.model).into(),
            one.quant.as_deref().map(str::to_owned).into(),
            one.engine.as_str().into(),
            one.device.as_str().into(),
            one.threads.into(),
            quantity(Some(never_idle.value)),
            interval(never_idle.low, never_idle.high),
            quantity(never_idle.low),
            quantity(never_idle.high),
            quantity(Some(one.cost.blended.value)),
            point.batch.into(),
            point.measured_isl.get().into(),
            point.measured_osl.get().into(),
            quantity(point.prefill.as_ref().map(|rate| rate.value)),
            quantity(point.decode.as_ref().map(|rate| rate.value)),
            time(point.ttft_s),
            point.run_id.as_str().into(),
            point.case_id.as_str().into(),
        ]);
    }
    grid
}
