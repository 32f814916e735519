//! The answer to "is it cheaper to host this myself?" in one sentence.

use crate::assessment::{ApiComparison, Assessment};
use crate::break_even::{BreakEven, NeverReason};
use crate::figure::Machines;
use crate::people::{number, percent, volume};
use crate::scenario::{HostingKind, Scenario};
use freeweights_record::units::RequestsPerYear;

/// The sentence of an assessment that is complete but for it.
pub(crate) fn sentence(assessment: &Assessment, scenario: &Scenario) -> String {
    let demand = &assessment.demand;
    let mut text = format!(
        "At {} requests a day ({} tokens in, {} out), running {} {} costs {} USD per million tokens",
        volume(demand.requests_per_day.get()),
        number(demand.isl.as_f64()),
        number(demand.osl.as_f64()),
        model_name(&assessment.model),
        place(assessment.fleet.serving, scenario.hosting.kind),
        number(assessment.cost.blended.value.get()),
    );
    if let Some(api) = assessment.main_comparison() {
        text.push_str(&compared(api));
        text.push_str(&ending(api, scenario));
    }
    text.push('.');
    text
}

/// The model without the word that says where it came from.
fn model_name(model: &str) -> &str {
    model.strip_prefix("dummy:").or_else(|| model.strip_prefix("hf:")).unwrap_or(model)
}

fn place(machines: Machines, kind: HostingKind) -> String {
    match (machines.get(), kind) {
        (1, HostingKind::Own) => "on this machine".to_owned(),
        (1, HostingKind::Rent) => "on one rented machine".to_owned(),
        (count, HostingKind::Own) => {
            format!("on {} machines like this one", number(f64::from(count)))
        }
        (count, HostingKind::Rent) => format!("on {} rented machines", number(f64::from(count))),
    }
}

fn compared(api: &ApiComparison) -> String {
    let ratio = api.ratio.get();
    let times = if ratio >= 1.0 {
        format!("{} times", number(ratio))
    } else {
        format!("{} of", percent(ratio))
    };
    let stale = if api.stale { ", stale" } else { "" };
    format!(
        ", {times} the {} USD that {} charges ({}, {}{stale})",
        number(api.blended.get()),
        api.price.id(),
        api.class,
        api.price.dated(),
    )
}

fn ending(api: &ApiComparison, scenario: &Scenario) -> String {
    match (&api.break_even, api.break_even_requests_per_day) {
        (BreakEven::At(_), Some(first)) => {
            format!("; it breaks even at {} requests a day", volume(first.get()))
        }
        (BreakEven::At(_), None) => String::new(),
        (BreakEven::Never(NeverReason::ApiAtOrBelowMarginal { .. }), _) => {
            "; it never breaks even, because that is less than the electricity alone costs here"
                .to_owned()
        }
        (BreakEven::Never(NeverReason::BeyondCapacity { capacity, .. }), _) => format!(
            "; it never breaks even within the measured capacity of {}, {} requests a day",
            machines(scenario),
            daily(*capacity, scenario),
        ),
    }
}

/// Why there is no break-even, in words.
pub(crate) fn never(reason: NeverReason, scenario: &Scenario) -> String {
    match reason {
        NeverReason::ApiAtOrBelowMarginal { api, marginal } => format!(
            "the API charges {} USD for a request, the electricity of one costs {} USD here",
            number(api.get()),
            number(marginal.get()),
        ),
        NeverReason::BeyondCapacity { needed, capacity, fleet } => {
            let more = match fleet {
                Some(fleet) => format!("it would take {} of them", number(fleet.as_f64())),
                None => "more of them would not help".to_owned(),
            };
            format!(
                "one machine would have to serve {} requests a day; the measured capacity of {} is {}, and {more}",
                daily(needed, scenario),
                machines(scenario),
                daily(capacity, scenario),
            )
        }
    }
}

/// The machines that break-even is looked for on.
fn machines(scenario: &Scenario) -> String {
    match scenario.hardware.machines_max.value.get() {
        1 => "this machine".to_owned(),
        most => format!("{} such machines", number(f64::from(most))),
    }
}

fn daily(yearly: RequestsPerYear, scenario: &Scenario) -> String {
    volume(yearly.get() / scenario.demand.days_per_year.value.get())
}
