//! The smallest fleet that meets a target.

use super::config::FleetConfig;
use super::error::FleetError;
use super::outcome::Outcome;
use super::service::Service;
use super::survey::{Lens, Survey};
use super::target::Target;
use super::{Demand, simulate_all};
use crate::figure::Machines;
use freeweights_record::units::{Ratio, RequestsPerSecond, TokensPerRequest};
use std::collections::BTreeMap;

/// The smallest fleet, and every one that was tried on the way.
#[derive(Debug, Clone)]
pub struct Smallest {
    /// How many replicas.
    pub replicas: Machines,
    /// Every fleet that was simulated, by its replicas.
    pub tried: BTreeMap<u32, Outcome>,
}

/// A demand, what serves it, and what it must meet: everything but the number of replicas.
#[derive(Debug, Clone, Copy)]
pub struct Search<'a> {
    /// How long a replica takes.
    pub service: &'a Service,
    /// Who asks.
    pub demand: &'a Demand<'a>,
    /// How replicas are set up; their number is looked for.
    pub config: &'a FleetConfig,
    /// What must be met.
    pub target: Target,
    /// The most replicas that are tried.
    pub most: Machines,
    /// Runs at the same time.
    pub threads: usize,
}

/// Replicas that work on average, whatever their number: the offered load.
///
/// `rate * (p(1, isl) + (osl - 1) * d(B, depth) / B)`, with full batches of `B`: fewer replicas than
/// that never keep up. In Erlangs, 1 being a replica that never rests.
#[must_use]
pub fn offered_load(
    service: &Service,
    rate: RequestsPerSecond,
    (isl, osl): (TokensPerRequest, TokensPerRequest),
    batch: u32,
) -> Ratio {
    let seconds = match service {
        Service::Constant(time) | Service::Exponential(time) => time.get(),
        Service::Curve(curve) => {
            let together = f64::from(batch.min(curve.batch_max()));
            let whole = |length: f64| {
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "a length in tokens"
                )]
                let tokens = length.round() as u64;
                freeweights_record::units::Tokens::new(tokens)
            };
            let step = curve.step(batch, whole(isl.get() + osl.get() / 2.0)).get() / together;
            // The prompts of one prefill are as many as read fastest for each of them.
            let reads = (1..=service.prompts_max())
                .map(|prompts| curve.prefill(prompts, whole(isl.get())).get() / f64::from(prompts));
            reads.fold(f64::INFINITY, f64::min) + (osl.get() - 1.0).max(0.0) * step
        }
    };
    Ratio::new(rate.get() * seconds)
}

impl Search<'_> {
    /// Begins at the offered load and adds until the target is met, then closes in on the smallest
    /// fleet that meets it.
    ///
    /// Percentiles are taken to fall as replicas are added; the fleet below the smallest was
    /// simulated and missed the target.
    ///
    /// # Errors
    /// As [`super::simulate()`]; [`FleetError::OneAloneExceeds`], [`FleetError::NoFleetMeets`].
    pub fn smallest(&self) -> Result<Smallest, FleetError> {
        self.target.check()?;
        self.target.possible(self.service, &Lens(self.demand), self.config)?;
        let survey = Survey::of(self.demand)?;
        let shape = (survey.isl, survey.osl);
        let batch = self.config.batch_max;
        let load = offered_load(self.service, survey.requests_per_s, shape, batch);
        let most = self.most.get();
        let start = crate::sizing::rounded_up(load.get()).clamp(1, most);
        let mut tried = BTreeMap::new();
        let (mut missed, mut next) = (0, start);
        let met = loop {
            let step = (next / 8).max(1);
            let ahead = (0..).map(|index| next.saturating_add(index * step).min(most));
            let ahead: Vec<u32> = ahead.take(self.threads.max(1)).collect();
            self.run(&ahead, &mut tried)?;
            if let Some(first) = ahead.iter().find(|count| self.meets(&tried, **count)) {
                missed = ahead.iter().copied().filter(|count| count < first).fold(missed, u32::max);
                break *first;
            }
            missed = *ahead.last().unwrap_or(&next);
            if missed >= most {
                let outcome = &tried[&most];
                return Err(FleetError::NoFleetMeets {
                    most,
                    objective: self.target.words(),
                    reached: self.target.missed_by(outcome),
                });
            }
            next = missed.saturating_add((missed / 4).max(1)).min(most);
        };
        let replicas = self.close_in(missed, met, &mut tried)?;
        Ok(Smallest { replicas: Machines::new(replicas), tried })
    }

    /// Between a fleet that misses the target and one that meets it.
    fn close_in(
        &self,
        mut missed: u32,
        mut met: u32,
        tried: &mut BTreeMap<u32, Outcome>,
    ) -> Result<u32, FleetError> {
        while met - missed > 1 {
            let parts = u32::try_from(self.threads.max(1)).unwrap_or(u32::MAX).saturating_add(1);
            let gap = met - missed;
            let between = (1..parts).map(|part| missed + (gap / parts).max(1) * part);
            let between: Vec<u32> = between.filter(|count| *count < met).collect();
            self.run(&between, tried)?;
            for count in between {
                if self.meets(tried, count) {
                    met = met.min(count);
                } else if count < met {
                    missed = missed.max(count);
                }
            }
        }
        Ok(met)
    }

    /// Simulates the fleets that were not simulated yet.
    ///
    /// # Errors
    /// As [`super::simulate()`].
    pub fn run(
        &self,
        counts: &[u32],
        tried: &mut BTreeMap<u32, Outcome>,
    ) -> Result<(), FleetError> {
        let mut new: Vec<u32> = counts.iter().copied().filter(|c| !tried.contains_key(c)).collect();
        new.dedup();
        let config = |count: &u32| {
            let config = self.config.with_replicas(Machines::new(*count));
            FleetConfig { bounds: self.target.bounds, ..config }
        };
        let configs: Vec<FleetConfig> = new.iter().map(config).collect();
        let outcomes = simulate_all(self.service, self.demand, &configs, self.threads)?;
        tried.extend(new.into_iter().zip(outcomes));
        Ok(())
    }

    fn meets(&self, tried: &BTreeMap<u32, Outcome>, count: u32) -> bool {
        tried.get(&count).is_some_and(|outcome| self.target.met_by(outcome))
    }
}
