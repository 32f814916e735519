//! Scenarios, prices, traces and ledgers.

use crate::{bounded, parted, text};
use freeweights_cost::prices::import;
use freeweights_cost::trace::{ColumnMap, Trace};
use freeweights_cost::{Catalogue, Scenario, assess_all, ledger::Ledger, scenario};
use freeweights_record::units::{Tokens, UsdPerMillionTokens};
use freeweights_record::{Record, read_summary_from};
use jiff::civil::{Date, date};
use std::sync::LazyLock;

const TODAY: Date = date(2026, 11, 22);

static RECORDS: LazyLock<Vec<Record>> = LazyLock::new(|| {
    const TEXT: &str =
        include_str!("../../../results/runs/2026-11-22-xeon-2cpu-f114d49/summary.csv");
    read_summary_from(TEXT.as_bytes()).expect("a published run")
});

static CATALOGUE: LazyLock<Catalogue> = LazyLock::new(Catalogue::bundled);

fn assessed(records: &[Record], scenario: &Scenario) {
    for assessment in assess_all(records, scenario, &CATALOGUE, TODAY, None) {
        // Either it costs so much, or there is a sentence.
        if let Ok(assessment) = assessment {
            serde_json::to_string(&assessment).expect("an assessment can be written");
        }
    }
}

/// A scenario, and what it makes of a record.
pub fn scenario(data: &[u8]) {
    // Outside the bounds: they are read once.
    let _ = (RECORDS.len(), CATALOGUE.list("gpt", TODAY));
    bounded(data, || {
        let Some(Ok(scenario)) = text(data).map(|text| scenario::load(text, "fuzz", &[])) else {
            return;
        };
        let _ = (scenario.figures(), scenario.fleet_figures());
        assessed(&RECORDS[..1], &scenario);
    });
}

/// Records of a stranger, and what they cost at home.
pub fn costed(data: &[u8]) {
    let _ = (RECORDS.len(), CATALOGUE.list("gpt", TODAY));
    bounded(data, || {
        let Ok(records) = read_summary_from(data) else { return };
        let scenario = Scenario::preset("this-machine", &[]).expect("an embedded preset");
        assessed(&records[..records.len().min(2)], &scenario);
    });
}

/// A list of prices.
pub fn prices(data: &[u8]) {
    bounded(data, || {
        let Some(Ok(found)) = text(data).map(|text| import(text, "fuzz", TODAY)) else { return };
        for price in &found.prices {
            let _ = (price.id(), price.is_stale(TODAY), price.dated());
            let _ = price.clone().in_tier_of(Tokens::new(1_000_000));
        }
    });
}

fn asked(trace: &Trace) {
    let price = UsdPerMillionTokens::new(1.0);
    let _ = (trace.demand(), trace.busiest_minute(), trace.prefix_hits());
    let _ = (trace.median_isl(), trace.median_osl(), trace.cost(price, price));
    let _ = trace.prefix_blocks(trace.len() - 1);
    let mut scenario = Scenario::preset("this-machine", &[]).expect("an embedded preset");
    // The demand of a trace is a scenario's, or a sentence.
    let _ = scenario.follow(trace, "fuzz");
}

/// A trace.
pub fn trace(data: &[u8]) {
    bounded(data, || {
        if let Some(Ok(trace)) = text(data).map(Trace::parse) {
            asked(&trace);
        }
    });
}

/// A mapping, and a trace that it maps.
pub fn trace_mapped(data: &[u8]) {
    let (map, csv) = parted(data);
    bounded(data, || {
        let (Some(Ok(map)), Some(csv)) = (text(map).map(str::parse::<ColumnMap>), text(csv)) else {
            return;
        };
        if let Ok(trace) = Trace::parse_mapped(csv, &map) {
            asked(&trace);
        }
    });
}

/// A ledger.
pub fn ledger(data: &[u8]) {
    bounded(data, || {
        let Some(Ok(ledger)) = text(data).map(Ledger::from_csv) else { return };
        let _ = (ledger.per_model(), ledger.per_year(), ledger.total());
    });
}
