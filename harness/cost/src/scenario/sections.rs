//! The sections of a scenario. Each line is a key, its unit and its rule.

use super::keys::Key;
use super::rules;
use super::section::{Entry, Visit, key, section};
use crate::figure::{Figure, Machines};
use freeweights_record::units::{
    Days, Elasticity, Fraction, FullTimeEquivalents, Hours, Ratio, RequestsPerDay, Seconds, Tokens,
    Usd, UsdPerHour, UsdPerKilowattHour, UsdPerKilowattMonth, UsdPerMillionTokens, UsdPerMonth,
    UsdPerYear, Users, Watts, Years,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

section! {
    /// What is asked for.
    pub struct Demand in "demand" {
        /// Requests of a day.
        requests_per_day: RequestsPerDay => REQUESTS,
        /// Days of a year with that demand.
        days_per_year: Days => DAYS,
        /// Input tokens of a request.
        isl: Tokens => COUNT,
        /// Output tokens of a request.
        osl: Tokens => COUNT,
        /// How far the busiest time stands above the mean.
        peak_to_mean: Ratio => PEAK,
        /// Share of the input that an API reads from its cache.
        cached_share: Fraction => SHARE,
        /// Share of the input that an API writes into its cache.
        cache_write_share: Fraction => SHARE,
        /// By how much the demand grows a year; 0.5 is half as much again.
        growth_per_year: Fraction => CHANGE,
        /// How the demand answers to the price of a token.
        elasticity: Elasticity => ELASTICITY,
    }
    optional {
        /// People who ask. Left out, no cost per user is given.
        users: Users => POSITIVE,
    }
    also {
        /// A file of requests that isl, osl, the peak and the requests of a day come from.
        #[serde(default)]
        trace: Option<String>,
    }
}

section! {
    /// What it is served on.
    pub struct Hardware in "hardware" {
        /// Street price over the price stated.
        price_factor: Ratio => POSITIVE,
        /// Years it is used.
        life_years: Years => LIFE,
        /// What it sells for after that, as a share of the price.
        residual_share: Fraction => RESIDUAL,
        /// What the money would earn elsewhere, a year.
        cost_of_capital: Fraction => AMOUNT,
        /// Support and spare parts, as a share of the price, a year.
        maintenance_share: Fraction => AMOUNT,
        /// Share of the measured throughput that is left in service: restarts, uneven load.
        usable_share: Fraction => USABLE,
        /// Machines beyond those the peak needs.
        spares: Machines => WHOLE,
        /// The most machines break-even is looked for on, or those the demand needs if they are more.
        machines_max: Machines => COUNT,
        /// Power under load as a share of the rated power, where nothing was measured.
        load_share_of_tdp: Fraction => POSITIVE,
        /// Power when idle as a share of the rated power, where nothing was measured.
        idle_share_of_tdp: Fraction => AMOUNT,
    }
    optional {
        /// Price of a machine like the measured one. Left out, it comes from the table of hardware.
        price_usd: Usd => AMOUNT,
        /// Devices of `preset` in a machine. Left out, as many as were measured.
        count: Machines => COUNT,
        /// Power under load. Left out, it is measured, or the rated power times `load_share_of_tdp`.
        load_w: Watts => AMOUNT,
        /// Power when idle. Left out, it is measured, or the rated power times `idle_share_of_tdp`.
        idle_w: Watts => AMOUNT,
    }
    also {
        /// A device of the table of hardware. Left out, it is the measured one.
        #[serde(default)]
        preset: Option<String>,
    }
}

/// How the machine is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HostingKind {
    /// Bought, on a site of ours; electricity, maintenance and the cost of capital are ours.
    Own,
    /// Bought, in rented space: as owned, and the site is paid by provisioned power.
    Colo,
    /// Rented by the hour, electricity included.
    Rent,
}

section! {
    /// Where the machine stands.
    pub struct Hosting in "hosting" {
        /// Price of electricity.
        electricity_usd_per_kwh: UsdPerKilowattHour => AMOUNT,
        /// Energy of the site over the energy of its computers.
        pue: Ratio => PUE,
        /// Hours of a year a machine is on.
        hours_per_year: Hours => HOURS,
        /// Space and the like, for each machine, a year.
        usd_per_machine_year: UsdPerYear => AMOUNT,
        /// Network of the site, whatever the number of machines, a year.
        network_usd_per_year: UsdPerYear => AMOUNT,
        /// Space in a colocation site, by provisioned power; electricity comes on top.
        colo_usd_per_kw_month: UsdPerKilowattMonth => AMOUNT,
        /// Share of the rented hours that are reserved for a year.
        reserved_share: Fraction => SHARE,
        /// What a reservation takes off the rent.
        reserved_discount: Fraction => SHARE,
    }
    optional {
        /// Rent of a machine like the measured one. Left out, it comes from the table of rents.
        rent_usd_per_hour: UsdPerHour => AMOUNT,
    }
    also {
        /// Owned, colocated or rented.
        kind: HostingKind,
    }
}

/// One kind of specialist.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Role {
    /// Working time spent on it.
    pub fte: Figure<FullTimeEquivalents>,
    /// Salary for the full time.
    pub salary_usd_per_year: Figure<UsdPerYear>,
}

section! {
    /// Who looks after it.
    pub struct Staff in "staff" {
        /// Working time of people without a role of their own.
        fte: FullTimeEquivalents => AMOUNT,
        /// Their salary for the full time.
        salary_usd_per_year: UsdPerYear => AMOUNT,
        /// Share of benefits in the whole compensation.
        benefits_share: Fraction => BENEFITS,
    }
    optional {}
    also {
        /// Specialists, by the name of their role.
        #[serde(default)]
        roles: BTreeMap<String, Role>,
    }
}

section! {
    /// How fast it must be. A bound left out does not bind.
    #[derive(Default)]
    pub struct Objective in "objective" {}
    optional {
        /// Longest mean time to the first token.
        ttft_s: Seconds => BOUND,
        /// Longest mean time per output token.
        tpot_s: Seconds => BOUND,
    }
    also {}
}

section! {
    /// Licences and support of what runs on the machines.
    pub struct Software in "software" {
        /// For each machine, a year.
        usd_per_machine_year: UsdPerYear => AMOUNT,
        /// Whatever the number of machines, a year.
        usd_per_year: UsdPerYear => AMOUNT,
    }
    optional {}
    also {}
}

section! {
    /// What making the model one's own costs.
    pub struct Training in "training" {
        /// Paid once: a fine-tuning, the data for it, an evaluation.
        one_off_usd: Usd => AMOUNT,
        /// Years until it is done anew.
        life_years: Years => LIFE,
        /// Paid each year: refreshing it.
        usd_per_year: UsdPerYear => AMOUNT,
    }
    optional {}
    also {}
}

section! {
    /// Idle hours sold to batch work.
    pub struct Backfill in "backfill" {
        /// Share of the idle hours that are sold.
        idle_share: Fraction => SHARE,
        /// What a token of that work is paid, input and output alike.
        usd_per_million_tokens: UsdPerMillionTokens => AMOUNT,
    }
    optional {}
    also {}
}

/// A subscription beside the metered price.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// Price of a seat.
    pub usd_per_month: Figure<UsdPerMonth>,
    /// Metered use that a seat buys.
    pub buys_usd_per_month: Figure<UsdPerMonth>,
    /// The model it is metered by, as provider/model.
    pub model: String,
}

section! {
    /// What it is compared with.
    pub struct Api in "api" {
        /// Working time spent on using an API.
        fte: FullTimeEquivalents => AMOUNT,
        /// Price charged over the price listed: hosts differ, contracts have discounts.
        price_factor: Ratio => POSITIVE,
        /// Share of the price that is gone after a year.
        price_decline_per_year: Fraction => DECLINE,
        /// Share of the requests that can wait for a batch.
        batch_share: Fraction => SHARE,
        /// Price of a batched token over the listed one, where the API states none.
        batch_factor: Ratio => POSITIVE,
    }
    optional {}
    also {
        /// Ids of the catalogue, and the words `baseline` and `frontier`.
        models: Vec<String>,
        /// Subscriptions, by name.
        #[serde(default)]
        plans: BTreeMap<String, Plan>,
    }
}

section! {
    /// How a fleet of such machines is run, where one is simulated.
    pub struct Fleet in "fleet" {
        /// From the decision to start a machine until it serves.
        cold_start_s: Seconds => WAIT,
        /// From an order to the machine.
        lead_time_days: Days => WAIT,
        /// What a single week adds to growth: standard deviation of the logarithm.
        weekly_noise: Fraction => NOISE,
        /// Standard deviation over mean of the gaps between drawn requests; 1 is Poisson.
        gap_variation: Ratio => VARIATION,
        /// Standard deviation over mean of the input tokens of drawn requests.
        isl_variation: Ratio => VARIATION,
        /// Standard deviation over mean of the output tokens of drawn requests.
        osl_variation: Ratio => VARIATION,
        /// Demand of a Saturday or Sunday over that of another day.
        weekend: Ratio => WAIT,
        /// Time to repair a machine that failed.
        mttr_hours: Hours => WAIT,
    }
    optional {
        /// Mean time of service between failures of one machine. Left out, none fails.
        mtbf_hours: Hours => BOUND,
    }
    also {}
}

/// How the spread of the figures is explored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Uncertainty {
    /// Scenarios drawn; 0 draws none.
    pub draws: u32,
    /// Seed of the draws: the same seed gives the same answer.
    pub seed: u64,
}
