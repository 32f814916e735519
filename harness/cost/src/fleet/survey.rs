//! A demand looked through once, before anything is simulated.

use super::Demand;
use super::config::FleetConfig;
use super::error::FleetError;
use super::job::Arrivals;
use freeweights_record::units::{Ratio, RequestsPerSecond, Seconds, Tokens, TokensPerRequest};
use serde::Serialize;

/// Requests that are looked at, at most: enough for every percentile, and for prices.
const LOOKED_AT: u64 = 1_000_000;

/// Seconds of a minute.
const MINUTE: f64 = 60.0;

/// What is asked for, in numbers.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Survey {
    /// Requests that were looked at; a repeated trace once.
    pub requests: u64,
    /// Their mean rate.
    pub requests_per_s: RequestsPerSecond,
    /// The busiest minute over the mean one; `None` of less than two minutes.
    pub peak_to_mean: Option<Ratio>,
    /// Mean input tokens.
    pub isl: TokensPerRequest,
    /// Mean output tokens.
    pub osl: TokensPerRequest,
    /// The shortest input.
    pub isl_min: Tokens,
    /// The longest input.
    pub isl_max: Tokens,
    /// The longest request, input and output.
    pub longest: Tokens,
}

/// A demand as far as lengths go.
pub(super) struct Lens<'a>(pub(super) &'a Demand<'a>);

impl Lens<'_> {
    /// Input and output tokens of each request that is looked at.
    pub(super) fn each(&self, mut visit: impl FnMut(Tokens, Tokens)) {
        self.jobs(|_, isl, osl| visit(isl, osl));
    }

    fn jobs(&self, mut visit: impl FnMut(f64, Tokens, Tokens)) {
        let see = |arrivals: &mut dyn FnMut() -> Option<super::job::Job>,
                   visit: &mut dyn FnMut(f64, Tokens, Tokens)| {
            for _ in 0..LOOKED_AT {
                let Some(job) = arrivals() else { break };
                let (isl, osl) = (Tokens::new(job.isl.into()), Tokens::new(job.osl.into()));
                visit(job.arrival, isl, osl);
            }
        };
        match self.0 {
            Demand::Replay(replay) => {
                let mut arrivals = replay.repeated(1).arrivals();
                see(&mut || arrivals.next(), &mut visit);
            }
            Demand::Synthetic(drawn) => {
                let mut arrivals = drawn.arrivals();
                see(&mut || arrivals.next(), &mut visit);
            }
        }
    }
}

impl Survey {
    /// Looks through a demand; a repeated trace once, a drawn one up to its millionth request.
    ///
    /// # Errors
    /// [`FleetError::NoRequests`].
    pub fn of(demand: &Demand<'_>) -> Result<Self, FleetError> {
        let (mut requests, mut input, mut output, mut last) = (0_u64, 0_u64, 0_u64, 0.0);
        let (mut shortest, mut longest_input, mut longest) = (u64::MAX, 0, 0);
        let (mut minute, mut in_minute, mut busiest) = (0.0, 0_u64, 0_u64);
        Lens(demand).jobs(|arrival, isl, osl| {
            requests += 1;
            input += isl.get();
            output += osl.get();
            shortest = shortest.min(isl.get());
            longest_input = longest_input.max(isl.get());
            longest = longest.max(isl.get() + osl.get());
            if arrival >= minute + MINUTE {
                minute = (arrival / MINUTE).floor() * MINUTE;
                in_minute = 0;
            }
            in_minute += 1;
            busiest = busiest.max(in_minute);
            last = arrival;
        });
        if requests == 0 || last <= 0.0 {
            return Err(FleetError::NoRequests);
        }
        let rate = match demand {
            Demand::Replay(replay) => replay.mean_rate(),
            Demand::Synthetic(drawn) => drawn.mean_rate(),
        };
        let mean_minute = requests as f64 / last * MINUTE;
        let peak = Ratio::new((busiest as f64 / mean_minute).max(1.0));
        Ok(Self {
            requests,
            requests_per_s: rate,
            peak_to_mean: (last >= 2.0 * MINUTE).then_some(peak),
            isl: TokensPerRequest::new(input as f64 / requests as f64),
            osl: TokensPerRequest::new(output as f64 / requests as f64),
            isl_min: Tokens::new(shortest),
            isl_max: Tokens::new(longest_input),
            longest: Tokens::new(longest),
        })
    }

    /// Mean time from the first request to the last that was looked at.
    #[must_use]
    pub fn span(&self) -> Seconds {
        Seconds::new(self.requests as f64 / self.requests_per_s.get())
    }

    /// Refuses requests that no replica can hold.
    ///
    /// # Errors
    /// [`FleetError::LongerThanRoom`], with how many there are.
    pub fn fits(demand: &Demand<'_>, config: &FleetConfig) -> Result<(), FleetError> {
        let Some(room) = config.room() else { return Ok(()) };
        let (mut count, mut requests, mut longest) = (0, 0, 0);
        Lens(demand).each(|isl, osl| {
            let tokens = isl.get() + osl.get();
            requests += 1;
            count += u64::from(tokens > room.get());
            longest = longest.max(tokens);
        });
        if count == 0 {
            return Ok(());
        }
        let by_context = config.context == Some(room);
        let (holder, flag) = if by_context {
            ("the context", "--context")
        } else {
            ("the KV cache of a replica", "--kv-tokens")
        };
        let limit = room.get();
        Err(FleetError::LongerThanRoom { count, requests, longest, limit, holder, flag })
    }
}
