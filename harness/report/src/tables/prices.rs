//! A catalogue of prices.

use super::words::quantity;
use crate::grid::{Column, Grid};
use freeweights_cost::ApiPrice;
use freeweights_cost::prices::DateBasis;
use jiff::civil::Date;

/// One row per price, with its date and its page.
#[must_use]
pub fn prices(prices: &[ApiPrice], today: Date) -> Grid {
    let mut grid = Grid::new(vec![
        Column::text("id", "provider/model").wraps_at(24),
        Column::number("input_usd_per_mtok", "input USD/Mtok").title_wraps(),
        Column::number("output_usd_per_mtok", "output USD/Mtok").title_wraps(),
        Column::text("open", "open weights").title_wraps().may_drop(3),
        Column::text("price_date", "price of"),
        Column::text("price_date_basis", "which is").may_drop(2),
        Column::text("stale", "stale").may_drop(1),
        Column::text("source", "source").may_drop(4).wraps_at(24),
    ]);
    for price in prices {
        let basis = match price.date_basis {
            DateBasis::Checked => "checked",
            DateBasis::Catalogue => "catalogue",
        };
        grid.push(vec![
            price.id().into(),
            quantity(Some(price.input)),
            quantity(Some(price.output)),
            price.open.into(),
            price.checked.to_string().into(),
            basis.into(),
            price.is_stale(today).into(),
            price.source.as_str().into(),
        ]);
    }
    grid
}
