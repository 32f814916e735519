//! A ledger, per model and per year.

use super::words::quantity;
use crate::grid::{Cell, Column, Grid};
use freeweights_cost::ledger::{Flows, Ledger};
use freeweights_cost::people::percent;
use freeweights_record::units::{Fraction, Usd};

/// Each model by itself, then the company year by year and over all years.
#[must_use]
pub fn ledger(ledger: &Ledger) -> Grid {
    let mut grid = Grid::new(vec![
        Column::text("view", "view"),
        Column::text("of", "of").wraps_at(24),
        Column::number("training_usd", "training USD").title_wraps(),
        Column::number("inference_usd", "inference USD").title_wraps(),
        Column::number("revenue_usd", "revenue USD").title_wraps(),
        Column::number("result_usd", "result USD").title_wraps(),
        Column::number("margin", "margin").may_drop(1),
    ]);
    for line in ledger.per_model() {
        // A model that has not earned yet has no result: that is an open end and no loss.
        let margin = line.result.and(line.flows.margin());
        let result = quantity(line.result);
        grid.push(row("model", line.model, &line.flows, result, share(margin)));
    }
    let whole = |view: &str, of: String, flows: &Flows| {
        row(view, of, flows, quantity(Some(flows.result())), share(flows.margin()))
    };
    for line in ledger.per_year() {
        grid.push(whole("company", line.year.to_string(), &line.flows));
    }
    grid.push(whole("company", "all years".to_owned(), &ledger.total()));
    grid
}

fn row(view: &str, of: String, flows: &Flows, result: Cell, margin: Cell) -> Vec<Cell> {
    vec![
        view.into(),
        of.into(),
        amount(flows.training),
        amount(flows.inference),
        amount(flows.revenue),
        result,
        margin,
    ]
}

/// A flow, or nothing where it did not happen.
fn amount(flow: Usd) -> Cell {
    quantity((flow.get() > 0.0).then_some(flow))
}

fn share(share: Option<Fraction>) -> Cell {
    share.map_or(Cell::Missing, |share| Cell::shown(share.get(), percent(share.get())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::Format;

    #[test]
    fn each_model_earns_its_cost_back_and_the_company_does_not() {
        let text = "year,model,training_usd,revenue_usd\n1,a,100e6,\n2,a,,200e6\n2,b,1e9,\n3,b,,2e9\n3,c,10e9,\n";
        let grid = ledger(&Ledger::from_csv(text).unwrap());
        insta::assert_snapshot!(grid.render(Format::Table, 80).unwrap(), @r"
        view     of           training USD  inference USD    revenue USD      result USD
        ────────────────────────────────────────────────────────────────────────────────
        model    a             100,000,000              -    200,000,000     100,000,000
        model    b           1,000,000,000              -  2,000,000,000   1,000,000,000
        model    c          10,000,000,000              -              -               -
        company  1             100,000,000              -              -    -100,000,000
        company  2           1,000,000,000              -    200,000,000    -800,000,000
        company  3          10,000,000,000              -  2,000,000,000  -8,000,000,000
        company  all years  11,100,000,000              -  2,200,000,000  -8,900,000,000
        not shown at this width: margin
        ");
    }
}
