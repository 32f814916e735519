//! Throughput of a batch.

use crate::stats::NoValue;
use crate::units::{Seconds, Tokens, TokensPerSecond};

/// Prompt tokens taken in per second, over the whole batch.
///
/// `batch * isl / prefill`; the pick of the first token is outside.
///
/// # Errors
/// [`NoValue::NotFinite`] where no time passed.
pub fn prefill_throughput(
    batch: u32,
    isl: Tokens,
    prefill: Seconds,
) -> Result<TokensPerSecond, NoValue> {
    finite((isl * u64::from(batch)) / prefill)
}

/// Tokens generated per second after the first, over the whole batch.
///
/// `batch * (osl - 1) / sum(gaps)`.
///
/// # Errors
/// [`NoValue::TooFewTokens`] without any gap.
pub fn decode_throughput(batch: u32, gaps: &[Seconds]) -> Result<TokensPerSecond, NoValue> {
    if gaps.is_empty() {
        return Err(NoValue::TooFewTokens { needed: 2, have: 1 });
    }
    let tokens = Tokens::new(gaps.len() as u64) * u64::from(batch);
    finite(tokens / gaps.iter().copied().sum())
}

/// All tokens, read and written, per second of whole latency.
///
/// `batch * (isl + osl) / e2e`.
///
/// # Errors
/// [`NoValue::NotFinite`] where no time passed.
pub fn total_throughput(
    batch: u32,
    isl: Tokens,
    osl: Tokens,
    e2e: Seconds,
) -> Result<TokensPerSecond, NoValue> {
    finite(((isl + osl) * u64::from(batch)) / e2e)
}

fn finite(rate: TokensPerSecond) -> Result<TokensPerSecond, NoValue> {
    if rate.get().is_finite() { Ok(rate) } else { Err(NoValue::NotFinite) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_multiplies_tokens_not_time() {
        // 4 * 128 tokens in 2 s
        let prefill = prefill_throughput(4, Tokens::new(128), Seconds::new(2.0));
        assert_eq!(prefill, Ok(TokensPerSecond::new(256.0)));
        // 4 * 2 tokens in 0.5 s
        let decode = decode_throughput(4, &[Seconds::new(0.25), Seconds::new(0.25)]);
        assert_eq!(decode, Ok(TokensPerSecond::new(16.0)));
        // 4 * (128 + 3) in 2.5 s
        let total = total_throughput(4, Tokens::new(128), Tokens::new(3), Seconds::new(2.5));
        assert_eq!(total, Ok(TokensPerSecond::new(209.6)));
    }

    #[test]
    fn one_output_token_has_no_decode_rate_and_no_time_no_rate_at_all() {
        assert!(decode_throughput(4, &[]).is_err());
        assert_eq!(
            prefill_throughput(1, Tokens::new(8), Seconds::new(0.0)),
            Err(NoValue::NotFinite)
        );
    }
}
