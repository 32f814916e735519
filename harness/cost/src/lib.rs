//! Prices, scenarios and the total cost of ownership of a measured machine.
//!
//! Records and a scenario go in, an [`Assessment`] comes out: what a million tokens cost on this
//! hardware at this demand, what an API charges for them, and where the two meet. There is no
//! model, no network, no clock and no printing here; the date of today is handed in.
//!
//! - [`finance`], [`energy`], [`staff`], [`sizing`], [`utilisation`], [`allocation`], [`blend`],
//!   [`break_even`]: each formula as one small function with its units and its source.
//! - [`levelised`], [`decline`], [`elasticity`], [`margin`], [`ledger`]: costs, prices, demand and
//!   profit over years; [`months`], [`sales`], [`packing`], [`convention`]: as published cases
//!   count; [`little`]: requests in flight.
//! - [`figure`]: a value that carries its label, its source and its date.
//! - [`scenario`]: who asks, how much, on what terms.
//! - [`prices`]: what APIs charge, with the date each price was checked.
//! - [`operating_point`]: the record whose throughput the bill is divided by.
//! - [`trace`]: requests as a real service received them.
//! - [`uncertainty`]: one input at a time, and all of them at once.
//! - [`fleet`]: replicas under a demand, simulated.
//! - [`claims`]: what is claimed in public about all this, put to the test.
//! - [`assess()`]: all of it together; [`assess_all`] with drawn scenarios.
//!
//! The spread of a figure is that of its `low` and `high`; what has none is taken as certain.

mod against;
pub mod allocation;
pub mod assess;
mod assessment;
pub mod bill;
pub mod blend;
pub mod break_even;
pub mod claims;
pub mod convention;
mod costing;
pub mod decline;
pub mod elasticity;
pub mod energy;
mod error;
pub mod facts;
pub mod figure;
pub mod finance;
pub mod fleet;
mod group;
mod inputs;
mod knobs;
pub mod ledger;
pub mod levelised;
mod listing;
pub mod little;
pub mod machine;
pub mod margin;
pub mod months;
mod nearest;
pub mod operating_point;
mod outcome;
pub mod outlook;
pub mod packing;
pub mod people;
mod priced;
pub mod prices;
pub mod sales;
pub mod scenario;
mod sentence;
pub mod sizing;
pub mod staff;
pub mod tenures;
pub mod trace;
pub mod uncertainty;
pub mod utilisation;

pub use assess::{Drawing, assess, assess_all};
pub use assessment::{
    ASSESSMENT_VERSION, ApiComparison, Assessment, DemandResponse, DemandSummary, Estimate, Fleet,
    PlanComparison, UnitCost,
};
pub use error::CostError;
pub use figure::{Figure, Label, ListedFigure};
pub use listing::throughput_words;
pub use outlook::YearAhead;
pub use priced::{PricedCase, priced_cases};
pub use prices::{ApiPrice, ApiUsage, Catalogue, Class};
pub use scenario::{Override, Scenario};
pub use tenures::TenureCost;
pub use uncertainty::{Headline, Odds, Simulation, Swing, ThroughputSpread};
