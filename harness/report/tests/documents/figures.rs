//! Every figure in use.

use crate::fixture::default;
use freeweights_report::{Format, tables};

/// The first rows: the whole list is the scenario's.
fn first(text: &str) -> String {
    text.lines().take(16).collect::<Vec<_>>().join("\n")
}

#[test]
fn assumptions_at_120_and_at_60() {
    let grid = tables::assumptions(&default());
    insta::assert_snapshot!(first(&grid.render(Format::Table, 120).unwrap()), @r"
    figure                          value  within           unit          label     source                        date
    ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
    demand.requests_per_day         1,000  300–3,000        requests/day  assumed   round number: fifty people,   2026-11
                                                                                    twenty requests each
    demand.days_per_year              365  -                day           assumed   every day of the year         2026-11
    demand.isl                        128  -                tokens        given     --set                         -
    demand.osl                         64  -                tokens        given     --set                         -
    demand.peak_to_mean              1.53  -                ratio         assumed   Azure LLM inference trace     2023-11
                                                                                    2023, conversation: 507 /
                                                                                    331.8 requests a minute
    demand.cached_share                 0  -                share         assumed   prompts have nothing in       2026-11
                                                                                    common
    demand.cache_write_share            0  -                share         assumed   prompts have nothing in       2026-11
                                                                                    common
    demand.growth_per_year              0  -0.3–1           share         assumed   judgement: as many requests   2026-11
                                                                                    next year, perhaps twice as
    ");
    insta::assert_snapshot!(first(&grid.render(Format::Table, 60).unwrap()), @r"
    figure             value  unit      label     source
    ────────────────────────────────────────────────────────────
    demand.requests    1,000  requests  assumed   round number:
    _per_day                  /day                fifty people,
                                                  twenty
                                                  requests each
    demand.days_per      365  day       assumed   every day of
    _year                                         the year
    demand.isl           128  tokens    given     --set
    demand.osl            64  tokens    given     --set
    demand.peak_to_     1.53  ratio     assumed   Azure LLM
    mean                                          inference
                                                  trace 2023,
                                                  conversation:
                                                  507 / 331.8
                                                  requests a
    ");
    insta::assert_snapshot!(first(&grid.render(Format::Csv, 60).unwrap()), @r#"
    name,value,low,high,unit,label,source,checked
    demand.requests_per_day,1000,300,3000,requests/day,assumed,"round number: fifty people, twenty requests each",2026-11
    demand.days_per_year,365,,,day,assumed,every day of the year,2026-11
    demand.isl,128,,,tokens,given,--set,
    demand.osl,64,,,tokens,given,--set,
    demand.peak_to_mean,1.528,,,ratio,assumed,"Azure LLM inference trace 2023, conversation: 507 / 331.8 requests a minute",2023-11
    demand.cached_share,0,,,share,assumed,prompts have nothing in common,2026-11
    demand.cache_write_share,0,,,share,assumed,prompts have nothing in common,2026-11
    demand.growth_per_year,0,-0.3,1,share,assumed,"judgement: as many requests next year, perhaps twice as many",2026-11
    demand.elasticity,1,,,%/%,assumed,judgement: the value at which spend does not move,2026-11
    hardware.price_factor,1,0.8,1.3,ratio,assumed,judgement: street prices around the table's,2026-11
    hardware.life_years,4,3,6,year,assumed,InferenceX launch article: 4 years,2025
    hardware.residual_share,0.1,0.02,0.25,share,assumed,judgement: sold for a tenth of its price,2026-11
    hardware.cost_of_capital,0.08,0.05,0.12,share,assumed,judgement: between a bank loan and a company's hurdle rate,2026-11
    hardware.maintenance_share,0.05,0.03,0.1,share,assumed,"low end of 5-15%, Lenovo LP2368 uses 12% with a support contract",2026-01-15
    hardware.usable_share,1,,,share,assumed,"one machine, one queue: as measured",2026-11
    "#);
    let rows = grid.render(Format::Csv, 60).unwrap().lines().count() - 1;
    assert_eq!(rows, default()[0].figures.len());
}
