//! C16: a host that sells the measured tokens at today's API price.

use super::answer::{ClaimAnswer, Line, Point, Series, Verdict};
use super::claim::ClaimId;
use super::draft::Draft;
use super::running::MACHINE;
use super::subject::{NO_API, Subject};
use crate::decline::{declined, factor_of_decline};
use crate::error::CostError;
use crate::figure::Label;
use crate::inputs::Inputs;
use crate::margin::{break_even_utilisation, gross_margin, gross_margin_at};
use crate::outcome::outcome;
use crate::utilisation::{busy_hours, utilisation};
use freeweights_record::units::{Fraction, UsdPerMillionTokens, Years};

/// Points of the chart.
const STEPS: u32 = 20;

pub(super) fn reseller(subject: &Subject<'_>) -> Result<ClaimAnswer, CostError> {
    let mut draft = Draft::of(ClaimId::C16);
    let assessment = &subject.assessment;
    let Some(api) = assessment.main_comparison() else { return Ok(draft.lacks(NO_API)) };
    let inputs = subject.inputs();
    let (price, saturated) = (api.blended, assessment.saturated.blended.value);
    // Of the serving machines alone: the cost of spares is in the price of their tokens.
    let busy = busy_hours(inputs.requests(), inputs.capacity());
    let used = utilisation(busy, assessment.fleet.serving, inputs.hours);
    let full = gross_margin_at(Fraction::new(1.0), price, saturated);
    draft.put("full", "gross margin of machines that never wait", full, Label::Derived);
    draft.put(
        "margin",
        "gross margin at this demand",
        gross_margin_at(used, price, saturated),
        Label::Derived,
    );
    draft.put("used", "use of the serving machines", used, Label::Derived);
    draft.put("price", "price at the API", price, Label::Assumed);
    draft.put("saturated", "tokens of machines that never wait", saturated, Label::Derived);
    let even = break_even_utilisation(price, saturated);
    draft.flips_at("use of the machines at which the margin is nothing", even);
    let decline = &subject.question.scenario.api.price_decline_per_year;
    let next = declined(price, factor_of_decline(decline.value)?, Years::new(1.0));
    draft.put("decline", "share by which the price falls a year", decline.value, decline.label);
    let full_next = gross_margin_at(Fraction::new(1.0), next, saturated);
    draft.put(
        "full_next",
        "gross margin of machines that never wait, a year from now",
        full_next,
        Label::Derived,
    );
    let traffic = draft.given("traffic");
    draft.put(
        "margin_traffic",
        "gross margin after the growth of the claim",
        margin_after(inputs, traffic, price)?,
        Label::Derived,
    );
    draft.draw(series(price, saturated));
    draft.leans_on(&assessment.figures, &MACHINE);
    let id = api.price.id();
    let (input, output) = (format!("api.{id}.input"), format!("api.{id}.output"));
    draft.leans_on(&assessment.figures, &[&*input, &*output, "api.price_decline_per_year"]);
    let (verdict, end) = match even {
        None => (Verdict::Supported, "so no volume makes a margin"),
        Some(even) if used >= even => {
            (Verdict::Refuted, "and a margin from a use of {threshold} on")
        }
        Some(_) => (Verdict::Depends, "and a margin only from a use of {threshold} on"),
    };
    let template = format!(
        "A host that sold these tokens at the {{price}} USD of {{api}} would keep {{full}} of the price on machines that never wait, {end}; at this demand they are used {{used}} and it keeps {{margin}}, after {{traffic}} times the traffic {{margin_traffic}}, and a year from now, the price {{decline}} lower, {{full_next}} on machines that never wait.",
    );
    Ok(draft.done(verdict, &template, &[("api", &id)]))
}

/// The margin at many times the demand, on as many machines as that takes.
fn margin_after(
    inputs: &Inputs,
    times: f64,
    price: UsdPerMillionTokens,
) -> Result<Fraction, CostError> {
    let inputs = Inputs { requests_per_day: inputs.requests_per_day * times, ..*inputs };
    let cost = outcome(&inputs)?.total / (inputs.requests() * (inputs.isl + inputs.osl));
    Ok(gross_margin(price, cost))
}

fn series(price: UsdPerMillionTokens, saturated: UsdPerMillionTokens) -> Series {
    let points = (1..=STEPS).map(|step| {
        let x = f64::from(step) / f64::from(STEPS);
        Point { x, y: gross_margin_at(Fraction::new(x), price, saturated).get(), name: None }
    });
    let unit = Fraction::SYMBOL.to_owned();
    Series {
        x: "use of the machines".to_owned(),
        x_unit: unit.clone(),
        lines: vec![Line { name: "gross margin".to_owned(), unit, points: points.collect() }],
    }
}
