//! Drawn scenarios: P5, P50 and P95 of each headline, and the odds against each API.

use super::words::{columns_of, row_of, unit};
use crate::grid::{Cell, Column, Grid};
use freeweights_cost::Assessment;
use freeweights_cost::people::percent;
use freeweights_record::units::Fraction;

/// P5, P50 and P95 of each headline, and in how many scenarios there is one.
#[must_use]
pub fn drawn(assessments: &[Assessment]) -> Grid {
    let mut grid = Grid::new(columns_of([
        Column::data("draws"),
        Column::data("seed"),
        Column::data("key"),
        Column::text("headline", "drawn scenarios").wraps_at(28),
        Column::number("p5", "P5"),
        Column::number("p50", "P50"),
        Column::number("p95", "P95"),
        Column::text("unit", "unit").may_drop(2),
        Column::number("exists", "of scenarios").title_wraps(),
    ]));
    for assessment in assessments {
        let Some(simulation) = &assessment.simulation else { continue };
        let (draws, seed) = (simulation.draws, simulation.seed);
        for headline in &simulation.headlines {
            let figure =
                |p: f64| if headline.unit == Fraction::SYMBOL { share(p) } else { p.into() };
            let cells = [
                draws.into(),
                seed.into(),
                headline.key.as_str().into(),
                headline.name.as_str().into(),
                figure(headline.p5),
                figure(headline.p50),
                figure(headline.p95),
                unit(&headline.unit).into(),
                share(headline.exists.get()),
            ];
            grid.push(row_of(assessment, cells));
        }
    }
    grid
}

/// In how many of the drawn scenarios self-hosting is cheaper than each API.
#[must_use]
pub fn odds(assessments: &[Assessment]) -> Grid {
    let mut grid = Grid::new(columns_of([
        Column::data("draws"),
        Column::data("seed"),
        Column::text("api", "self-hosting is cheaper than"),
        Column::number("self_hosting_cheaper", "of scenarios"),
    ]));
    for assessment in assessments {
        let Some(simulation) = &assessment.simulation else { continue };
        for odds in &simulation.odds {
            let cells = [
                simulation.draws.into(),
                simulation.seed.into(),
                odds.api.as_str().into(),
                share(odds.self_hosting_cheaper.get()),
            ];
            grid.push(row_of(assessment, cells));
        }
    }
    grid
}

fn share(value: f64) -> Cell {
    Cell::shown(value, percent(value))
}
