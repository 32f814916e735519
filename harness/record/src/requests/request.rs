//! One request to a server, as the client saw it.

use crate::metric;
use crate::sample::RawRow;
use crate::stats::NoValue;
use crate::text::Text;
use crate::units::{Seconds, Tokens};
use serde::{Deserialize, Serialize};

/// Which part of a case a request belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, Hash)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Sent before the load was steady.
    #[default]
    Warmup,
    /// Counts.
    Measured,
    /// Sent to keep the load up until the last measured request ended.
    Drain,
}

/// The run and the case of a request.
#[derive(Debug, Clone, PartialEq)]
pub struct RequestOf {
    /// The run.
    pub run_id: Text,
    /// The case.
    pub case_id: Text,
}

/// One request, from its schedule to its last token. Times are since the run began.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RequestSample {
    /// Position in the schedule of the case, over all client processes.
    pub index: u32,
    /// Which part of the case it belongs to.
    pub phase: Phase,
    /// When it was to be sent.
    pub scheduled: Seconds,
    /// When it was sent.
    pub sent: Seconds,
    /// From `sent` to the first chunk with content; `None` where none came.
    pub ttft: Option<Seconds>,
    /// From `sent` to the last chunk with content.
    pub e2e: Option<Seconds>,
    /// Each gap between chunks with content, as far as they were kept.
    pub gaps: Vec<Seconds>,
    /// Chunks with content.
    pub events: u32,
    /// Input tokens.
    pub tokens_in: Option<Tokens>,
    /// Output tokens.
    pub tokens_out: Option<Tokens>,
    /// Output tokens asked for.
    pub tokens_asked: Tokens,
    /// Why it failed: one word, as in `timeout`, and what there is to say, after a colon.
    pub error: Option<Text>,
}

impl RequestSample {
    /// Whether it counts, whether or not it came to its end.
    #[must_use]
    pub fn is_measured(&self) -> bool {
        self.phase == Phase::Measured
    }

    /// Time per output token.
    ///
    /// `(e2e - ttft) / (tokens_out - 1)`; seconds.
    ///
    /// # Errors
    /// [`NoValue::TooFewTokens`] below two tokens, or where no token came or nobody counted.
    pub fn tpot(&self) -> Result<Seconds, NoValue> {
        let none = NoValue::TooFewTokens { needed: 2, have: 0 };
        let (ttft, e2e) = (self.ttft.ok_or(none)?, self.e2e.ok_or(none)?);
        metric::tpot(e2e, ttft, self.tokens_out.ok_or(none)?)
    }

    /// How late it was sent.
    #[must_use]
    pub fn late(&self) -> Seconds {
        Seconds::new((self.sent - self.scheduled).get().max(0.0))
    }

    /// Whether it was on its way when the case ended.
    #[must_use]
    pub fn is_cut(&self) -> bool {
        self.error.as_deref().is_some_and(|error| error.split(':').next() == Some("cut"))
    }

    /// When it ended, where its last token came.
    #[must_use]
    pub fn ended(&self) -> Option<Seconds> {
        self.e2e.map(|e2e| self.sent + e2e)
    }

    /// As a row of `raw.csv`.
    pub(crate) fn row(&self, of: &RequestOf) -> RawRow {
        RawRow {
            run_id: of.run_id.clone(),
            case_id: of.case_id.clone(),
            sample: self.index,
            warmup: !self.is_measured(),
            offset_s: Some(self.sent),
            ttft_s: self.ttft,
            decode_s: self.ttft.zip(self.e2e).map(|(ttft, e2e)| e2e - ttft),
            e2e_s: self.e2e,
            started_s: Some(self.sent),
            phase: Some(self.phase),
            scheduled_s: Some(self.scheduled),
            sent_s: Some(self.sent),
            first_token_s: self.ttft.map(|ttft| self.sent + ttft),
            last_token_s: self.ended(),
            tokens_in: self.tokens_in,
            tokens_out: self.tokens_out,
            tokens_asked: Some(self.tokens_asked),
            events: Some(self.events),
            error: self.error.clone(),
            ..RawRow::default()
        }
    }

    /// Back from a row of `raw.csv`; `None` where the row is no request. The gaps are in `itl.csv`.
    pub(crate) fn from_row(row: &RawRow) -> Option<Self> {
        Some(Self {
            index: row.sample,
            phase: row.phase?,
            scheduled: row.scheduled_s?,
            sent: row.sent_s?,
            ttft: row.ttft_s,
            e2e: row.e2e_s,
            gaps: Vec::new(),
            events: row.events?,
            tokens_in: row.tokens_in,
            tokens_out: row.tokens_out,
            tokens_asked: row.tokens_asked?,
            error: row.error.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> RequestSample {
        RequestSample {
            index: 7,
            phase: Phase::Measured,
            scheduled: Seconds::new(1.0),
            sent: Seconds::new(1.25),
            ttft: Some(Seconds::new(0.5)),
            e2e: Some(Seconds::new(2.0)),
            tokens_in: Some(Tokens::new(10)),
            tokens_out: Some(Tokens::new(4)),
            tokens_asked: Tokens::new(4),
            events: 3,
            ..RequestSample::default()
        }
    }

    #[test]
    fn a_request_is_read_back_from_its_row() {
        let of = RequestOf { run_id: "r".into(), case_id: "c".into() };
        let row = request().row(&of);
        assert_eq!(
            (row.first_token_s, row.last_token_s),
            (Some(Seconds::new(1.75)), Some(Seconds::new(3.25)))
        );
        assert!(!row.warmup);
        assert_eq!(RequestSample::from_row(&row), Some(request()));
        assert_eq!(RequestSample::from_row(&RawRow::default()), None);
    }

    #[test]
    fn tokens_are_counted_by_tokens_and_not_by_chunks() {
        // (2.0 - 0.5) / (4 - 1) s, though three chunks came
        assert_eq!(request().tpot(), Ok(Seconds::new(0.5)));
        assert_eq!(request().late(), Seconds::new(0.25));
        let nobody_counted = RequestSample { tokens_out: None, ..request() };
        assert!(nobody_counted.tpot().is_err());
    }
}
