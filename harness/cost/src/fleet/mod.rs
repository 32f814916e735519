//! A fleet of replicas under a real or a synthetic demand, simulated event by event.
//!
//! - [`Service`]: how long a replica takes, from records ([`ServiceCurve`]) or given.
//! - [`Demand`]: who asks when: a [`Replay`] of a trace, as often as one likes, or a
//!   [`Synthetic`] one.
//! - [`FleetConfig`]: replicas, batch, memory, routing, scaling, failures.
//! - [`simulate()`]: one run; [`simulate_all`]: several at the same time.
//! - [`Search`]: the smallest fleet that meets a [`Target`].
//! - [`fleet()`]: all of it with its dollars, beside APIs, and the years ahead ([`outlook()`]).
//!
//! What one replica does with requests that came when they came, from a sweep over the batch:
//!
//! ```
//! use freeweights_cost::figure::Machines;
//! use freeweights_cost::fleet::{Demand, FleetConfig, Replay, Service, ServiceCurve, simulate};
//! use freeweights_cost::trace::{Request, Trace};
//! # use freeweights_record::Record;
//! # use freeweights_record::units::{Seconds, Tokens, TokensPerSecond};
//! # let one = |batch, decode| Record {
//! #     isl: Some(Tokens::new(128)), osl: Some(Tokens::new(64)), batch: Some(batch),
//! #     prefill_mean_tps: Some(TokensPerSecond::new(2_000.0)),
//! #     decode_mean_tps: Some(TokensPerSecond::new(decode)), ..Record::default()
//! # };
//! # let records = [one(1, 180.0), one(4, 450.0)];
//! # let sent = [0.0, 0.3, 0.4].map(|at| Request {
//! #     arrival: Seconds::new(at), isl: Tokens::new(100), osl: Tokens::new(50),
//! # });
//! let service = Service::Curve(ServiceCurve::of_records(&records)?);
//! let trace = Trace::of_requests(&sent)?;
//! let demand = Demand::Replay(Replay::once(&trace));
//! let outcome = simulate(&service, &demand, &FleetConfig::of(Machines::new(1), 4))?;
//! let (ttft, tpot) = (outcome.ttft.at(50.0), outcome.tpot.at(95.0));
//! let (latency, tokens_per_s) = (outcome.e2e.at(95.0), outcome.output_rate());
//! # assert!(ttft.is_some() && tpot.is_some() && latency.is_some() && tokens_per_s.get() > 0.0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! There is no money in the simulation itself, and no clock: the same seed gives the same answer.

mod ahead;
mod answer;
mod answering;
mod config;
mod error;
mod grid;
mod growth;
mod job;
mod lengths;
mod measured;
mod min_tree;
mod outcome;
mod percentiles;
mod prefix_cache;
mod profile;
mod replay;
mod replica;
mod search;
mod sentence;
mod service;
mod simulate;
mod stated;
mod survey;
mod synthetic;
mod target;
mod timers;
mod upkeep;
mod ways;

pub use answer::{FLEET_VERSION, FleetAnswer, FleetQuestion, FleetSize, Ranks, Scaled};
pub use answering::{fleet, fleets};
pub use config::{Bounds, Failures, FleetConfig, Routing, Scaling};
pub use error::FleetError;
pub use growth::{Ahead, Commitment, Fan, FanPoint, Growth, Outlook, Prices, Staffing, outlook};
pub use lengths::{Length, Lengths};
pub use outcome::{LittlesLaw, Outcome};
pub use percentiles::Percentiles;
pub use profile::Part;
pub use replay::Replay;
pub use search::{Search, Smallest, offered_load};
pub use service::{MeasuredTime, Service, ServiceCurve};
pub use stated::days_to_draw;
pub use survey::Survey;
pub use synthetic::{Arrivals, Synthetic};
pub use target::Target;
pub use ways::{ApiCost, Way, WayCost};

use freeweights_record::units::Seconds;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

/// Who asks, and when.
#[derive(Debug, Clone)]
pub enum Demand<'a> {
    /// As a trace says.
    Replay(Replay<'a>),
    /// Drawn.
    Synthetic(Synthetic),
}

impl Demand<'_> {
    /// The time after which the profile begins anew: a day, or the trace.
    #[must_use]
    pub fn period(&self) -> Seconds {
        match self {
            Self::Replay(replay) => replay.period(),
            Self::Synthetic(_) => synthetic::DAY,
        }
    }
}

/// Runs a fleet over all requests of a demand, until the last one is done.
///
/// # Errors
/// As [`FleetConfig::check`]; [`FleetError::BatchNotMeasured`] where replicas are to step more
/// sequences together than were measured.
pub fn simulate(
    service: &Service,
    demand: &Demand<'_>,
    config: &FleetConfig,
) -> Result<Outcome, FleetError> {
    let period = demand.period();
    match demand {
        Demand::Replay(replay) => simulate::run(service, replay.arrivals(), period, config),
        Demand::Synthetic(drawn) => {
            drawn.lengths().check()?;
            simulate::run(service, drawn.arrivals(), period, config)
        }
    }
}

/// Runs several fleets under one demand, as many at a time as there are threads; the answers are in
/// the order of the configurations.
///
/// # Errors
/// As [`simulate()`]; the first.
pub fn simulate_all(
    service: &Service,
    demand: &Demand<'_>,
    configs: &[FleetConfig],
    threads: usize,
) -> Result<Vec<Outcome>, FleetError> {
    let next = AtomicUsize::new(0);
    let (send, receive) = mpsc::channel();
    std::thread::scope(|scope| {
        for _ in 0..threads.clamp(1, configs.len().max(1)) {
            let (next, send) = (&next, send.clone());
            scope.spawn(move || {
                while let Some((index, config)) = {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    configs.get(index).map(|config| (index, config))
                } {
                    // The receiver outlives the threads.
                    let _ = send.send((index, simulate(service, demand, config)));
                }
            });
        }
    });
    drop(send);
    let mut done: Vec<(usize, Result<Outcome, FleetError>)> = receive.iter().collect();
    done.sort_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, outcome)| outcome).collect()
}
