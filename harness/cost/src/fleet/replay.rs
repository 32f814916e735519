//! A trace as demand: repeated as often as one likes, and never written out.

use super::job::{Arrivals, Job};
use crate::trace::{Request, Trace};
use freeweights_record::units::{Ratio, RequestsPerSecond, Seconds};

/// A trace, repeated, at a multiple of its rate.
///
/// A repetition begins one mean gap after the last request of the one before, so the mean rate stays
/// that of the trace. Its prefixes are new ones: a repetition does not find its own past in a cache.
#[derive(Debug, Clone, Copy)]
pub struct Replay<'a> {
    trace: &'a Trace,
    repeats: u32,
    rate: f64,
}

impl<'a> Replay<'a> {
    /// The trace once, as it came.
    #[must_use]
    pub const fn once(trace: &'a Trace) -> Self {
        Self { trace, repeats: 1, rate: 1.0 }
    }

    /// The same, so many times one after the other; at least once.
    #[must_use]
    pub const fn repeated(self, times: u32) -> Self {
        Self { repeats: if times == 0 { 1 } else { times }, ..self }
    }

    /// The same with so many times the requests a second: gaps shrink, lengths stay. A ratio that is
    /// not above zero counts as 1.
    #[must_use]
    pub fn at_rate(self, rate: Ratio) -> Self {
        let rate = if rate.get() > 0.0 && rate.get().is_finite() { rate.get() } else { 1.0 };
        Self { rate, ..self }
    }

    /// The same at so many times the rate it has.
    #[must_use]
    pub fn faster(self, times: Ratio) -> Self {
        self.at_rate(Ratio::new(self.rate * times.get()))
    }

    /// The trace.
    #[must_use]
    pub const fn trace(&self) -> &'a Trace {
        self.trace
    }

    /// How many requests there are in all.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.trace.len() as u64 * u64::from(self.repeats)
    }

    /// From the beginning of one repetition to that of the next.
    #[must_use]
    pub fn period(&self) -> Seconds {
        let (span, gaps) = (self.trace.span().get(), (self.trace.len() - 1) as f64);
        Seconds::new(span * (1.0 + 1.0 / gaps) / self.rate)
    }

    /// Mean rate.
    #[must_use]
    pub fn mean_rate(&self) -> RequestsPerSecond {
        RequestsPerSecond::new(self.trace.len() as f64 / self.period().get())
    }

    pub(super) fn arrivals(&self) -> Replaying<'a> {
        Replaying {
            trace: self.trace,
            requests: self.trace.requests(),
            place: 0,
            round: 0,
            rounds: self.repeats,
            begin: 0.0,
            period: self.period().get(),
            scale: 1.0 / self.rate,
        }
    }
}

/// A trace as it is read.
pub(super) struct Replaying<'a> {
    trace: &'a Trace,
    requests: &'a [Request],
    place: usize,
    round: u32,
    rounds: u32,
    begin: f64,
    period: f64,
    scale: f64,
}

/// A length as the simulation carries it: a request without input or output still has one token.
fn length(tokens: freeweights_record::units::Tokens) -> u32 {
    u32::try_from(tokens.get()).unwrap_or(u32::MAX).max(1)
}

impl Arrivals for Replaying<'_> {
    #[inline]
    fn next(&mut self) -> Option<Job> {
        if self.place == self.requests.len() {
            self.round += 1;
            if self.round >= self.rounds {
                return None;
            }
            self.place = 0;
            self.begin = f64::from(self.round) * self.period;
        }
        let request = &self.requests[self.place];
        let job = Job {
            arrival: self.begin + request.arrival.get() * self.scale,
            isl: length(request.isl),
            osl: length(request.osl),
            place: u32::try_from(self.place).unwrap_or(u32::MAX),
            salt: self.round,
        };
        self.place += 1;
        Some(job)
    }

    #[inline]
    fn blocks(&self, job: &Job) -> &[u64] {
        self.trace.prefix_blocks(job.place as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repetition_keeps_the_rate() {
        let trace = Trace::parse("arrival_s,isl,osl\n0,10,1\n1,20,0\n4,30,3\n").unwrap();
        let replay = Replay::once(&trace).repeated(3);
        // Three requests over 4 s have gaps of 2 s on average, so a round takes 6 s.
        assert_eq!((replay.requests(), replay.period()), (9, Seconds::new(6.0)));
        let mut arrivals = replay.at_rate(Ratio::new(2.0)).arrivals();
        let jobs: Vec<Job> = std::iter::from_fn(|| arrivals.next()).collect();
        let times: Vec<f64> = jobs.iter().map(|job| job.arrival).collect();
        assert_eq!(times, [0.0, 0.5, 2.0, 3.0, 3.5, 5.0, 6.0, 6.5, 8.0]);
        // No request is without a token.
        assert_eq!((jobs[1].osl, jobs[4].salt, jobs[8].isl), (1, 1, 30));
        assert!((replay.mean_rate().get() - 0.5).abs() < 1e-12);
    }
}
