//! C9 and C11: prices beside prices, of models and of subscriptions.

use super::answer::{ClaimAnswer, Verdict};
use super::claim::{ClaimId, rivals};
use super::draft::Draft;
use super::subject::Subject;
use crate::assessment::Estimate;
use crate::blend::{blend, price_ratio};
use crate::error::CostError;
use crate::figure::{Figure, Label, ListedFigure};
use crate::prices::ApiPrice;
use crate::scenario::Plan;
use freeweights_record::units::{Ratio, Tokens, UsdPerMillionTokens, UsdPerMonth};

/// A peer's price over the challenger's.
struct Times {
    pair: String,
    ratio: Ratio,
    peer: UsdPerMillionTokens,
    challenger: UsdPerMillionTokens,
}

pub(super) fn times_cheaper(subject: &Subject<'_>) -> ClaimAnswer {
    let mut draft = Draft::of(ClaimId::C9);
    let list = match pairs(subject, &mut draft) {
        Ok(list) => list,
        Err(error) => return draft.lacks(error.to_string()),
    };
    let by_ratio = |a: &&Times, b: &&Times| a.ratio.get().total_cmp(&b.ratio.get());
    let (Some(least), Some(most)) = (list.iter().min_by(by_ratio), list.iter().max_by(by_ratio))
    else {
        return draft.lacks("prices of the challenger and of its peers in the catalogue");
    };
    let claimed = Ratio::new(draft.given("claimed"));
    draft.put("most", format!("most: {}", most.pair), most.ratio, Label::Derived);
    draft.put("least", format!("least: {}", least.pair), least.ratio, Label::Derived);
    draft.put("peer", "tokens at that peer", most.peer, Label::Assumed);
    draft.put("challenger", "tokens at the challenger", most.challenger, Label::Assumed);
    for (index, times) in list.iter().enumerate() {
        draft.put(format!("pair_{index}"), times.pair.as_str(), times.ratio, Label::Derived);
    }
    let verdict = verdict(least.ratio, most.ratio, claimed);
    // Below the dearest peer over forty one pair is in; below the cheapest all are.
    let of = if verdict == Verdict::Refuted { most } else { least };
    draft.flips_at(
        format!(
            "price of the challenger at which it is {} times cheaper, {}",
            claimed.get(),
            of.pair
        ),
        Some(of.peer / claimed.get()),
    );
    let template = "At this scenario's input and output the peers list {least} to {most} times the challenger's price: {most_pair} is the most, {peer} USD per million tokens beside {challenger}. It would take {threshold} USD for the {claimed} times of the claim{of}.";
    let of = if verdict == Verdict::Refuted { "" } else { " at every peer" };
    draft.done(verdict, template, &[("most_pair", &most.pair), ("of", of)])
}

/// Every peer beside its challenger, at the prices in force today.
fn pairs(subject: &Subject<'_>, draft: &mut Draft) -> Result<Vec<Times>, CostError> {
    let mut list = Vec::new();
    for rivals in rivals() {
        let challenger = listed(subject, draft, &rivals.challenger)?;
        for id in &rivals.peers {
            let peer = listed(subject, draft, id)?;
            list.push(Times {
                pair: format!("{id} over {}", rivals.challenger),
                ratio: price_ratio(peer, challenger),
                peer,
                challenger,
            });
        }
    }
    Ok(list)
}

/// The listed price of a token at the scenario's shape.
fn listed(
    subject: &Subject<'_>,
    draft: &mut Draft,
    id: &str,
) -> Result<UsdPerMillionTokens, CostError> {
    let inputs = subject.inputs();
    let price =
        subject.question.prices.find_for(id, &subject.costing.usage(), subject.question.today)?;
    let blended = blended(&price, inputs.isl, inputs.osl);
    let source = format!("{} ({})", price.source, price.dated());
    let figure = Figure::assumed(blended, source, price.checked.to_string());
    draft.leans_on_one(ListedFigure::of(format!("api.{id}.blended"), &figure));
    Ok(blended)
}

fn blended(price: &ApiPrice, isl: Tokens, osl: Tokens) -> UsdPerMillionTokens {
    blend(price.input, price.output, isl, osl)
}

fn verdict(least: Ratio, most: Ratio, claimed: Ratio) -> Verdict {
    if least >= claimed {
        Verdict::Supported
    } else if most < claimed {
        Verdict::Refuted
    } else {
        Verdict::Depends
    }
}

const NO_PLAN: &str = "a subscription in the scenario: --scenario internal-chatbot has one, or give api.plans.NAME with usd_per_month, buys_usd_per_month and model in a file; the catalogue of prices has none";

pub(super) fn subscriptions(subject: &Subject<'_>) -> ClaimAnswer {
    let mut draft = Draft::of(ClaimId::C11);
    let plans = &subject.question.scenario.api.plans;
    let times = |plan: &Plan| plan.buys_usd_per_month.value / plan.usd_per_month.value;
    let best = plans.iter().max_by(|a, b| times(a.1).total_cmp(&times(b.1)));
    let Some((name, plan)) = best else { return draft.lacks(NO_PLAN) };
    let over = |bought: UsdPerMonth| Ratio::new(bought / plan.usd_per_month.value);
    let bought = &plan.buys_usd_per_month;
    let claimed = Ratio::new(draft.given("bought") / draft.given("price"));
    let factor = Estimate {
        value: over(bought.value),
        low: bought.low.map(over),
        high: bought.high.map(over),
    };
    draft.range("factor", "metered use that a seat buys over its price", factor, Label::Derived);
    draft.put("claimed", "the same in the claim", claimed, Label::Derived);
    draft.put("seat", "price of a seat", plan.usd_per_month.value, plan.usd_per_month.label);
    draft.put("buys", "metered use that a seat buys", bought.value, bought.label);
    if let Some(compared) = subject.assessment.plans.iter().find(|plan| plan.name == *name) {
        draft.put("seats", "seats", compared.seats, Label::Derived);
        draft.put("plan", "bill of the seats", compared.usd_per_year, Label::Derived);
        draft.put(
            "metered",
            "the same use by the token",
            compared.metered_usd_per_year,
            Label::Derived,
        );
    }
    draft.put(
        "ours",
        "self-hosted bill",
        subject.assessment.bill.total_usd_per_year,
        Label::Derived,
    );
    let at = UsdPerMonth::new(plan.usd_per_month.value.get() * claimed.get());
    draft.flips_at("metered use of a seat that makes the factor of the claim", Some(at));
    draft.leans_on(
        &subject.assessment.figures,
        &["api.plans.", "demand.users", "demand.requests_per_day"],
    );
    let (low, high) = (factor.low.unwrap_or(factor.value), factor.high.unwrap_or(factor.value));
    let verdict = verdict(low, high, claimed);
    let template = "A seat of the plan {plan_name} costs {seat} USD a month and buys {buys} USD of metered use, {factor} times its price, beside {claimed} in the claim, which is reached at {threshold} USD; for this demand {seats} seats cost {plan} USD a year, the same by the token {metered} and self-hosting {ours}.";
    draft.done(verdict, template, &[("plan_name", name)])
}
