//! A record, a scenario, and the assessment of both.

pub use crate::record::record;
use freeweights_cost::{Assessment, Catalogue, CostError, Scenario, assess};
use freeweights_record::Record;
use jiff::civil::{Date, date};

pub const TODAY: Date = date(2026, 11, 22);

/// A scenario of the records' shape.
pub fn scenario(preset: &str, sets: &[&str]) -> Scenario {
    let shape = ["demand.isl=128", "demand.osl=64"];
    let sets: Vec<_> = shape.iter().chain(sets).map(|set| set.parse().unwrap()).collect();
    Scenario::preset(preset, &sets).unwrap()
}

pub fn try_cost(records: &[Record], preset: &str, sets: &[&str]) -> Result<Assessment, CostError> {
    assess(records, &scenario(preset, sets), &Catalogue::bundled(), TODAY)
}

pub fn cost(preset: &str, sets: &[&str]) -> Assessment {
    try_cost(&[record()], preset, sets).unwrap()
}
