//! How sure the answer is: one input at a time (the tornado), and all of them together (drawn
//! scenarios).
//!
//! The spread of the assumptions is told here. That of the measurement has a place of its own, the
//! interval of each [`crate::Estimate`]; in the drawn scenarios it takes part as one input among
//! the others.
//!
//! Each input is drawn by itself. There is no correlation between inputs: expensive hardware comes
//! with cheap staff as often as with expensive staff, so what moves together in life spreads wider
//! than is told here, and what offsets itself spreads less. The scenarios are as wide as the ranges
//! of the scenario say, and these are mostly judgement.

mod draw;
mod simulate;
mod speed;
mod tornado;

pub(crate) use draw::beta;
pub(crate) use simulate::{Drawn, drawn_ranks, simulate};
pub(crate) use speed::Speed;
pub(crate) use tornado::tornado;

use freeweights_record::units::{Fraction, UsdPerMillionTokens};
use serde::{Deserialize, Serialize};

/// What one input does to the blended cost, everything else held.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Swing {
    /// The key of the scenario, or the figure of machine or measurement.
    pub name: String,
    /// Its unit.
    pub unit: String,
    /// Its low end, in its unit.
    pub low: f64,
    /// Its value.
    pub value: f64,
    /// Its high end.
    pub high: f64,
    /// Blended cost with the input at its low end.
    pub cost_at_low: UsdPerMillionTokens,
    /// Blended cost with the input at its high end.
    pub cost_at_high: UsdPerMillionTokens,
    /// Self-hosted over API bill with the input at its low end; `None` without an API.
    pub ratio_at_low: Option<f64>,
    /// Self-hosted over API bill with the input at its high end.
    pub ratio_at_high: Option<f64>,
}

/// Where the throughput of the drawn scenarios comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ThroughputSpread {
    /// From means of the record's own samples, drawn with replacement.
    Samples,
    /// From the record's 95% interval, its samples being unknown.
    Interval,
    /// From nothing: the record has neither, so the throughput is held.
    Held,
}

/// What a headline figure is in the drawn scenarios.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Headline {
    /// Which, for programs: it stays when the words change.
    pub key: String,
    /// Which, for people.
    pub name: String,
    /// Its unit.
    pub unit: String,
    /// One scenario in twenty lies below.
    pub p5: f64,
    /// Half of them lie below.
    pub p50: f64,
    /// One in twenty lies above.
    pub p95: f64,
    /// Share of the scenarios that have it at all: a break-even, say. The percentiles are of those.
    pub exists: Fraction,
}

/// In how many of the drawn scenarios self-hosting is the cheaper.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Odds {
    /// The API, as provider/model.
    pub api: String,
    /// Share of the scenarios.
    pub self_hosting_cheaper: Fraction,
}

/// Drawn scenarios, summed up.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Simulation {
    /// How many.
    pub draws: u32,
    /// Their seed.
    pub seed: u64,
    /// Where the throughput comes from.
    pub throughput: ThroughputSpread,
    /// P5, P50 and P95 of each headline.
    pub headlines: Vec<Headline>,
    /// Odds against each API.
    pub odds: Vec<Odds>,
}
