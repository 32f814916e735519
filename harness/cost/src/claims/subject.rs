//! What a claim is judged on: one group of records, costed on the terms of the question.

use crate::assess::{Drawing, assess_group};
use crate::assessment::{ApiComparison, Assessment};
use crate::costing::Costing;
use crate::error::CostError;
use crate::inputs::{Inputs, ListedRequest};
use crate::prices::Catalogue;
use crate::scenario::Scenario;
use freeweights_record::Record;
use jiff::civil::Date;

/// What was asked: all records, and the terms.
#[derive(Clone, Copy)]
pub(super) struct Question<'a> {
    pub(super) records: &'a [Record],
    pub(super) scenario: &'a Scenario,
    pub(super) prices: &'a Catalogue,
    pub(super) today: Date,
    pub(super) drawing: Option<Drawing<'a>>,
}

/// One group of records, costed.
pub(super) struct Subject<'a> {
    pub(super) question: Question<'a>,
    pub(super) members: Vec<&'a Record>,
    pub(super) costing: Costing<'a>,
    pub(super) assessment: Assessment,
}

impl<'a> Subject<'a> {
    /// # Errors
    /// [`CostError`]: whatever keeps the group from being costed.
    pub(super) fn of(
        group: String,
        members: &[&'a Record],
        question: Question<'a>,
    ) -> Result<Self, CostError> {
        let Question { scenario, prices, today, drawing, .. } = question;
        let costing = Costing::new(group, members, scenario, prices, today)?;
        let assessment = assess_group(&costing, drawing)?;
        Ok(Self { question, members: members.to_vec(), costing, assessment })
    }

    /// The same records in another scenario.
    ///
    /// # Errors
    /// As [`Subject::of`].
    pub(super) fn on<'b>(&'b self, scenario: &'b Scenario) -> Result<Subject<'b>, CostError> {
        let question: Question<'b> = self.question;
        let question = Question { scenario, ..question };
        Subject::of(self.costing.group.clone(), &self.members, question)
    }

    pub(super) const fn inputs(&self) -> &Inputs {
        &self.costing.inputs
    }

    /// The API that answers the question, and what it lists.
    pub(super) fn main_api(&self) -> Option<(&ApiComparison, ListedRequest)> {
        let api = self.assessment.main_comparison()?;
        Some((api, self.costing.listed(&api.price)))
    }
}

/// What is said where there is no API beside the machine.
pub(super) const NO_API: &str = "an API to compare with; name one with --api PROVIDER/MODEL, or search with: freeweights prices TEXT";
