//! A scenario whose demand is that of a trace.

use super::Scenario;
use crate::error::CostError;
use crate::figure::{Figure, Label, Value};
use crate::trace::Trace;
use freeweights_record::units::{Hours, Ratio, Tokens, TokensPerRequest};

/// Hours of a day.
const HOURS_OF_A_DAY: f64 = 24.0;

impl Scenario {
    /// Takes requests of a day, input and output tokens, the peak and the cached share from a trace.
    ///
    /// What the user gave stays. A trace says nothing about nights that it does not cover: the
    /// requests of a day are those of its mean rate. Means of tokens are rounded to whole ones; the
    /// cached share is what an unbounded cache would find, where the trace has prefixes.
    ///
    /// The trace's peak stands over the mean of the days that have its demand; the scenario's over
    /// the mean of all hours a machine is on: `peak = trace's * hours_per_year / (days_per_year *
    /// 24)`.
    ///
    /// # Errors
    /// [`CostError::OutOfRange`] where the trace asks for nothing: no input or no output tokens.
    pub fn follow(&mut self, trace: &Trace, origin: &str) -> Result<(), CostError> {
        let demand = trace.demand();
        let source = |what: &str| format!("{what} of the trace {origin}");
        let ours = &mut self.demand;
        take(&mut ours.requests_per_day, demand.requests_per_day, source("mean rate"));
        take(&mut ours.isl, whole("demand.isl", demand.isl)?, source("mean input"));
        take(&mut ours.osl, whole("demand.osl", demand.osl)?, source("mean output"));
        if let Some(peak) = demand.peak_to_mean {
            let days = Hours::new(ours.days_per_year.value.get() * HOURS_OF_A_DAY);
            let peak =
                Ratio::new((peak.get() * (self.hosting.hours_per_year.value / days)).max(1.0));
            let what = "busiest minute over the mean minute, over the hours of a year,";
            take(&mut ours.peak_to_mean, peak, source(what));
        }
        if let Some(hits) = trace.prefix_hits() {
            let source = source("input tokens in prefixes seen before");
            take(&mut ours.cached_share, hits.tokens, source);
        }
        Ok(())
    }
}

/// Replaces a figure that nobody gave.
fn take<T: Value>(figure: &mut Figure<T>, value: T, source: String) {
    if figure.label != Label::Given {
        *figure = Figure::derived(value, source);
    }
}

/// A mean as whole tokens.
pub(crate) fn whole(name: &str, mean: TokensPerRequest) -> Result<Tokens, CostError> {
    let rounded = mean.get().round();
    if rounded < 1.0 {
        return Err(CostError::OutOfRange {
            name: name.to_owned(),
            value: rounded.to_string(),
            rule: "it must be at least 1, on average over the trace",
        });
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "at least one; the cast saturates"
    )]
    let tokens = rounded as u64;
    Ok(Tokens::new(tokens))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::DEFAULT_PRESET;
    use freeweights_record::units::{Ratio, RequestsPerDay};

    const TRACE: &str = "arrival_s,isl,osl\n0,100,10\n10,200,20\n20,300,61\n120,1000,30\n";

    fn follow(sets: &[&str]) -> Scenario {
        let sets: Vec<_> = sets.iter().map(|set| set.parse().unwrap()).collect();
        let mut scenario = Scenario::preset(DEFAULT_PRESET, &sets).unwrap();
        scenario.follow(&Trace::parse(TRACE).unwrap(), "mine.csv").unwrap();
        scenario
    }

    #[test]
    fn demand_comes_from_the_trace() {
        let demand = follow(&[]).demand;
        // 4 requests in 120 s are 2,880 a day; 1600 / 4 and 121 / 4 tokens; 3 in a minute of 2
        assert!((demand.requests_per_day.value.get() - 2_880.0).abs() < 1e-9);
        assert_eq!((demand.isl.value.get(), demand.osl.value.get()), (400, 30));
        assert_eq!(demand.peak_to_mean.value, Ratio::new(1.5));
        assert_eq!(demand.isl.label, Label::Derived);
        assert_eq!(demand.isl.source, "mean input of the trace mine.csv");
    }

    #[test]
    fn the_peak_of_a_trace_is_that_of_the_days_with_its_demand() {
        // Twice as many hours as the demand's days have: the same busiest minute stands twice as
        // far above the mean of the year.
        let demand = follow(&["demand.days_per_year=182.5"]).demand;
        assert!((demand.peak_to_mean.value.get() - 3.0).abs() < 1e-12);
    }

    #[test]
    fn what_is_given_stays() {
        let demand = follow(&["demand.requests_per_day=7"]).demand;
        assert_eq!(demand.requests_per_day.value, RequestsPerDay::new(7.0));
        assert_eq!(demand.isl.value.get(), 400);
    }

    #[test]
    fn a_trace_without_output_is_refused() {
        let trace = Trace::parse("arrival_s,isl,osl\n0,100,0\n10,200,0\n").unwrap();
        let mut scenario = Scenario::preset(DEFAULT_PRESET, &[]).unwrap();
        let error = scenario.follow(&trace, "mine.csv").unwrap_err();
        insta::assert_snapshot!(error, @"demand.osl is 0, but it must be at least 1, on average over the trace; correct it in the scenario or with --set demand.osl=VALUE");
    }
}
