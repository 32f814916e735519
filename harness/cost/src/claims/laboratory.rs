//! C15: each model, and the company that makes them.

use super::answer::{ClaimAnswer, Verdict};
use super::claim::ClaimId;
use super::draft::Draft;
use super::subject::Subject;
use crate::bill::ComponentKind;
use crate::figure::{Label, ListedFigure};
use crate::ledger::{Entry, Ledger, LedgerError, Year};
use freeweights_record::units::{Fraction, Ratio, Usd};

/// Years of the example.
const YEARS: i32 = 3;

/// What a company does: each model costs more to train than the one before, and earns the year
/// after.
#[derive(Clone, Copy)]
struct Laboratory {
    /// Training of the first model.
    first: Usd,
    /// Training of a model over that of the one before.
    growth: Ratio,
    /// Revenue of a model over its training.
    returns: Ratio,
}

impl Laboratory {
    /// The ledger of its first years: the last model has not earned yet.
    fn ledger(self) -> Result<Ledger, LedgerError> {
        let mut entries = Vec::new();
        for year in 0..YEARS {
            let training = self.first * self.growth.get().powi(year);
            let entry = |at: i32, training, revenue| Entry {
                year: Year::new(at),
                model: format!("model {}", year + 1),
                training,
                revenue,
                inference: None,
            };
            entries.push(entry(year + 1, Some(training), None));
            if year + 1 < YEARS {
                entries.push(entry(year + 2, None, Some(training * self.returns.get())));
            }
        }
        Ledger::new(entries)
    }
}

/// Every model that has earned has a gain, and every year of the company is a loss.
fn verdict(ledger: &Ledger) -> Verdict {
    let gains = ledger.per_model().iter().filter_map(|line| line.result).all(|usd| usd.get() > 0.0);
    let losses = ledger.per_year().iter().all(|line| line.flows.result().get() < 0.0);
    if gains && losses { Verdict::Supported } else { Verdict::Refuted }
}

pub(super) fn laboratory(subject: &Subject<'_>) -> ClaimAnswer {
    let mut draft = Draft::of(ClaimId::C15);
    let example = Laboratory {
        first: Usd::new(draft.given("first_training")),
        growth: Ratio::new(draft.given("growth")),
        returns: Ratio::new(draft.given("return")),
    };
    let ledger = match example.ledger() {
        Ok(ledger) => ledger,
        Err(error) => return draft.lacks(error.to_string()),
    };
    let mut company = Vec::new();
    for line in ledger.per_year().iter().rev() {
        let key = format!("company_{}", line.year);
        draft.put(
            &*key,
            format!("company, year {}", line.year),
            line.flows.result(),
            Label::Derived,
        );
        company.push(format!("{{{key}}}"));
    }
    let mut models = Vec::new();
    for (index, line) in ledger.per_model().iter().enumerate() {
        if let Some(result) = line.result {
            let key = format!("model_{}", index + 1);
            draft.put(&*key, line.model.as_str(), result, Label::Derived);
            models.push(format!("{{{key}}}"));
        }
    }
    draft.flips_at(
        "training of a model over that of the one before, at which the company is even",
        Some(example.returns),
    );
    company.reverse();
    let mut template = format!(
        "In the example the models earn {} USD over their training while the company makes {} USD in its years; it stops losing where a model costs no more than {{threshold}} times the one before instead of {{growth}} times.",
        models.join(" and "),
        company.join(", "),
    );
    own_training(&mut draft, &mut template, subject);
    draft.done(verdict(&ledger), &template, &[])
}

/// The training or fine-tuning of the scenario, where it has any.
fn own_training(draft: &mut Draft, template: &mut String, subject: &Subject<'_>) {
    let bill = &subject.assessment.bill;
    let training = bill.of(ComponentKind::Training);
    let named = |figure: &&ListedFigure| figure.name.starts_with("training.");
    for figure in subject.assessment.figures.iter().filter(named) {
        draft.leans_on_one(figure.clone());
    }
    if training.get() > 0.0 {
        let share = Fraction::new(training / bill.total_usd_per_year);
        draft.put("training", "training in this scenario's bill", training, Label::Derived);
        draft.put("training_share", "share of that", share, Label::Derived);
        template.push_str(" In this scenario training is {training} USD a year, {training_share} of the bill. Your own ledger is added up by: freeweights ledger FILE.");
    } else {
        template.push_str(" This scenario trains nothing. Your own ledger is added up by: freeweights ledger FILE.");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example(growth: f64, returns: f64) -> Ledger {
        let (growth, returns) = (Ratio::new(growth), Ratio::new(returns));
        Laboratory { first: Usd::new(100e6), growth, returns }.ledger().unwrap()
    }

    #[test]
    fn the_published_example_comes_out() {
        // Training 100, 1,000, 10,000; revenue 0, 200, 2,000: company -100, -800, -8,000.
        let ledger = example(10.0, 2.0);
        let years: Vec<f64> =
            ledger.per_year().iter().map(|line| line.flows.result().get() / 1e6).collect();
        assert_eq!(years, [-100.0, -800.0, -8_000.0]);
        let models: Vec<Option<f64>> =
            ledger.per_model().iter().map(|line| line.result.map(|usd| usd.get() / 1e6)).collect();
        assert_eq!(models, [Some(100.0), Some(1_000.0), None]);
        assert_eq!(verdict(&ledger), Verdict::Supported);
    }

    #[test]
    fn it_flips_where_a_model_costs_what_the_one_before_earned() {
        // The company's year is (returns - growth) * training of the year before.
        assert_eq!(verdict(&example(2.001, 2.0)), Verdict::Supported);
        assert_eq!(verdict(&example(1.999, 2.0)), Verdict::Refuted);
        // And where no model earns its training back.
        assert_eq!(verdict(&example(10.0, 0.999)), Verdict::Refuted);
    }
}
