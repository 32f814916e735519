//! A scenario: who asks, how much, on what terms. A TOML file, or an embedded preset.
//!
//! ```toml
//! base = "this-machine"            # every key left out comes from this preset
//! name = "support-bot"
//!
//! [demand]
//! requests_per_day = 50_000        # a bare value is labelled as given
//!
//! [hosting]                        # or say where it comes from, and within what it may lie
//! electricity_usd_per_kwh = { value = 0.24, low = 0.2, high = 0.3, source = "our last bill", checked = "2026-10" }
//! pue = { fact = "PUE industry average" }
//!
//! [staff.roles.mlops-engineer]     # as many roles as there are
//! fte = 0.5
//! salary_usd_per_year = 160_000
//! ```

mod follow;
mod keys;
mod load;
mod overrides;
mod presets;
mod rules;
mod section;
mod sections;
mod validate;

pub(crate) use follow::whole;
pub use keys::{KEYS, Key, Kind};
pub use load::load;
pub use overrides::Override;
pub use presets::{DEFAULT_PRESET, PRESETS, Preset, preset_text};
pub use section::{Rule, Spread};
pub use sections::{
    Api, Backfill, Demand, Fleet, Hardware, Hosting, HostingKind, Objective, Plan, Role, Software,
    Staff, Training, Uncertainty,
};

use crate::allocation::Allocation;
use crate::error::CostError;
use crate::figure::ListedFigure;
use section::Visit;
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
    /// Licences and support.
    pub software: Software,
    /// What making the model one's own costs.
    pub training: Training,
    /// How fast it must be.
    #[serde(default)]
    pub objective: Objective,
    /// Idle hours sold to batch work.
    pub backfill: Backfill,
    /// How one bill becomes two prices.
    pub split: SplitPolicy,
    /// What it is compared with.
    pub api: Api,
    /// How a fleet is run, where one is simulated.
    pub fleet: Fleet,
    /// How the spread of the figures is explored.
    pub uncertainty: Uncertainty,
}

/// How one bill becomes an input and an output price.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SplitPolicy {
    /// The policy.
    pub allocation: Allocation,
}

impl Scenario {
    /// An embedded preset with overrides.
    ///
    /// # Errors
    /// [`CostError::UnknownPreset`], or what is wrong with an override.
    pub fn preset(name: &str, overrides: &[Override]) -> Result<Self, CostError> {
        load(preset_text(name)?, name, overrides)
    }

    /// Hands over every figure of the sections, in the order of the types.
    pub(crate) fn each<'a>(&'a self, visit: Visit<'_, 'a>) {
        self.demand.each(visit);
        self.hardware.each(visit);
        self.hosting.each(visit);
        self.staff.each(visit);
        self.software.each(visit);
        self.training.each(visit);
        self.objective.each(visit);
        self.backfill.each(visit);
        self.api.each(visit);
        self.fleet.each(visit);
    }

    /// Every figure of the scenario that its kind of hosting uses.
    #[must_use]
    pub fn figures(&self) -> Vec<ListedFigure> {
        let mut list = Vec::with_capacity(48);
        self.each(&mut |name, entry, _| {
            if self.uses(name) {
                list.push(entry.listed(name));
            }
        });
        for (name, role) in &self.staff.roles {
            list.push(ListedFigure::of(format!("staff.roles.{name}.fte"), &role.fte));
            let salary = format!("staff.roles.{name}.salary_usd_per_year");
            list.push(ListedFigure::of(salary, &role.salary_usd_per_year));
        }
        for (name, plan) in &self.api.plans {
            let key = |part: &str| format!("api.plans.{name}.{part}");
            list.push(ListedFigure::of(key("usd_per_month"), &plan.usd_per_month));
            list.push(ListedFigure::of(key("buys_usd_per_month"), &plan.buys_usd_per_month));
        }
        list
    }

    /// The figures that only a simulated fleet uses.
    #[must_use]
    pub fn fleet_figures(&self) -> Vec<ListedFigure> {
        let mut list = Vec::new();
        self.fleet.each(&mut |name, entry, _| list.push(entry.listed(name)));
        list
    }

    /// Whether a figure plays a part: not those of another kind of hosting, nor those that stand
    /// in the list under the name of the machine.
    pub(crate) fn uses(&self, name: &str) -> bool {
        let kind = self.hosting.kind;
        match name {
            // Those of simulated fleets have a list of their own.
            _ if name.starts_with("fleet.") => false,
            "hardware.price_usd"
            | "hardware.count"
            | "hardware.load_w"
            | "hardware.idle_w"
            | "hardware.load_share_of_tdp"
            | "hardware.idle_share_of_tdp"
            | "hosting.rent_usd_per_hour" => false,
            "hardware.residual_share"
            | "hardware.maintenance_share"
            | "hosting.electricity_usd_per_kwh"
            | "hosting.pue" => kind != HostingKind::Rent,
            "hosting.colo_usd_per_kw_month" => kind == HostingKind::Colo,
            "hosting.reserved_share" | "hosting.reserved_discount" => kind == HostingKind::Rent,
            _ => true,
        }
    }
}
