//! The demand that a scenario states, drawn or from a trace, and how it says that machines are run.

use super::config::{Failures, FleetConfig};
use super::error::FleetError;
use super::lengths::{Length, Lengths};
use super::replay::Replay;
use super::synthetic::{Arrivals, Synthetic};
use crate::figure::{Figure, Label};
use crate::scenario::Scenario;
use crate::trace::Trace;
use freeweights_record::units::{Days, Fraction, Hours, Ratio, Seconds, Tokens, TokensPerRequest};

/// The longest drawn length, over the mean: beyond it is drawn again.
const LONGEST: u64 = 20;

/// How far from 1 the variation of gaps must be for another distribution than Poisson's.
const POISSON: f64 = 1e-9;

/// Hours of a day.
const DAY: Hours = Hours::new(24.0);

impl Synthetic {
    /// The demand of a scenario, drawn: its requests of a day in a smooth daily shape with its peak
    /// over its mean, the fewer at weekends that it states, gaps and lengths of its variation.
    ///
    /// The scenario's peak stands over the mean of all hours machines are on; the shape's over that
    /// of the days with its demand: `peak = scenario's * days_per_year * 24 / hours_per_year`, and 1
    /// at the least.
    ///
    /// `lengths` replaces the drawn ones. A request is at most twenty times the mean long.
    ///
    /// # Errors
    /// As [`Synthetic::shaped`].
    pub fn stated(
        scenario: &Scenario,
        lengths: Option<Lengths>,
        days: Days,
        seed: u64,
    ) -> Result<Self, FleetError> {
        let (demand, fleet) = (&scenario.demand, &scenario.fleet);
        let on = scenario.hosting.hours_per_year.value / DAY;
        let peak = demand.peak_to_mean.value.get() * (demand.days_per_year.value.get() / on);
        let variation = fleet.gap_variation.value;
        let arrivals = if (variation.get() - 1.0).abs() < POISSON {
            Arrivals::Poisson
        } else {
            Arrivals::Gamma { variation }
        };
        let length = |mean: Tokens, variation: Ratio| Length::LogNormal {
            mean: TokensPerRequest::new(mean.as_f64()),
            variation,
            most: Tokens::new(mean.get().saturating_mul(LONGEST)),
        };
        let lengths = lengths.unwrap_or(Lengths::Drawn {
            isl: length(demand.isl.value, fleet.isl_variation.value),
            osl: length(demand.osl.value, fleet.osl_variation.value),
        });
        let mut week = [Ratio::new(1.0); 7];
        week[5..].fill(fleet.weekend.value);
        let hours = Self::daily(Ratio::new(peak.max(1.0)));
        let per_day = demand.requests_per_day.value;
        let shaped = Self::shaped(per_day, &hours, &week, arrivals, lengths)?;
        Ok(shaped.for_days(days).with_seed(seed))
    }
}

impl<'a> Replay<'a> {
    /// A trace once, at the requests of a day that somebody gave, or at its own.
    #[must_use]
    pub fn stated(trace: &'a Trace, scenario: &Scenario) -> Self {
        let wanted = &scenario.demand.requests_per_day;
        let once = Self::once(trace);
        if wanted.label == Label::Given {
            let own = once.mean_rate().get() * 86_400.0;
            return once.at_rate(Ratio::new(wanted.value.get() / own));
        }
        once
    }
}

impl FleetConfig {
    /// The same with what a scenario says about spares, starts and failures.
    #[must_use]
    pub fn stated(self, scenario: &Scenario) -> Self {
        let fleet = &scenario.fleet;
        let seconds = |hours: &Figure<Hours>| Seconds::new(hours.value.get() * 3_600.0);
        let failures = fleet
            .mtbf_hours
            .as_ref()
            .map(|mtbf| Failures { mtbf: seconds(mtbf), mttr: seconds(&fleet.mttr_hours) });
        Self {
            spares: scenario.hardware.spares.value,
            cold_start: fleet.cold_start_s.value,
            failures,
            ..self
        }
    }
}

/// Share of the drawn requests that are worth drawing days for: below this many, more days are
/// drawn.
const ENOUGH: f64 = 20_000.0;

/// Days to draw: one where it has enough requests, else as many as that takes, seven at most.
#[must_use]
pub fn days_to_draw(scenario: &Scenario) -> Days {
    let per_day = scenario.demand.requests_per_day.value.get();
    let share = Fraction::new(ENOUGH / per_day);
    Days::new(share.get().ceil().clamp(1.0, 7.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figure::Machines;
    use crate::fleet::{Demand, Survey};
    use crate::scenario::DEFAULT_PRESET;

    fn scenario(sets: &[&str]) -> Scenario {
        let sets: Vec<_> = sets.iter().map(|set| set.parse().unwrap()).collect();
        Scenario::preset(DEFAULT_PRESET, &sets).unwrap()
    }

    #[test]
    fn a_scenario_draws_what_it_states() {
        let scenario = scenario(&[
            "demand.requests_per_day=40000",
            "demand.isl=500",
            "demand.osl=100",
            "demand.peak_to_mean=2",
        ]);
        let drawn = Synthetic::stated(&scenario, None, Days::new(7.0), 1).unwrap();
        assert!((drawn.peak_rate().get() / drawn.mean_rate().get() - 2.0).abs() < 1e-9);
        let survey = Survey::of(&Demand::Synthetic(drawn)).unwrap();
        assert!((survey.requests as f64 / 280_000.0 - 1.0).abs() < 0.01, "{}", survey.requests);
        assert!((survey.isl.get() / 500.0 - 1.0).abs() < 0.02, "{}", survey.isl);
        assert!((survey.osl.get() / 100.0 - 1.0).abs() < 0.02, "{}", survey.osl);
        assert_eq!(days_to_draw(&scenario), Days::new(1.0));
    }

    #[test]
    fn a_trace_runs_at_the_rate_that_is_given() {
        let trace = Trace::parse("arrival_s,isl,osl\n0,10,1\n10,20,1\n20,20,1\n").unwrap();
        let own = Replay::stated(&trace, &scenario(&[]));
        assert!((own.mean_rate().get() - 0.1).abs() < 1e-12);
        let given = Replay::stated(&trace, &scenario(&["demand.requests_per_day=86400"]));
        assert!((given.mean_rate().get() - 1.0).abs() < 1e-12);
    }

    #[test]
    fn failures_and_spares_come_from_the_scenario() {
        let sets = ["fleet.mtbf_hours=1000", "fleet.mttr_hours=2", "hardware.spares=3"];
        let config = FleetConfig::of(Machines::new(1), 1).stated(&scenario(&sets));
        let failures = config.failures.unwrap();
        assert_eq!((failures.mtbf.get(), failures.mttr.get()), (3.6e6, 7_200.0));
        assert_eq!((config.spares, config.cold_start.get()), (Machines::new(3), 60.0));
        assert!(FleetConfig::of(Machines::new(1), 1).stated(&scenario(&[])).failures.is_none());
    }
}
