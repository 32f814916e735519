//! A catalogue of prices.

use super::words::quantity;
use crate::grid::{Cell, Column, Grid};
use freeweights_cost::ApiPrice;
use freeweights_cost::prices::DateBasis;
use jiff::civil::Date;

/// One row per price, with its date and its page.
///
/// Columns of cached, batched and long requests are for people only where some price has them. A
/// table too narrow for all columns keeps the plain prices and their date.
#[must_use]
pub fn prices(prices: &[ApiPrice], today: Date) -> Grid {
    let usd = |key: &str, title: &str| Column::number(key, title).title_wraps();
    let mut grid = Grid::new(vec![
        Column::text("id", "provider/model").wraps_at(24),
        usd("input_usd_per_mtok", "input USD/Mtok"),
        usd("output_usd_per_mtok", "output USD/Mtok"),
        usd("cache_read_usd_per_mtok", "cache read").may_drop(5),
        usd("cache_write_usd_per_mtok", "cache write").may_drop(6),
        usd("batch_input_usd_per_mtok", "batch input").may_drop(7),
        usd("batch_output_usd_per_mtok", "batch output").may_drop(7),
        usd("tier_above_tokens", "longer than").may_drop(8),
        usd("tier_input_usd_per_mtok", "input then").may_drop(8),
        usd("tier_output_usd_per_mtok", "output then").may_drop(8),
        Column::text("varies_in_day", "mean of day").title_wraps().may_drop(1),
        Column::text("open", "open weights").title_wraps().may_drop(4),
        Column::text("price_date", "price of"),
        Column::text("price_date_basis", "which is").may_drop(2),
        Column::text("stale", "stale").may_drop(1),
        Column::text("source", "source").may_drop(9).wraps_at(24),
    ]);
    for price in prices {
        grid.push(row(price, today));
    }
    for (key, told) in told(prices) {
        if !told {
            grid = grid.hide(key);
        }
    }
    grid
}

fn row(price: &ApiPrice, today: Date) -> Vec<Cell> {
    let basis = match price.date_basis {
        DateBasis::Checked => "checked",
        DateBasis::Catalogue => "catalogue",
    };
    let tier = price.tiers.first();
    vec![
        price.id().into(),
        quantity(Some(price.input)),
        quantity(Some(price.output)),
        quantity(price.cache_read),
        quantity(price.cache_write),
        quantity(price.batch.map(|batch| batch.input)),
        quantity(price.batch.map(|batch| batch.output)),
        tier.map(|tier| tier.above.get()).into(),
        quantity(tier.map(|tier| tier.rates.input)),
        quantity(tier.map(|tier| tier.rates.output)),
        price.varies_in_day.into(),
        price.open.into(),
        price.checked.to_string().into(),
        basis.into(),
        price.is_stale(today).into(),
        price.source.as_str().into(),
    ]
}

/// Which columns say something of some price.
fn told(prices: &[ApiPrice]) -> [(&'static str, bool); 8] {
    let any = |has: fn(&ApiPrice) -> bool| prices.iter().any(has);
    let batch = any(|price| price.batch.is_some());
    let tier = any(|price| !price.tiers.is_empty());
    [
        ("cache_read_usd_per_mtok", any(|price| price.cache_read.is_some())),
        ("cache_write_usd_per_mtok", any(|price| price.cache_write.is_some())),
        ("batch_input_usd_per_mtok", batch),
        ("batch_output_usd_per_mtok", batch),
        ("tier_above_tokens", tier),
        ("tier_input_usd_per_mtok", tier),
        ("tier_output_usd_per_mtok", tier),
        ("varies_in_day", any(|price| price.varies_in_day)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::Format;
    use freeweights_cost::Catalogue;
    use jiff::civil::date;

    const TODAY: Date = date(2026, 11, 22);

    fn text(ids: &[&str], format: Format, width: u16) -> String {
        let find = |id: &&str| Catalogue::bundled().find(id, TODAY).unwrap();
        let found: Vec<ApiPrice> = ids.iter().map(find).collect();
        prices(&found, TODAY).render(format, width).unwrap()
    }

    #[test]
    fn caches_batches_tiers_and_peaks_are_shown_where_there_are_any() {
        let ids = ["openai/gpt-6.1-sol", "deepseek/deepseek-v4-pro", "groq/llama-3.1-8b-instant"];
        insta::assert_snapshot!(text(&ids, Format::Table, 160), @r"
        provider/model               input    output     cache     cache     batch     batch   longer     input   output  mean of  open     price of    which is   stale
                                  USD/Mtok  USD/Mtok      read     write     input    output     than      then     then  day      weights
        ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
        openai/gpt-6.1-sol               2        10       0.1       2.5         1         5  272,000         4       15  no       no       2026-10-14  checked    no
        deepseek/deepseek-v4-pro     0.853      2.56    0.0284         -         -         -        -         -        -  yes      yes      2026-10-26  catalogue  no
        groq/llama-3.1-8b-instan      0.05      0.08         -         -         -         -        -         -        -  no       yes      2026-10-26  catalogue  no
        t
        not shown at this width: source
        ");
        insta::assert_snapshot!(text(&ids, Format::Table, 80), @r"
        provider/model               input    output  mean  price of    which is   stale
                                  USD/Mtok  USD/Mtok  of
                                                      day
        ────────────────────────────────────────────────────────────────────────────────
        openai/gpt-6.1-sol               2        10  no    2026-10-14  checked    no
        deepseek/deepseek-v4-pro     0.853      2.56  yes   2026-10-26  catalogue  no
        groq/llama-3.1-8b-instan      0.05      0.08  no    2026-10-26  catalogue  no
        t
        not shown at this width: cache read, cache write, batch input, batch output,
        longer than, input then, output then, open weights, source
        ");
        insta::assert_snapshot!(text(&ids[2..], Format::Table, 120), @r"
        provider/model               input    output  open weights  price of    which is   stale  source
                                  USD/Mtok  USD/Mtok
        ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────
        groq/llama-3.1-8b-instan      0.05      0.08  yes           2026-10-26  catalogue  no     https://console.groq.com
        t                                                                                         /docs/models
        ");
    }

    #[test]
    fn programs_get_every_column() {
        insta::assert_snapshot!(text(&["openai/gpt-6.1-sol", "groq/llama-3.1-8b-instant"], Format::Csv, 0), @r"
        id,input_usd_per_mtok,output_usd_per_mtok,cache_read_usd_per_mtok,cache_write_usd_per_mtok,batch_input_usd_per_mtok,batch_output_usd_per_mtok,tier_above_tokens,tier_input_usd_per_mtok,tier_output_usd_per_mtok,varies_in_day,open,price_date,price_date_basis,stale,source
        openai/gpt-6.1-sol,2,10,0.1,2.5,1,5,272000,4,15,false,false,2026-10-14,checked,false,https://developers.openai.com/api/docs/pricing
        groq/llama-3.1-8b-instant,0.05,0.08,,,,,,,,false,true,2026-10-26,catalogue,false,https://console.groq.com/docs/models
        ");
        let json = text(&["openai/gpt-6.1-sol"], Format::Json, 0);
        assert!(json.contains("\"tier_above_tokens\": 272000"), "{json}");
    }
}
