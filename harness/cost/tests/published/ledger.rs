//! T10, the ledger and the priced traces.

use crate::case::Case;
use freeweights_cost::ledger::Ledger;
use freeweights_cost::trace::Trace;
use freeweights_record::units::{Usd, UsdPerMillionTokens};
use serde::Deserialize;
use std::path::PathBuf;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Books {
    ledger: String,
    input_usd_per_million: UsdPerMillionTokens,
    output_usd_per_million: UsdPerMillionTokens,
    traces: Vec<String>,
}

#[test]
fn t10_ledger_and_traces() {
    let mut case = Case::<Books>::read(include_str!("cases/t10.toml"));
    let ledger = Ledger::from_csv(&case.inputs().ledger).unwrap();
    for line in ledger.per_year() {
        case.check(&format!("company in year {}", line.year), line.flows.result().get());
    }
    let models: Vec<_> =
        ledger.per_model().into_iter().map(|line| line.result.map(Usd::get)).collect();
    case.check("first model", models[0].unwrap());
    case.check("second model", models[1].unwrap());
    assert_eq!(models[2], None);
    for name in case.inputs().traces.clone() {
        let Some(text) = trace_text(&name) else { continue };
        let trace = Trace::parse(&text).unwrap();
        let Books { input_usd_per_million, output_usd_per_million, .. } = case.inputs();
        let cost = trace.cost(*input_usd_per_million, *output_usd_per_million);
        case.check(&name, cost.get());
    }
    case.finish();
}

/// A trace where somebody has put it: in `$FREEWEIGHTS_TRACES` or in `../shared/traces`.
fn trace_text(name: &str) -> Option<String> {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/traces");
    let folder = std::env::var_os("FREEWEIGHTS_TRACES").unwrap_or_else(|| beside.into());
    let text = std::fs::read_to_string(PathBuf::from(folder).join(name)).ok();
    if text.is_none() {
        eprintln!("skipped: there is no {name}; name its folder in FREEWEIGHTS_TRACES");
    }
    text
}
