//! The inputs that have a range, and how each is set.

use crate::figure::{Figure, Value};
use crate::inputs::{Inputs, salaries};
use crate::machine::Machine;
use crate::scenario::{Role, Scenario, Spread};
use freeweights_record::units::{
    Fraction, FullTimeEquivalents, Ratio, RequestsPerDay, Usd, UsdPerHour, UsdPerKilowattHour,
    UsdPerKilowattMonth, UsdPerMillionTokens, UsdPerYear, Watts, Years,
};

/// Sets one input from a bare number in its unit.
pub(crate) type Setter = fn(&mut Inputs, f64);

/// An input with a range.
#[derive(Debug, Clone)]
pub(crate) struct Knob {
    pub(crate) name: &'static str,
    pub(crate) unit: &'static str,
    pub(crate) low: f64,
    pub(crate) value: f64,
    pub(crate) high: f64,
    pub(crate) spread: Spread,
    pub(crate) set: Setter,
}

macro_rules! setters {
    ($($name:literal => $field:ident: $unit:ident,)+) => {
        /// How the figure of a key is set; `None` for those that stand elsewhere.
        fn setter(name: &str) -> Option<Setter> {
            Some(match name {
                $($name => |inputs, value| inputs.$field = $unit::new(value),)+
                _ => return None,
            })
        }
    };
}

setters! {
    "demand.requests_per_day" => requests_per_day: RequestsPerDay,
    "demand.peak_to_mean" => peak_to_mean: Ratio,
    "demand.growth_per_year" => growth: Fraction,
    "demand.cached_share" => cached_share: Fraction,
    "hardware.price_factor" => price_factor: Ratio,
    "hardware.life_years" => life: Years,
    "hardware.residual_share" => residual_share: Fraction,
    "hardware.cost_of_capital" => cost_of_capital: Fraction,
    "hardware.maintenance_share" => maintenance_share: Fraction,
    "hardware.usable_share" => usable_share: Fraction,
    "hosting.electricity_usd_per_kwh" => electricity: UsdPerKilowattHour,
    "hosting.pue" => pue: Ratio,
    "hosting.usd_per_machine_year" => space: UsdPerYear,
    "hosting.network_usd_per_year" => network: UsdPerYear,
    "hosting.colo_usd_per_kw_month" => colocation: UsdPerKilowattMonth,
    "hosting.reserved_share" => reserved_share: Fraction,
    "hosting.reserved_discount" => reserved_discount: Fraction,
    "staff.fte" => people: FullTimeEquivalents,
    "staff.salary_usd_per_year" => salary: UsdPerYear,
    "staff.benefits_share" => benefits_share: Fraction,
    "software.usd_per_machine_year" => software: UsdPerYear,
    "software.usd_per_year" => shared_software: UsdPerYear,
    "training.one_off_usd" => training: Usd,
    "training.life_years" => training_life: Years,
    "training.usd_per_year" => training_per_year: UsdPerYear,
    "backfill.idle_share" => sold_share: Fraction,
    "backfill.usd_per_million_tokens" => sold_at: UsdPerMillionTokens,
    "api.fte" => api_people: FullTimeEquivalents,
    "api.price_factor" => api_factor: Ratio,
    "api.price_decline_per_year" => api_decline: Fraction,
}

/// Every input with a range, in the order of the scenario, the machine's and the roles' last.
pub(crate) fn knobs(scenario: &Scenario, machine: &Machine) -> Vec<Knob> {
    let mut list = Vec::with_capacity(24);
    scenario.each(&mut |name, entry, rule| {
        let (Some(low), Some(high), Some(set)) = (entry.low, entry.high, setter(name)) else {
            return;
        };
        if scenario.uses(name) {
            let (value, unit) = (entry.value, entry.unit);
            list.push(Knob { name, unit, low, value, high, spread: rule.spread, set });
        }
    });
    match machine {
        Machine::Owned { price, power } => {
            of(&mut list, "machine.price_usd", price, |inputs, value| {
                inputs.price = Usd::new(value);
            });
            // Both phases draw their power from one figure, or were measured and have no range.
            of(&mut list, "machine.load_w", &power.decode, |inputs, value| {
                inputs.prefill_power = Watts::new(value);
                inputs.decode_power = Watts::new(value);
            });
            of(&mut list, "machine.idle_w", &power.idle, |inputs, value| {
                inputs.idle_power = Watts::new(value);
            });
        }
        Machine::Rented { rent } => {
            of(&mut list, "machine.rent_usd_per_hour", rent, |inputs, value| {
                inputs.rent = UsdPerHour::new(value);
            });
        }
    }
    roles(&mut list, scenario);
    list
}

fn of<T: Value>(list: &mut Vec<Knob>, name: &'static str, figure: &Figure<T>, set: Setter) {
    if let (Some(low), Some(high)) = (figure.low, figure.high) {
        list.push(Knob {
            name,
            unit: T::UNIT,
            low: low.as_number(),
            value: figure.value.as_number(),
            high: high.as_number(),
            spread: Spread::LogNormal,
            set,
        });
    }
}

/// Pay and working time of the specialists, each as a whole: one market, one workload.
fn roles(list: &mut Vec<Knob>, scenario: &Scenario) {
    let sum = |time: &dyn Fn(&Role) -> FullTimeEquivalents, pay: &dyn Fn(&Role) -> UsdPerYear| {
        salaries(scenario.staff.roles.values(), time, pay).get()
    };
    let (time, pay) = (|role: &Role| role.fte.value, |role: &Role| role.salary_usd_per_year.value);
    let value = sum(&time, &pay);
    let mut push = |name, unit, low: f64, value: f64, high: f64, set: Setter| {
        if low > 0.0 && low < high {
            list.push(Knob { name, unit, low, value, high, spread: Spread::LogNormal, set });
        }
    };
    let low = |figure: &Figure<UsdPerYear>| figure.low.unwrap_or(figure.value);
    let high = |figure: &Figure<UsdPerYear>| figure.high.unwrap_or(figure.value);
    push(
        "staff.roles: pay",
        UsdPerYear::SYMBOL,
        sum(&time, &|role| low(&role.salary_usd_per_year)),
        value,
        sum(&time, &|role| high(&role.salary_usd_per_year)),
        |inputs, value| inputs.roles = UsdPerYear::new(value),
    );
    if value > 0.0 {
        push(
            "staff.roles: working time",
            Ratio::SYMBOL,
            sum(&|role| role.fte.low.unwrap_or(role.fte.value), &pay) / value,
            1.0,
            sum(&|role| role.fte.high.unwrap_or(role.fte.value), &pay) / value,
            |inputs, value| inputs.roles_time = Ratio::new(value),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{DEFAULT_PRESET, KEYS, PRESETS};

    /// Figures that reach the inputs by way of the machine.
    const BY_THE_MACHINE: [&str; 6] = [
        "hardware.load_share_of_tdp",
        "hardware.idle_share_of_tdp",
        "hardware.price_usd",
        "hardware.load_w",
        "hardware.idle_w",
        "hosting.rent_usd_per_hour",
    ];

    #[test]
    fn every_figure_that_may_have_a_range_can_be_set() {
        for key in KEYS.iter() {
            let Some(rule) = key.rule else { continue };
            // Users change the cost per user alone, and roles count as a whole.
            let elsewhere = BY_THE_MACHINE.contains(&key.name)
                || key.name == "demand.users"
                || key.name == "demand.cache_write_share"
                || key.name == "api.batch_share"
                || key.name == "api.batch_factor"
                || key.name.contains("NAME");
            let ranged = rule.spread != Spread::None;
            assert_eq!(setter(key.name).is_some(), ranged && !elsewhere, "{}", key.name);
        }
    }

    #[test]
    fn a_knob_sets_its_input_and_no_other() {
        use crate::figure::Figure;
        for preset in PRESETS {
            let scenario = Scenario::preset(preset.name, &[]).unwrap();
            let machine = Machine::Rented { rent: Figure::measured(UsdPerHour::new(1.0), "test") };
            let point = crate::operating_point::tests_support::any_point();
            let base = Inputs::of(&scenario, scenario.hosting.kind, &machine, &point);
            for knob in knobs(&scenario, &machine) {
                assert!(knob.low <= knob.value && knob.value <= knob.high, "{}", knob.name);
                let mut changed = base;
                (knob.set)(&mut changed, knob.value);
                assert_eq!(format!("{changed:?}"), format!("{base:?}"), "{}", knob.name);
                (knob.set)(&mut changed, knob.high * 1.5);
                assert_ne!(format!("{changed:?}"), format!("{base:?}"), "{}", knob.name);
            }
        }
    }

    #[test]
    fn roles_move_together() {
        let sets = [
            "staff.roles.a.fte={ value = 1, low = 0.5, high = 2, source = \"us\" }",
            "staff.roles.a.salary_usd_per_year={ value = 100, low = 90, high = 120, source = \"us\" }",
            "staff.roles.b.fte=0.5",
            "staff.roles.b.salary_usd_per_year=200",
        ];
        let sets: Vec<_> = sets.iter().map(|set| set.parse().unwrap()).collect();
        let scenario = Scenario::preset(DEFAULT_PRESET, &sets).unwrap();
        let mut list = Vec::new();
        roles(&mut list, &scenario);
        // pay: 1 * 90 + 0.5 * 200 = 190 to 1 * 120 + 100 = 220, around 200
        assert_eq!((list[0].low, list[0].value, list[0].high), (190.0, 200.0, 220.0));
        // time: (0.5 * 100 + 100) / 200 = 0.75 to (2 * 100 + 100) / 200 = 1.5
        assert_eq!((list[1].low, list[1].value, list[1].high), (0.75, 1.0, 1.5));
    }
}
