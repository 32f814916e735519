//! Own, colocate or rent: the same demand, held three ways, side by side.

use crate::bill::{Bill, ComponentKind};
use crate::error::CostError;
use crate::inputs::Inputs;
use crate::machine::machine;
use crate::operating_point::OperatingPoint;
use crate::scenario::{HostingKind, Scenario};
use crate::utilisation::busy_hours;
use freeweights_record::Record;
use freeweights_record::units::{Fraction, UsdPerMillionTokens, UsdPerYear};
use serde::{Deserialize, Serialize};

/// What the demand costs on machines held in one way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TenureCost {
    /// Which way.
    pub kind: HostingKind,
    /// The bill; `None` where a figure is not known.
    pub usd_per_year: Option<UsdPerYear>,
    /// The same by input and output token.
    pub blended: Option<UsdPerMillionTokens>,
    /// Share of the bill that goes to a landlord: rent and rented space.
    pub landlord_share: Option<Fraction>,
    /// Which figure is not known.
    pub unknown_because: Option<String>,
}

/// The three ways on the scenario's terms: staff, electricity, PUE, network, spares and demand stay
/// the same. What the scenario pays for space (`hosting.usd_per_machine_year`) is paid where it holds
/// its machines; another way does not pay for it as well.
pub(crate) fn tenures(
    group: &str,
    record: &Record,
    scenario: &Scenario,
    point: &OperatingPoint,
) -> Vec<TenureCost> {
    [HostingKind::Own, HostingKind::Colo, HostingKind::Rent]
        .into_iter()
        .map(|kind| match held(group, record, scenario, point, kind) {
            Ok(cost) => cost,
            Err(error) => TenureCost {
                kind,
                usd_per_year: None,
                blended: None,
                landlord_share: None,
                unknown_because: Some(error.to_string()),
            },
        })
        .collect()
}

fn held(
    group: &str,
    record: &Record,
    scenario: &Scenario,
    point: &OperatingPoint,
    kind: HostingKind,
) -> Result<TenureCost, CostError> {
    let inputs = inputs_held(group, record, scenario, point, kind)?;
    let bill = bill_of(&inputs)?;
    let total = bill.total_usd_per_year;
    Ok(TenureCost {
        kind,
        usd_per_year: Some(total),
        blended: Some(total / (inputs.requests() * (inputs.isl + inputs.osl))),
        landlord_share: landlord_share(&bill),
        unknown_because: None,
    })
}

/// The inputs of the bill where machines are held in one way.
///
/// # Errors
/// As [`machine`].
pub(crate) fn inputs_held(
    group: &str,
    record: &Record,
    scenario: &Scenario,
    point: &OperatingPoint,
    kind: HostingKind,
) -> Result<Inputs, CostError> {
    let machine = machine(group, record, scenario, kind)?;
    let mut inputs = Inputs::of(scenario, kind, &machine, point);
    if kind != scenario.hosting.kind {
        inputs.space = UsdPerYear::new(0.0);
    }
    Ok(inputs)
}

/// The bill of the demand on as many machines as it needs.
///
/// # Errors
/// As [`Inputs::terms`].
pub(crate) fn bill_of(inputs: &Inputs) -> Result<Bill, CostError> {
    let fleet = inputs.fleet();
    let busy = busy_hours(inputs.requests(), inputs.capacity());
    inputs.terms()?.bill(fleet.serving.plus(fleet.spares), busy)
}

/// Share of a bill that goes to a landlord: rent and rented space; `None` of a bill of nothing.
pub(crate) fn landlord_share(bill: &Bill) -> Option<Fraction> {
    let total = bill.total_usd_per_year;
    let landlord = bill.of(ComponentKind::Rent) + bill.of(ComponentKind::Colocation);
    (total.get() > 0.0).then(|| Fraction::new(landlord / total))
}
