//! What is said of a claim. Nothing is computed here.

use super::claim::ClaimId;
use crate::figure::{Label, ListedFigure};
use crate::people::{percent, volume};
use freeweights_record::Weights;
use freeweights_record::units::Fraction;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Version of the shape of [`ClaimAnswers`]. It rises when a field changes its meaning or goes.
pub const CLAIMS_VERSION: u32 = 1;

/// Whether a claim holds on these measurements, on these terms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It holds.
    Supported,
    /// It does not.
    Refuted,
    /// It holds on one side of the threshold, or within a part of the range only.
    Depends,
    /// Something that it needs is not in the results or not in the scenario.
    NotMeasured,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Supported => "supported",
            Self::Refuted => "refuted",
            Self::Depends => "depends",
            Self::NotMeasured => "not measured here",
        })
    }
}

/// A number in its unit, as people read it: a share as a percentage, a large one in words.
#[must_use]
pub fn reading(value: f64, unit: &str) -> String {
    if unit == Fraction::SYMBOL { percent(value) } else { volume(value) }
}

/// One number of an answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClaimFigure {
    /// Which, for programs: it stays when the words change.
    pub key: String,
    /// Which, for people.
    pub what: String,
    /// The bare number, in `unit`.
    pub value: f64,
    /// What it is at least; `None` where nothing is known of that.
    pub low: Option<f64>,
    /// What it is at most.
    pub high: Option<f64>,
    /// Its unit; `1` for a share.
    pub unit: String,
    /// How it came to be; `given` is what the user stated, a figure of the claim's source is
    /// `assumed`.
    pub label: Label,
}

/// The number at which the verdict flips.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Threshold {
    /// Of what.
    pub what: String,
    /// The bare number, in `unit`.
    pub value: f64,
    /// Its unit; `1` for a share.
    pub unit: String,
}

/// One point of a line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// In the unit of the horizontal axis.
    pub x: f64,
    /// In the unit of the line.
    pub y: f64,
    /// What it is, where it has a name of its own.
    pub name: Option<String>,
}

/// One line of a chart.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// What it shows.
    pub name: String,
    /// Its unit.
    pub unit: String,
    /// Its points, by rising `x`.
    pub points: Vec<Point>,
}

/// What a chart of an answer needs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Series {
    /// What lies on the horizontal axis.
    pub x: String,
    /// Its unit; `1` for a share.
    pub x_unit: String,
    /// The lines.
    pub lines: Vec<Line>,
}

/// One claim, judged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClaimAnswer {
    /// Which.
    pub id: ClaimId,
    /// A few words about it.
    pub title: String,
    /// The claim, in words of ours.
    pub claim: String,
    /// Who claims it, and when.
    pub source: String,
    /// How the verdict comes about, in one sentence.
    pub rule: String,
    /// The verdict.
    pub verdict: Verdict,
    /// The numbers of it, the one that answers first. Those of the claim's source are among them.
    pub figures: Vec<ClaimFigure>,
    /// Where the verdict flips; `None` where no number flips it.
    pub threshold: Option<Threshold>,
    /// The answer. Its numbers are among `figures` and `threshold`.
    pub sentence: String,
    /// What would have to be measured or stated; `None` where nothing is missing.
    pub needs: Option<String>,
    /// The inputs that it leans on.
    pub leans_on: Vec<ListedFigure>,
    /// Points for a chart, where one helps.
    pub series: Option<Series>,
}

/// All claims, judged on one group of records.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClaimAnswers {
    /// [`CLAIMS_VERSION`].
    pub claims_version: u32,
    /// The day of it; prices are those in force then.
    pub date: Date,
    /// The scenario.
    pub scenario: String,
    /// The group in words: model, engine, device and threads.
    pub group: String,
    /// The model.
    pub model: String,
    /// Its quantisation.
    pub quant: Option<String>,
    /// Whether its weights are trained or random.
    pub weights: Option<Weights>,
    /// What ran it.
    pub engine: String,
    /// Where it ran.
    pub device: String,
    /// CPU threads it ran with.
    pub threads: Option<u32>,
    /// The answers, by rising id.
    pub answers: Vec<ClaimAnswer>,
}

impl ClaimAnswers {
    /// How many answers have a verdict.
    #[must_use]
    pub fn count(&self, verdict: Verdict) -> usize {
        self.answers.iter().filter(|answer| answer.verdict == verdict).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_read_shares_as_percentages_and_large_numbers_in_words() {
        assert_eq!(reading(0.153, "1"), "15.3%");
        assert_eq!(reading(0.153, "ratio"), "0.153");
        assert_eq!(reading(81_300_000.0, "tokens/month"), "81.3 million");
    }
}
