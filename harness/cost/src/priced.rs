//! What tokens would cost at every measured point, not only at the one that the bill is divided by.

use crate::costing::Costing;
use crate::group::groups;
use crate::prices::Catalogue;
use crate::scenario::Scenario;
use freeweights_record::Record;
use freeweights_record::units::UsdPerMillionTokens;
use jiff::civil::Date;
use serde::Serialize;

/// A measured case, and what its tokens cost on a machine that never waits.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PricedCase {
    /// The run.
    pub run_id: String,
    /// The case.
    pub case_id: String,
    /// Input and output tokens in the proportion of the demand, on machines that are never idle.
    #[serde(rename = "saturated_usd_per_mtok")]
    pub saturated: UsdPerMillionTokens,
}

/// Every record that can be costed by itself, as if the machines ran nothing but that case all year.
///
/// The objective of the scenario does not bind here: it is for choosing a point, and these are the
/// points to choose from. A record that cannot be costed is left out.
#[must_use]
pub fn priced_cases(
    records: &[Record],
    scenario: &Scenario,
    prices: &Catalogue,
    today: Date,
) -> Vec<PricedCase> {
    let mut free = scenario.clone();
    free.objective = crate::scenario::Objective::default();
    let one = |record: &Record| {
        let (group, members) = groups(std::slice::from_ref(record)).pop()?;
        let group = group.to_string();
        let costing = Costing::new(group, &members, &free, prices, today).ok()?;
        let saturated = costing.now().ok()?.saturated_blended();
        let (run_id, case_id) = (record.run_id.to_string(), record.case_id.to_string());
        Some(PricedCase { run_id, case_id, saturated })
    };
    records.iter().filter_map(one).collect()
}
