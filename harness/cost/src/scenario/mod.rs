//! A scenario: who asks, how much, on what terms. A TOML file, or an embedded preset.
//!
//! ```toml
//! base = "this-machine"            # every key left out comes from this preset
//! name = "support-bot"
//!
//! [demand]
//! requests_per_day = 50_000        # a bare value is labelled as given
//!
//! [hosting]                        # or say where it comes from
//! electricity_usd_per_kwh = { value = 0.24, source = "our last bill", checked = "2026-10" }
//! pue = { fact = "PUE industry average" }
//! ```
//!
//! Not here yet: traces, growth, training cost, plans and discounts of APIs.

mod keys;
mod load;
mod overrides;
mod presets;
mod validate;

pub use keys::{KEYS, Key, Kind};
pub use load::load;
pub use overrides::Override;
pub use presets::{DEFAULT_PRESET, PRESETS, Preset, preset_text};

use crate::allocation::Allocation;
use crate::error::CostError;
use crate::figure::{Figure, ListedFigure, Machines, Value};
use freeweights_record::units::{
    Days, Fraction, FullTimeEquivalents, Hours, Ratio, RequestsPerDay, Seconds, Tokens, Usd,
    UsdPerHour, UsdPerKilowattHour, UsdPerYear, Watts, Years,
};
use serde::{Deserialize, Serialize};

/// Who asks, how much, on what terms.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// Its name.
    pub name: String,
    /// One line about it.
    #[serde(default)]
    pub summary: String,
    /// What is asked for.
    pub demand: Demand,
    /// What it is served on.
    pub hardware: Hardware,
    /// Where that stands.
    pub hosting: Hosting,
    /// Who looks after it.
    pub staff: Staff,
    /// How fast it must be.
    #[serde(default)]
    pub objective: Objective,
    /// How one bill becomes two prices.
    pub split: SplitPolicy,
    /// What it is compared with.
    pub api: Api,
}

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Demand {
    /// Requests of a day.
    pub requests_per_day: Figure<RequestsPerDay>,
    /// Days of a year with that demand.
    pub days_per_year: Figure<Days>,
    /// Input tokens of a request.
    pub isl: Figure<Tokens>,
    /// Output tokens of a request.
    pub osl: Figure<Tokens>,
    /// How far the busiest time stands above the mean.
    pub peak_to_mean: Figure<Ratio>,
}

/// What it is served on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hardware {
    /// Price of a machine like the measured one. Left out, it comes from the table of hardware.
    pub price_usd: Option<Figure<Usd>>,
    /// Years it is used.
    pub life_years: Figure<Years>,
    /// What it sells for after that, as a share of the price.
    pub residual_share: Figure<Fraction>,
    /// What the money would earn elsewhere, a year.
    pub cost_of_capital: Figure<Fraction>,
    /// Support and spare parts, as a share of the price, a year.
    pub maintenance_share: Figure<Fraction>,
    /// Machines beyond those the peak needs.
    pub spares: Figure<Machines>,
    /// The most machines break-even is looked for on.
    pub machines_max: Figure<Machines>,
    /// Power under load. Left out, it is measured, or the rated power times `load_share_of_tdp`.
    pub load_w: Option<Figure<Watts>>,
    /// Power when idle. Left out, it is measured, or the rated power times `idle_share_of_tdp`.
    pub idle_w: Option<Figure<Watts>>,
    /// Power under load as a share of the rated power, where nothing was measured.
    pub load_share_of_tdp: Figure<Fraction>,
    /// Power when idle as a share of the rated power, where nothing was measured.
    pub idle_share_of_tdp: Figure<Fraction>,
}

/// Whether the machine is bought or rented.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum HostingKind {
    /// Bought; electricity, maintenance and the cost of capital are ours.
    Own,
    /// Rented by the hour, electricity included.
    Rent,
}

/// Where the machine stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hosting {
    /// Bought or rented.
    pub kind: HostingKind,
    /// Price of electricity.
    pub electricity_usd_per_kwh: Figure<UsdPerKilowattHour>,
    /// Energy of the site over the energy of its computers.
    pub pue: Figure<Ratio>,
    /// Hours of a year a machine is on.
    pub hours_per_year: Figure<Hours>,
    /// Space, network and the like, for each machine, a year.
    pub usd_per_machine_year: Figure<UsdPerYear>,
    /// Rent of a machine like the measured one. Left out, it comes from the table of rents.
    pub rent_usd_per_hour: Option<Figure<UsdPerHour>>,
}

/// Who looks after it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Staff {
    /// Working time spent on it.
    pub fte: Figure<FullTimeEquivalents>,
    /// Salary for the full time.
    pub salary_usd_per_year: Figure<UsdPerYear>,
    /// Share of benefits in the whole compensation.
    pub benefits_share: Figure<Fraction>,
}

/// How fast it must be. A bound left out does not bind.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Objective {
    /// Longest mean time to the first token.
    pub ttft_s: Option<Figure<Seconds>>,
    /// Longest mean time per output token.
    pub tpot_s: Option<Figure<Seconds>>,
}

/// How one bill becomes an input and an output price.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SplitPolicy {
    /// The policy.
    pub allocation: Allocation,
}

/// What it is compared with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Api {
    /// Ids of the catalogue, and the words `baseline` and `frontier`.
    pub models: Vec<String>,
    /// Working time spent on using an API.
    pub fte: Figure<FullTimeEquivalents>,
}

impl Scenario {
    /// An embedded preset with overrides.
    ///
    /// # Errors
    /// [`CostError::UnknownPreset`], or what is wrong with an override.
    pub fn preset(name: &str, overrides: &[Override]) -> Result<Self, CostError> {
        load(preset_text(name)?, name, overrides)
    }

    /// Every figure of the scenario, in the order of the file.
    #[must_use]
    pub fn figures(&self) -> Vec<ListedFigure> {
        let mut list = Vec::new();
        let (demand, hardware, hosting) = (&self.demand, &self.hardware, &self.hosting);
        push(&mut list, "demand.requests_per_day", &demand.requests_per_day);
        push(&mut list, "demand.days_per_year", &demand.days_per_year);
        push(&mut list, "demand.isl", &demand.isl);
        push(&mut list, "demand.osl", &demand.osl);
        push(&mut list, "demand.peak_to_mean", &demand.peak_to_mean);
        if hosting.kind == HostingKind::Own {
            push(&mut list, "hardware.life_years", &hardware.life_years);
            push(&mut list, "hardware.residual_share", &hardware.residual_share);
            push(&mut list, "hardware.cost_of_capital", &hardware.cost_of_capital);
            push(&mut list, "hardware.maintenance_share", &hardware.maintenance_share);
        }
        push(&mut list, "hardware.spares", &hardware.spares);
        push(&mut list, "hardware.machines_max", &hardware.machines_max);
        if hosting.kind == HostingKind::Own {
            push(&mut list, "hosting.electricity_usd_per_kwh", &hosting.electricity_usd_per_kwh);
            push(&mut list, "hosting.pue", &hosting.pue);
        }
        push(&mut list, "hosting.hours_per_year", &hosting.hours_per_year);
        push(&mut list, "hosting.usd_per_machine_year", &hosting.usd_per_machine_year);
        push(&mut list, "staff.fte", &self.staff.fte);
        push(&mut list, "staff.salary_usd_per_year", &self.staff.salary_usd_per_year);
        push(&mut list, "staff.benefits_share", &self.staff.benefits_share);
        if let Some(bound) = &self.objective.ttft_s {
            push(&mut list, "objective.ttft_s", bound);
        }
        if let Some(bound) = &self.objective.tpot_s {
            push(&mut list, "objective.tpot_s", bound);
        }
        push(&mut list, "api.fte", &self.api.fte);
        list
    }
}

fn push<T: Value>(list: &mut Vec<ListedFigure>, name: &str, figure: &Figure<T>) {
    list.push(ListedFigure::of(name, figure));
}
