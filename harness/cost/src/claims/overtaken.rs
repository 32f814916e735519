//! C10: machines bought today beside prices that fall.

use super::answer::{ClaimAnswer, Line, Point, Series, Verdict};
use super::claim::ClaimId;
use super::draft::Draft;
use super::search::first_share;
use super::subject::{NO_API, Subject};
use crate::assessment::Estimate;
use crate::break_even::first_break_even;
use crate::error::CostError;
use crate::figure::Label;
use crate::inputs::{Inputs, ListedRequest};
use crate::outcome::outcome;
use crate::outlook::Course;
use freeweights_record::units::{Fraction, RequestsPerDay, Usd, UsdPerMillionTokens, UsdPerYear};

/// A price that falls by all of itself is gone, so the search ends before that.
const ALL_BUT_GONE: Fraction = Fraction::new(0.999_999);

pub(super) fn overtaken(subject: &Subject<'_>) -> Result<ClaimAnswer, CostError> {
    let mut draft = Draft::of(ClaimId::C10);
    let Some((api, listed)) = subject.main_api() else { return Ok(draft.lacks(NO_API)) };
    let inputs = subject.inputs();
    let decline = &subject.question.scenario.api.price_decline_per_year;
    let saving = |decline| saved(inputs, listed, decline);
    let ends = (decline.low.unwrap_or(decline.value), decline.high.unwrap_or(decline.value));
    // A price that falls faster saves less.
    let (slow, fast) = (saving(ends.0)?, saving(ends.1)?);
    let range = Estimate { value: saving(decline.value)?, low: Some(fast), high: Some(slow) };
    draft.range(
        "saving",
        "saved over the life of the machines, in money of today",
        range,
        Label::Derived,
    );
    draft.put(
        "decline",
        "share by which the API's price falls a year",
        decline.value,
        decline.label,
    );
    draft.put("life", "life of the machines", inputs.life, Label::Assumed);
    if let Some(year) = api.last_winning_year {
        let year = freeweights_record::units::Years::new(f64::from(year));
        draft.put(
            "last_year",
            "last year in which self-hosting is the cheaper",
            year,
            Label::Derived,
        );
    }
    steps(&mut draft, inputs, listed)?;
    let lost = |share: Fraction| saving(share).is_ok_and(|saved| saved.get() <= 0.0);
    let from = first_share(Fraction::new(0.0), ALL_BUT_GONE, lost);
    draft.flips_at("fall of the API's price a year from which the machines lose", from);
    let verdict = verdict(slow, fast);
    draft.draw(years(subject));
    draft.leans_on(
        &subject.assessment.figures,
        &[
            "api.price_decline_per_year",
            "hardware.life_years",
            "hardware.cost_of_capital",
            "demand.growth_per_year",
            "measured.requests_per_s",
        ],
    );
    let mut template = "Beside the price of {api} falling {decline} a year, what the machines save over their {life} years is {saving} USD in money of today, {saving.low} to {saving.high} over the range of that fall".to_owned();
    template.push_str(match (draft.flips(), verdict) {
        (true, _) => "; they lose from a fall of {threshold} a year on.",
        (false, Verdict::Refuted) => "; no fall of the price makes them lose.",
        (false, _) => "; they lose even if the price never falls.",
    });
    template.push_str(" One step of {step} in throughput makes a million tokens cost {cost_faster} USD instead of {cost}");
    template.push_str(&crossings(&draft));
    template.push('.');
    Ok(draft.done(verdict, &template, &[("api", &api.price.id())]))
}

/// What self-hosting saves over the life of the machines if the API's price falls so fast.
fn saved(inputs: &Inputs, listed: ListedRequest, decline: Fraction) -> Result<Usd, CostError> {
    let inputs = Inputs { api_decline: decline, ..*inputs };
    let staircase = inputs.staircase(&inputs.terms()?);
    Ok(Course::of(&inputs).net_present_saving(staircase, inputs.hosted(listed)?))
}

/// From what is saved where the price falls slowly and where it falls fast.
fn verdict(slow: Usd, fast: Usd) -> Verdict {
    if slow.get() <= 0.0 {
        Verdict::Supported
    } else if fast.get() > 0.0 {
        Verdict::Refuted
    } else {
        Verdict::Depends
    }
}

/// What one step does: throughput that rises, or a price that falls, by the claim's share.
fn steps(draft: &mut Draft, inputs: &Inputs, listed: ListedRequest) -> Result<(), CostError> {
    let step = draft.given("step");
    let faster = Inputs { throughput: inputs.throughput * (1.0 + step), ..*inputs };
    let cheaper = Inputs { api_factor: inputs.api_factor * (1.0 - step), ..*inputs };
    let cost = |inputs: &Inputs| -> Result<UsdPerMillionTokens, CostError> {
        Ok(outcome(inputs)?.total / (inputs.requests() * (inputs.isl + inputs.osl)))
    };
    draft.put("cost", "tokens at this demand", cost(inputs)?, Label::Derived);
    draft.put("cost_faster", "tokens after one step of throughput", cost(&faster)?, Label::Derived);
    for (key, what, inputs) in [
        ("cross", "break-even today", inputs),
        ("cross_faster", "break-even after one step of throughput", &faster),
        ("cross_cut", "break-even after one step of the API's price", &cheaper),
    ] {
        if let Some(first) = first_break_even(outcome(inputs)?.staircase, inputs.hosted(listed)?) {
            let daily = RequestsPerDay::new(first.get() / inputs.days.get());
            draft.put(key, what, daily, Label::Derived);
        }
    }
    Ok(())
}

/// Where the two bills meet now, after a step here, after a step there.
fn crossings(draft: &Draft) -> String {
    let at = |key: &str| {
        if draft.has(key) { format!("at {{{key}}} requests a day") } else { "never".to_owned() }
    };
    format!(
        "; self-hosting breaks even {} today, {} after that step and {} after an equal cut of the API's price",
        at("cross"),
        at("cross_faster"),
        at("cross_cut"),
    )
}

fn years(subject: &Subject<'_>) -> Series {
    let line = |name: &str, of: &dyn Fn(usize) -> UsdPerYear| Line {
        name: name.to_owned(),
        unit: UsdPerYear::SYMBOL.to_owned(),
        points: subject
            .assessment
            .outlook
            .iter()
            .enumerate()
            .map(|(at, ahead)| Point { x: f64::from(ahead.year), y: of(at).get(), name: None })
            .collect(),
    };
    let outlook = &subject.assessment.outlook;
    Series {
        x: "year".to_owned(),
        x_unit: "year".to_owned(),
        lines: vec![
            line("self-hosted", &|at| outlook[at].self_hosted),
            line("API", &|at| outlook[at].api),
        ],
    }
}
