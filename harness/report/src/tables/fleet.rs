//! The tables of a simulated fleet.

use super::words::{quantity, time};
use crate::grid::{Cell, Column, Grid};
use freeweights_cost::fleet::{FleetAnswer, FleetSize, Outlook, Part};
use freeweights_cost::people::{percent, volume};

/// Latencies, use and cost by the number of replicas.
#[must_use]
pub fn fleet_sizes(answers: &[FleetAnswer]) -> Grid {
    let mut grid = Grid::new(vec![
        Column::data("model"),
        Column::data("engine"),
        Column::data("demand"),
        Column::data("objective"),
        Column::number("replicas", "replicas"),
        Column::data("spares"),
        Column::text("meets", "meets it"),
        Column::data("gave_up"),
        Column::number("ttft_p50_s", "TTFT p50"),
        Column::number("ttft_p95_s", "p95"),
        Column::number("ttft_p99_s", "p99").may_drop(4),
        Column::number("tpot_p50_s", "TPOT p50"),
        Column::number("tpot_p95_s", "p95"),
        Column::number("tpot_p99_s", "p99").may_drop(5),
        Column::number("e2e_p50_s", "latency p50").title_wraps().may_drop(3),
        Column::number("e2e_p95_s", "p95").may_drop(2),
        Column::number("e2e_p99_s", "p99").may_drop(6),
        Column::data("goodput_rps"),
        Column::number("met_share", "goodput").may_drop(1),
        Column::number("utilisation", "busy"),
        Column::data("mean_batch"),
        Column::data("mean_in_flight"),
        Column::data("cached_share"),
        Column::number("usd_per_year", "USD a year").title_wraps(),
        Column::number("usd_per_mtok", "USD/Mtok"),
    ]);
    for answer in answers {
        for size in &answer.sizes {
            grid.push(size_row(answer, size));
        }
    }
    grid
}

fn size_row(answer: &FleetAnswer, size: &FleetSize) -> Vec<Cell> {
    let share = |value: f64| Cell::shown(value, percent(value));
    vec![
        answer.model.as_str().into(),
        answer.engine.as_str().into(),
        answer.demand_name.as_str().into(),
        answer.objective.as_str().into(),
        u64::from(size.replicas.get()).into(),
        u64::from(answer.spares.get()).into(),
        Cell::Flag(size.meets),
        Cell::Flag(size.gave_up),
        time(size.ttft_s.p50),
        time(size.ttft_s.p95),
        time(size.ttft_s.p99),
        time(size.tpot_s.p50),
        time(size.tpot_s.p95),
        time(size.tpot_s.p99),
        time(size.e2e_s.p50),
        time(size.e2e_s.p95),
        time(size.e2e_s.p99),
        quantity(Some(size.goodput_rps)),
        share(size.met_share.get()),
        share(size.utilisation.get()),
        quantity(Some(size.mean_batch)),
        quantity(Some(size.in_flight)),
        quantity(Some(size.cached_share)),
        quantity(Some(size.usd_per_year)),
        quantity(Some(size.usd_per_mtok)),
    ]
}

/// What the demand costs, held in every way and at every API.
#[must_use]
pub fn fleet_costs(answers: &[FleetAnswer]) -> Grid {
    let mut grid = Grid::new(vec![
        Column::data("model"),
        Column::data("engine"),
        Column::text("who", "the same demand"),
        Column::text("class", "class").may_drop(1),
        Column::number("machines", "machines"),
        Column::number("reserved", "reserved").may_drop(2),
        Column::number("usd_per_year", "USD a year"),
        Column::number("usd_per_mtok", "USD/Mtok"),
        Column::text("about", "price of").wraps_at(30),
    ]);
    for answer in answers {
        for way in &answer.ways {
            grid.push(vec![
                answer.model.as_str().into(),
                answer.engine.as_str().into(),
                way.way.words().into(),
                "self-hosted".into(),
                quantity(Some(way.machines)),
                way.reserved.map(|count| u64::from(count.get())).into(),
                quantity(way.usd_per_year),
                quantity(way.usd_per_mtok),
                way.note.clone().into(),
            ]);
        }
        for api in &answer.apis {
            let stale = if api.stale { " stale" } else { "" };
            grid.push(vec![
                answer.model.as_str().into(),
                answer.engine.as_str().into(),
                api.id.as_str().into(),
                api.class.to_string().into(),
                Cell::Missing,
                Cell::Missing,
                quantity(Some(api.usd_per_year)),
                quantity(Some(api.usd_per_mtok)),
                format!("{}{stale}", api.dated).into(),
            ]);
        }
    }
    grid
}

/// The day, or the trace, part by part.
#[must_use]
pub fn fleet_profile(answers: &[FleetAnswer]) -> Grid {
    let mut grid = profile_grid();
    for part in answers.iter().flat_map(|answer| &answer.profile) {
        grid.push(part_row(part));
    }
    grid
}

fn profile_grid() -> Grid {
    Grid::new(vec![
        Column::number("from_s", "from"),
        Column::number("requests_per_s", "requests/s"),
        Column::number("mean_in_flight", "in flight"),
        Column::number("busy_replicas", "busy replicas"),
        Column::number("paid_replicas", "paid replicas"),
        Column::number("utilisation", "busy"),
    ])
}

fn part_row(part: &Part) -> Vec<Cell> {
    vec![
        time(Some(part.from_s)),
        quantity(Some(part.requests_per_s)),
        quantity(Some(part.in_flight)),
        Cell::number(part.busy_replicas),
        Cell::number(part.paid_replicas),
        part.utilisation
            .map_or(Cell::Missing, |share| Cell::shown(share.get(), percent(share.get()))),
    ]
}

/// Machines and bills of the years ahead.
#[must_use]
pub fn fleet_fan(outlook: &Outlook) -> Grid {
    let mut grid = Grid::new(vec![
        Column::number("week", "week"),
        Column::number("demand_p10", "demand P10"),
        Column::number("demand_p50", "P50"),
        Column::number("demand_p90", "P90"),
        Column::number("machines_p10", "machines P10"),
        Column::number("machines_p50", "P50"),
        Column::number("machines_p90", "P90"),
        Column::number("usd_per_year_p10", "USD a year P10").title_wraps(),
        Column::number("usd_per_year_p50", "P50"),
        Column::number("usd_per_year_p90", "P90"),
    ]);
    for point in &outlook.fan {
        let (demand, machines, usd) = (point.demand, point.machines, point.usd_per_year);
        let count =
            |machines: freeweights_cost::figure::Machines| Cell::from(u64::from(machines.get()));
        grid.push(vec![
            u64::from(point.week).into(),
            quantity(Some(demand.p10)),
            quantity(Some(demand.p50)),
            quantity(Some(demand.p90)),
            count(machines.p10),
            count(machines.p50),
            count(machines.p90),
            quantity(Some(usd.p10)),
            quantity(Some(usd.p50)),
            quantity(Some(usd.p90)),
        ]);
    }
    grid
}

/// What comes of each commitment level.
#[must_use]
pub fn fleet_levels(outlook: &Outlook) -> Grid {
    let mut grid = Grid::new(vec![
        Column::number("level_percent", "ordered for"),
        Column::number("usd_per_year", "USD a year, mean").title_wraps(),
        Column::number("spend_p10_usd", "P10").may_drop(2),
        Column::number("spend_p50_usd", "P50").may_drop(3),
        Column::number("spend_p90_usd", "P90").may_drop(1),
        Column::number("too_early_usd", "bought too early").title_wraps(),
        Column::number("turned_away_usd", "turned away").title_wraps(),
        Column::number("turned_away_share", "of requests"),
        Column::text("best", "cheapest"),
    ]);
    for level in &outlook.levels {
        let rank = level.level.get();
        let share = level.turned_away_share.get();
        grid.push(vec![
            Cell::shown(rank, format!("P{}", freeweights_cost::people::number(rank))),
            quantity(Some(level.usd_per_year)),
            quantity(Some(level.spend.p10)),
            quantity(Some(level.spend.p50)),
            quantity(Some(level.spend.p90)),
            quantity(Some(level.too_early)),
            quantity(Some(level.turned_away)),
            Cell::shown(share, percent(share)),
            Cell::Flag(level.level == outlook.best.level),
        ]);
    }
    grid
}

/// Tokens of a year in words, for captions.
pub(crate) fn tokens_a_year(answer: &FleetAnswer) -> String {
    volume(answer.tokens_per_year.get())
}
