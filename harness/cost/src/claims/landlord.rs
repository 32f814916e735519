//! C8: own, colocate or rent, and what goes to the owner of the cloud.

use super::answer::{ClaimAnswer, Verdict};
use super::claim::ClaimId;
use super::draft::Draft;
use super::search::first_volume;
use super::subject::Subject;
use crate::error::CostError;
use crate::figure::Label;
use crate::inputs::Inputs;
use crate::scenario::HostingKind;
use crate::tenures::{TenureCost, bill_of, inputs_held, landlord_share};
use freeweights_record::units::{Fraction, Ratio, RequestsPerDay};

pub(super) fn landlord(subject: &Subject<'_>) -> Result<ClaimAnswer, CostError> {
    let mut draft = Draft::of(ClaimId::C8);
    let costing = &subject.costing;
    let tenures = &subject.assessment.tenures;
    let held = |kind| tenures.iter().find(|tenure: &&TenureCost| tenure.kind == kind);
    let rented = held(HostingKind::Rent);
    let Some(share) = rented.and_then(|rented| rented.landlord_share) else {
        let why = rented.and_then(|rented| rented.unknown_because.clone());
        return Ok(draft.lacks(why.unwrap_or_else(|| "a rented bill above zero".to_owned())));
    };
    draft.put("share", "share of the rented bill that goes to the cloud", share, Label::Derived);
    let mut words = Vec::new();
    for (kind, name, key) in [
        (HostingKind::Own, "owned", "own"),
        (HostingKind::Colo, "colocated", "colo"),
        (HostingKind::Rent, "rented", "rent"),
    ] {
        if let Some(usd) = held(kind).and_then(|tenure| tenure.usd_per_year) {
            draft.put(key, format!("bill, {name}"), usd, Label::Derived);
            words.push(format!("{{{key}}} USD {name}"));
        }
    }
    let bill = |kind| held(kind).and_then(|tenure| tenure.usd_per_year);
    if let Some((rent, own)) = bill(HostingKind::Rent).zip(bill(HostingKind::Own)) {
        draft.put("ratio", "rented over owned", Ratio::new(rent / own), Label::Derived);
    }
    let half = Fraction::new(draft.given("half"));
    let scenario = subject.question.scenario;
    let rent =
        inputs_held(&costing.group, costing.record, scenario, &costing.point, HostingKind::Rent)?;
    let from = first_volume(|volume| share_at(&rent, volume).is_some_and(|share| share >= half));
    draft.flips_at("demand from which the cloud gets the larger half", from);
    draft.leans_on(
        &subject.assessment.figures,
        &[
            "hosting.",
            "machine.price_usd",
            "machine.rent_usd_per_hour",
            "staff.",
            "demand.requests_per_day",
        ],
    );
    let (verdict, end) = if share >= half {
        (
            Verdict::Supported,
            if from.is_some() { ", as it does from {threshold} requests a day on" } else { "" },
        )
    } else if from.is_some() {
        (Verdict::Depends, "; it gets the larger half from {threshold} requests a day on")
    } else {
        (Verdict::Refuted, "; no volume brings it to the larger half")
    };
    let template = format!(
        "The same demand costs a year {}; of the rented bill {{share}} goes to the owner of the cloud{end}.",
        words.join(", "),
    );
    Ok(draft.done(verdict, &template, &[]))
}

/// What the landlord gets of the rented bill at another demand.
fn share_at(rent: &Inputs, requests_per_day: RequestsPerDay) -> Option<Fraction> {
    let bill = bill_of(&Inputs { requests_per_day, ..*rent }).ok()?;
    landlord_share(&bill)
}
