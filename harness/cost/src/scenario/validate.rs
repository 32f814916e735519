//! What the values of a scenario must be. Each rule is one plain sentence.

use super::Scenario;
use crate::error::CostError;

/// A key, whether a value of it is good, and what it must be.
type Rule = (&'static str, fn(f64) -> bool, &'static str);

/// The rules of single figures.
const RULES: &[Rule] = &[
    (
        "demand.requests_per_day",
        |x| x > 0.0 && x <= 1e12,
        "it must be more than 0 and at most 1e12",
    ),
    ("demand.days_per_year", |x| x > 0.0 && x <= 366.0, "it must be more than 0 and at most 366"),
    ("demand.isl", |x| x >= 1.0, "it must be at least 1"),
    ("demand.osl", |x| x >= 1.0, "it must be at least 1"),
    ("demand.peak_to_mean", |x| x >= 1.0, "it must be at least 1: no peak is below the mean"),
    ("hardware.price_usd", |x| x >= 0.0, "it must be 0 or more"),
    ("hardware.life_years", |x| x > 0.0, "it must be more than 0"),
    (
        "hardware.residual_share",
        share,
        "it must be between 0 and 1: no machine sells above its price",
    ),
    ("hardware.cost_of_capital", |x| x >= 0.0, "it must be 0 or more"),
    ("hardware.maintenance_share", |x| x >= 0.0, "it must be 0 or more"),
    ("hardware.machines_max", |x| x >= 1.0, "it must be at least 1"),
    ("hardware.load_w", |x| x >= 0.0, "it must be 0 or more"),
    ("hardware.idle_w", |x| x >= 0.0, "it must be 0 or more"),
    ("hardware.load_share_of_tdp", |x| x > 0.0, "it must be more than 0"),
    ("hardware.idle_share_of_tdp", |x| x >= 0.0, "it must be 0 or more"),
    ("hosting.electricity_usd_per_kwh", |x| x >= 0.0, "it must be 0 or more"),
    ("hosting.pue", |x| x >= 1.0, "it must be at least 1: a site uses what its computers use"),
    (
        "hosting.hours_per_year",
        |x| x > 0.0 && x <= 8_784.0,
        "it must be more than 0 and at most 8784",
    ),
    ("hosting.usd_per_machine_year", |x| x >= 0.0, "it must be 0 or more"),
    ("hosting.rent_usd_per_hour", |x| x >= 0.0, "it must be 0 or more"),
    ("staff.fte", |x| x >= 0.0, "it must be 0 or more"),
    ("staff.salary_usd_per_year", |x| x >= 0.0, "it must be 0 or more"),
    ("staff.benefits_share", |x| (0.0..1.0).contains(&x), "it must be at least 0 and below 1"),
    ("objective.ttft_s", |x| x > 0.0, "it must be more than 0"),
    ("objective.tpot_s", |x| x > 0.0, "it must be more than 0"),
    ("api.fte", |x| x >= 0.0, "it must be 0 or more"),
];

fn share(value: f64) -> bool {
    (0.0..=1.0).contains(&value)
}

/// Refuses values that mean nothing.
pub(super) fn validate(scenario: &Scenario) -> Result<(), CostError> {
    for (name, value) in numbers(scenario) {
        let Some((_, good, rule)) = RULES.iter().find(|(known, ..)| *known == name) else {
            continue;
        };
        let rule = if value.is_finite() { rule } else { "it must be a finite number" };
        if !value.is_finite() || !good(value) {
            let (name, value) = (name.to_owned(), value.to_string());
            return Err(CostError::OutOfRange { name, value, rule });
        }
    }
    if scenario.api.models.is_empty() {
        return Err(CostError::OutOfRange {
            name: "api.models".to_owned(),
            value: "[]".to_owned(),
            rule: "it must name at least one API to compare with",
        });
    }
    Ok(())
}

/// Every number of the scenario, the ones too that its kind of hosting does not use.
fn numbers(scenario: &Scenario) -> Vec<(&'static str, f64)> {
    use crate::figure::Value as _;
    let Scenario { demand, hardware, hosting, staff, objective, api, .. } = scenario;
    macro_rules! list {
        ($($section:ident.$field:ident),+ ; $($optional:ident.$given:ident),+) => {
            [$(Some((
                concat!(stringify!($section), ".", stringify!($field)),
                $section.$field.value.as_number(),
            ))),+, $($optional.$given.as_ref().map(|figure| (
                concat!(stringify!($optional), ".", stringify!($given)),
                figure.value.as_number(),
            ))),+]
        };
    }
    list!(
        demand.requests_per_day, demand.days_per_year, demand.isl, demand.osl, demand.peak_to_mean,
        hardware.life_years, hardware.residual_share, hardware.cost_of_capital,
        hardware.maintenance_share, hardware.spares, hardware.machines_max,
        hardware.load_share_of_tdp, hardware.idle_share_of_tdp,
        hosting.electricity_usd_per_kwh, hosting.pue, hosting.hours_per_year,
        hosting.usd_per_machine_year, staff.fte, staff.salary_usd_per_year, staff.benefits_share,
        api.fte;
        hardware.price_usd, hardware.load_w, hardware.idle_w, hosting.rent_usd_per_hour,
        objective.ttft_s, objective.tpot_s
    )
    .into_iter()
    .flatten()
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{DEFAULT_PRESET, KEYS, Kind};

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
            "staff.fte=-1",
            "demand.osl=0",
            "demand.isl=0",
            "demand.requests_per_day=0",
            "demand.requests_per_day=1e13",
            "demand.peak_to_mean=0.9",
            "hosting.hours_per_year=9000",
            "staff.benefits_share=1",
            "objective.ttft_s=0",
        ] {
            let name = set.split('=').next().unwrap();
            let message = refused(set);
            assert!(message.starts_with(&format!("{name} is ")), "{message}");
            assert!(message.ends_with(&format!("--set {name}=VALUE")), "{message}");
        }
        insta::assert_snapshot!(refused("hosting.pue=0.5"), @"hosting.pue is 0.5, but it must be at least 1: a site uses what its computers use; correct it in the scenario or with --set hosting.pue=VALUE");
        insta::assert_snapshot!(refused("staff.fte=nan"), @"staff.fte is NaN, but it must be a finite number; correct it in the scenario or with --set staff.fte=VALUE");
        insta::assert_snapshot!(refused("api.models=[]"), @"api.models is [], but it must name at least one API to compare with; correct it in the scenario or with --set api.models=VALUE");
    }

    #[test]
    fn every_number_has_a_rule() {
        let numbers = KEYS.iter().filter(|key| matches!(key.kind, Kind::Real | Kind::Whole));
        for key in numbers.filter(|key| key.name != "hardware.spares") {
            assert!(RULES.iter().any(|(name, ..)| *name == key.name), "{}", key.name);
        }
    }
}
