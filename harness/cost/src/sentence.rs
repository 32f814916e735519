//! The answer to "is it cheaper to host this myself?" in one sentence.

use crate::assessment::{ApiComparison, Assessment, Fleet};
use crate::break_even::{BreakEven, NeverReason};
use crate::figure::Machines;
use crate::people::{number, percent, volume};
use crate::scenario::{HostingKind, Scenario};
use freeweights_record::units::{RequestsPerDay, RequestsPerYear};

/// The sentence of an assessment that is complete but for it.
pub(crate) fn sentence(assessment: &Assessment, scenario: &Scenario) -> String {
    let demand = &assessment.demand;
    let mut text = format!(
        "At {} requests a day ({} tokens in, {} out), running {} {} costs {} USD per million tokens",
        volume(demand.requests_per_day.get()),
        number(demand.isl.as_f64()),
        number(demand.osl.as_f64()),
        model_name(&assessment.model),
        place(assessment.fleet, scenario.hosting.kind),
        number(assessment.cost.blended.value.get()),
    );
    if let Some(api) = assessment.main_comparison() {
        text.push_str(&compared(api, assessment));
        text.push_str(&ending(api, assessment, scenario));
        text.push_str(&odds(api, assessment));
    }
    text.push('.');
    text
}

/// The model without the word that says where it came from.
fn model_name(model: &str) -> &str {
    model.strip_prefix("dummy:").or_else(|| model.strip_prefix("hf:")).unwrap_or(model)
}

fn place(fleet: Fleet, kind: HostingKind) -> String {
    let place = serving(fleet.serving, kind);
    match fleet.spares.get() {
        0 => place,
        1 => format!("{place} and a spare"),
        spares => format!("{place} and {} spares", number(f64::from(spares))),
    }
}

fn serving(machines: Machines, kind: HostingKind) -> String {
    match (machines.get(), kind) {
        (1, HostingKind::Own) => "on this machine".to_owned(),
        (1, HostingKind::Colo) => "on one colocated machine".to_owned(),
        (1, HostingKind::Rent) => "on one rented machine".to_owned(),
        (count, HostingKind::Own) => {
            format!("on {} machines like this one", number(f64::from(count)))
        }
        (count, HostingKind::Colo) => {
            format!("on {} colocated machines like this one", number(f64::from(count)))
        }
        (count, HostingKind::Rent) => format!("on {} rented machines", number(f64::from(count))),
    }
}

fn compared(api: &ApiComparison, assessment: &Assessment) -> String {
    let ratio = api.ratio.get();
    let times = if ratio < 0.0 {
        "below nothing because batch work pays more than all of it costs, beside".to_owned()
    } else if ratio >= 1.0 {
        format!("{} times", number(ratio))
    } else {
        format!("{} of", percent(ratio))
    };
    let stale = if api.stale { ", stale" } else { "" };
    let (charged, id) = (number(api.blended.get()), api.price.id());
    let about = format!("{}, {}{stale}", api.class, api.price.dated());
    if api.fixed_usd_per_year.get() > 0.0 {
        let all = api.usd_per_year / assessment.demand.tokens_per_year;
        format!(
            ", {times} the {} USD of {id} and the people who use it ({charged} USD by the token, {about})",
            number(all.get()),
        )
    } else {
        format!(", {times} the {charged} USD that {id} charges ({about})")
    }
}

/// In how many drawn scenarios it is the cheaper, where any were drawn.
fn odds(api: &ApiComparison, assessment: &Assessment) -> String {
    let id = api.price.id();
    let odds = assessment.simulation.as_ref().and_then(|simulation| {
        let odds = simulation.odds.iter().find(|odds| odds.api == id)?;
        Some((simulation.draws, odds.self_hosting_cheaper.get()))
    });
    match odds {
        Some((draws, share)) => format!(
            "; of {} scenarios drawn around these figures it is the cheaper in {}",
            number(f64::from(draws)),
            percent(share),
        ),
        None => String::new(),
    }
}

fn ending(api: &ApiComparison, assessment: &Assessment, scenario: &Scenario) -> String {
    match (&api.break_even, api.break_even_requests_per_day) {
        (BreakEven::At(_), Some(first)) => breaks_even(api, assessment, first),
        (BreakEven::At(_), None) => String::new(),
        (BreakEven::Never(NeverReason::ApiAtOrBelowMarginal { .. }), _) => {
            format!("; it never breaks even, because that is less than {} here", marginal(scenario))
        }
        (BreakEven::Never(NeverReason::BeyondCapacity { capacity, .. }), _) => format!(
            "; it never breaks even within the measured capacity of {}, {} requests a day",
            machines(assessment.staircase.machines_max),
            daily(*capacity, scenario),
        ),
    }
}

/// From where on it is the cheaper; a lead at low volumes can be lost before this demand.
fn breaks_even(api: &ApiComparison, assessment: &Assessment, first: RequestsPerDay) -> String {
    let from = if first.get() > 0.0 {
        format!("; it breaks even at {} requests a day", volume(first.get()))
    } else {
        "; it is the cheaper from the first request on".to_owned()
    };
    let lost = first <= assessment.demand.requests_per_day && api.ratio.get() > 1.0;
    if lost { format!("{from}, but no longer is the cheaper at this demand") } else { from }
}

/// What a request adds to our bill, in words.
fn marginal(scenario: &Scenario) -> &'static str {
    if scenario.backfill.idle_share.value.get() > 0.0 {
        "the electricity of a request and the batch work it displaces cost"
    } else {
        "the electricity of a request alone costs"
    }
}

/// Why there is no break-even, in words.
pub(crate) fn never(reason: NeverReason, scenario: &Scenario, most: Machines) -> String {
    match reason {
        NeverReason::ApiAtOrBelowMarginal { api, marginal } => format!(
            "the API charges {} USD for a request; {} {} USD here",
            number(api.get()),
            self::marginal(scenario),
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
                machines(most),
                daily(capacity, scenario),
            )
        }
    }
}

/// The machines that break-even is looked for on.
fn machines(most: Machines) -> String {
    match most.get() {
        1 => "this machine".to_owned(),
        most => format!("{} such machines", number(f64::from(most))),
    }
}

fn daily(yearly: RequestsPerYear, scenario: &Scenario) -> String {
    volume(yearly.get() / scenario.demand.days_per_year.value.get())
}
