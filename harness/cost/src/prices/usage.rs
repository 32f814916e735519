//! What one request asks of an API.

use crate::error::CostError;
use freeweights_record::units::{Fraction, Ratio, Tokens};

/// The shape of a request, as far as its price depends on it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ApiUsage {
    /// Input tokens, cached ones included.
    pub isl: Tokens,
    /// Output tokens.
    pub osl: Tokens,
    /// Share of the input that is read from the provider's cache.
    pub cache_read: Fraction,
    /// Share of the input that is written to the provider's cache.
    pub cache_write: Fraction,
    /// Share of the requests that go through the batch API.
    pub batch: Fraction,
    /// Price of a batched token over the normal one, for APIs that do not state their own.
    pub batch_discount: Ratio,
}

impl ApiUsage {
    /// Most batch APIs charge half.
    ///
    /// # Source
    /// The batch APIs of `OpenAI`, Anthropic, Google and Mistral, as `prices.csv` lists them.
    pub const USUAL_BATCH_DISCOUNT: Ratio = Ratio::new(0.5);

    /// A request without a cache and without a batch API.
    #[must_use]
    pub const fn plain(isl: Tokens, osl: Tokens) -> Self {
        Self {
            isl,
            osl,
            cache_read: Fraction::new(0.0),
            cache_write: Fraction::new(0.0),
            batch: Fraction::new(0.0),
            batch_discount: Self::USUAL_BATCH_DISCOUNT,
        }
    }

    /// Refuses shares that are none.
    ///
    /// # Errors
    /// [`CostError::OutOfRange`] where a share lies outside 0 to 1, where `cache_read + cache_write`
    /// exceeds 1, or where the discount is negative or no number.
    pub fn check(&self) -> Result<(), CostError> {
        let shares = [
            ("demand.cached_share", self.cache_read),
            ("demand.cache_write_share", self.cache_write),
            ("api.batch_share", self.batch),
        ];
        for (name, share) in shares {
            if !(0.0..=1.0).contains(&share.get()) {
                return Err(refused(name, share.get(), "a share must lie between 0 and 1"));
            }
        }
        let cached = self.cache_read + self.cache_write;
        if cached.get() > 1.0 {
            let rule = "what is read from the cache and what is written to it are at most the whole input, 1";
            return Err(refused("demand.cached_share", cached.get(), rule));
        }
        let discount = self.batch_discount.get();
        if !(discount.is_finite() && discount >= 0.0) {
            return Err(refused("api.batch_factor", discount, "it must be 0 or more"));
        }
        Ok(())
    }
}

fn refused(name: &str, value: f64, rule: &'static str) -> CostError {
    CostError::OutOfRange { name: name.to_owned(), value: value.to_string(), rule }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_beyond_the_whole_are_refused() {
        let plain = ApiUsage::plain(Tokens::new(1_000), Tokens::new(100));
        assert_eq!(plain.check(), Ok(()));
        let share = Fraction::new;
        let whole = ApiUsage { cache_read: share(0.75), cache_write: share(0.25), ..plain };
        assert_eq!(whole.check(), Ok(()));
        let error = ApiUsage { cache_write: share(0.5), ..whole }.check().unwrap_err();
        insta::assert_snapshot!(error, @"demand.cached_share is 1.25, but what is read from the cache and what is written to it are at most the whole input, 1; correct it in the scenario or with --set demand.cached_share=VALUE");
        let error = ApiUsage { batch: share(-0.1), ..plain }.check().unwrap_err();
        insta::assert_snapshot!(error, @"api.batch_share is -0.1, but a share must lie between 0 and 1; correct it in the scenario or with --set api.batch_share=VALUE");
        assert!(ApiUsage { cache_read: share(f64::NAN), ..plain }.check().is_err());
        assert!(ApiUsage { batch_discount: Ratio::new(-1.0), ..plain }.check().is_err());
    }
}
