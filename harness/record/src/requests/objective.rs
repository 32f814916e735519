//! What a request must keep to count as good.

use super::RequestSample;
use crate::units::Seconds;
use std::fmt;
use std::str::FromStr;
use thiserror::Error;

/// A latency that can be bounded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BoundedMetric {
    /// Time to first token.
    Ttft,
    /// Time per output token.
    Tpot,
    /// Whole latency.
    E2e,
}

impl BoundedMetric {
    const ALL: [Self; 3] = [Self::Ttft, Self::Tpot, Self::E2e];

    /// As it is written.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ttft => "ttft",
            Self::Tpot => "tpot",
            Self::E2e => "e2e",
        }
    }

    /// What a request has; `None` where it has none, as a single token has no TPOT.
    #[must_use]
    pub fn of(self, request: &RequestSample) -> Option<Seconds> {
        match self {
            Self::Ttft => request.ttft,
            Self::Tpot => request.tpot().ok(),
            Self::E2e => request.e2e,
        }
    }
}

/// One bound.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bound {
    /// Of what.
    pub metric: BoundedMetric,
    /// The most it may be.
    pub most: Seconds,
}

/// Bounds that a request must keep, all of them, to count as good.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Objective {
    /// The bounds, in the order in which they were given.
    pub bounds: Vec<Bound>,
}

/// A bound that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "{text:?} is no objective; write bounds in seconds or ms, as in ttft<=0.5 or ttft=500ms,tpot=50ms,e2e=10s"
)]
pub struct UnknownBound {
    /// What was given.
    pub text: String,
}

impl Objective {
    /// Whether a request is good: it did not fail and keeps every bound. A bound on what a request
    /// has not (the time per output token of a single token) does not bind.
    #[must_use]
    pub fn is_met(&self, request: &RequestSample) -> bool {
        let keeps = |bound: &Bound| match bound.metric.of(request) {
            Some(time) => time <= bound.most,
            None => bound.metric == BoundedMetric::Tpot,
        };
        request.error.is_none() && self.bounds.iter().all(keeps)
    }
}

impl FromStr for Objective {
    type Err = UnknownBound;

    fn from_str(text: &str) -> Result<Self, UnknownBound> {
        let unknown = || UnknownBound { text: text.to_owned() };
        let parts = text.split([',', ' ']).filter(|part| !part.is_empty());
        let bounds: Vec<Bound> =
            parts.map(|part| bound(part).ok_or_else(unknown)).collect::<Result<_, _>>()?;
        let twice = |at: usize| bounds[..at].iter().any(|b| b.metric == bounds[at].metric);
        if bounds.is_empty() || (0..bounds.len()).any(twice) {
            return Err(unknown());
        }
        Ok(Self { bounds })
    }
}

fn bound(part: &str) -> Option<Bound> {
    let (name, most) = part.split_once("<=").or_else(|| part.split_once(['=', ':']))?;
    let metric = BoundedMetric::ALL.into_iter().find(|metric| metric.name() == name)?;
    let (number, scale) = match most.strip_suffix("ms") {
        Some(number) => (number, 1e-3),
        None => (most.strip_suffix('s').unwrap_or(most), 1.0),
    };
    let most = number.parse::<f64>().ok().filter(|most| most.is_finite() && *most > 0.0)? * scale;
    Some(Bound { metric, most: Seconds::new(most) })
}

impl fmt::Display for Objective {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, bound) in self.bounds.iter().enumerate() {
            let space = if at > 0 { " " } else { "" };
            write!(f, "{space}{}<={}", bound.metric.name(), bound.most.get())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Tokens;

    #[test]
    fn bounds_are_read_and_written() {
        let objective: Objective = "ttft=500ms,tpot<=0.05 e2e:10s".parse().unwrap();
        assert_eq!(objective.to_string(), "ttft<=0.5 tpot<=0.05 e2e<=10");
        assert_eq!(objective.to_string().parse(), Ok(objective));
        for wrong in ["", "ttft", "ttft=-1", "itl=3", "ttft=1,ttft=2", "ttft=inf"] {
            assert!(wrong.parse::<Objective>().is_err(), "{wrong}");
        }
        insta::assert_snapshot!("speed=1".parse::<Objective>().unwrap_err(), @r#""speed=1" is no objective; write bounds in seconds or ms, as in ttft<=0.5 or ttft=500ms,tpot=50ms,e2e=10s"#);
    }

    #[test]
    fn one_token_has_no_time_per_token_to_keep() {
        let objective: Objective = "ttft=1,tpot=0.1".parse().unwrap();
        let request = RequestSample {
            ttft: Some(Seconds::new(0.5)),
            e2e: Some(Seconds::new(0.5)),
            tokens_out: Some(Tokens::new(1)),
            ..RequestSample::default()
        };
        assert!(objective.is_met(&request));
        let failed = RequestSample { error: Some("timeout".into()), ..request.clone() };
        let silent = RequestSample { ttft: None, ..request };
        assert!(!objective.is_met(&failed) && !objective.is_met(&silent));
    }
}
