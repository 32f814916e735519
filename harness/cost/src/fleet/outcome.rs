//! What came of a run.

use super::config::Bounds;
use super::percentiles::Percentiles;
use super::profile::Part;
use super::replica::Sequence;
use freeweights_record::units::{
    Fraction, Ratio, RequestsInFlight, RequestsPerSecond, Seconds, Tokens, TokensPerSecond,
};

/// Counts and latencies of the requests that are done.
#[derive(Default)]
pub(super) struct Tally {
    pub(super) wait: Percentiles,
    pub(super) ttft: Percentiles,
    pub(super) tpot: Percentiles,
    pub(super) e2e: Percentiles,
    pub(super) met: u64,
    pub(super) input: u64,
    pub(super) output: u64,
    pub(super) cached: u64,
    pub(super) last: f64,
}

/// [`Bounds`] as bare numbers, infinite where there is none.
#[derive(Clone, Copy)]
pub(super) struct Limits {
    ttft: f64,
    tpot: f64,
    e2e: f64,
}

impl Limits {
    pub(super) fn of(bounds: &Bounds) -> Self {
        let bare = |bound: Option<Seconds>| bound.map_or(f64::INFINITY, Seconds::get);
        Self { ttft: bare(bounds.ttft_s), tpot: bare(bounds.tpot_s), e2e: bare(bounds.e2e_s) }
    }
}

impl Tally {
    #[inline]
    pub(super) fn done(&mut self, sequence: &Sequence, now: f64, limits: &Limits) {
        let job = &sequence.job;
        let (ttft, e2e) = (sequence.first - job.arrival, now - job.arrival);
        self.wait.record(sequence.started - job.arrival);
        self.ttft.record(ttft);
        self.e2e.record(e2e);
        let mut good = ttft <= limits.ttft && e2e <= limits.e2e;
        if job.osl > 1 {
            let tpot = (now - sequence.first) / f64::from(job.osl - 1);
            self.tpot.record(tpot);
            good &= tpot <= limits.tpot;
        }
        self.met += u64::from(good);
        self.input += u64::from(job.isl);
        self.output += u64::from(job.osl);
        self.cached += u64::from(sequence.cached);
        self.last = now;
    }
}

/// Little's law in a run: what time says and what the latencies say.
///
/// `L = lambda * W`: requests in flight, averaged over time, are the rate times the mean latency.
/// Both sides times the length of the run: the sum over time of the requests in flight is the sum of
/// the latencies. The simulator keeps the left side while time goes on, without looking at any
/// latency, and the right side as requests are done, without looking at the time between.
///
/// # Source
/// J. D. C. Little, Operations Research 9 (1961), 383.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LittlesLaw {
    /// Requests in flight times time.
    pub over_time: Seconds,
    /// Sum of the latencies of the requests that are done.
    pub by_latencies: Seconds,
}

impl LittlesLaw {
    /// By how much the two sides differ, as a share; 0 where nothing came.
    #[must_use]
    pub fn off(&self) -> Fraction {
        if self.by_latencies.get() <= 0.0 {
            return Fraction::new(self.over_time.get().abs());
        }
        Fraction::new((self.over_time / self.by_latencies - 1.0).abs())
    }
}

/// What came of a run.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// Requests that came.
    pub arrived: u64,
    /// Requests that are done.
    pub finished: u64,
    /// Requests that no replica could ever hold.
    pub refused: u64,
    /// Requests that found the queue full.
    pub turned_away: u64,
    /// Requests that began anew because their replica failed.
    pub restarted: u64,
    /// Whether the run was given up because the fleet does not keep up. Its figures are of what was
    /// done until then.
    pub gave_up: bool,
    /// From the first moment to the last.
    pub span: Seconds,
    /// From the arrival to the admission.
    pub wait: Percentiles,
    /// Time to first token.
    pub ttft: Percentiles,
    /// Time per output token, of requests with two and more.
    pub tpot: Percentiles,
    /// Whole latency.
    pub e2e: Percentiles,
    /// Input tokens of the requests that are done.
    pub input_tokens: Tokens,
    /// Output tokens of the same.
    pub output_tokens: Tokens,
    /// Input tokens that were found in a prefix cache.
    pub cached_tokens: Tokens,
    /// Requests that met all bounds.
    pub met: u64,
    /// Replicas that work, times time.
    pub busy_time: Seconds,
    /// Replicas that are paid, times time.
    pub paid_time: Seconds,
    /// Admitted requests, times time.
    pub admitted_time: Seconds,
    /// Little's law, as a check.
    pub littles_law: LittlesLaw,
    /// The day, or the trace, part by part; days lie over each other.
    pub profile: Vec<Part>,
    /// Events that were simulated.
    pub events: u64,
}

impl Outcome {
    /// Requests that were finished, over the length of the run.
    #[must_use]
    pub fn requests_per_s(&self) -> RequestsPerSecond {
        RequestsPerSecond::new(over(self.finished as f64, self.span))
    }

    /// Requests that met all bounds, over the length of the run.
    #[must_use]
    pub fn goodput(&self) -> RequestsPerSecond {
        RequestsPerSecond::new(over(self.met as f64, self.span))
    }

    /// Share of the requests that came that met all bounds.
    #[must_use]
    pub fn met_share(&self) -> Fraction {
        let came = self.arrived.max(1) as f64;
        Fraction::new(self.met as f64 / came)
    }

    /// Output tokens over the length of the run.
    #[must_use]
    pub fn output_rate(&self) -> TokensPerSecond {
        TokensPerSecond::new(over(self.output_tokens.as_f64(), self.span))
    }

    /// Share of the paid replica time that works.
    #[must_use]
    pub fn utilisation(&self) -> Fraction {
        let paid = self.paid_time.get();
        Fraction::new(if paid > 0.0 { self.busy_time.get() / paid } else { 0.0 })
    }

    /// Mean number of paid replicas.
    #[must_use]
    pub fn mean_replicas(&self) -> Ratio {
        Ratio::new(over(self.paid_time.get(), self.span))
    }

    /// Mean requests in flight.
    #[must_use]
    pub fn in_flight(&self) -> RequestsInFlight {
        RequestsInFlight::new(over(self.littles_law.over_time.get(), self.span))
    }

    /// Mean number of sequences of a replica that works.
    #[must_use]
    pub fn mean_batch(&self) -> Ratio {
        let busy = self.busy_time.get();
        Ratio::new(if busy > 0.0 { self.admitted_time.get() / busy } else { 0.0 })
    }

    /// Share of the input tokens that a prefix cache had.
    #[must_use]
    pub fn cached_share(&self) -> Fraction {
        let input = self.input_tokens.as_f64();
        Fraction::new(if input > 0.0 { self.cached_tokens.as_f64() / input } else { 0.0 })
    }
}

fn over(amount: f64, time: Seconds) -> f64 {
    if time.get() > 0.0 { amount / time.get() } else { 0.0 }
}
