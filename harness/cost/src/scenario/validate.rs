//! Refuses values that mean nothing.

use super::section::{Entry, Spread};
use super::{Rule, Scenario, rules};
use crate::error::CostError;
use crate::figure::Figure;

/// The most scenarios drawn; each takes some 80 bytes until its percentiles are known.
const DRAWS_MAX: u32 = 1_000_000;

/// Checks every number of the scenario, the ones too that its kind of hosting does not use.
pub(super) fn validate(scenario: &Scenario) -> Result<(), CostError> {
    let mut wrong = None;
    scenario.each(&mut |name, entry, rule| {
        if wrong.is_none() {
            wrong = check(name, entry, rule).err();
        }
    });
    if let Some(error) = wrong {
        return Err(error);
    }
    for (name, role) in &scenario.staff.roles {
        let key = |part: &str| format!("staff.roles.{name}.{part}");
        check(&key("fte"), Entry::of(&role.fte), &rules::AMOUNT)?;
        let salary = Entry::of(&role.salary_usd_per_year);
        check(&key("salary_usd_per_year"), salary, &rules::AMOUNT)?;
    }
    for (name, plan) in &scenario.api.plans {
        let key = |part: &str| format!("api.plans.{name}.{part}");
        let figure =
            |figure: &Figure<_>, part| check(&key(part), Entry::of(figure), &rules::POSITIVE);
        figure(&plan.usd_per_month, "usd_per_month")?;
        figure(&plan.buys_usd_per_month, "buys_usd_per_month")?;
    }
    let demand = &scenario.demand;
    let (read, write) = (demand.cached_share.value.get(), demand.cache_write_share.value.get());
    if read + write > 1.0 {
        let rule = "together with demand.cached_share it must be at most 1";
        return Err(out_of_range("demand.cache_write_share", write.to_string(), rule));
    }
    let draws = scenario.uncertainty.draws;
    if draws > DRAWS_MAX {
        let rule = "it must be at most 1000000: percentiles no longer change there";
        return Err(out_of_range("uncertainty.draws", draws.to_string(), rule));
    }
    if let (Some(count), None) = (&scenario.hardware.count, &scenario.hardware.preset) {
        let rule = "it counts devices of hardware.preset, which is not set";
        return Err(out_of_range("hardware.count", count.value.get().to_string(), rule));
    }
    if scenario.api.models.is_empty() {
        let rule = "it must name at least one API to compare with";
        return Err(out_of_range("api.models", "[]".to_owned(), rule));
    }
    Ok(())
}

fn check(name: &str, entry: Entry<'_>, rule: &Rule) -> Result<(), CostError> {
    let finite = "it must be a finite number";
    let ends = [("", Some(entry.value)), (".low", entry.low), (".high", entry.high)];
    for (end, value) in ends {
        let Some(value) = value else { continue };
        let words = if value.is_finite() { rule.words } else { finite };
        if !value.is_finite() || !(rule.holds)(value) {
            return Err(out_of_range(&format!("{name}{end}"), value.to_string(), words));
        }
    }
    let (Some(low), Some(high)) = (entry.low, entry.high) else {
        return match entry.low.or(entry.high) {
            Some(one) => {
                let words = "a range takes both low and high";
                Err(out_of_range(name, one.to_string(), words))
            }
            None => Ok(()),
        };
    };
    let range = || format!("{} within {low} to {high}", entry.value);
    if !(low <= entry.value && entry.value <= high) {
        return Err(out_of_range(name, range(), "low, value and high must rise"));
    }
    match rule.spread {
        Spread::None => {
            Err(out_of_range(name, range(), "it takes no range, it is a policy or a count"))
        }
        Spread::LogNormal if low <= 0.0 => {
            Err(out_of_range(&format!("{name}.low"), low.to_string(), "it must be more than 0"))
        }
        Spread::AboveOne if low <= 1.0 => {
            Err(out_of_range(&format!("{name}.low"), low.to_string(), "it must be more than 1"))
        }
        Spread::Beta if crate::uncertainty::beta(entry.value, low, high).is_none() => {
            let words = "the range of a share must be narrower, and lie within 0 and 1";
            Err(out_of_range(name, range(), words))
        }
        _ => Ok(()),
    }
}

fn out_of_range(name: &str, value: String, rule: &'static str) -> CostError {
    CostError::OutOfRange { name: name.to_owned(), value, rule }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::DEFAULT_PRESET;

    fn refused(set: &str) -> String {
        Scenario::preset(DEFAULT_PRESET, &[set.parse().unwrap()]).unwrap_err().to_string()
    }

    #[test]
    fn every_absurd_value_is_refused() {
        for set in [
            "hosting.electricity_usd_per_kwh=-0.1",
            "hosting.electricity_usd_per_kwh=nan",
            "hardware.price_usd=inf",
            "hardware.price_usd=-1",
            "hosting.pue=0.5",
            "hardware.life_years=0",
            "hardware.residual_share=1.1",
            "hardware.usable_share=0",
            "staff.fte=-1",
            "demand.osl=0",
            "demand.isl=0",
            "demand.requests_per_day=0",
            "demand.requests_per_day=1e13",
            "demand.peak_to_mean=0.9",
            "demand.growth_per_year=-1",
            "hosting.hours_per_year=9000",
            "staff.benefits_share=1",
            "staff.roles.engineer.fte=-1",
            "api.price_decline_per_year=1",
            "objective.ttft_s=0",
        ] {
            let name = set.split('=').next().unwrap();
            let mut sets = vec![set];
            if name.starts_with("staff.roles") {
                sets.push("staff.roles.engineer.salary_usd_per_year=1");
            }
            let sets: Vec<_> = sets.iter().map(|set| set.parse().unwrap()).collect();
            let message = Scenario::preset(DEFAULT_PRESET, &sets).unwrap_err().to_string();
            assert!(message.starts_with(&format!("{name} is ")), "{message}");
            assert!(message.ends_with(&format!("--set {name}=VALUE")), "{message}");
        }
        insta::assert_snapshot!(refused("hosting.pue=0.5"), @"hosting.pue is 0.5, but it must be at least 1: a site uses what its computers use; correct it in the scenario or with --set hosting.pue=VALUE");
        insta::assert_snapshot!(refused("staff.fte=nan"), @"staff.fte is NaN, but it must be a finite number; correct it in the scenario or with --set staff.fte=VALUE");
        insta::assert_snapshot!(refused("api.models=[]"), @"api.models is [], but it must name at least one API to compare with; correct it in the scenario or with --set api.models=VALUE");
    }

    #[test]
    fn a_range_must_hold_the_value() {
        let range = |key: &str, value, low, high| {
            refused(&format!(
                "{key}={{ value = {value}, low = {low}, high = {high}, source = \"us\" }}"
            ))
        };
        insta::assert_snapshot!(range("hosting.pue", 1.5, 1.6, 1.7), @"hosting.pue is 1.5 within 1.6 to 1.7, but low, value and high must rise; correct it in the scenario or with --set hosting.pue=VALUE");
        insta::assert_snapshot!(range("hosting.pue", 1.5, 0.9, 1.7), @"hosting.pue.low is 0.9, but it must be at least 1: a site uses what its computers use; correct it in the scenario or with --set hosting.pue.low=VALUE");
        insta::assert_snapshot!(range("demand.days_per_year", 300.0, 200.0, 365.0), @"demand.days_per_year is 300 within 200 to 365, but it takes no range, it is a policy or a count; correct it in the scenario or with --set demand.days_per_year=VALUE");
        insta::assert_snapshot!(range("hardware.residual_share", 0.5, 0.0, 1.0), @"hardware.residual_share is 0.5 within 0 to 1, but the range of a share must be narrower, and lie within 0 and 1; correct it in the scenario or with --set hardware.residual_share=VALUE");
        insta::assert_snapshot!(refused("hosting.pue={ value = 1.5, low = 1.2, source = \"us\" }"), @"hosting.pue is 1.2, but a range takes both low and high; correct it in the scenario or with --set hosting.pue=VALUE");
    }

    #[test]
    fn draws_that_fill_the_memory_are_refused() {
        insta::assert_snapshot!(refused("uncertainty.draws=4000000000"), @"uncertainty.draws is 4000000000, but it must be at most 1000000: percentiles no longer change there; correct it in the scenario or with --set uncertainty.draws=VALUE");
        let draws = |set: &str| Scenario::preset(DEFAULT_PRESET, &[set.parse().unwrap()]);
        assert!(draws("uncertainty.draws=1000000").is_ok());
    }

    #[test]
    fn devices_are_counted_of_a_preset() {
        insta::assert_snapshot!(refused("hardware.count=4"), @"hardware.count is 4, but it counts devices of hardware.preset, which is not set; correct it in the scenario or with --set hardware.count=VALUE");
    }

    #[test]
    fn an_api_cannot_cache_more_than_all() {
        let sets = ["demand.cached_share=0.7", "demand.cache_write_share=0.4"];
        let sets: Vec<_> = sets.iter().map(|set| set.parse().unwrap()).collect();
        let error = Scenario::preset(DEFAULT_PRESET, &sets).unwrap_err();
        insta::assert_snapshot!(error, @"demand.cache_write_share is 0.4, but together with demand.cached_share it must be at most 1; correct it in the scenario or with --set demand.cache_write_share=VALUE");
    }
}
