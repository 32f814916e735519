//! What stands beside the numbers: every figure in use, and what to keep in mind.

use crate::assessment::{ApiComparison, Assessment};
use crate::costing::Costing;
use crate::elasticity::SPEND_NEUTRAL;
use crate::error::CostError;
use crate::figure::{Figure, Label, ListedFigure, Value};
use crate::people::{number, percent};
use crate::prices::Class;
use crate::scenario::Scenario;
use crate::staff;
use crate::uncertainty::ThroughputSpread;
use freeweights_record::units::Fraction;
use std::fmt::Write as _;

/// Every figure in use: those of the scenario, of the machine, of the measurement, of the APIs.
pub(crate) fn figures(
    costing: &Costing<'_>,
    assessment: &Assessment,
) -> Result<Vec<ListedFigure>, CostError> {
    let (scenario, point) = (costing.scenario, &costing.point);
    let mut list = scenario.figures();
    list.extend(costing.machine.figures());
    let case = format!("record {}", point.case_id);
    let measured =
        |name: &'static str, value| ListedFigure::of(name, &Figure::measured(value, &*case));
    if let Some(prefill) = point.prefill {
        list.push(measured("measured.prefill_tps", prefill.value));
    }
    if let Some(decode) = point.decode {
        list.push(measured("measured.decode_tps", decode.value));
    }
    let source = match (point.basis, &point.upper_case_id) {
        (Label::Measured, _) => case,
        (_, Some(upper)) => format!("on the line from {case} to record {upper}"),
        _ => format!("isl / prefill + (osl - 1) / decode of {case}"),
    };
    let rate = point.requests_per_s;
    let capacity = Figure {
        label: point.basis,
        low: rate.low,
        high: rate.high,
        ..Figure::measured(rate.value, source)
    };
    list.push(ListedFigure::of("measured.requests_per_s", &capacity));
    if costing.inputs.usable_share.get() < 1.0 {
        let how = "measured.requests_per_s * hardware.usable_share";
        derived(&mut list, "machine.requests_per_s", costing.inputs.capacity(), how);
    }
    let load = staff::load(scenario.staff.benefits_share.value)?;
    derived(&mut list, "staff.load", load, "1 / (1 - benefits share)");
    let peak = assessment.demand.peak_requests_per_s;
    derived(&mut list, "demand.peak_requests_per_s", peak, "mean rate * peak_to_mean");
    for api in &assessment.apis {
        let price = &api.price;
        let source = format!("{} ({})", price.source, price.dated());
        for (kind, value) in [("input", price.input), ("output", price.output)] {
            let figure = Figure::assumed(value, &*source, price.checked.to_string());
            list.push(ListedFigure::of(format!("api.{}.{kind}", price.id()), &figure));
        }
    }
    Ok(list)
}

fn derived<T: Value>(
    list: &mut Vec<ListedFigure>,
    name: &'static str,
    value: T,
    how: &'static str,
) {
    list.push(ListedFigure::of(name, &Figure::derived(value, how)));
}

/// What a reader should keep in mind.
pub(crate) fn notes(assessment: &Assessment, scenario: &Scenario) -> Vec<String> {
    let mut notes = Vec::new();
    notes.extend(shape(assessment, scenario));
    let point = &assessment.operating_point;
    if let Some(upper) = &point.upper_case_id {
        notes.push(format!(
            "The objective is met between two measured points: {} and {upper}; batch {} lies on the line between them.",
            point.case_id, point.batch
        ));
    }
    if let Some(preset) = &scenario.hardware.preset {
        notes.push(format!(
            "The machine is priced as {preset} because the scenario says so; its throughput is that of the measured one."
        ));
    }
    let serving = assessment.fleet.serving;
    if serving > scenario.hardware.machines_max.value {
        notes.push(format!(
            "This demand needs {} machines like the measured one; the bill is for all of them.",
            number(serving.as_f64())
        ));
    }
    let frontier = |api: &ApiComparison| api.class == Class::Frontier;
    if assessment.apis.iter().any(frontier) {
        notes.push(
            "Frontier APIs sell another class of model; they are no like-for-like comparison."
                .to_owned(),
        );
    }
    notes.extend(terms_of_apis(scenario));
    let by_hour: Vec<String> = assessment
        .apis
        .iter()
        .filter(|api| api.price.varies_in_day)
        .map(|api| api.price.id())
        .collect();
    if !by_hour.is_empty() {
        notes.push(format!(
            "The price depends on the time of day and is the mean of 24 hours: {}.",
            by_hour.join(", ")
        ));
    }
    if let Some(response) = assessment.demand_response.filter(|r| r.elasticity != SPEND_NEUTRAL) {
        notes.push(format!(
            "At an elasticity of {}, users who paid {} times the API's price would ask for {} of the tokens and spend {} USD a year instead of {}.",
            number(response.elasticity.get()),
            number(response.price_factor.get()),
            percent(response.tokens_per_year / assessment.demand.tokens_per_year),
            number(response.spend_after.get()),
            number(response.spend_before.get()),
        ));
    }
    let stale: Vec<String> =
        assessment.apis.iter().filter(|api| api.stale).map(|api| api.price.id()).collect();
    if !stale.is_empty() {
        notes.push(format!("Prices older than 90 days: {}.", stale.join(", ")));
    }
    let ahead: Vec<String> = assessment
        .apis
        .iter()
        .filter(|api| api.price.checked > assessment.date)
        .map(|api| api.price.id())
        .collect();
    if !ahead.is_empty() {
        notes.push(format!(
            "Prices dated after today, {}, whose dates cannot be right: {}.",
            assessment.date,
            ahead.join(", ")
        ));
    }
    notes
}

/// What stands between the listed prices of APIs and what is charged, where anything does.
fn terms_of_apis(scenario: &Scenario) -> Option<String> {
    let Scenario { demand, api, .. } = scenario;
    let share = |figure: &Figure<Fraction>, what: &str| {
        let share = figure.value.get();
        (share > 0.0).then(|| format!("{} of {what}", percent(share)))
    };
    let factor = api.price_factor.value.get();
    let terms: Vec<String> = [
        share(&demand.cached_share, "the input read from a cache"),
        share(&demand.cache_write_share, "the input written into a cache"),
        share(&api.batch_share, "the requests in a batch"),
        ((factor - 1.0).abs() > 1e-12).then(|| format!("{} times the list", number(factor))),
    ]
    .into_iter()
    .flatten()
    .collect();
    let mut note = String::new();
    if !terms.is_empty() {
        note = format!(
            "Input and output prices of APIs are as listed; their blended price has {}.",
            terms.join(", ")
        );
    }
    let people = api.fte.value.get();
    if people > 0.0 {
        let gap = if note.is_empty() { "" } else { " " };
        let _ = write!(
            note,
            "{gap}The bills of APIs hold the people who work with them, {} FTE.",
            number(people)
        );
    }
    (!note.is_empty()).then_some(note)
}

/// Where the shape of the demand is not the measured one.
fn shape(assessment: &Assessment, scenario: &Scenario) -> Option<String> {
    let point = &assessment.operating_point;
    let (isl, osl) = (scenario.demand.isl.value, scenario.demand.osl.value);
    let measured = (point.measured_isl, point.measured_osl);
    if measured == (isl, osl) {
        return None;
    }
    let beyond = if isl + osl > measured.0 + measured.1 {
        " The scenario's requests are longer than any measured, and long contexts are slower: measure that shape for a better answer."
    } else {
        ""
    };
    let how =
        if point.basis == Label::Measured { "taken as it was" } else { "recomposed from rates" };
    Some(format!(
        "Throughput at isl {}, osl {} is {how} measured at isl {}, osl {}.{beyond}",
        isl.get(),
        osl.get(),
        measured.0.get(),
        measured.1.get(),
    ))
}

/// Where the throughput of the drawn scenarios comes from, in words.
#[must_use]
pub fn throughput_words(spread: ThroughputSpread) -> &'static str {
    match spread {
        ThroughputSpread::Samples => "throughput from the record's own samples",
        ThroughputSpread::Interval => "throughput from the record's 95% interval",
        ThroughputSpread::Held => "throughput held, the record has no spread",
    }
}
