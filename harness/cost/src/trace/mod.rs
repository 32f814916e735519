//! Requests as a real service received them: when each came, and how long it was.
//!
//! There is no file access here: the text is handed in. Nor is there a daily or weekly shape that
//! the trace itself does not have: an hour's trace says nothing about nights.

mod clock;
mod error;
mod mapped;
mod parse;
mod prefix;

pub use error::TraceError;
pub use mapped::{ColumnMap, TimeUnit};
pub use prefix::PREFIX_BLOCK;

use freeweights_record::stats::median;
use freeweights_record::units::{
    Fraction, Quantity, Ratio, RequestsPerDay, RequestsPerSecond, Seconds, Tokens,
    TokensPerRequest, Usd, UsdPerMillionTokens,
};

/// Width of the buckets in which the busiest minute is looked for.
const MINUTE: Seconds = Seconds::new(60.0);

/// Seconds of a day.
const DAY: Seconds = Seconds::new(86_400.0);

/// One request of a trace.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Request {
    /// When it came, counted from the first request.
    pub arrival: Seconds,
    /// Its input tokens.
    pub isl: Tokens,
    /// Its output tokens.
    pub osl: Tokens,
}

/// Requests in the order they came, over a span of time that is not zero.
#[derive(Debug, Clone, PartialEq)]
pub struct Trace {
    requests: Vec<Request>,
    prefixes: Option<prefix::Prefixes>,
}

/// The busiest minute of a trace, and what a minute has on average.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BusiestMinute {
    /// Requests in it.
    pub requests: usize,
    /// Requests over the requests of a mean minute; 1 at the least.
    pub peak_to_mean: Ratio,
}

/// The demand that a trace stands for, as a scenario states it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Demand {
    /// Requests of a day at the mean rate of the trace.
    pub requests_per_day: RequestsPerDay,
    /// Mean input tokens of a request.
    pub isl: TokensPerRequest,
    /// Mean output tokens of a request.
    pub osl: TokensPerRequest,
    /// The busiest minute over the mean minute; `None` where the trace is shorter than a minute.
    pub peak_to_mean: Option<Ratio>,
}

/// What an unbounded cache of prefixes would have found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PrefixHits {
    /// Share of the input tokens that lie in blocks seen before.
    pub tokens: Fraction,
    /// Share of the blocks that were seen before. A last block counts like a full one.
    pub blocks: Fraction,
}

impl Trace {
    /// A trace of requests that one has already, in the order they came; times count from the first.
    ///
    /// # Errors
    /// [`TraceError`] where there is none, where they are out of order, or all came at once; the line
    /// is the place in the list, from 1.
    pub fn of_requests(requests: &[Request]) -> Result<Self, TraceError> {
        let mut order = clock::Order::default();
        let mut list = Vec::with_capacity(requests.len());
        for (line, request) in (1..).zip(requests) {
            list.push(Request { arrival: order.since_first(line, request.arrival)?, ..*request });
        }
        Self::of(list, None)
    }

    /// A trace of requests in their order.
    fn of(requests: Vec<Request>, prefixes: Option<prefix::Prefixes>) -> Result<Self, TraceError> {
        if requests.is_empty() {
            return Err(TraceError::NoRows);
        }
        let trace = Self { requests, prefixes };
        if trace.span().get() > 0.0 { Ok(trace) } else { Err(TraceError::NoSpan) }
    }

    /// The requests, in the order they came.
    #[must_use]
    pub fn requests(&self) -> &[Request] {
        &self.requests
    }

    /// How many requests there are; at least two.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "a trace is never empty")]
    pub fn len(&self) -> usize {
        self.requests.len()
    }

    /// Time from the first request to the last; more than zero.
    #[must_use]
    pub fn span(&self) -> Seconds {
        self.requests.last().map_or(Seconds::new(0.0), |last| last.arrival)
    }

    /// Requests over the span.
    ///
    /// `len / span`; requests per second.
    #[must_use]
    pub fn mean_rate(&self) -> RequestsPerSecond {
        RequestsPerSecond::new(self.len() as f64 / self.span().get())
    }

    /// All input tokens.
    #[must_use]
    pub fn input_tokens(&self) -> Tokens {
        self.requests.iter().map(|request| request.isl).sum()
    }

    /// All output tokens.
    #[must_use]
    pub fn output_tokens(&self) -> Tokens {
        self.requests.iter().map(|request| request.osl).sum()
    }

    /// Mean input tokens of a request.
    #[must_use]
    pub fn mean_isl(&self) -> TokensPerRequest {
        TokensPerRequest::new(self.input_tokens().as_f64() / self.len() as f64)
    }

    /// Mean output tokens of a request.
    #[must_use]
    pub fn mean_osl(&self) -> TokensPerRequest {
        TokensPerRequest::new(self.output_tokens().as_f64() / self.len() as f64)
    }

    /// Input tokens of the request in the middle, or the mean of the two in the middle.
    #[must_use]
    pub fn median_isl(&self) -> TokensPerRequest {
        self.median_of(|request| request.isl)
    }

    /// Output tokens of the request in the middle, or the mean of the two in the middle.
    #[must_use]
    pub fn median_osl(&self) -> TokensPerRequest {
        self.median_of(|request| request.osl)
    }

    fn median_of(&self, length: impl Fn(&Request) -> Tokens) -> TokensPerRequest {
        let lengths: Vec<TokensPerRequest> =
            self.requests.iter().map(|r| TokensPerRequest::from_f64(length(r).as_f64())).collect();
        median(&lengths).expect("invariant: a trace has finite lengths, and some")
    }

    /// The fullest of the minutes counted from the first request.
    ///
    /// `peak_to_mean = requests / (mean_rate * 60 s)`. The last minute is cut short, so evenly
    /// spread requests could come out a hair below 1; no peak is below the mean, so 1 it is.
    /// `None` where the trace is shorter than a minute.
    #[must_use]
    pub fn busiest_minute(&self) -> Option<BusiestMinute> {
        if self.span() < MINUTE {
            return None;
        }
        let minute = |request: &Request| (request.arrival / MINUTE).floor();
        let fullest = self
            .requests
            .chunk_by(|a, b| minute(a).total_cmp(&minute(b)).is_eq())
            .map(<[Request]>::len)
            .max()?;
        let mean = self.mean_rate().get() * MINUTE.get();
        let peak_to_mean = Ratio::new((fullest as f64 / mean).max(1.0));
        Some(BusiestMinute { requests: fullest, peak_to_mean })
    }

    /// What an API charges for all requests at one price for input and one for output.
    ///
    /// `input * sum(isl) + output * sum(osl)`; USD.
    #[must_use]
    pub fn cost(&self, input: UsdPerMillionTokens, output: UsdPerMillionTokens) -> Usd {
        input * self.input_tokens() + output * self.output_tokens()
    }

    /// What an API charges for all requests if each has a price of its own: tiers by length, for
    /// one.
    ///
    /// `sum(price(request))`; USD.
    pub fn cost_by(&self, price: impl FnMut(&Request) -> Usd) -> Usd {
        self.requests.iter().map(price).sum()
    }

    /// The ids of the blocks of 512 tokens that a request may share with others; empty where the
    /// trace does not say.
    #[must_use]
    pub fn prefix_blocks(&self, request: usize) -> &[u64] {
        self.prefixes.as_ref().map_or(&[], |prefixes| prefixes.of(request))
    }

    /// What an unbounded cache of prefixes would have found in this trace.
    ///
    /// `None` where the trace does not say which prefixes its requests share.
    #[must_use]
    pub fn prefix_hits(&self) -> Option<PrefixHits> {
        self.prefixes.as_ref().map(|prefixes| prefixes.hits(&self.requests))
    }

    /// The demand this trace stands for.
    #[must_use]
    pub fn demand(&self) -> Demand {
        Demand {
            requests_per_day: RequestsPerDay::new(self.mean_rate().get() * DAY.get()),
            isl: self.mean_isl(),
            osl: self.mean_osl(),
            peak_to_mean: self.busiest_minute().map(|minute| minute.peak_to_mean),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(rows: &str) -> Trace {
        Trace::parse(&format!("arrival_s,isl,osl\n{rows}")).unwrap()
    }

    #[test]
    fn four_requests_in_two_minutes() {
        let trace = plain("10,100,10\n20,200,20\n30,300,60\n130,1000,30\n");
        // The first came at 10 s, so the last came 120 s into the trace.
        assert_eq!((trace.len(), trace.span()), (4, Seconds::new(120.0)));
        assert!((trace.mean_rate().get() - 4.0 / 120.0).abs() < 1e-15);
        assert_eq!(trace.input_tokens(), Tokens::new(1_600));
        assert_eq!(trace.output_tokens(), Tokens::new(120));
        assert_eq!(trace.mean_isl(), TokensPerRequest::new(400.0));
        assert_eq!(trace.median_isl(), TokensPerRequest::new(250.0));
        assert_eq!(trace.mean_osl(), TokensPerRequest::new(30.0));
        assert_eq!(trace.median_osl(), TokensPerRequest::new(25.0));
        // Three in the first minute; a mean minute has 4 / 120 * 60 = 2.
        let busiest = trace.busiest_minute().unwrap();
        assert_eq!((busiest.requests, busiest.peak_to_mean), (3, Ratio::new(1.5)));
        // 1600 * 5 + 120 * 10 = 9,200 USD per million tokens times tokens
        let cost = trace.cost(UsdPerMillionTokens::new(5.0), UsdPerMillionTokens::new(10.0));
        assert!((cost.get() - 0.0092).abs() < 1e-15);
        let demand = trace.demand();
        assert!((demand.requests_per_day.get() - 2_880.0).abs() < 1e-9);
        assert_eq!(demand.peak_to_mean, Some(Ratio::new(1.5)));
        assert_eq!(trace.prefix_hits(), None);
    }

    #[test]
    fn requests_of_ones_own_are_a_trace() {
        let at = |arrival, isl| Request {
            arrival: Seconds::new(arrival),
            isl: Tokens::new(isl),
            osl: Tokens::new(1),
        };
        let trace = Trace::of_requests(&[at(5.0, 1), at(7.0, 3)]).unwrap();
        assert_eq!(trace, plain("5,1,1\n7,3,1\n"));
        let error = Trace::of_requests(&[at(5.0, 1), at(4.0, 3)]).unwrap_err();
        assert_eq!(error, TraceError::Unsorted { line: 2 });
    }

    #[test]
    fn lengths_beyond_all_numbers_do_not_wrap() {
        let trace = plain(&format!("0,{0},1\n1,{0},1\n", u64::MAX));
        assert_eq!(trace.input_tokens(), Tokens::new(u64::MAX));
        // 2^64 over two requests.
        assert!((trace.demand().isl.get() / 2_f64.powi(63) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn a_price_can_depend_on_the_length_of_the_request() {
        let trace = plain("0,100,1\n1,300,1\n");
        let tiers = |request: &Request| {
            let price = if request.isl.get() > 200 { 6.0 } else { 3.0 };
            UsdPerMillionTokens::new(price) * request.isl
        };
        // 100 * 3 + 300 * 6 = 2,100
        assert!((trace.cost_by(tiers).get() - 0.0021).abs() < 1e-15);
    }

    #[test]
    fn a_trace_of_seconds_has_no_busiest_minute() {
        let trace = plain("0,1,1\n59,1,1\n");
        assert_eq!(trace.busiest_minute(), None);
        assert_eq!(trace.demand().peak_to_mean, None);
    }

    #[test]
    fn no_peak_is_below_the_mean() {
        // One a second, 62 over 61 s: 60 in the first minute, and a mean minute has 60.98.
        let rows: Vec<_> = (0..=61).map(|second| format!("{second},1,1")).collect();
        let busiest = plain(&rows.join("\n")).busiest_minute().unwrap();
        assert_eq!((busiest.requests, busiest.peak_to_mean), (60, Ratio::new(1.0)));
    }
}
