//! The claims of a public argument, put to the test.
//!
//! [`claims`] lists them as data; [`answers`] judges each on measured records, a scenario and dated
//! prices. All formulas are those of the rest of this crate: here is only which of them a claim is
//! about, and where its verdict flips.
//!
//! Not here: how answers are shown.

mod answer;
mod bands;
mod claim;
mod consumption;
mod draft;
mod growth;
mod hosted;
mod laboratory;
mod landlord;
mod overtaken;
mod pool;
mod price_lists;
mod reseller;
mod running;
mod search;
mod specialists;
mod speed;
mod subject;

pub use answer::{
    CLAIMS_VERSION, ClaimAnswer, ClaimAnswers, ClaimFigure, Line, Point, Series, Threshold,
    Verdict, reading,
};
pub use claim::{Claim, ClaimId, Given, UnknownClaim, claims};

use crate::assess::Drawing;
use crate::error::CostError;
use crate::group::groups;
use crate::prices::Catalogue;
use crate::scenario::Scenario;
use draft::Draft;
use freeweights_record::Record;
use jiff::civil::Date;
use subject::{Question, Subject};

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
    if records.is_empty() {
        return vec![Err(CostError::NoRecords)];
    }
    let question = Question { records, scenario, prices, today, drawing };
    groups(records)
        .into_iter()
        .map(|(group, members)| {
            let subject = Subject::of(group.to_string(), &members, question)?;
            Ok(judged(&subject, only))
        })
        .collect()
}

fn judged(subject: &Subject<'_>, only: &[ClaimId]) -> ClaimAnswers {
    let assessment = &subject.assessment;
    let wanted = |id: &&ClaimId| only.is_empty() || only.contains(id);
    ClaimAnswers {
        claims_version: CLAIMS_VERSION,
        date: subject.question.today,
        scenario: assessment.scenario.clone(),
        group: subject.costing.group.clone(),
        model: assessment.model.clone(),
        quant: assessment.quant.clone(),
        weights: assessment.weights,
        engine: assessment.engine.clone(),
        device: assessment.device.clone(),
        threads: assessment.threads,
        answers: ClaimId::ALL.iter().filter(wanted).map(|id| judge(*id, subject)).collect(),
    }
}

/// One claim. What keeps it from being judged is what it needs.
fn judge(id: ClaimId, subject: &Subject<'_>) -> ClaimAnswer {
    let answer = match id {
        ClaimId::C1 => running::free(subject),
        ClaimId::C2 => Ok(running::fast(subject)),
        ClaimId::C3 | ClaimId::C4 | ClaimId::C5 => bands::band(subject, id),
        ClaimId::C6 => specialists::specialists(subject),
        ClaimId::C7 => Ok(hosted::hosted(subject)),
        ClaimId::C8 => landlord::landlord(subject),
        ClaimId::C9 => Ok(price_lists::times_cheaper(subject)),
        ClaimId::C10 => overtaken::overtaken(subject),
        ClaimId::C11 => Ok(price_lists::subscriptions(subject)),
        ClaimId::C12 => Ok(consumption::consumption(subject)),
        ClaimId::C13 => growth::growth(subject),
        ClaimId::C14 => pool::pool(subject),
        ClaimId::C15 => Ok(laboratory::laboratory(subject)),
        ClaimId::C16 => reseller::reseller(subject),
        ClaimId::C17 => speed::speed(subject),
    };
    answer.unwrap_or_else(|error| Draft::of(id).lacks(error.to_string()))
}
