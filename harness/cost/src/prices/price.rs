//! One price of one model at one provider.

use super::rates::{PriceTier, TokenRates, discounted, with_batch};
use super::usage::ApiUsage;
use freeweights_record::units::{Days, Tokens, UsdPerMillionTokens, UsdPerRequest};
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A price older than this is marked stale.
pub const STALE_AFTER: Days = Days::new(90.0);

/// How the model behind an API relates to the one that was measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// The same open model on a host: the fair comparison.
    SameOpenModel,
    /// Another open model on a host, near in size or price.
    SimilarOpenModel,
    /// A closed model: another class of model.
    Frontier,
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::SameOpenModel => "same open model",
            Self::SimilarOpenModel => "similar open model",
            Self::Frontier => "frontier",
        })
    }
}

/// What the date of a price says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DateBasis {
    /// This price was checked on that day.
    Checked,
    /// The catalogue as a whole is of that day; it does not say when this price was checked.
    Catalogue,
}

/// What an API charges for tokens, in USD.
///
/// A price that changes within a day is its mean over the 24 hours of the day (over the week, where
/// weekends differ), and says so in `varies_in_day`. Fees that do not depend on text tokens (for a request, a search, an image) are
/// not in it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ApiPrice {
    /// Who sells.
    pub provider: String,
    /// The model, as the provider calls it.
    pub model: String,
    /// Price of input tokens, uncached, in the tier that applies.
    pub input: UsdPerMillionTokens,
    /// Price of output tokens in the tier that applies.
    pub output: UsdPerMillionTokens,
    /// Price of input tokens read from the cache. None: they cost what uncached ones cost.
    #[serde(default)]
    pub cache_read: Option<UsdPerMillionTokens>,
    /// Price of input tokens written to the cache. None: they cost what uncached ones cost.
    #[serde(default)]
    pub cache_write: Option<UsdPerMillionTokens>,
    /// Prices through the batch API, where it states its own.
    #[serde(default)]
    pub batch: Option<TokenRates>,
    /// The prices above are of requests with more input tokens than this.
    #[serde(default)]
    pub tier_above: Option<Tokens>,
    /// What longer requests cost, the shortest first.
    #[serde(default)]
    pub tiers: Vec<PriceTier>,
    /// Whether the price depends on the time of day.
    #[serde(default)]
    pub varies_in_day: bool,
    /// Whether the weights are open, as far as the name tells.
    pub open: bool,
    /// The date of the price.
    pub checked: Date,
    /// What that date says.
    pub date_basis: DateBasis,
    /// Where it was published.
    pub source: String,
}

impl ApiPrice {
    /// `provider/model`, the id that `--api` takes.
    #[must_use]
    pub fn id(&self) -> String {
        format!("{}/{}", self.provider, self.model)
    }

    /// Whether the price is older than [`STALE_AFTER`] on a day.
    #[must_use]
    pub fn is_stale(&self, today: Date) -> bool {
        age(self.checked, today) > STALE_AFTER
    }

    /// The date in words: `checked 2026-10-19`, or `catalogue of 2026-10-26`.
    #[must_use]
    pub fn dated(&self) -> String {
        match self.date_basis {
            DateBasis::Checked => format!("checked {}", self.checked),
            DateBasis::Catalogue => format!("catalogue of {}", self.checked),
        }
    }

    /// The prices above as one value.
    #[must_use]
    pub const fn rates(&self) -> TokenRates {
        TokenRates {
            input: self.input,
            output: self.output,
            cache_read: self.cache_read,
            cache_write: self.cache_write,
        }
    }

    /// This price as requests of `isl` input tokens meet it: in their tier.
    #[must_use]
    pub fn in_tier_of(mut self, isl: Tokens) -> Self {
        if let Some(tier) = tier_of(&self.tiers, isl).copied() {
            let TokenRates { input, output, cache_read, cache_write } = tier.rates;
            self.tiers.retain(|longer| longer.above > tier.above);
            let (tier_above, batch) = (Some(tier.above), tier.batch);
            Self { input, output, cache_read, cache_write, batch, tier_above, ..self }
        } else {
            self
        }
    }

    /// Mean price of an input token: in the tier of the request, with its cached and batched shares.
    ///
    /// [`TokenRates::effective_input`] at normal and at batch rates, put together by [`with_batch`].
    #[must_use]
    pub fn effective_input(&self, usage: &ApiUsage) -> UsdPerMillionTokens {
        self.mixed(usage, |rates| rates.effective_input(usage))
    }

    /// Mean price of an output token: in the tier of the request, with its batched share.
    #[must_use]
    pub fn effective_output(&self, usage: &ApiUsage) -> UsdPerMillionTokens {
        self.mixed(usage, |rates| rates.output)
    }

    /// What one request costs.
    ///
    /// `isl * effective_input + osl * effective_output`; USD. Once a request has more input tokens
    /// than the threshold of a tier, strictly, that tier prices all of its tokens.
    #[must_use]
    pub fn per_request(&self, usage: &ApiUsage) -> UsdPerRequest {
        let input = self.effective_input(usage) * usage.isl;
        UsdPerRequest::new((input + self.effective_output(usage) * usage.osl).get())
    }

    /// One kind of token at normal and at batch rates.
    fn mixed(
        &self,
        usage: &ApiUsage,
        of: impl Fn(&TokenRates) -> UsdPerMillionTokens,
    ) -> UsdPerMillionTokens {
        let (rates, batch) = tier_of(&self.tiers, usage.isl)
            .map_or((self.rates(), self.batch), |tier| (tier.rates, tier.batch));
        let normal = of(&rates);
        let batched =
            batch.map_or_else(|| discounted(normal, usage.batch_discount), |own| of(&own));
        with_batch(normal, batched, usage.batch)
    }
}

/// The tier of requests with `isl` input tokens: the longest whose threshold they exceed.
fn tier_of(tiers: &[PriceTier], isl: Tokens) -> Option<&PriceTier> {
    tiers.iter().filter(|tier| isl > tier.above).max_by_key(|tier| tier.above)
}

fn age(checked: Date, today: Date) -> Days {
    let span = today.duration_since(checked);
    Days::new(span.as_secs_f64() / 86_400.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use freeweights_record::units::{Fraction, Ratio};
    use jiff::civil::date;
    use proptest::prelude::*;

    const fn usd(value: f64) -> UsdPerMillionTokens {
        UsdPerMillionTokens::new(value)
    }

    fn price(input: f64, output: f64) -> ApiPrice {
        ApiPrice {
            provider: "host".into(),
            model: "org/model".into(),
            input: usd(input),
            output: usd(output),
            cache_read: None,
            cache_write: None,
            batch: None,
            tier_above: None,
            tiers: Vec::new(),
            varies_in_day: false,
            open: true,
            checked: date(2026, 8, 1),
            date_basis: DateBasis::Checked,
            source: "page".into(),
        }
    }

    /// 3 USD, above 200k tokens 6.
    fn tiered() -> ApiPrice {
        let rates =
            TokenRates { input: usd(6.0), output: usd(22.5), cache_read: None, cache_write: None };
        let tier = PriceTier { above: Tokens::new(200_000), rates, batch: None };
        ApiPrice { tiers: vec![tier], ..price(3.0, 15.0) }
    }

    #[test]
    fn prices_age() {
        let price = price(0.5, 2.0);
        assert_eq!(price.id(), "host/org/model");
        assert!(!price.is_stale(date(2026, 10, 30)));
        assert!(price.is_stale(date(2026, 10, 31)));
        assert!(!price.is_stale(date(2026, 1, 1)));
        // 1000 * 0.5e-6 + 500 * 2e-6 = 0.0015
        let request = price.per_request(&ApiUsage::plain(Tokens::new(1_000), Tokens::new(500)));
        assert!((request.get() - 0.0015).abs() < 1e-15);
    }

    #[test]
    fn a_longer_request_pays_its_tier_for_every_token() {
        // The cases of the genai-prices project, input alone.
        for (isl, usd) in
            [(100_000, 0.30), (200_000, 0.60), (200_001, 1.200_006), (1_000_000, 6.00)]
        {
            let usage = ApiUsage::plain(Tokens::new(isl), Tokens::new(0));
            assert!((tiered().per_request(&usage).get() - usd).abs() < 1e-12, "{isl}");
            let found = tiered().in_tier_of(usage.isl);
            assert!((found.per_request(&usage).get() - usd).abs() < 1e-12, "{isl}");
            assert_eq!(found.tier_above.is_some(), isl > 200_000);
        }
    }

    #[test]
    fn cached_and_batched_shares_are_paid_at_their_rates() {
        let price = ApiPrice {
            cache_read: Some(usd(0.3)),
            cache_write: Some(usd(3.75)),
            ..price(3.0, 15.0)
        };
        let (isl, osl) = (Tokens::new(10_000), Tokens::new(1_000));
        let plain = ApiUsage::plain(isl, osl);
        // 60% read, 10% written: 1.455 a million (see `cached_input`); 0.01455 + 0.015 = 0.02955
        let cached =
            ApiUsage { cache_read: Fraction::new(0.6), cache_write: Fraction::new(0.1), ..plain };
        assert!((price.per_request(&cached).get() - 0.029_55).abs() < 1e-12);
        // A fifth at half price: 0.02955 * (0.8 + 0.2 * 0.5) = 0.026595
        let batched = ApiUsage { batch: Fraction::new(0.2), ..cached };
        assert!((price.per_request(&batched).get() - 0.026_595).abs() < 1e-12);
        // Its own batch rates, without a cached one: 1.5 and 5; 0.8 * 0.02955 + 0.2 * 0.02 = 0.02764
        let own =
            TokenRates { input: usd(1.5), output: usd(5.0), cache_read: None, cache_write: None };
        let price = ApiPrice { batch: Some(own), ..price };
        assert!((price.per_request(&batched).get() - 0.027_64).abs() < 1e-12);
    }

    proptest! {
        #[test]
        fn a_larger_batch_share_never_raises_the_price(
            isl in 0u64..400_000, osl in 0u64..10_000, read in 0.0..1.0f64,
            a in 0.0..1.0f64, b in 0.0..1.0f64, discount in 0.0..1.0f64,
        ) {
            let at = |batch: f64| {
                let usage = ApiUsage {
                    batch: Fraction::new(batch),
                    cache_read: Fraction::new(read),
                    batch_discount: Ratio::new(discount),
                    ..ApiUsage::plain(Tokens::new(isl), Tokens::new(osl))
                };
                tiered().per_request(&usage).get()
            };
            prop_assert!(at(a.max(b)) <= at(a.min(b)) + 1e-12);
        }

        #[test]
        fn a_larger_cached_share_never_raises_the_price_where_reading_is_cheaper(
            isl in 0u64..150_000, a in 0.0..1.0f64, b in 0.0..1.0f64, batch in 0.0..1.0f64,
        ) {
            let price = ApiPrice { cache_read: Some(usd(0.3)), ..tiered() };
            let at = |read: f64| {
                let plain = ApiUsage::plain(Tokens::new(isl), Tokens::new(100));
                let (cache_read, batch) = (Fraction::new(read), Fraction::new(batch));
                price.per_request(&ApiUsage { cache_read, batch, ..plain }).get()
            };
            prop_assert!(at(a.max(b)) <= at(a.min(b)) + 1e-12);
        }
    }
}
