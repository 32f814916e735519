//! What a fleet must do: percentiles of latencies under bounds; and what one request takes alone.

use super::config::{Bounds, FleetConfig};
use super::error::FleetError;
use super::outcome::Outcome;
use super::percentiles::Percentiles;
use super::service::Service;
use super::survey::Lens;
use crate::people::number;
use freeweights_record::units::{Percent, Seconds};
use serde::Serialize;

/// Bounds that a share of the requests must meet, each metric by itself.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Target {
    /// The bounds.
    pub bounds: Bounds,
    /// The percentile that must lie within them.
    pub percentile: Percent,
}

impl Target {
    /// The target where nobody names one: the first token within 10 s for 95 requests of 100.
    ///
    /// # Source
    /// Judgement on J. Nielsen, Usability Engineering (1993): ten seconds is about the limit for
    /// keeping somebody's attention.
    pub const DEFAULT: Self = Self {
        bounds: Bounds { ttft_s: Some(Seconds::new(10.0)), tpot_s: None, e2e_s: None },
        percentile: Percent::new(95.0),
    };

    /// Refuses bounds and percentiles that mean nothing.
    ///
    /// # Errors
    /// [`FleetError::OutOfRange`].
    pub fn check(&self) -> Result<(), FleetError> {
        let refused = |name, value: f64, rule| {
            Err(FleetError::OutOfRange { name, value: value.to_string(), rule })
        };
        let percentile = self.percentile.get();
        if !(percentile > 0.0 && percentile < 100.0) {
            let rule = "it must be more than 0 and below 100";
            return refused("the percentile of the objective", percentile, rule);
        }
        for (metric, bound, _) in self.sides() {
            if !(bound.get() > 0.0 && bound.get().is_finite()) {
                return refused(metric, bound.get(), "a bound must be a number above 0");
            }
        }
        Ok(())
    }

    /// The metrics that are bound, with their bounds and flags.
    fn sides(&self) -> impl Iterator<Item = (&'static str, Seconds, &'static str)> {
        let Bounds { ttft_s, tpot_s, e2e_s } = self.bounds;
        let sides =
            [("TTFT", ttft_s, "--ttft"), ("TPOT", tpot_s, "--tpot"), ("latency", e2e_s, "--e2e")];
        sides.into_iter().filter_map(|(metric, bound, flag)| Some((metric, bound?, flag)))
    }

    /// The target in words: `TTFT p95 <= 10 s and TPOT p95 <= 0.1 s`.
    #[must_use]
    pub fn words(&self) -> String {
        let rank = number(self.percentile.get());
        let words: Vec<String> = self
            .sides()
            .map(|(metric, bound, _)| format!("{metric} p{rank} <= {} s", number(bound.get())))
            .collect();
        if words.is_empty() { "every request served".to_owned() } else { words.join(" and ") }
    }

    /// Whether a run meets the target: it kept up, turned nobody away, and each percentile lies
    /// within its bound.
    #[must_use]
    pub fn met_by(&self, outcome: &Outcome) -> bool {
        !outcome.gave_up
            && outcome.turned_away == 0
            && self.excess(&outcome.ttft, &outcome.tpot, &outcome.e2e).is_none()
    }

    /// The metric that exceeds its bound most: its name, its bound, its percentile and its flag.
    fn excess(
        &self,
        ttft: &Percentiles,
        tpot: &Percentiles,
        e2e: &Percentiles,
    ) -> Option<(&'static str, Seconds, Seconds, &'static str)> {
        let of = |metric| match metric {
            "TTFT" => ttft,
            "TPOT" => tpot,
            _ => e2e,
        };
        self.sides()
            .filter_map(|(metric, bound, flag)| {
                let reached = of(metric).at(self.percentile.get())?;
                (reached > bound).then_some((metric, bound, reached, flag))
            })
            .max_by(|a, b| (a.2 / a.1).total_cmp(&(b.2 / b.1)))
    }

    /// What a run that misses the target reaches, in words.
    #[must_use]
    pub fn missed_by(&self, outcome: &Outcome) -> String {
        let rank = number(self.percentile.get());
        match self.excess(&outcome.ttft, &outcome.tpot, &outcome.e2e) {
            _ if outcome.gave_up => "a queue that only grows".to_owned(),
            Some((metric, _, reached, _)) => {
                format!("{metric} p{rank} of {} s", number(reached.get()))
            }
            None => format!("{} requests turned away", outcome.turned_away),
        }
    }

    /// Refuses a target that no number of replicas meets, because the percentile of requests that
    /// each have a replica to themselves exceeds it already.
    ///
    /// Alone, a request takes `p(1, isl)` to its first token, and then `osl - 1` steps of a batch of
    /// one at the mean depth.
    ///
    /// # Errors
    /// [`FleetError::OneAloneExceeds`].
    pub(super) fn possible(
        &self,
        service: &Service,
        lens: &Lens<'_>,
        config: &FleetConfig,
    ) -> Result<(), FleetError> {
        let Some(curve) = service.curve() else { return Ok(()) };
        let (mut ttft, mut tpot, mut e2e) =
            (Percentiles::default(), Percentiles::default(), Percentiles::default());
        let room = config.room();
        lens.each(|isl, osl| {
            let fits = room.is_none_or(|room| isl.get() + osl.get() <= room.get());
            // What the cache would spare is not known before it is full, so nothing is said then.
            if fits && config.prefix_tokens.is_none() {
                let first = curve.prefill(1, isl).get();
                let middle = freeweights_record::units::Tokens::new(isl.get() + osl.get() / 2);
                let step = curve.step(1, middle).get();
                let steps = osl.as_f64() - 1.0;
                ttft.record(first);
                e2e.record(first + steps * step);
                if osl.get() > 1 {
                    tpot.record(step);
                }
            }
        });
        match self.excess(&ttft, &tpot, &e2e) {
            None => Ok(()),
            Some((metric, _, alone, flag)) => Err(FleetError::OneAloneExceeds {
                objective: self.words(),
                metric: format!("{metric} p{}", number(self.percentile.get())),
                alone: number(alone.get()),
                flag,
            }),
        }
    }
}
