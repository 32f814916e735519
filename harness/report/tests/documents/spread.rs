//! Other ways to hold a machine, the years ahead, the tornado, drawn scenarios.

use crate::fixture::drawn;
use freeweights_report::{CostTable, Format, cost_table, tables};

#[test]
fn tenures_and_years_at_100() {
    let assessments = drawn();
    insta::assert_snapshot!(tables::tenures(&assessments).render(Format::Table, 100).unwrap(), @r"
    the same demand  USD a year  USD per million tokens  to a landlord  note
    ──────────────────────────────────────────────────────────────────────────────────────────
    owned                 4,828                    68.9             0%  as the scenario has it
    colocated             4,835                      69         0.141%  -
    rented                5,640                    80.5          15.9%  -
    ");
    insta::assert_snapshot!(tables::outlook(&assessments).render(Format::Table, 100).unwrap(), @r"
    year  requests  machines  self-hosted USD  API USD  cheaper
    ───────────────────────────────────────────────────────────
       1   365,000         1            4,828      2.1  API
       2   365,000         1            4,828     1.05  API
       3   365,000         1            4,828    0.526  API
       4   365,000         1            4,828    0.263  API
    ");
}

#[test]
fn the_tornado_at_120_and_at_60() {
    let grid = tables::tornado_for_people(&drawn());
    insta::assert_snapshot!(grid.render(Format::Table, 120).unwrap(), @r"
    one at a time               from – to          USD/Mtok at low  at high  swing         times API at low  at high
    ────────────────────────────────────────────────────────────────────────────────────────────────────────────────
    demand.requests_per_day     300 – 3,000                    230       23  ████████████             7,655      766
    staff.fte                   0.0125 – 0.05                 35.1      137  ██████                   1,169    4,551
    staff.salary_usd_per_year   100,000 – 175,000             52.1     90.3  ██                       1,738    3,010
    hardware.price_factor       0.8 – 1.3                     68.6     69.3  ·                        2,288    2,309
    hardware.life_years         3 – 6                         69.2     68.6  ·                        2,306    2,287
    hardware.maintenance_share  0.03 – 0.1                    68.8     69.1  ·                        2,294    2,303
    hardware.residual_share     0.02 – 0.25                     69     68.8  ·                        2,299    2,292
    hardware.cost_of_capital    0.05 – 0.12                   68.8       69  ·                        2,294    2,300
    ");
    insta::assert_snapshot!(grid.render(Format::Table, 60).unwrap(), @r"
    one at a time               USD/Mtok  at high  swing
                                  at low
    ───────────────────────────────────────────────────────────
    demand.requests_per_day          230       23  ████████████
    staff.fte                       35.1      137  ██████
    staff.salary_usd_per_year       52.1     90.3  ██
    hardware.price_factor           68.6     69.3  ·
    hardware.life_years             69.2     68.6  ·
    hardware.maintenance_share      68.8     69.1  ·
    hardware.residual_share           69     68.8  ·
    hardware.cost_of_capital        68.8       69  ·
    not shown at this width: from – to, times API at low, at
    high
    ");
}

#[test]
fn drawn_scenarios_at_100() {
    let assessments = drawn();
    insta::assert_snapshot!(tables::drawn(&assessments).render(Format::Table, 100).unwrap(), @r"
    drawn scenarios                  P5      P50     P95  unit         of scenarios
    ───────────────────────────────────────────────────────────────────────────────
    cost, blended                  18.9       70     281  USD/Mtok             100%
    cost, input                    8.95     33.2     133  USD/Mtok             100%
    cost, output                   38.7      144     577  USD/Mtok             100%
    cost of a request           0.00362   0.0134   0.054  USD/request          100%
    bill of a year                2,313    4,851   9,757  USD/year             100%
    machines                          1        1       1  machines             100%
    utilisation                  0.219%   0.733%   2.11%  share                100%
    times the API's bill            533    2,141   9,710  ratio                100%
    saved over the years ahead  -38,721  -17,783  -8,227  USD                  100%
    ");
    insta::assert_snapshot!(tables::odds(&assessments).render(Format::Table, 100).unwrap(), @r"
    self-hosting is cheaper than                 of scenarios
    ─────────────────────────────────────────────────────────
    novita/meta-llama/llama-3.1-8b-instruct                0%
    openrouter/meta-llama/llama-3.2-1b-instruct            0%
    openai/gpt-6.1-sol                                  0.05%
    anthropic/claude-opus-5-5                            1.2%
    ");
}

#[test]
fn every_table_stands_alone_in_every_format() {
    let assessments = drawn();
    for table in [
        CostTable::Cost,
        CostTable::Bill,
        CostTable::Tenures,
        CostTable::Outlook,
        CostTable::Tornado,
        CostTable::Drawn,
        CostTable::Odds,
        CostTable::Figures,
    ] {
        let text = |format| cost_table(&assessments, table, format, 80).unwrap();
        let rows = text(Format::Csv).lines().count() - 1;
        assert!(rows > 0, "{table:?}");
        let json: serde_json::Value = serde_json::from_str(&text(Format::Json)).unwrap();
        assert_eq!(json.as_array().unwrap().len(), rows, "{table:?}");
        assert!(text(Format::Md).starts_with('|'), "{table:?}: {}", text(Format::Md));
    }
}
