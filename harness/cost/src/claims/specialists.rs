//! C6: what a few specialists cost, and when their pay stops mattering.

use super::answer::{ClaimAnswer, Verdict};
use super::bands::{PRESETS, preset_on_machine};
use super::claim::ClaimId;
use super::draft::Draft;
use super::search::first_volume;
use super::subject::{Question, Subject};
use crate::assessment::{Assessment, Estimate};
use crate::bill::ComponentKind;
use crate::error::CostError;
use crate::figure::{Figure, Label, ListedFigure};
use crate::inputs::{Inputs, salaries};
use crate::outcome::outcome;
use crate::scenario::{Role, Scenario};
use crate::staff::{load, yearly_staff_cost};
use freeweights_record::units::{Fraction, FullTimeEquivalents, RequestsPerDay, UsdPerYear};
use std::collections::BTreeMap;

/// Roles that the claim names.
const ROLES: usize = 4;

/// The share below which staff is no longer most of the bill.
const MOST: Fraction = Fraction::new(0.5);

pub(super) fn specialists(subject: &Subject<'_>) -> Result<ClaimAnswer, CostError> {
    let scenario = subject.question.scenario;
    let enterprise = Scenario::preset("enterprise", &[])?;
    let own = &scenario.staff.roles;
    let roles = if own.len() >= ROLES { own } else { &enterprise.staff.roles };
    let load = load(scenario.staff.benefits_share.value)?;
    let one = FullTimeEquivalents::new(1.0);
    let cost = |pay: &dyn Fn(&Figure<UsdPerYear>) -> UsdPerYear| {
        let sum = salaries(roles.values(), |_| one, |role| pay(&role.salary_usd_per_year));
        yearly_staff_cost(one, sum, load)
    };
    let all = Estimate {
        value: cost(&|salary| salary.value),
        low: Some(cost(&|salary| salary.low.unwrap_or(salary.value))),
        high: Some(cost(&|salary| salary.high.unwrap_or(salary.value))),
    };
    let mut draft = Draft::of(ClaimId::C6);
    draft.range("team", "one full-time person of each role, with benefits", all, Label::Derived);
    let people = FullTimeEquivalents::new(roles.len() as f64);
    draft.put("people", "people", people, Label::Assumed);
    let claimed = UsdPerYear::new(draft.given("claimed"));
    let mean = claimed / (people.get() * load.get());
    draft.flips_at("mean pay, without benefits, at which they cost the claim's amount", Some(mean));
    let (low, high) = (all.low.unwrap_or(all.value), all.high.unwrap_or(all.value));
    let verdict = verdict(low, high, claimed);
    for figure in pay(roles) {
        draft.leans_on_one(figure);
    }
    draft.leans_on(&subject.assessment.figures, &["staff.benefits_share", "staff.fte"]);
    let mut template = "One full-time specialist of each role, {people} together, cost {team} USD a year with benefits ({team.low} to {team.high} over the range of pay) beside the {claimed} of the claim, which is reached at a mean pay of {threshold} USD.".to_owned();
    shares(&mut draft, &mut template, subject);
    own_share(&mut draft, &mut template, subject)?;
    Ok(draft.done(verdict, &template, &[]))
}

/// Above the claim's amount over the whole range of pay, below it, or on both sides.
fn verdict(low: UsdPerYear, high: UsdPerYear, claimed: UsdPerYear) -> Verdict {
    if low > claimed {
        Verdict::Supported
    } else if high <= claimed {
        Verdict::Refuted
    } else {
        Verdict::Depends
    }
}

fn pay(roles: &BTreeMap<String, Role>) -> impl Iterator<Item = ListedFigure> {
    roles.iter().map(|(name, role)| {
        let key = format!("staff.roles.{name}.salary_usd_per_year");
        ListedFigure::of(key, &role.salary_usd_per_year)
    })
}

fn staff_share(assessment: &Assessment) -> Fraction {
    let bill = &assessment.bill;
    Fraction::new(bill.of(ComponentKind::Staff) / bill.total_usd_per_year)
}

/// What the staff of the three presets costs, those that can be costed here.
fn shares(draft: &mut Draft, template: &mut String, subject: &Subject<'_>) {
    let mut words = Vec::new();
    let plain = Subject::of(
        subject.costing.group.clone(),
        &subject.members,
        Question { drawing: None, ..subject.question },
    );
    let Ok(plain) = plain else { return };
    for (id, name) in PRESETS {
        let Ok(preset) = preset_on_machine(name, subject.question.scenario) else { continue };
        let Ok(costed) = plain.on(&preset) else { continue };
        let key = format!("staff_{id}");
        let staff = costed.assessment.bill.of(ComponentKind::Staff);
        draft.put(&*key, format!("staff of {name}"), staff, Label::Derived);
        let share = format!("share_{id}");
        draft.put(
            &*share,
            format!("share of staff in {name}"),
            staff_share(&costed.assessment),
            Label::Derived,
        );
        words.push(format!("{{{share}}} of the bill of {name}, {{{key}}} USD"));
    }
    if !words.is_empty() {
        template.push_str(" Staff is ");
        template.push_str(&words.join("; "));
        template.push('.');
    }
}

/// The staff of the scenario itself, and the volume from which it is less than half of the bill.
fn own_share(
    draft: &mut Draft,
    template: &mut String,
    subject: &Subject<'_>,
) -> Result<(), CostError> {
    let share = staff_share(&subject.assessment);
    draft.put("share", "share of staff in this scenario", share, Label::Derived);
    if let Some(volume) = stops_mattering(subject.inputs())? {
        let what = "demand from which staff is less than half of the bill";
        draft.put("volume", what, volume, Label::Derived);
        template.push_str(
            " In this scenario it is {share}, and less than half from {volume} requests a day on.",
        );
    } else if share > MOST {
        template.push_str(" In this scenario it is {share}, and more than half at any demand.");
    } else {
        template.push_str(" In this scenario it is {share}, and less than half at any demand.");
    }
    Ok(())
}

/// The volume from which everything else costs as much as the staff.
fn stops_mattering(inputs: &Inputs) -> Result<Option<RequestsPerDay>, CostError> {
    let staff = inputs.terms()?.staff;
    Ok(first_volume(|requests_per_day| {
        let total = outcome(&Inputs { requests_per_day, ..*inputs }).map(|outcome| outcome.total);
        total.is_ok_and(|total| staff / total <= MOST.get())
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_on_both_sides_decides_nothing() {
        let usd = UsdPerYear::new;
        let of = |low, high| verdict(usd(low), usd(high), usd(700e3));
        assert_eq!(of(700_001.0, 900e3), Verdict::Supported);
        assert_eq!(of(600e3, 700e3), Verdict::Refuted);
        assert_eq!(of(600e3, 700_001.0), Verdict::Depends);
    }

    #[test]
    fn the_preset_has_the_four_roles_of_the_claim() {
        let roles = Scenario::preset("enterprise", &[]).unwrap().staff.roles;
        let names: Vec<&str> = roles.keys().map(String::as_str).collect();
        let four = ["data-scientist", "integration-engineer", "ml-engineer", "mlops-engineer"];
        assert_eq!((names.as_slice(), names.len()), (four.as_slice(), ROLES));
    }
}
