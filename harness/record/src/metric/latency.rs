//! Latencies of one request. Time to first token is read off the stopwatch and needs no formula.

use crate::stats::NoValue;
use crate::units::{Seconds, Tokens};

/// Whole latency of a request: start to last token.
///
/// `e2e = ttft + sum(gaps)`; seconds.
#[must_use]
pub fn e2e(ttft: Seconds, gaps: &[Seconds]) -> Seconds {
    ttft + gaps.iter().copied().sum()
}

/// Time per output token: the mean gap between the output tokens of one request.
///
/// `tpot = (e2e - ttft) / (osl - 1)`; seconds in, seconds per token out.
///
/// # Errors
/// [`NoValue::TooFewTokens`] if `osl < 2`: one token has no gap.
///
/// # Source
/// `MLPerf` `LoadGen`, `time_per_output_token`.
pub fn tpot(e2e: Seconds, ttft: Seconds, osl: Tokens) -> Result<Seconds, NoValue> {
    if osl < Tokens::new(2) {
        return Err(NoValue::TooFewTokens { needed: 2, have: osl.get() });
    }
    Ok((e2e - ttft) / (osl.as_f64() - 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_tokens_have_three_gaps() {
        let gaps = [0.1, 0.2, 0.3].map(Seconds::new);
        let latency = e2e(Seconds::new(0.5), &gaps);
        assert!((latency.get() - 1.1).abs() < 1e-12);
        // (1.1 - 0.5) / (4 - 1) = 0.2
        let tpot = tpot(latency, Seconds::new(0.5), Tokens::new(4)).unwrap();
        assert!((tpot.get() - 0.2).abs() < 1e-12);
    }

    #[test]
    fn one_token_has_no_gap() {
        assert_eq!(
            tpot(Seconds::new(1.0), Seconds::new(1.0), Tokens::new(1)),
            Err(NoValue::TooFewTokens { needed: 2, have: 1 })
        );
    }
}
