//! `LiteLLM`'s `model_prices_and_context_window.json`: one object per model, prices in USD per token.
//!
//! # Source
//! <https://docs.litellm.ai/docs/proxy/model_cost_map>. Not read: service tiers (`_priority`,
//! `_flex`), prices by ranges of length (`tiered_pricing`), and whatever is not a text token.

use super::off_peak::{WEEK, hours_a_week};
use super::rate::Place;
use super::{Entry, Imported, PriceImportError, field, refuse_other_currency};
use crate::prices::price::DateBasis;
use crate::prices::rates::{PriceTier, TokenRates, mean_over_day};
use freeweights_record::units::Tokens;
use jiff::civil::Date;
use serde_json::{Map, Value};

/// The entry that explains the fields.
const SAMPLE: &str = "sample_spec";

/// Modes whose output is text; an entry that names none is taken for one.
const MODES: [&str; 3] = ["chat", "completion", "responses"];

const INPUT: &str = "input_cost_per_token";
const OUTPUT: &str = "output_cost_per_token";
const CACHE_READ: &str = "cache_read_input_token_cost";
const CACHE_WRITE: &str = "cache_creation_input_token_cost";

/// Whether some entry has a field of this format.
pub(super) fn looks_like(map: &Map<String, Value>) -> bool {
    map.values()
        .filter_map(Value::as_object)
        .any(|entry| entry.contains_key("litellm_provider") || entry.contains_key(INPUT))
}

/// Every entry of the file.
pub(super) fn read(
    map: &Map<String, Value>,
    origin: &str,
    as_of: Date,
) -> Result<Imported, PriceImportError> {
    let (mut imported, mut doubt) = (Imported::default(), None);
    for (name, entry) in map.iter().filter(|(name, _)| *name != SAMPLE) {
        let place = Place { origin, entry: format!("entry {name:?}") };
        let entry = entry.as_object();
        let entry = entry.ok_or_else(|| place.bad("the entry", name, "an object of prices"))?;
        let mode = field(entry, "mode").and_then(Value::as_str).unwrap_or("chat");
        if !MODES.contains(&mode) {
            imported.skip(name, format!("its mode is {mode}, not chat"));
            continue;
        }
        imported.add_of_list(name, read_entry(name, entry, &place, as_of), &mut doubt)?;
    }
    imported.or_doubt(doubt)
}

fn read_entry(
    name: &str,
    entry: &Map<String, Value>,
    place: &Place,
    as_of: Date,
) -> Result<Option<Entry>, PriceImportError> {
    if let Some(currency) = field(entry, "currency").and_then(Value::as_str) {
        refuse_other_currency(place, currency)?;
    }
    let Some(listed) = rates(entry, place, "", None)? else { return Ok(None) };
    let off_peak = field(entry, "off_peak_pricing");
    let rates = off_peak.map_or(Ok(listed), |off_peak| over_week(off_peak, place, &listed))?;
    let provider = field(entry, "litellm_provider").and_then(Value::as_str);
    let provider = provider.ok_or_else(|| place.missing("litellm_provider"))?;
    let model = name.strip_prefix(provider).and_then(|rest| rest.strip_prefix('/'));
    Ok(Some(Entry {
        provider: provider.to_owned(),
        model: model.unwrap_or(name).to_owned(),
        rates,
        batch: batch(entry, place, "", &rates)?,
        tiers: tiers(entry, place, &rates)?,
        varies_in_day: off_peak.is_some(),
        checked: as_of,
        date_basis: DateBasis::Catalogue,
        source: field(entry, "source").and_then(Value::as_str).unwrap_or(place.origin).to_owned(),
    }))
}

/// The prices under keys with a suffix; those without one of their own are those of `base`.
fn rates(
    entry: &Map<String, Value>,
    place: &Place,
    suffix: &str,
    base: Option<&TokenRates>,
) -> Result<Option<TokenRates>, PriceImportError> {
    let own = |key: &str| {
        let key = format!("{key}{suffix}");
        field(entry, &key).map(|value| place.json(&key, value)).transpose()
    };
    let input = own(INPUT)?.or(base.map(|base| base.input));
    let output = own(OUTPUT)?.or(base.map(|base| base.output));
    let (Some(input), Some(output)) = (input, output) else { return Ok(None) };
    Ok(Some(TokenRates {
        input,
        output,
        cache_read: own(CACHE_READ)?.or(base.and_then(|base| base.cache_read)),
        cache_write: own(CACHE_WRITE)?.or(base.and_then(|base| base.cache_write)),
    }))
}

/// The mean over a week of listed prices and those of the cheaper hours, by [`mean_over_day`].
fn over_week(
    off_peak: &Value,
    place: &Place,
    listed: &TokenRates,
) -> Result<TokenRates, PriceImportError> {
    let windows = off_peak.get("windows");
    let hours = windows.and_then(hours_a_week).zip(off_peak.as_object());
    let (hours, off_peak) = hours.ok_or_else(|| {
        let found = windows.map_or_else(String::new, Value::to_string);
        place.bad("off_peak_pricing.windows", &found, "spans of hours in UTC, as in 16:30-00:30")
    })?;
    let Some(cheap) = rates(off_peak, place, "", Some(listed))? else { return Ok(*listed) };
    let mean =
        |listed, cheap| mean_over_day(&[(WEEK - hours, listed), (hours, cheap)]).unwrap_or(listed);
    Ok(TokenRates {
        input: mean(listed.input, cheap.input),
        output: mean(listed.output, cheap.output),
        cache_read: listed.cache_read.zip(cheap.cache_read).map(|(a, b)| mean(a, b)),
        cache_write: listed.cache_write.zip(cheap.cache_write).map(|(a, b)| mean(a, b)),
    })
}

/// Prices of the batch API, where the entry has any.
fn batch(
    entry: &Map<String, Value>,
    place: &Place,
    tier: &str,
    normal: &TokenRates,
) -> Result<Option<TokenRates>, PriceImportError> {
    let suffix = format!("{tier}_batches");
    let stated =
        [INPUT, OUTPUT].iter().any(|key| field(entry, &format!("{key}{suffix}")).is_some());
    if stated { rates(entry, place, &suffix, Some(normal)) } else { Ok(None) }
}

/// The tiers that `.._above_200k_tokens` and the like speak of.
fn tiers(
    entry: &Map<String, Value>,
    place: &Place,
    base: &TokenRates,
) -> Result<Vec<PriceTier>, PriceImportError> {
    let mut tiers: Vec<PriceTier> = Vec::new();
    for key in entry.keys() {
        let Some((suffix, above)) = threshold(key) else { continue };
        if tiers.iter().any(|tier| tier.above == above) {
            continue;
        }
        if let Some(rates) = rates(entry, place, suffix, Some(base))? {
            tiers.push(PriceTier { above, rates, batch: batch(entry, place, suffix, &rates)? });
        }
    }
    Ok(tiers)
}

/// `_above_200k_tokens` and 200,000 of `input_cost_per_token_above_200k_tokens`.
fn threshold(key: &str) -> Option<(&str, Tokens)> {
    let suffix = [INPUT, OUTPUT].iter().find_map(|name| key.strip_prefix(name))?;
    let thousands = suffix.strip_prefix("_above_")?.strip_suffix("k_tokens")?;
    Some((suffix, Tokens::new(thousands.parse::<u64>().ok()?.checked_mul(1_000)?)))
}

#[cfg(test)]
mod tests {
    use crate::prices::import;
    use freeweights_record::units::{Fraction, Tokens, UsdPerMillionTokens};
    use jiff::civil::{Date, date};

    const DAY: Date = date(2026, 11, 20);
    const TEXT: &str = include_str!("../../../tests/fixtures/prices/litellm.json");

    #[test]
    fn prices_tiers_caches_and_batches_are_read() {
        let imported = import(TEXT, "litellm.json", DAY).unwrap();
        let ids: Vec<String> = imported.prices.iter().map(crate::ApiPrice::id).collect();
        assert_eq!(
            ids,
            ["groq/llama-3.1-8b-instant", "openai/gpt-x", "vertex_ai-language-models/gemini-x"]
        );
        let groq = &imported.prices[0];
        assert_eq!((groq.input.get(), groq.output.get()), (0.05, 0.08));
        assert_eq!((groq.dated().as_str(), groq.open), ("catalogue of 2026-11-20", true));
        assert_eq!(groq.source, "https://console.groq.com/docs/models");
        let gpt = &imported.prices[1];
        assert_eq!(gpt.cache_read, Some(UsdPerMillionTokens::new(0.125)));
        assert_eq!(gpt.cache_write, None);
        let batch = gpt.batch.unwrap();
        assert_eq!((batch.input.get(), batch.output.get()), (0.625, 5.0));
        assert_eq!(gpt.source, "litellm.json");
        let gemini = &imported.prices[2];
        let tier = gemini.tiers[0];
        assert_eq!((tier.above.get(), tier.rates.input.get()), (200_000, 2.5));
        assert_eq!((tier.rates.output.get(), tier.rates.cache_read.unwrap().get()), (15.0, 0.25));
        // 200,001 * 2.5e-6 + 1,000 * 15e-6 = 0.5150025
        let usage = crate::ApiUsage::plain(Tokens::new(200_001), Tokens::new(1_000));
        assert!((gemini.per_request(&usage).get() - 0.515_002_5).abs() < 1e-12);
        // All read from the cache: 200,001 * 0.25e-6 + 0.015 = 0.06500025
        let cached = crate::ApiUsage { cache_read: Fraction::new(1.0), ..usage };
        assert!((gemini.per_request(&cached).get() - 0.065_000_25).abs() < 1e-12);
    }

    #[test]
    fn cheaper_hours_count_as_long_as_they_last() {
        let text = r#"{"deepseek/d-x": {"litellm_provider": "deepseek", "mode": "chat",
            "input_cost_per_token": 1.32e-6, "output_cost_per_token": 3.96e-6,
            "off_peak_pricing": {"input_cost_per_token": 6.6e-7, "output_cost_per_token": 1.98e-6,
                "windows": [{"hours_utc": "10:00-01:00"}]}}}"#;
        let price = import(text, "x.json", DAY).unwrap().prices.remove(0);
        // 15 of 24 hours at half price: (9 * 1.32 + 15 * 0.66) / 24 = 0.9075
        assert!(price.varies_in_day);
        assert!((price.input.get() - 0.9075).abs() < 1e-12);
        assert!((price.output.get() - 2.7225).abs() < 1e-12);
        let error = import(&text.replace("10:00-01:00", "night"), "x.json", DAY).unwrap_err();
        insta::assert_snapshot!(error, @r#"x.json, entry "deepseek/d-x": off_peak_pricing.windows is "[{\"hours_utc\":\"night\"}]"; write spans of hours in UTC, as in 16:30-00:30"#);
    }

    #[test]
    fn what_has_no_price_of_text_is_skipped_and_told() {
        let imported = import(TEXT, "litellm.json", DAY).unwrap();
        let skipped: Vec<(&str, &str)> =
            imported.skipped.iter().map(|s| (s.name.as_str(), s.reason.as_str())).collect();
        assert_eq!(
            skipped,
            [
                ("text-embedding-x", "its mode is embedding, not chat"),
                ("openrouter/free-model:free", "no price: input and output both cost 0"),
                ("dashscope/qwen-x", "no price for both input and output tokens"),
            ]
        );
    }

    #[test]
    fn a_price_a_million_under_a_key_a_token_is_refused() {
        let text = r#"{"m": {"litellm_provider": "p", "mode": "chat", "input_cost_per_token": 0.15, "output_cost_per_token": 0.6}}"#;
        insta::assert_snapshot!(import(text, "x.json", DAY).unwrap_err(), @r#"x.json, entry "m": input_cost_per_token is 0.15, which looks like USD per million, not per token; correct it or remove the entry"#);
        let text = text.replace("0.15", "-1e-7");
        insta::assert_snapshot!(import(&text, "x.json", DAY).unwrap_err(), @r#"x.json, entry "m": input_cost_per_token is "-0.0000001"; write a price of 0 or more"#);
        let text =
            text.replace("-1e-7", "1e-7").replace(r#""mode""#, r#""currency": "CNY", "mode""#);
        insta::assert_snapshot!(import(&text, "x.json", DAY).unwrap_err(), @r#"x.json, entry "m": the currency is "CNY"; convert the prices to USD, say so in their source, and write USD"#);
    }
}
