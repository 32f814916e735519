//! Scenarios drawn at random, in which every part of the bill is open.

use proptest::prelude::*;

/// A scenario in which every part of the bill is open.
#[derive(Debug, Clone)]
pub struct Open {
    pub preset: &'static str,
    pub requests_per_day: f64,
    pub isl: u64,
    pub osl: u64,
    pub price: f64,
    pub life: f64,
    pub rate: f64,
    pub residual: f64,
    pub spares: u32,
    pub electricity: f64,
    pub pue: f64,
    pub salary: f64,
    pub fte: f64,
}

impl Open {
    /// The overrides that make it.
    pub fn sets(&self) -> Vec<String> {
        vec![
            format!("demand.requests_per_day={}", self.requests_per_day),
            format!("demand.isl={}", self.isl),
            format!("demand.osl={}", self.osl),
            format!("hardware.price_usd={}", self.price),
            format!("hardware.life_years={}", self.life),
            format!("hardware.cost_of_capital={}", self.rate),
            format!("hardware.residual_share={}", self.residual),
            format!("hardware.spares={}", self.spares),
            format!("hosting.electricity_usd_per_kwh={}", self.electricity),
            format!("hosting.pue={}", self.pue),
            format!("staff.salary_usd_per_year={}", self.salary),
            format!("staff.fte={}", self.fte),
        ]
    }

    /// The overrides, and one more on top.
    pub fn with(&self, name: &str, value: f64) -> Vec<String> {
        let mut sets = self.sets();
        sets.push(format!("{name}={value}"));
        sets
    }

    /// What a key of it holds.
    pub fn of(&self, name: &str) -> f64 {
        match name {
            "hardware.price_usd" => self.price,
            "hardware.cost_of_capital" => self.rate,
            "hardware.residual_share" => self.residual,
            "hosting.electricity_usd_per_kwh" => self.electricity,
            "hosting.pue" => self.pue,
            "staff.salary_usd_per_year" => self.salary,
            "staff.fte" => self.fte,
            "hardware.spares" => f64::from(self.spares),
            other => panic!("{other} is not open"),
        }
    }
}

prop_compose! {
    pub fn open()(
        preset in prop::sample::select(vec!["this-machine", "rented-cloud"]),
        requests_per_day in 1.0..1e5_f64, isl in 1_u64..20_000, osl in 1_u64..4_000,
        price in 0.0..1e5_f64, life in 0.5..10.0_f64, rate in 0.0..0.4_f64, residual in 0.0..0.9_f64,
        spares in 0_u32..4, electricity in 0.0..1.0_f64, pue in 1.0..2.5_f64,
        salary in 0.0..3e5_f64, fte in 0.0..5.0_f64,
    ) -> Open {
        Open {
            preset, requests_per_day, isl, osl, price, life, rate, residual, spares, electricity, pue,
            salary, fte,
        }
    }
}
