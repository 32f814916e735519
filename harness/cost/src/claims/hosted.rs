//! C7: self-hosting beside an API.

use super::answer::{ClaimAnswer, Verdict};
use super::claim::ClaimId;
use super::draft::Draft;
use super::running::MACHINE;
use super::subject::{NO_API, Subject};
use crate::assessment::{ApiComparison, Assessment};
use crate::break_even::BreakEven;
use crate::figure::Label;
use crate::prices::Class;
use freeweights_record::units::{Days, RequestsPerDay};

pub(super) fn hosted(subject: &Subject<'_>) -> ClaimAnswer {
    let mut draft = Draft::of(ClaimId::C7);
    let assessment = &subject.assessment;
    let Some(api) = assessment.main_comparison() else { return draft.lacks(NO_API) };
    let days = subject.inputs().days;
    let now = assessment.demand.requests_per_day;
    let cheaper = api.ratio.get() < 1.0;
    let flips = turn(api, days, now, cheaper);
    draft.put("ratio", "self-hosted bill over that of the API", api.ratio, Label::Derived);
    draft.range("ours", "tokens, self-hosted", assessment.cost.blended, Label::Derived);
    draft.put("theirs", "tokens at the API", api.blended, Label::Derived);
    let demand = &subject.question.scenario.demand.requests_per_day;
    draft.put("demand", "requests of a day", demand.value, demand.label);
    let staircase = assessment.staircase;
    let capacity = staircase.capacity * staircase.machines_max.as_f64();
    let capacity = RequestsPerDay::new(capacity.get() / days.get());
    draft.put(
        "capacity",
        "requests that the machines of the scenario serve",
        capacity,
        Label::Derived,
    );
    if let Some(share) = api.break_even_utilisation {
        draft.put("utilisation", "use of the machines at break-even", share, Label::Derived);
    }
    draft.flips_at("break-even against the API", flips);
    let (verdict, end) = match (cheaper, flips.is_some()) {
        (true, true) => {
            (Verdict::Refuted, "; it has been the cheaper since {threshold} requests a day")
        }
        (true, false) => (Verdict::Refuted, "; it is the cheaper at any demand up to this one"),
        (false, true) => {
            (Verdict::Depends, "; from {threshold} requests a day on it is the cheaper")
        }
        (false, false) => (
            Verdict::Supported,
            "; there is no larger demand within the {capacity} requests a day that were measured at which it would be the cheaper",
        ),
    };
    let mut template = "At {demand} requests a day self-hosting costs {ours} USD per million tokens and its bill is {ratio} times that of {api} ({class}, {dated}), which charges {theirs} USD".to_owned();
    template.push_str(end);
    template.push('.');
    let frontier = frontier(assessment, api);
    if let Some(other) = frontier {
        beside_frontier(&mut draft, &mut template, other);
    }
    odds(&mut draft, &mut template, assessment, api);
    let id = api.price.id();
    let price = [format!("api.{id}.input"), format!("api.{id}.output")];
    draft.leans_on(&assessment.figures, &MACHINE);
    draft.leans_on(
        &assessment.figures,
        &[price[0].as_str(), price[1].as_str(), "api.price_factor", "api.fte"],
    );
    let (class, dated) = (api.class.to_string(), api.price.dated());
    let other = frontier.map(|other| other.price.id()).unwrap_or_default();
    draft.done(
        verdict,
        &template,
        &[("api", &id), ("class", &class), ("dated", &dated), ("frontier", &other)],
    )
}

/// The break-even on the other side of this demand: the next one where self-hosting is dearer, the
/// last one passed where it is cheaper.
fn turn(
    api: &ApiComparison,
    days: Days,
    now: RequestsPerDay,
    cheaper: bool,
) -> Option<RequestsPerDay> {
    let BreakEven::At(crossings) = &api.break_even else { return None };
    let mut daily = crossings
        .iter()
        .map(|crossing| RequestsPerDay::new(crossing.requests_per_year.get() / days.get()));
    if cheaper {
        daily.rfind(|volume| *volume <= now && volume.get() > 0.0)
    } else {
        daily.find(|volume| *volume > now)
    }
}

/// The cheapest closed model, where that is not the main comparison.
fn frontier<'a>(assessment: &'a Assessment, main: &ApiComparison) -> Option<&'a ApiComparison> {
    let closed = assessment
        .apis
        .iter()
        .filter(|api| api.class == Class::Frontier && !std::ptr::eq(*api, main));
    closed.min_by(|a, b| a.usd_per_year.get().total_cmp(&b.usd_per_year.get()))
}

fn beside_frontier(draft: &mut Draft, template: &mut String, other: &ApiComparison) {
    let what = "self-hosted bill over that of a closed model";
    draft.put("frontier_ratio", what, other.ratio, Label::Derived);
    template.push_str(
        " Beside {frontier}, another class of model, its bill is {frontier_ratio} times as large",
    );
    if let Some(volume) = other.break_even_requests_per_day {
        let what = "break-even against a closed model";
        draft.put("frontier_break_even", what, volume, Label::Derived);
        template.push_str(" and breaks even at {frontier_break_even} requests a day.");
    } else {
        template.push_str(" and never breaks even on the machines of the scenario.");
    }
}

fn odds(draft: &mut Draft, template: &mut String, assessment: &Assessment, api: &ApiComparison) {
    let id = api.price.id();
    let odds = assessment.simulation.as_ref().and_then(|simulation| {
        simulation.odds.iter().find(|odds| odds.api == id).map(|odds| odds.self_hosting_cheaper)
    });
    if let Some(share) = odds {
        draft.put(
            "odds",
            "drawn scenarios in which self-hosting is cheaper",
            share,
            Label::Derived,
        );
        template.push_str(" It is the cheaper in {odds} of the scenarios drawn.");
    }
}
