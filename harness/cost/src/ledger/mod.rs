//! Each model by itself, and the company that makes them: the same flows, added up two ways.
//!
//! A model is paid for in one year and earns in the next. While each costs more than the one
//! before, every model can earn its cost back and the company still lose money every year. It holds
//! for fine-tuning as for training.
//!
//! Flows are added as they are, undiscounted; what is neither training nor inference is not in it.

mod csv_text;
mod error;

pub use error::LedgerError;

use freeweights_record::units::{Fraction, Usd};
use std::collections::BTreeMap;
use std::fmt;

/// A year of the calendar, or the first, second, third year of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Year(i32);

impl Year {
    /// Wraps a year.
    #[must_use]
    pub const fn new(year: i32) -> Self {
        Self(year)
    }

    /// The bare year.
    #[must_use]
    pub const fn get(self) -> i32 {
        self.0
    }
}

impl fmt::Display for Year {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// What one model cost and earned in one year. What is `None` did not happen.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The year.
    pub year: Year,
    /// The model, or the generation of models.
    pub model: String,
    /// Paid for training or fine-tuning it.
    pub training: Option<Usd>,
    /// Earned with it.
    pub revenue: Option<Usd>,
    /// Paid for serving it.
    pub inference: Option<Usd>,
}

/// Flows of money, and what is left of them.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Flows {
    /// Paid for training.
    pub training: Usd,
    /// Earned.
    pub revenue: Usd,
    /// Paid for inference.
    pub inference: Usd,
}

impl Flows {
    /// What is left.
    ///
    /// `revenue - training - inference`; USD, negative for a loss.
    #[must_use]
    pub fn result(&self) -> Usd {
        self.revenue - self.training - self.inference
    }

    /// What is left of each USD earned.
    ///
    /// `(revenue - training - inference) / revenue`; `None` without revenue.
    #[must_use]
    pub fn margin(&self) -> Option<Fraction> {
        (self.revenue.get() > 0.0).then(|| Fraction::new(self.result() / self.revenue))
    }

    fn add(&mut self, entry: &Entry) {
        let or_zero = |flow: Option<Usd>| flow.unwrap_or_default();
        self.training = self.training + or_zero(entry.training);
        self.revenue = self.revenue + or_zero(entry.revenue);
        self.inference = self.inference + or_zero(entry.inference);
    }
}

/// One model over its life.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelLine {
    /// The model.
    pub model: String,
    /// Its flows over all years.
    pub flows: Flows,
    /// What is left; `None` where it has not earned yet, which is no loss but an open end.
    pub result: Option<Usd>,
}

/// The company in one year.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct YearLine {
    /// The year.
    pub year: Year,
    /// The flows of all models in it; a training is paid in full in its year.
    pub flows: Flows,
}

/// What models cost and earned, year by year.
#[derive(Debug, Clone, PartialEq)]
pub struct Ledger {
    entries: Vec<Entry>,
}

impl Ledger {
    /// A ledger of entries in any order. Entries of one model and year add up.
    ///
    /// # Errors
    /// [`LedgerError::NoRows`] without entries, [`LedgerError::NotAnAmount`] where one is negative
    /// or no finite number.
    pub fn new(entries: Vec<Entry>) -> Result<Self, LedgerError> {
        if entries.is_empty() {
            return Err(LedgerError::NoRows);
        }
        for entry in &entries {
            let flows = [entry.training, entry.revenue, entry.inference];
            if let Some(bad) = flows.into_iter().flatten().find(|usd| !is_amount(*usd)) {
                let (model, year) = (entry.model.clone(), entry.year);
                return Err(LedgerError::NotAnAmount { model, year, found: bad.get().to_string() });
            }
        }
        Ok(Self { entries })
    }

    /// The models in the order they first appear: what each earned over its life, less its
    /// training and its inference.
    #[must_use]
    pub fn per_model(&self) -> Vec<ModelLine> {
        let mut lines: Vec<ModelLine> = Vec::new();
        for entry in &self.entries {
            let known = lines.iter().position(|line| line.model == entry.model);
            let index = known.unwrap_or_else(|| {
                let (model, flows) = (entry.model.clone(), Flows::default());
                lines.push(ModelLine { model, flows, result: None });
                lines.len() - 1
            });
            let line = &mut lines[index];
            line.flows.add(entry);
            // Once it has earned, it has a result.
            if entry.revenue.is_some() || line.result.is_some() {
                line.result = Some(line.flows.result());
            }
        }
        lines
    }

    /// The years in their order, without those in which nothing happened: all revenue of a year,
    /// less all training and all inference of it.
    #[must_use]
    pub fn per_year(&self) -> Vec<YearLine> {
        let mut years: BTreeMap<Year, Flows> = BTreeMap::new();
        for entry in &self.entries {
            years.entry(entry.year).or_default().add(entry);
        }
        years.into_iter().map(|(year, flows)| YearLine { year, flows }).collect()
    }

    /// The company over all years.
    #[must_use]
    pub fn total(&self) -> Flows {
        let mut total = Flows::default();
        self.entries.iter().for_each(|entry| total.add(entry));
        total
    }
}

fn is_amount(usd: Usd) -> bool {
    usd.get() >= 0.0 && usd.get().is_finite()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn entry(year: i32, model: &str, training: f64, revenue: f64, inference: f64) -> Entry {
        let some = |usd: f64| (usd > 0.0).then(|| Usd::new(usd));
        Entry {
            year: Year::new(year),
            model: model.to_owned(),
            training: some(training),
            revenue: some(revenue),
            inference: some(inference),
        }
    }

    #[test]
    fn every_model_earns_and_the_company_loses() {
        // Training 100, 1,000, 10,000 in years 1 to 3; each earns in the year after its own.
        let ledger = Ledger::new(vec![
            entry(1, "first", 100.0, 0.0, 0.0),
            entry(2, "first", 0.0, 200.0, 0.0),
            entry(2, "second", 1_000.0, 0.0, 0.0),
            entry(3, "second", 0.0, 2_000.0, 0.0),
            entry(3, "third", 10_000.0, 0.0, 0.0),
        ])
        .unwrap();
        let years: Vec<_> =
            ledger.per_year().iter().map(|line| line.flows.result().get()).collect();
        // 0 - 100, 200 - 1,000, 2,000 - 10,000
        assert_eq!(years, [-100.0, -800.0, -8_000.0]);
        let models: Vec<_> =
            ledger.per_model().iter().map(|line| line.result.map(Usd::get)).collect();
        // 200 - 100, 2,000 - 1,000, and the third has not earned yet.
        assert_eq!(models, [Some(100.0), Some(1_000.0), None]);
        assert_eq!(ledger.total().result(), Usd::new(-8_900.0));
        assert_eq!(ledger.per_year()[0].flows.margin(), None);
        // (2,000 - 10,000) / 2,000
        assert_eq!(ledger.per_year()[2].flows.margin(), Some(Fraction::new(-4.0)));
        assert_eq!(ledger.per_model()[1].flows.margin(), Some(Fraction::new(0.5)));
    }

    #[test]
    fn serving_costs_count_on_both_sides() {
        let ledger = Ledger::new(vec![
            entry(2025, "a", 100.0, 0.0, 0.0),
            entry(2026, "a", 0.0, 300.0, 120.0),
            entry(2027, "a", 0.0, 0.0, 5.0),
        ])
        .unwrap();
        // 300 - 100 - 125: what comes after the last revenue counts, too.
        assert_eq!(ledger.per_model()[0].result, Some(Usd::new(75.0)));
        assert_eq!(ledger.per_year()[2].flows.result(), Usd::new(-5.0));
    }

    #[test]
    fn a_ledger_holds_amounts() {
        assert_eq!(Ledger::new(Vec::new()), Err(LedgerError::NoRows));
        let mut bad = entry(1, "first", 1.0, 0.0, 0.0);
        bad.revenue = Some(Usd::new(-5.0));
        let error = Ledger::new(vec![bad]).unwrap_err();
        insta::assert_snapshot!(error, @"first in year 1 has an amount of -5; write costs and revenue as amounts of 0 or more");
    }

    proptest! {
        #[test]
        fn both_views_add_up_to_the_same(
            rows in prop::collection::vec((0_i32..5, 0_usize..4, 0.0..1e6_f64, 0.0..1e6_f64, 0.0..1e6_f64), 1..30),
        ) {
            let entries = rows.iter().map(|&(year, model, training, revenue, inference)| {
                entry(year, ["a", "b", "c", "d"][model], training, revenue, inference)
            });
            let ledger = Ledger::new(entries.collect()).unwrap();
            let models: Usd = ledger.per_model().iter().map(|line| line.flows.result()).sum();
            let years: Usd = ledger.per_year().iter().map(|line| line.flows.result()).sum();
            prop_assert!((models - years).get().abs() < 1e-6);
            prop_assert!((models - ledger.total().result()).get().abs() < 1e-6);
        }
    }
}
