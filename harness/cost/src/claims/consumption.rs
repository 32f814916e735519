//! C12: what is spent after a price cut.

use super::answer::{ClaimAnswer, Verdict};
use super::claim::ClaimId;
use super::draft::Draft;
use super::subject::Subject;
use crate::elasticity::{spend_at, threshold_elasticity, volume_at};
use crate::figure::Label;
use freeweights_record::units::{Elasticity, Ratio};

/// Elasticities this near each other are one.
const SAME: f64 = 1e-9;

pub(super) fn consumption(subject: &Subject<'_>) -> ClaimAnswer {
    let mut draft = Draft::of(ClaimId::C12);
    let assessment = &subject.assessment;
    let elasticity = &subject.question.scenario.demand.elasticity;
    let volume = assessment.demand.tokens_per_year;
    let api = assessment.main_comparison();
    let price = api.map_or(assessment.cost.blended.value, |api| api.blended);
    if price.get() <= 0.0 {
        return draft.lacks("a price above zero that could be cut");
    }
    let factor = Ratio::new(1.0 - draft.given("cut"));
    let cut = price * factor.get();
    let after = spend_at(volume, price, cut, elasticity.value);
    let before = price * volume;
    let asked = volume_at(volume, price, cut, elasticity.value);
    draft.put(
        "spend",
        "spend after the cut over spend before",
        Ratio::new(after / before),
        Label::Derived,
    );
    draft.put(
        "volume",
        "tokens after the cut over tokens before",
        Ratio::new(asked / volume),
        Label::Derived,
    );
    draft.put("elasticity", "elasticity of demand", elasticity.value, elasticity.label);
    draft.put("before", "spend before the cut", before, Label::Derived);
    draft.put("after", "spend after the cut", after, Label::Derived);
    draft.put("price", "price before the cut", price, Label::Assumed);
    let neutral = threshold_elasticity(factor, Ratio::new(1.0));
    draft.flips_at("elasticity above which spend rises after a cut", neutral);
    draft.leans_on(&assessment.figures, &["demand.elasticity", "demand.requests_per_day"]);
    let verdict = neutral.map_or(Verdict::Depends, |neutral| verdict(elasticity.value, neutral));
    let template = "At an elasticity of {elasticity} ({label}) a price cut of {cut} makes {volume} times the tokens and {spend} times the spend, {after} USD a year instead of {before}; spend rises above an elasticity of {threshold}.";
    let label = elasticity.label.to_string();
    draft.done(verdict, template, &[("label", &label)])
}

fn verdict(elasticity: Elasticity, neutral: Elasticity) -> Verdict {
    let above = (elasticity - neutral).get();
    if above > SAME {
        Verdict::Supported
    } else if above < -SAME {
        Verdict::Refuted
    } else {
        Verdict::Depends
    }
}
