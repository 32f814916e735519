//! A fleet of replicas under a real or a synthetic demand, simulated event by event.
//!
//! - [`Service`]: how long a replica takes, from records ([`ServiceCurve`]) or given.
//! - [`Demand`]: who asks when: a [`Replay`] of a trace, as often as one likes, or a
//!   [`Synthetic`] one.
//! - [`FleetConfig`]: replicas, batch, memory, routing, scaling, failures.
//! - [`simulate()`]: one run; [`simulate_all`]: several at the same time.
//!
//! There is no money in the simulation itself, and no clock: the same seed gives the same answer.

mod config;
mod error;
mod grid;
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
mod service;
mod simulate;
mod synthetic;
mod timers;
mod upkeep;

pub use config::{Bounds, Failures, FleetConfig, Routing, Scaling, TARGET_SHARE};
pub use error::FleetError;
pub use lengths::{Length, Lengths};
pub use outcome::{LittlesLaw, Outcome};
pub use percentiles::Percentiles;
pub use profile::Part;
pub use replay::Replay;
pub use service::{MeasuredTime, Service, ServiceCurve};
pub use synthetic::{Arrivals, Synthetic};

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
