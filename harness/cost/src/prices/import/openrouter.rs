//! `OpenRouter`'s list of models: decimal strings, USD per token.
//!
//! # Source
//! <https://openrouter.ai/docs/api_reference/models>, and its `Pricing` and `PricingOverride`. Not
//! read: the prices of single endpoints behind a model, images, audio and searches.

use super::rate::Place;
use super::{Entry, Imported, PriceImportError, field};
use crate::prices::price::DateBasis;
use crate::prices::rates::{PriceTier, TokenRates};
use freeweights_record::units::Tokens;
use jiff::civil::Date;
use serde_json::{Map, Value};

const PROVIDER: &str = "openrouter";

/// Every entry of `data`.
pub(super) fn read(
    map: &Map<String, Value>,
    origin: &str,
    as_of: Date,
) -> Result<Imported, PriceImportError> {
    let (mut imported, mut doubt) = (Imported::default(), None);
    let models = map.get("data").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    for (at, model) in models.iter().enumerate() {
        let place = Place { origin, entry: format!("entry {} of data", at + 1) };
        let id = model.get("id").and_then(Value::as_str);
        let id = id.ok_or_else(|| place.missing("id"))?;
        let place = Place { origin, entry: format!("entry {id:?}") };
        let Some(pricing) = model.get("pricing").and_then(Value::as_object) else {
            imported.skip(id, "it has no pricing");
            continue;
        };
        if let Some(reason) = unusable(pricing) {
            imported.skip(id, reason);
            continue;
        }
        imported.add_of_list(id, read_entry(id, pricing, &place, as_of).map(Some), &mut doubt)?;
    }
    imported.or_doubt(doubt)
}

fn read_entry(
    id: &str,
    pricing: &Map<String, Value>,
    place: &Place,
    as_of: Date,
) -> Result<Entry, PriceImportError> {
    let base = rates(pricing, place, None)?;
    Ok(Entry {
        provider: PROVIDER.to_owned(),
        model: id.to_owned(),
        rates: base,
        batch: None,
        tiers: tiers(pricing, place, &base)?,
        checked: as_of,
        varies_in_day: false,
        date_basis: DateBasis::Catalogue,
        source: place.origin.to_owned(),
    })
}

/// Why a price cannot be told from the list alone.
fn unusable(pricing: &Map<String, Value>) -> Option<&'static str> {
    let is = |key: &str, wanted: f64| {
        field(pricing, key).and_then(number).is_some_and(|value| value.total_cmp(&wanted).is_eq())
    };
    if is("prompt", -1.0) || is("completion", -1.0) {
        return Some("its price is variable (-1)");
    }
    if field(pricing, "request").is_some() && !is("request", 0.0) {
        return Some("it charges for each request besides its tokens");
    }
    let by_time =
        |entry: &Value| entry.get("utc_start").is_some() || entry.get("utc_end").is_some();
    if overrides(pricing).iter().any(by_time) {
        return Some("its price changes within the day, which this import does not read");
    }
    None
}

fn number(value: &Value) -> Option<f64> {
    value.as_str().map_or_else(|| value.as_f64(), |text| text.trim().parse().ok())
}

fn overrides(pricing: &Map<String, Value>) -> &[Value] {
    pricing.get("overrides").and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// Prices of an object; keys that an override lacks are those of `base`.
fn rates(
    pricing: &Map<String, Value>,
    place: &Place,
    base: Option<&TokenRates>,
) -> Result<TokenRates, PriceImportError> {
    let own = |key: &str| field(pricing, key).map(|value| place.json(key, value)).transpose();
    let needed = |key: &'static str, base: Option<_>| {
        own(key)?.or(base).ok_or_else(|| place.missing(&format!("pricing.{key}")))
    };
    Ok(TokenRates {
        input: needed("prompt", base.map(|base| base.input))?,
        output: needed("completion", base.map(|base| base.output))?,
        cache_read: own("input_cache_read")?.or(base.and_then(|base| base.cache_read)),
        cache_write: own("input_cache_write")?.or(base.and_then(|base| base.cache_write)),
    })
}

/// Overrides for long prompts. They hold from `min_prompt_tokens` on; a tier holds above its bound.
fn tiers(
    pricing: &Map<String, Value>,
    place: &Place,
    base: &TokenRates,
) -> Result<Vec<PriceTier>, PriceImportError> {
    let mut tiers = Vec::new();
    for entry in overrides(pricing) {
        let from = entry.get("min_prompt_tokens").and_then(Value::as_u64);
        if let (Some(from), Some(entry)) = (from.filter(|from| *from > 0), entry.as_object()) {
            let rates = rates(entry, place, Some(base))?;
            tiers.push(PriceTier { above: Tokens::new(from - 1), rates, batch: None });
        }
    }
    Ok(tiers)
}

#[cfg(test)]
mod tests {
    use crate::prices::import;
    use freeweights_record::units::UsdPerMillionTokens;
    use jiff::civil::{Date, date};

    const DAY: Date = date(2026, 11, 20);
    const TEXT: &str = include_str!("../../../tests/fixtures/prices/openrouter.json");

    #[test]
    fn decimal_strings_per_token_become_prices_per_million() {
        let imported = import(TEXT, "openrouter.json", DAY).unwrap();
        let ids: Vec<String> = imported.prices.iter().map(crate::ApiPrice::id).collect();
        assert_eq!(
            ids,
            ["openrouter/meta-llama/llama-x-8b-instruct", "openrouter/google/gemini-x"]
        );
        let llama = &imported.prices[0];
        assert_eq!((llama.input.get(), llama.output.get()), (0.1, 0.25));
        assert_eq!((llama.cache_read, llama.tiers.len(), llama.open), (None, 0, true));
        assert_eq!(llama.dated(), "catalogue of 2026-11-20");
        let gemini = &imported.prices[1];
        let usd = |value| Some(UsdPerMillionTokens::new(value));
        assert_eq!(gemini.cache_read, usd(0.125));
        assert_eq!(gemini.cache_write, usd(0.375));
        let tier = gemini.tiers[0];
        assert_eq!((tier.above.get(), tier.rates.input.get()), (200_000, 2.5));
        // The override names no price for the cache, so the base one holds.
        assert_eq!(tier.rates.cache_read, usd(0.125));
    }

    #[test]
    fn free_variable_and_other_prices_are_skipped_and_told() {
        let imported = import(TEXT, "openrouter.json", DAY).unwrap();
        let skipped: Vec<(&str, &str)> =
            imported.skipped.iter().map(|s| (s.name.as_str(), s.reason.as_str())).collect();
        assert_eq!(
            skipped,
            [
                ("openrouter/auto", "its price is variable (-1)"),
                ("meta-llama/llama-x-8b-instruct:free", "no price: input and output both cost 0"),
                ("perplexity/searcher-x", "it charges for each request besides its tokens"),
                (
                    "deepseek/night-x",
                    "its price changes within the day, which this import does not read"
                ),
            ]
        );
    }

    #[test]
    fn a_bad_price_names_its_entry() {
        let text = |prompt: &str| {
            format!(
                r#"{{"data": [{{"id": "a/b", "pricing": {{"prompt": {prompt}, "completion": "0.000001"}}}}]}}"#
            )
        };
        let error = |prompt: &str| import(&text(prompt), "x.json", DAY).unwrap_err();
        insta::assert_snapshot!(error(r#""0.1""#), @r#"x.json, entry "a/b": prompt is 0.1, which looks like USD per million, not per token; correct it or remove the entry"#);
        insta::assert_snapshot!(error(r#""NaN""#), @r#"x.json, entry "a/b": prompt is "NaN"; write a price of 0 or more"#);
        insta::assert_snapshot!(error(r#""-0.5""#), @r#"x.json, entry "a/b": prompt is "-0.5"; write a price of 0 or more"#);
        insta::assert_snapshot!(error("null"), @r#"x.json, entry "a/b": pricing.prompt is missing; fill it in or remove the entry"#);
        insta::assert_snapshot!(import(r#"{"data": [{}]}"#, "x.json", DAY).unwrap_err(), @"x.json, entry 1 of data: id is missing; fill it in or remove the entry");
    }
}
