//! The figures of a case from its requests, in one pass.

use super::{Distribution, Flow, Objective, Phase, RequestSample};
use crate::record::Record;
use crate::stats::{
    Percentile, autocorrelation, mann_kendall, mean, median, sample_stddev, series_interval,
    theil_sen_drift,
};
use crate::units::{
    Fraction, RequestsPerSecond, Seconds, Tokens, TokensPerEvent, TokensPerRequest, TokensPerSecond,
};
use std::collections::BTreeMap;

/// Equal parts of the window of a case. The throughput in each is one sample.
pub const SLICES: usize = 20;

/// Groups of neighbouring requests whose mean latencies are tested for a drift.
const GROUPS: usize = 50;

/// Chance under which an order is taken for a drift, and the least drift told of.
const DRIFT: (f64, f64) = (0.01, 0.02);

/// Gathers the requests of one case; nothing in it grows with their number beyond
/// [`EXACT_UP_TO`](super::EXACT_UP_TO).
#[derive(Debug, Clone, Default)]
pub struct RequestTotals {
    objective: Option<Objective>,
    ttft: Distribution,
    tpot: Distribution,
    e2e: Distribution,
    itl: Distribution,
    late: Distribution,
    /// When each ended, and how long it took.
    in_order: Vec<(Seconds, Seconds)>,
    tokens_out: Flow,
    /// Chunks of requests that were cut off, whose tokens nobody counted.
    cut_events: Flow,
    tokens_in: Flow,
    ended: Flow,
    failed_at: Flow,
    sent: Flow,
    bounds: Option<(Seconds, Seconds)>,
    first_sent: Option<Seconds>,
    last_sent: Option<Seconds>,
    last_ended: Option<Seconds>,
    measured: u32,
    warmups: u32,
    good: u32,
    short: u32,
    sum_in: (u64, u64),
    sum_out: (u64, u64),
    events: u64,
    all_gaps: u64,
    errors: BTreeMap<String, u32>,
}

impl RequestTotals {
    /// Totals that count who keeps an objective, where there is one.
    #[must_use]
    pub fn new(objective: Option<Objective>) -> Self {
        Self { objective, ..Self::default() }
    }

    /// Takes one more request.
    pub fn push(&mut self, request: &RequestSample) {
        self.count_flow(request);
        self.last_sent = latest(self.last_sent, Some(request.sent));
        self.sent.add(request.sent, request.sent, 1.0);
        match request.phase {
            Phase::Warmup => self.warmups += 1,
            Phase::Drain => {}
            Phase::Measured => self.count_measured(request),
        }
    }

    /// Whatever came within the window counts, of whichever request.
    fn count_flow(&mut self, request: &RequestSample) {
        let cut = request.is_cut();
        if request.error.is_some() && !cut {
            // When it failed is not kept; its last chunk, or else its sending, is near.
            let at = request.ended().unwrap_or(request.sent);
            self.failed_at.add(at, at, 1.0);
            return;
        }
        let (Some(ttft), Some(ended)) = (request.ttft, request.ended()) else { return };
        let first = request.sent + ttft;
        let (flow, amount) = match request.tokens_out {
            Some(tokens) => (&mut self.tokens_out, tokens.as_f64()),
            None => (&mut self.cut_events, f64::from(request.events)),
        };
        // The first token came with the first chunk, the others until the last one.
        flow.add(first, first, amount.min(1.0));
        if amount > 1.0 {
            flow.add(first, ended, amount - 1.0);
        }
        if let Some(tokens) = request.tokens_in {
            self.tokens_in.add(request.sent, first, tokens.as_f64());
        }
        if !cut {
            self.ended.add(ended, ended, 1.0);
        }
    }

    fn count_measured(&mut self, request: &RequestSample) {
        self.measured += 1;
        let earlier = self.first_sent.filter(|earlier| *earlier < request.sent);
        self.first_sent = earlier.or(Some(request.sent));
        self.last_ended = latest(self.last_ended, request.ended());
        self.late.push(request.late());
        if let Some(error) = &request.error {
            let word = error.split(':').next().unwrap_or_default().to_owned();
            *self.errors.entry(word).or_default() += 1;
            return;
        }
        if self.objective.as_ref().is_some_and(|objective| objective.is_met(request)) {
            self.good += 1;
        }
        request.ttft.into_iter().for_each(|time| self.ttft.push(time));
        request.tpot().into_iter().for_each(|time| self.tpot.push(time));
        if let Some(e2e) = request.e2e {
            self.e2e.push(e2e);
            if self.e2e.is_exact() {
                self.in_order.push((request.sent + e2e, e2e));
            }
        }
        request.gaps.iter().for_each(|gap| self.itl.push(*gap));
        add(&mut self.sum_in, request.tokens_in);
        add(&mut self.sum_out, request.tokens_out);
        self.events = self.events.saturating_add(u64::from(request.events));
        let gaps = u64::from(request.events.saturating_sub(1));
        self.all_gaps = self.all_gaps.saturating_add(gaps);
        if request.tokens_out.is_some_and(|tokens| tokens < request.tokens_asked) {
            self.short += 1;
        }
    }

    /// Measured requests that came to their end.
    #[must_use]
    pub fn completed(&self) -> u32 {
        self.measured - self.failed()
    }

    /// Measured requests, failed ones included.
    #[must_use]
    pub const fn measured(&self) -> u32 {
        self.measured
    }

    /// Measured requests that failed.
    #[must_use]
    pub fn failed(&self) -> u32 {
        self.errors.values().sum()
    }

    /// Measured requests that keep the objective; `None` without one.
    #[must_use]
    pub fn good(&self) -> Option<u32> {
        self.objective.as_ref().map(|_| self.good)
    }

    /// Gaps between chunks of measured requests: those that are known, and all there were.
    #[must_use]
    pub const fn gaps(&self) -> (u64, u64) {
        (self.itl.len(), self.all_gaps)
    }

    /// How late requests were sent.
    #[must_use]
    pub const fn late(&self) -> &Distribution {
        &self.late
    }

    /// Where throughput is counted: from the first measured request sent to the last measured one
    /// ended, or to the last request sent where that is earlier: then the load was falling.
    #[must_use]
    pub fn window(&self) -> Option<(Seconds, Seconds)> {
        let (from, ended) = (self.first_sent?, self.last_ended?);
        let sent = self.last_sent.filter(|sent| *sent > from).unwrap_or(ended);
        let to = if sent < ended { sent } else { ended };
        let (from, to) = match self.bounds {
            Some((begin, end)) => {
                (latest(Some(from), Some(begin))?, if end < to { end } else { to })
            }
            None => (from, to),
        };
        (to > from).then_some((from, to))
    }

    /// Counts throughput within these times only: where several client processes all sent.
    pub const fn bound_window(&mut self, from: Seconds, to: Seconds) {
        self.bounds = Some((from, to));
    }

    /// Requests that came to their end within the window, as a share of those sent in it: less than
    /// 1 for long, and the queue grows without end.
    ///
    /// The number in flight of a load that is borne goes up and down, too: what is missing counts as
    /// far as it is more than two standard deviations of that, `2 sqrt(2 L)` with `L` in flight when
    /// the window begins (the difference of two Poisson numbers).
    #[must_use]
    pub fn served_share(&self) -> Option<Fraction> {
        let (from, to) = self.window()?;
        let sent = self.sent.before(from, to);
        let missing = sent - self.ended.behind(from, to);
        let before = Seconds::new(0.0);
        let gone = self.ended.behind(before, from) + self.failed_at.behind(before, from);
        let in_flight = (self.sent.before(before, from) - gone).max(0.0);
        let by_chance = 2.0 * (2.0 * in_flight).sqrt();
        (sent > 0.0).then(|| Fraction::new(1.0 - (missing - by_chance).max(0.0) / sent))
    }

    /// Output tokens a second in each of [`SLICES`] equal parts of the window: the samples of the
    /// throughput. Empty without a window. Of requests that were cut off only chunks are known; they
    /// have as many tokens as the chunks of those that count.
    #[must_use]
    pub fn slices(&self) -> Vec<TokensPerSecond> {
        let Some((from, to)) = self.window() else { return Vec::new() };
        let width = (to - from) / SLICES as f64;
        let per_event = self.tokens_per_event().map_or(1.0, TokensPerEvent::get);
        let slice = |at: usize| {
            let begin = from + width * at as f64;
            let cut = self.cut_events.between(begin, begin + width) * per_event;
            let tokens = self.tokens_out.between(begin, begin + width) + cut;
            TokensPerSecond::new(tokens / width.get())
        };
        (0..SLICES).map(slice).collect()
    }

    /// Fills the figures of `record`; `seed` makes the interval repeatable.
    pub fn summarise(&self, record: &mut Record, seed: u64) {
        record.requests = Some(self.measured);
        record.requests_failed = Some(self.failed());
        record.errors = self.errors().map(Into::into);
        record.repetitions = Some(self.completed());
        record.warmups = Some(self.warmups);
        record.short_answers = Some(self.short);
        record.objective = self.objective.as_ref().map(|all| all.to_string().into());
        record.late_p99_s = match self.late.percentile(Percentile::P99) {
            Ok(late) => Some(late),
            Err(_) => self.late.max(),
        };
        self.latencies(record);
        self.lengths(record);
        self.steadiness(record);
        self.throughput(record, seed);
    }

    fn latencies(&self, record: &mut Record) {
        let at = |all: &Distribution, p| all.percentile(p).ok();
        record.ttft_mean_s = self.ttft.mean().ok();
        record.ttft_p50_s = at(&self.ttft, Percentile::P50);
        record.ttft_p90_s = at(&self.ttft, Percentile::P90);
        record.ttft_p99_s = at(&self.ttft, Percentile::P99);
        record.ttft_stddev_s = self.ttft.sample_stddev().ok();
        record.tpot_mean_s = self.tpot.mean().ok();
        record.tpot_p50_s = at(&self.tpot, Percentile::P50);
        record.tpot_p90_s = at(&self.tpot, Percentile::P90);
        record.tpot_p99_s = at(&self.tpot, Percentile::P99);
        record.itl_p50_s = at(&self.itl, Percentile::P50);
        record.itl_p99_s = at(&self.itl, Percentile::P99);
        record.itl_max_s = self.itl.max();
        record.e2e_mean_s = self.e2e.mean().ok();
        record.e2e_p99_s = at(&self.e2e, Percentile::P99);
    }

    fn lengths(&self, record: &mut Record) {
        let per_request = |(sum, count): (u64, u64)| {
            (count > 0).then(|| TokensPerRequest::new(sum as f64 / count as f64))
        };
        record.tokens_in_mean = per_request(self.sum_in);
        record.tokens_out_mean = per_request(self.sum_out);
        record.tokens_per_event = self.tokens_per_event();
    }

    fn tokens_per_event(&self) -> Option<TokensPerEvent> {
        (self.events > 0 && self.sum_out.1 > 0)
            .then(|| TokensPerEvent::new(self.sum_out.0 as f64 / self.events as f64))
    }

    fn steadiness(&self, record: &mut Record) {
        let size = self.in_order.len().div_ceil(GROUPS).max(1);
        // Shards that are merged come one behind the other.
        let mut in_order = self.in_order.clone();
        in_order.sort_by(|a, b| a.0.get().total_cmp(&b.0.get()));
        let in_order: Vec<Seconds> = in_order.into_iter().map(|(_, e2e)| e2e).collect();
        let means: Vec<Seconds> =
            in_order.chunks(size).filter_map(|group| mean(group).ok()).collect();
        let (Ok(trend), Ok(drift)) = (mann_kendall(&means), theil_sen_drift(&means)) else {
            return;
        };
        if means.len() >= 6 {
            let drifting = trend.p < DRIFT.0 && (drift.get() - 1.0).abs() > DRIFT.1;
            record.drift_ratio = Some(drift);
            record.drifting = Some(drifting);
            record.steady = Some(!drifting);
        }
    }

    fn throughput(&self, record: &mut Record, seed: u64) {
        let Some((from, to)) = self.window() else { return };
        let window = to - from;
        record.window_s = Some(window);
        let rate = RequestsPerSecond::new(self.ended.behind(from, to) / window.get());
        record.requests_per_s = Some(rate);
        record.goodput_rps = self
            .good()
            .filter(|_| self.measured > 0)
            .map(|good| rate * (f64::from(good) / f64::from(self.completed().max(1))));
        if self.sum_out.1 == 0 {
            return;
        }
        let slices = self.slices();
        record.decode_mean_tps = mean(&slices).ok();
        record.decode_median_tps = median(&slices).ok();
        record.decode_stddev_tps = sample_stddev(&slices).ok();
        record.autocorrelation = autocorrelation(&slices).ok();
        // Few requests make slices of a few tokens' edges: their spread says nothing.
        if let (Ok(interval), true) = (series_interval(&slices, seed), self.completed() >= 5) {
            let low = TokensPerSecond::new(interval.low.get().max(0.0));
            record.decode_ci95_low_tps = Some(low);
            record.decode_ci95_high_tps = Some(interval.high);
        }
        if self.sum_in.1 > 0 {
            let read = self.tokens_in.between(from, to) / window.get();
            record.total_mean_tps =
                record.decode_mean_tps.map(|out| out + TokensPerSecond::new(read));
        }
    }

    /// Why requests failed, most frequent first; `None` where none did.
    #[must_use]
    pub fn errors(&self) -> Option<String> {
        let mut all: Vec<(&String, &u32)> = self.errors.iter().collect();
        all.sort_by(|a, b| b.1.cmp(a.1).then(a.0.cmp(b.0)));
        let words: Vec<String> =
            all.iter().map(|(word, count)| format!("{word} {count}")).collect();
        (!words.is_empty()).then(|| words.join(", "))
    }

    /// Share of the measured requests that keep the objective.
    #[must_use]
    pub fn good_share(&self) -> Option<Fraction> {
        let good = self.good().filter(|_| self.measured > 0)?;
        Some(Fraction::new(f64::from(good) / f64::from(self.measured)))
    }
}

fn add(sum: &mut (u64, u64), tokens: Option<Tokens>) {
    if let Some(tokens) = tokens {
        sum.0 = sum.0.saturating_add(tokens.get());
        sum.1 += 1;
    }
}

fn latest(so_far: Option<Seconds>, time: Option<Seconds>) -> Option<Seconds> {
    match (so_far, time) {
        (Some(a), Some(b)) => Some(if b > a { b } else { a }),
        (a, b) => a.or(b),
    }
}

#[cfg(test)]
mod tests;
