//! Prices from files of other projects: `LiteLLM`, `OpenRouter`, or a plain CSV.
//!
//! The format is recognised by what is in the text. Nothing is guessed: a price in another unit or
//! currency, or one that nobody charges, is an error that names its place; an entry without a price
//! of text tokens is skipped, and the list of those says why.

mod error;
mod litellm;
mod off_peak;
mod openrouter;
mod rate;
mod table;

pub use error::PriceImportError;

use super::bundled::is_open;
use super::price::{ApiPrice, DateBasis};
use super::rates::{PriceTier, TokenRates};
use jiff::civil::Date;
use rate::Place;
use serde_json::{Map, Value};

/// What a file of prices holds.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Imported {
    /// The prices, in the order of the file.
    pub prices: Vec<ApiPrice>,
    /// Entries without a usable price.
    pub skipped: Vec<Skipped>,
}

/// An entry that was left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// What the file calls it.
    pub name: String,
    /// Why.
    pub reason: String,
}

/// Reads prices from the text of a file.
///
/// `origin` names the file in errors, and as the source of prices that state none. `as_of` is the
/// day the file was obtained: the date of its prices where the file has no dates.
///
/// # Errors
/// [`PriceImportError`] for a text of no known format, a price that is negative, not finite, of
/// another unit or currency, and for a row that lacks something. Of a JSON list, an entry with an
/// implausible price is skipped where others are plausible.
///
/// # Source
/// `LiteLLM`: <https://docs.litellm.ai/docs/proxy/model_cost_map>; `OpenRouter`:
/// <https://openrouter.ai/docs/api_reference/models>.
pub fn import(text: &str, origin: &str, as_of: Date) -> Result<Imported, PriceImportError> {
    let text = text.trim_start_matches('\u{feff}');
    if !text.trim_start().starts_with(['{', '[']) {
        return Ok(without_repeats(table::read(text, origin)?));
    }
    let json: Value = serde_json::from_str(text).map_err(|error| PriceImportError::Json {
        origin: origin.to_owned(),
        line: error.line(),
        column: error.column(),
        // serde_json ends its message in the place, which stands in ours already.
        message: error.to_string().split(" at line ").next().unwrap_or_default().to_owned(),
    })?;
    let imported = match &json {
        Value::Object(map) if map.get("data").is_some_and(Value::is_array) => {
            openrouter::read(map, origin, as_of)?
        }
        Value::Object(map) if litellm::looks_like(map) => litellm::read(map, origin, as_of)?,
        _ => return Err(PriceImportError::NotRecognised { origin: origin.to_owned() }),
    };
    Ok(without_repeats(imported))
}

/// The first price of each id.
fn without_repeats(imported: Imported) -> Imported {
    let Imported { prices, mut skipped } = imported;
    let mut seen = std::collections::HashSet::new();
    let mut kept = Vec::with_capacity(prices.len());
    for price in prices {
        if seen.insert(price.id()) {
            kept.push(price);
        } else {
            let reason = "the file names it twice; the first stands".to_owned();
            skipped.push(Skipped { name: price.id(), reason });
        }
    }
    Imported { prices: kept, skipped }
}

/// What a reader of one format has found out about one entry.
struct Entry {
    provider: String,
    model: String,
    rates: TokenRates,
    batch: Option<TokenRates>,
    tiers: Vec<PriceTier>,
    varies_in_day: bool,
    checked: Date,
    date_basis: DateBasis,
    source: String,
}

impl Entry {
    /// The price of the entry; nothing where its tokens are free.
    fn price(self) -> Option<ApiPrice> {
        let TokenRates { input, output, cache_read, cache_write } = self.rates;
        if input.get() <= 0.0 && output.get() <= 0.0 {
            return None;
        }
        let mut tiers = self.tiers;
        tiers.sort_by_key(|tier| tier.above);
        Some(ApiPrice {
            open: is_open(&self.model),
            provider: self.provider,
            model: self.model,
            input,
            output,
            cache_read,
            cache_write,
            batch: self.batch,
            tier_above: None,
            tiers,
            varies_in_day: self.varies_in_day,
            checked: self.checked,
            date_basis: self.date_basis,
            source: self.source,
        })
    }
}

/// Why an entry that costs nothing is skipped.
const FREE: &str = "no price: input and output both cost 0";

/// Why an entry without prices is skipped.
const NO_PRICE: &str = "no price for both input and output tokens";

impl Imported {
    fn add(&mut self, name: &str, entry: Entry) {
        match entry.price() {
            Some(price) => self.prices.push(price),
            None => self.skip(name, FREE),
        }
    }

    fn skip(&mut self, name: &str, reason: impl Into<String>) {
        self.skipped.push(Skipped { name: name.to_owned(), reason: reason.into() });
    }

    /// Adds an entry of a list that somebody else keeps.
    ///
    /// Such a list has its slips: one implausible price is left out and kept in `doubt`.
    fn add_of_list(
        &mut self,
        name: &str,
        entry: Result<Option<Entry>, PriceImportError>,
        doubt: &mut Option<PriceImportError>,
    ) -> Result<(), PriceImportError> {
        match entry {
            Ok(Some(entry)) => self.add(name, entry),
            Ok(None) => self.skip(name, NO_PRICE),
            Err(PriceImportError::Implausible { origin, place, field, value, doubt: why }) => {
                self.skip(name, format!("{field} is {value}, which {why}"));
                let error =
                    PriceImportError::Implausible { origin, place, field, value, doubt: why };
                doubt.get_or_insert(error);
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// The list, unless every price in it was implausible: then it is in another unit.
    fn or_doubt(self, doubt: Option<PriceImportError>) -> Result<Self, PriceImportError> {
        doubt.filter(|_| self.prices.is_empty()).map_or(Ok(self), Err)
    }
}

/// Fields of one JSON object, of which `null` counts as absent.
fn field<'a>(map: &'a Map<String, Value>, key: &str) -> Option<&'a Value> {
    map.get(key).filter(|value| !value.is_null())
}

/// Refuses a currency other than USD.
fn refuse_other_currency(place: &Place, currency: &str) -> Result<(), PriceImportError> {
    if currency.trim().is_empty() || currency.trim().eq_ignore_ascii_case("usd") {
        return Ok(());
    }
    Err(PriceImportError::Currency {
        origin: place.origin.to_owned(),
        place: place.entry.clone(),
        currency: currency.trim().to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    const DAY: Date = date(2026, 11, 20);

    #[test]
    fn what_is_no_list_of_prices_is_refused() {
        let error = |text| import(text, "x.json", DAY).unwrap_err();
        insta::assert_snapshot!(error("[1, 2]"), @"x.json is no list of prices that is known here; give LiteLLM's model_prices JSON, OpenRouter's models JSON, or a CSV that begins with provider,model,input_usd_per_mtok,output_usd_per_mtok,checked,source");
        insta::assert_snapshot!(error("{\n  \"a\": }"), @"x.json, line 2, column 8: expected value; fetch the file again");
        assert_eq!(error("{}"), PriceImportError::NotRecognised { origin: "x.json".into() });
        assert_eq!(error("  "), PriceImportError::NotRecognised { origin: "x.json".into() });
        assert_eq!(error("hello"), PriceImportError::NotRecognised { origin: "x.json".into() });
    }

    #[test]
    fn one_slip_in_a_list_is_left_out_and_told() {
        // LiteLLM's list has had prices per 100,000 tokens among those per token.
        let text = r#"{
            "a": {"litellm_provider": "p", "input_cost_per_token": 0.015, "output_cost_per_token": 0.06},
            "b": {"litellm_provider": "p", "input_cost_per_token": 3e-6, "output_cost_per_token": 4e-6}
        }"#;
        let imported = import(text, "x.json", DAY).unwrap();
        assert_eq!(imported.prices.len(), 1);
        insta::assert_snapshot!(imported.skipped[0].reason, @"input_cost_per_token is 0.015, which looks like USD per million, not per token");
    }

    #[test]
    fn a_price_that_is_named_twice_stands_once() {
        let text = r#"{
            "gpt-x": {"litellm_provider": "openai", "mode": "chat", "input_cost_per_token": 1e-6, "output_cost_per_token": 2e-6},
            "openai/gpt-x": {"litellm_provider": "openai", "mode": "chat", "input_cost_per_token": 3e-6, "output_cost_per_token": 4e-6}
        }"#;
        let imported = import(text, "x.json", DAY).unwrap();
        assert_eq!(imported.prices.len(), 1);
        assert!((imported.prices[0].input.get() - 1.0).abs() < 1e-12);
        assert_eq!(imported.skipped[0].reason, "the file names it twice; the first stands");
    }
}
