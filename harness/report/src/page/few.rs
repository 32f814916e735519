//! What of very many results stands on a page, and saying so.
//!
//! A browser shows some hundred rows and points well and a million never. Answers, claims and the
//! leaderboard are made from all; tables and charts of single cases are made from these.

use super::Page;
use freeweights_cost::Assessment;
use freeweights_record::Record;

/// Cases whose rows and points stand on a page.
pub(crate) const MOST_CASES: usize = 400;

/// Models whose bills stand on a page in full.
pub(crate) const MOST_MODELS: usize = 24;

/// What is shown of a page's contents.
pub(crate) struct Few<'a> {
    all: Page<'a>,
    /// None where all are shown.
    records: Option<Vec<Record>>,
}

impl<'a> Few<'a> {
    pub(crate) fn of(all: &Page<'a>) -> Self {
        let many = all.records.len() > MOST_CASES;
        Self { all: *all, records: many.then(|| evenly(all.records, MOST_CASES)) }
    }

    /// The page with these alone.
    pub(crate) fn page(&self) -> Page<'_> {
        Page {
            records: self.records.as_deref().unwrap_or(self.all.records),
            assessments: self.assessments(),
            ..self.all
        }
    }

    fn assessments(&self) -> &'a [Assessment] {
        let all = self.all.assessments;
        &all[..all.len().min(MOST_MODELS)]
    }

    /// How many of the cases are shown, where it is not all.
    pub(crate) fn of_cases(&self) -> Option<String> {
        let shown = self.records.as_ref()?.len();
        Some(format!("{shown} of the {} measured cases", self.all.records.len()))
    }

    /// What is not shown, a sentence each.
    pub(crate) fn told(&self) -> Vec<String> {
        let cases = self.of_cases().map(|cases| {
            format!("Shown, though all was measured: {cases}, picked evenly, in tables and charts. Answers and claims are made from all; every case is in the summary.csv of its run.")
        });
        let models = self.all.assessments.len();
        let models = (models > MOST_MODELS).then(|| {
            format!("Shown, though all was costed: the bills of {MOST_MODELS} of {models} models. The leaderboard has all; name fewer runs for the bills of others.")
        });
        cases.into_iter().chain(models).collect()
    }
}

/// So many of them, the first and the last among them, at even distances.
fn evenly(records: &[Record], count: usize) -> Vec<Record> {
    let last = records.len() - 1;
    (0..count).map(|at| records[at * last / (count - 1)].clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_the_last_and_others_between_are_picked_and_none_twice() {
        let records: Vec<Record> = (0..1_000)
            .map(|n| Record { case_id: n.to_string().into(), ..Record::default() })
            .collect();
        let picked = evenly(&records, MOST_CASES);
        assert_eq!(picked.len(), MOST_CASES);
        assert_eq!((&*picked[0].case_id, &*picked[MOST_CASES - 1].case_id), ("0", "999"));
        let numbers: Vec<u32> = picked.iter().map(|r| r.case_id.parse().unwrap()).collect();
        assert!(numbers.windows(2).all(|two| (2..=3).contains(&(two[1] - two[0]))));
    }
}
