//! The bill of one set of inputs, without its parts: what is computed for every drawn scenario.

use crate::assessment::Fleet;
use crate::break_even::SelfHosted;
use crate::error::CostError;
use crate::figure::Machines;
use crate::inputs::Inputs;
use freeweights_record::units::UsdPerYear;

/// The bill at the demand, and as a function of the volume.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Outcome {
    pub(crate) fleet: Fleet,
    pub(crate) staircase: SelfHosted,
    pub(crate) total: UsdPerYear,
}

impl Outcome {
    /// Machines that are paid.
    pub(crate) const fn paid(&self) -> Machines {
        self.fleet.serving.plus(self.fleet.spares)
    }
}

/// `shared + (serving + spares) * per_machine + requests * per_request`; USD a year.
///
/// # Errors
/// As [`Inputs::terms`].
pub(crate) fn outcome(inputs: &Inputs) -> Result<Outcome, CostError> {
    let staircase = inputs.staircase(&inputs.terms()?);
    let fleet = inputs.fleet();
    let paid = fleet.serving.plus(fleet.spares).as_f64();
    let total =
        staircase.shared + staircase.per_machine * paid + staircase.per_request * inputs.requests();
    Ok(Outcome { fleet, staircase, total })
}
