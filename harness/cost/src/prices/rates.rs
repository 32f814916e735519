//! What tokens of each kind cost, and the formulas over them.

use super::usage::ApiUsage;
use freeweights_record::units::{Fraction, Hours, Ratio, Tokens, UsdPerMillionTokens};
use serde::{Deserialize, Serialize};

/// Prices of the four kinds of text tokens.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct TokenRates {
    /// Input tokens, uncached.
    pub input: UsdPerMillionTokens,
    /// Output tokens.
    pub output: UsdPerMillionTokens,
    /// Input tokens read from the cache. None: they cost what uncached ones cost.
    pub cache_read: Option<UsdPerMillionTokens>,
    /// Input tokens written to the cache. None: they cost what uncached ones cost.
    pub cache_write: Option<UsdPerMillionTokens>,
}

/// What a longer request costs: all of its tokens, not those beyond the threshold only.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PriceTier {
    /// Requests of more input tokens than this, strictly.
    pub above: Tokens,
    /// Their prices.
    pub rates: TokenRates,
    /// Their prices through the batch API, where it states its own.
    pub batch: Option<TokenRates>,
}

impl TokenRates {
    /// Mean price of an input token: [`cached_input`] of these rates.
    #[must_use]
    pub fn effective_input(&self, usage: &ApiUsage) -> UsdPerMillionTokens {
        cached_input(self, usage.cache_read, usage.cache_write)
    }
}

/// Mean price of an input token, some of which are cached.
///
/// `input * (1 - read - write) + cache_read * read + cache_write * write`; shares of the input in,
/// USD per million tokens out. Where a provider has no cached rate, cached tokens cost the full one.
#[must_use]
pub fn cached_input(rates: &TokenRates, read: Fraction, write: Fraction) -> UsdPerMillionTokens {
    let cache_read = rates.cache_read.unwrap_or(rates.input);
    let cache_write = rates.cache_write.unwrap_or(rates.input);
    rates.input * (1.0 - read.get() - write.get())
        + cache_read * read.get()
        + cache_write * write.get()
}

/// Mean price of a token where a share of the requests goes through a batch API.
///
/// `(1 - share) * normal + share * batched`.
#[must_use]
pub fn with_batch(
    normal: UsdPerMillionTokens,
    batched: UsdPerMillionTokens,
    share: Fraction,
) -> UsdPerMillionTokens {
    normal * (1.0 - share.get()) + batched * share.get()
}

/// Price of a batched token where the API does not state its own: `normal * discount`.
#[must_use]
pub fn discounted(normal: UsdPerMillionTokens, discount: Ratio) -> UsdPerMillionTokens {
    normal * discount.get()
}

/// Mean over a day of a price that changes within it.
///
/// `sum(hours * price) / sum(hours)`: requests come at the same rate at all hours. `None` without
/// any hours.
#[must_use]
pub fn mean_over_day(parts: &[(Hours, UsdPerMillionTokens)]) -> Option<UsdPerMillionTokens> {
    // One price all day is itself, to the last digit.
    if let [(_, price)] = parts {
        return Some(*price);
    }
    let hours: f64 = parts.iter().map(|(hours, _)| hours.get()).sum();
    let paid: f64 = parts.iter().map(|(hours, price)| hours.get() * price.get()).sum();
    (hours > 0.0).then(|| UsdPerMillionTokens::new(paid / hours))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const fn usd(value: f64) -> UsdPerMillionTokens {
        UsdPerMillionTokens::new(value)
    }

    const SONNET: TokenRates = TokenRates {
        input: usd(3.0),
        output: usd(15.0),
        cache_read: Some(usd(0.3)),
        cache_write: Some(usd(3.75)),
    };

    #[test]
    fn cached_tokens_cost_their_own_rate_or_the_full_one() {
        // 3 * 0.3 + 0.3 * 0.6 + 3.75 * 0.1 = 0.9 + 0.18 + 0.375 = 1.455
        let mixed = cached_input(&SONNET, Fraction::new(0.6), Fraction::new(0.1));
        assert!((mixed.get() - 1.455).abs() < 1e-12);
        let uncached = TokenRates { cache_read: None, cache_write: None, ..SONNET };
        let full = cached_input(&uncached, Fraction::new(0.6), Fraction::new(0.1));
        assert!((full.get() - 3.0).abs() < 1e-12);
    }

    #[test]
    fn a_batched_share_is_paid_at_the_batch_price() {
        // 0.75 * 4 + 0.25 * 2 = 3.5
        assert_eq!(with_batch(usd(4.0), usd(2.0), Fraction::new(0.25)), usd(3.5));
        assert_eq!(discounted(usd(4.0), Ratio::new(0.5)), usd(2.0));
    }

    #[test]
    fn peak_hours_weigh_as_long_as_they_last() {
        // (7 * 1.32 + 17 * 0.66) / 24 = 20.46 / 24 = 0.8525
        let parts = [(Hours::new(7.0), usd(1.32)), (Hours::new(17.0), usd(0.66))];
        assert!((mean_over_day(&parts).unwrap().get() - 0.8525).abs() < 1e-12);
        assert_eq!(mean_over_day(&[]), None);
    }

    proptest! {
        #[test]
        fn more_cache_never_costs_more_where_reading_is_cheaper(
            input in 0.0..100.0f64, cheaper in 0.0..1.0f64, a in 0.0..1.0f64, b in 0.0..1.0f64,
        ) {
            let rates = TokenRates {
                input: usd(input), output: usd(1.0),
                cache_read: Some(usd(input * cheaper)), cache_write: None,
            };
            let at = |share| cached_input(&rates, Fraction::new(share), Fraction::new(0.0)).get();
            prop_assert!(at(a.max(b)) <= at(a.min(b)) + 1e-9);
        }

        #[test]
        fn more_batch_never_costs_more_at_a_discount(
            normal in 0.0..100.0f64, discount in 0.0..1.0f64, a in 0.0..1.0f64, b in 0.0..1.0f64,
        ) {
            let batched = discounted(usd(normal), Ratio::new(discount));
            let at = |share| with_batch(usd(normal), batched, Fraction::new(share)).get();
            prop_assert!(at(a.max(b)) <= at(a.min(b)) + 1e-9);
        }
    }
}
