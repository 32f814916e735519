//! The catalogue of prices: the bundled one, and prices the caller adds to it.

use super::checks;
use super::price::{ApiPrice, DateBasis};
use crate::error::CostError;
use crate::nearest::nearest;
use freeweights_record::units::{Tokens, UsdPerMillionTokens};
use genai_prices::{Calculator, PriceRequest, Usage, UsageKey};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use std::time::SystemTime;

/// The newest day on which the bundled data says that a price in it was verified.
///
/// The crate carries no date of release and no date per price, so this is the date of a price that
/// `price_checks.csv` does not know better.
const BUNDLED_DATE: Date = jiff::civil::date(2026, 10, 26);

/// What the source of a bundled price is called where its provider has no page.
const BUNDLED_SOURCE: &str = "https://github.com/pydantic/genai-prices";

/// Requests this short never reach a long-context tier.
const SHORT: Tokens = Tokens::new(1_000);

/// Words in the names of models whose weights are open.
const OPEN_FAMILIES: [&str; 18] = [
    "llama",
    "gpt-oss",
    "qwen",
    "qwq",
    "mistral-7b",
    "mistral-nemo",
    "mistral-small",
    "mixtral",
    "ministral",
    "gemma",
    "deepseek",
    "smollm",
    "phi-",
    "glm-",
    "kimi-k",
    "hermes",
    "nemotron",
    "olmo",
];

/// Prices of APIs. The bundled ones work offline.
#[derive(Debug, Clone, Default)]
pub struct Catalogue {
    added: Vec<ApiPrice>,
    bundled: bool,
}

impl Catalogue {
    /// The prices of the `genai-prices` crate.
    #[must_use]
    pub const fn bundled() -> Self {
        Self { added: Vec::new(), bundled: true }
    }

    /// These prices and no others.
    #[must_use]
    pub const fn of(prices: Vec<ApiPrice>) -> Self {
        Self { added: prices, bundled: false }
    }

    /// Adds prices; they win over bundled ones of the same id.
    #[must_use]
    pub fn with(mut self, prices: Vec<ApiPrice>) -> Self {
        self.added.extend(prices);
        self
    }

    /// All prices in force on a day whose id or display name contains `text`, in any case.
    ///
    /// Models without a price for both input and output tokens are left out.
    #[must_use]
    pub fn list(&self, text: &str, on: Date) -> Vec<ApiPrice> {
        let wanted = text.to_lowercase();
        let matches = |id: &str, name: &str| contains(id, &wanted) || contains(name, &wanted);
        let mut prices: Vec<ApiPrice> =
            self.added.iter().filter(|price| matches(&price.id(), "")).cloned().collect();
        if self.bundled {
            for provider in Calculator::bundled().providers() {
                for model in provider.models() {
                    let id = format!("{}/{}", provider.id(), model.id());
                    if matches(&id, model.name().unwrap_or_default())
                        && !self.added.iter().any(|price| price.id() == id)
                    {
                        prices.extend(bundled_price(provider.id(), model.id(), SHORT, on));
                    }
                }
            }
        }
        prices
    }

    /// The price of `provider/model` on a day, for short requests.
    ///
    /// # Errors
    /// [`CostError::UnknownPrice`] with the nearest ids, [`CostError::NoTokenPrice`] where the
    /// catalogue knows the model but no price for both kinds of tokens.
    pub fn find(&self, id: &str, on: Date) -> Result<ApiPrice, CostError> {
        self.find_for(id, SHORT, on)
    }

    /// The price of `provider/model` on a day for requests of `isl` input tokens.
    ///
    /// Where the provider charges all tokens of a long request at a higher rate, this is that rate.
    ///
    /// # Errors
    /// As [`Catalogue::find`].
    pub fn find_for(&self, id: &str, isl: Tokens, on: Date) -> Result<ApiPrice, CostError> {
        if let Some(price) = self.added.iter().find(|price| price.id() == id) {
            return Ok(price.clone());
        }
        let known = self.bundled.then(|| bundled_id(id)).flatten();
        let Some((provider, model)) = known else {
            return Err(CostError::UnknownPrice { id: id.to_owned(), nearest: self.nearest(id) });
        };
        bundled_price(provider, model, isl, on)
            .ok_or_else(|| CostError::NoTokenPrice { id: id.to_owned() })
    }

    /// Ids that look like `id`, best first.
    #[must_use]
    pub fn nearest(&self, id: &str) -> Vec<String> {
        let mut ids: Vec<String> = self.added.iter().map(ApiPrice::id).collect();
        if self.bundled {
            for provider in Calculator::bundled().providers() {
                ids.extend(provider.models().map(|m| format!("{}/{}", provider.id(), m.id())));
            }
        }
        nearest(id, ids.iter().map(String::as_str))
    }
}

fn contains(text: &str, wanted: &str) -> bool {
    text.to_lowercase().contains(wanted)
}

/// Provider and model of an id, exactly as the bundled data spells them.
fn bundled_id(id: &str) -> Option<(&'static str, &'static str)> {
    let (provider, model) = id.split_once('/')?;
    let provider = Calculator::bundled().providers().find(|known| known.id() == provider)?;
    let model = provider.models().find(|known| known.id() == model)?;
    Some((provider.id(), model.id()))
}

/// The bundled price in force at noon, UTC, of a day.
fn bundled_price(provider: &str, model: &str, isl: Tokens, on: Date) -> Option<ApiPrice> {
    let usage = Usage::from([
        (UsageKey::INPUT_TOKENS, isl.as_f64()),
        (UsageKey::OUTPUT_TOKENS, SHORT.as_f64()),
    ]);
    let noon = on.at(12, 0, 0, 0).to_zoned(TimeZone::UTC).ok()?;
    let request = PriceRequest::new(model, &usage)
        .with_provider_id(provider)
        .with_timestamp(SystemTime::from(noon.timestamp()));
    let price = Calculator::bundled().calculate(&request).ok()?;
    let per_million = |usd: f64, tokens: Tokens| {
        // The catalogue's prices have few digits; the division must not add any.
        let value = usd / tokens.as_f64() * 1e6;
        UsdPerMillionTokens::new((value * 1e9).round() / 1e9)
    };
    let input = per_million(price.input_price, isl);
    let output = per_million(price.output_price, SHORT);
    // The id may match another model's pattern, and a missing price comes back as zero.
    if price.model_id != model || input.get() <= 0.0 || output.get() <= 0.0 {
        return None;
    }
    let check = checks::checked(provider, model, input, output);
    Some(ApiPrice {
        provider: provider.to_owned(),
        model: model.to_owned(),
        input,
        output,
        open: OPEN_FAMILIES.iter().any(|family| contains(model, family)),
        checked: check.map_or(BUNDLED_DATE, |(date, _)| date),
        date_basis: if check.is_some() { DateBasis::Checked } else { DateBasis::Catalogue },
        source: check
            .map(|(_, source)| source)
            .or_else(|| checks::page(provider))
            .unwrap_or(BUNDLED_SOURCE)
            .to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    const TODAY: Date = date(2026, 11, 22);

    #[test]
    fn a_known_price_carries_its_date_and_its_page() {
        let price = Catalogue::bundled().find("openai/gpt-6.1-sol", TODAY).unwrap();
        assert_eq!((price.input.get(), price.output.get()), (2.0, 10.0));
        assert_eq!(price.dated(), "checked 2026-10-14");
        assert!(!price.open);
        let other = Catalogue::bundled().find("groq/llama-3.1-8b-instant", TODAY).unwrap();
        assert_eq!(other.dated(), "catalogue of 2026-10-26");
        assert_eq!(other.source, "https://console.groq.com/docs/models");
        assert!(other.open);
    }

    #[test]
    fn prices_follow_the_date() {
        let catalogue = Catalogue::bundled();
        let id = "novita/meta-llama/llama-3.1-8b-instruct";
        let at = |day| catalogue.find(id, day).unwrap().input;
        assert_eq!(at(date(2026, 10, 17)), UsdPerMillionTokens::new(0.05));
        assert_eq!(at(date(2026, 10, 18)), UsdPerMillionTokens::new(0.02));
    }

    #[test]
    fn a_long_request_is_priced_at_its_tier_strictly_above_it() {
        let catalogue = Catalogue::bundled();
        let at = |isl| {
            let id = "anthropic/claude-sonnet-4-5";
            catalogue.find_for(id, Tokens::new(isl), TODAY).unwrap().input.get()
        };
        assert_eq!((at(200_000), at(200_001)), (3.0, 6.0));
    }

    #[test]
    fn an_unknown_id_is_answered_with_known_ones() {
        let error = Catalogue::bundled().find("openai/gpt-6.1-soll", TODAY).unwrap_err();
        insta::assert_snapshot!(error, @r#"no price for "openai/gpt-6.1-soll" in the catalogue; did you mean openai/gpt-6.1-sol or openai/gpt-6-sol or aws/global.openai.gpt-6.1-sol?, or search with: freeweights prices TEXT"#);
    }

    #[test]
    fn what_has_no_token_price_is_no_price_of_zero() {
        let error = Catalogue::bundled().find("voyageai/voyage-3.5", TODAY).unwrap_err();
        assert!(matches!(error, CostError::NoTokenPrice { .. }), "{error}");
        assert!(Catalogue::bundled().list("", TODAY).iter().all(|p| p.input.get() > 0.0));
    }

    #[test]
    fn listing_filters_by_any_part_of_a_name() {
        let found = Catalogue::bundled().list("LLAMA-3.2-1b", TODAY);
        assert!(found.len() >= 3, "{found:?}");
        assert!(found.iter().all(|price| price.id().to_lowercase().contains("llama-3.2-1b")));
    }

    #[test]
    fn an_added_price_wins() {
        let mut mine = Catalogue::bundled().find("openai/gpt-6.1-sol", TODAY).unwrap();
        mine.input = UsdPerMillionTokens::new(1.5);
        let catalogue = Catalogue::bundled().with(vec![mine.clone()]);
        assert_eq!(catalogue.find("openai/gpt-6.1-sol", TODAY).unwrap(), mine);
        let listed = catalogue.list("openai/gpt-6.1-sol", TODAY);
        assert_eq!(listed.iter().filter(|price| price.id() == mine.id()).count(), 1);
        assert_eq!(listed[0], mine);
    }
}
