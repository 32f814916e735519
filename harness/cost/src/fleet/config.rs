//! How a fleet is set up.

use super::error::FleetError;
use crate::figure::Machines;
use freeweights_record::units::{Seconds, Tokens};
use serde::{Deserialize, Serialize};

/// Which replica a request goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Routing {
    /// One after the other.
    RoundRobin,
    /// The one with the fewest requests in flight; of several, the first.
    #[default]
    LeastLoaded,
    /// The one that has most of the prompt in its prefix cache, unless it is far busier than the
    /// least loaded one.
    PrefixAffine,
    /// All wait in one queue, and whoever has room takes the first.
    SharedQueue,
}

/// Replicas that come and go with the demand.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scaling {
    /// The fewest that serve.
    pub min: Machines,
    /// The most.
    pub max: Machines,
    /// Requests in flight that one replica is meant to hold: `ceil(in flight / this)` are wanted.
    pub in_flight: f64,
    /// How often that is looked at.
    pub interval: Seconds,
    /// How long fewer must be wanted before one is let go.
    pub hold: Seconds,
}

/// Replicas that break.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Failures {
    /// Mean time of service between failures of one replica; exponential.
    pub mtbf: Seconds,
    /// Time to repair; constant.
    pub mttr: Seconds,
}

/// The most a request may take. A bound left out does not bind.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Bounds {
    /// Time to first token.
    pub ttft_s: Option<Seconds>,
    /// Time per output token.
    pub tpot_s: Option<Seconds>,
    /// Whole latency.
    pub e2e_s: Option<Seconds>,
}

impl Bounds {
    /// Whether any of them is there.
    #[must_use]
    pub const fn bind(&self) -> bool {
        self.ttft_s.is_some() || self.tpot_s.is_some() || self.e2e_s.is_some()
    }
}

/// How a fleet is set up.
#[derive(Debug, Clone, PartialEq)]
pub struct FleetConfig {
    /// Replicas that serve; with [`FleetConfig::scaling`], at the beginning.
    pub replicas: Machines,
    /// Replicas beside them that start when one fails.
    pub spares: Machines,
    /// The most sequences a replica steps together.
    pub batch_max: u32,
    /// Tokens that the KV cache of a replica holds; `None` where it is never full. A request takes
    /// its input and all of its output from the moment it is admitted.
    pub kv_tokens: Option<Tokens>,
    /// Tokens of the longest request, input and output; `None` without a limit.
    pub context: Option<Tokens>,
    /// Prompt tokens of one prefill, one prompt at the least; with `chunked`, tokens of one step.
    pub step_tokens: Tokens,
    /// Whether prompts are read in chunks beside decode. Off: a prefill stalls decode.
    pub chunked: bool,
    /// Which replica a request goes to.
    pub routing: Routing,
    /// Tokens of prompts that a replica keeps for later requests, in blocks of 512; `None` for none.
    pub prefix_tokens: Option<Tokens>,
    /// The most requests that wait at a replica; those beyond are turned away.
    pub queue_max: Option<u32>,
    /// From the decision to start a replica until it serves.
    pub cold_start: Seconds,
    /// Whether replicas come and go.
    pub scaling: Option<Scaling>,
    /// Whether replicas break.
    pub failures: Option<Failures>,
    /// What a request must meet to count as goodput.
    pub bounds: Bounds,
    /// Parts of the day, or of the trace, for the profile of utilisation.
    pub bins: u32,
    /// Requests in flight, all replicas together, at which the run is given up: such a fleet does
    /// not keep up, and its queue would fill the memory.
    pub give_up_at: u32,
    /// Seed of everything drawn.
    pub seed: u64,
}

/// Requests in flight at which a run is given up, where nothing else is said.
const GIVE_UP_AT: u32 = 1 << 20;

/// Prompt tokens of a prefill, where nothing else is said: vLLM's `max_num_batched_tokens` for
/// serving, and its token budget of a step with chunked prefill.
const STEP_TOKENS: Tokens = Tokens::new(2_048);

/// Parts of a day: a quarter of an hour each.
const BINS: u32 = 96;

impl FleetConfig {
    /// So many replicas that step up to so many sequences together, and nothing else.
    #[must_use]
    pub fn of(replicas: Machines, batch_max: u32) -> Self {
        Self {
            replicas,
            spares: Machines::new(0),
            batch_max,
            kv_tokens: None,
            context: None,
            step_tokens: STEP_TOKENS,
            chunked: false,
            routing: Routing::default(),
            prefix_tokens: None,
            queue_max: None,
            cold_start: Seconds::new(0.0),
            scaling: None,
            failures: None,
            bounds: Bounds::default(),
            bins: BINS,
            give_up_at: GIVE_UP_AT,
            seed: 1,
        }
    }

    /// The same with another number of replicas.
    #[must_use]
    pub fn with_replicas(&self, replicas: Machines) -> Self {
        Self { replicas, ..self.clone() }
    }

    /// The most replicas there can be at any time, broken and starting ones included.
    pub(super) fn pool(&self) -> usize {
        let serving = self.scaling.map_or(self.replicas, |scaling| scaling.max.max(self.replicas));
        serving.plus(self.spares).get() as usize
    }

    /// Tokens one request may need at most.
    #[must_use]
    pub fn room(&self) -> Option<Tokens> {
        match (self.kv_tokens, self.context) {
            (Some(kv), Some(context)) => Some(kv.min(context)),
            (kv, context) => kv.or(context),
        }
    }

    /// Refuses settings that mean nothing.
    ///
    /// # Errors
    /// [`FleetError::OutOfRange`].
    pub fn check(&self) -> Result<(), FleetError> {
        let refused = |name, value: String, rule| Err(FleetError::OutOfRange { name, value, rule });
        if self.replicas.get() == 0 || self.pool() > POOL_MAX {
            let rule = "it must be at least 1, and with spares at most 100000";
            return refused("the number of replicas", self.replicas.get().to_string(), rule);
        }
        if self.batch_max == 0 || self.batch_max > BATCH_MAX {
            let rule = "it must be at least 1 and at most 65535";
            return refused("the largest batch", self.batch_max.to_string(), rule);
        }
        if self.step_tokens.get() == 0 {
            return refused("the tokens of a step", "0".to_owned(), "it must be at least 1");
        }
        if self.bins == 0 || self.bins > 10_000 {
            let rule = "it must be at least 1 and at most 10000";
            return refused("the number of bins", self.bins.to_string(), rule);
        }
        let times = [
            ("the cold start", Some(self.cold_start), 0.0),
            ("the time between failures", self.failures.map(|failures| failures.mtbf), 1.0),
            ("the time to repair", self.failures.map(|failures| failures.mttr), 0.0),
            ("the interval of scaling", self.scaling.map(|scaling| scaling.interval), 1e-3),
            ("the hold of scaling", self.scaling.map(|scaling| scaling.hold), 0.0),
        ];
        for (name, time, least) in times {
            if let Some(time) = time.filter(|time| !(time.get() >= least && time.get().is_finite()))
            {
                let rule = "it must be a number of seconds, and some for failures and intervals";
                return refused(name, time.get().to_string(), rule);
            }
        }
        if let Some(scaling) = self.scaling {
            if scaling.min > scaling.max || scaling.max.get() == 0 {
                let range = format!("{} to {}", scaling.min.get(), scaling.max.get());
                return refused(
                    "the range of scaling",
                    range,
                    "it must rise, and reach at least 1",
                );
            }
            if !(scaling.in_flight > 0.0 && scaling.in_flight.is_finite()) {
                let rule = "it must be more than 0";
                return refused("requests in flight", scaling.in_flight.to_string(), rule);
            }
        }
        Ok(())
    }
}

/// Replicas in all, at most.
const POOL_MAX: usize = 100_000;

/// Slots of a replica share a key with the clock: 16 bits of it.
const BATCH_MAX: u32 = 65_535;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_without_meaning_are_refused() {
        let good = FleetConfig::of(Machines::new(2), 8);
        assert_eq!(good.check(), Ok(()));
        let refused = |config: FleetConfig| config.check().unwrap_err().to_string();
        insta::assert_snapshot!(refused(good.with_replicas(Machines::new(0))), @"the number of replicas is 0, but it must be at least 1, and with spares at most 100000; give another value");
        insta::assert_snapshot!(refused(FleetConfig { batch_max: 0, ..good.clone() }), @"the largest batch is 0, but it must be at least 1 and at most 65535; give another value");
        let cold_start = Seconds::new(-1.0);
        insta::assert_snapshot!(refused(FleetConfig { cold_start, ..good.clone() }), @"the cold start is -1, but it must be a number of seconds, and some for failures and intervals; give another value");
        let scaling = Scaling {
            min: Machines::new(3),
            max: Machines::new(2),
            in_flight: 1.0,
            interval: Seconds::new(1.0),
            hold: Seconds::new(1.0),
        };
        insta::assert_snapshot!(refused(FleetConfig { scaling: Some(scaling), ..good.clone() }), @"the range of scaling is 3 to 2, but it must rise, and reach at least 1; give another value");
        let nan = Failures { mtbf: Seconds::new(f64::NAN), mttr: Seconds::new(1.0) };
        assert!(FleetConfig { failures: Some(nan), ..good }.check().is_err());
    }

    #[test]
    fn the_smaller_room_counts() {
        let mut config = FleetConfig::of(Machines::new(1), 1);
        assert_eq!(config.room(), None);
        config.kv_tokens = Some(Tokens::new(100));
        assert_eq!(config.room(), Some(Tokens::new(100)));
        config.context = Some(Tokens::new(80));
        assert_eq!(config.room(), Some(Tokens::new(80)));
    }
}
