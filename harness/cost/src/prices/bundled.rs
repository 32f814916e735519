//! The bundled prices: what the `genai-prices` crate knows of text tokens, as a table.
//!
//! The crate's own data holds regular expressions and prices of images, audio and searches too, and
//! takes longer to decode than a whole `freeweights cost` may. `examples/bundle_prices.rs` writes
//! the table from it; a test below compares the two.

use super::checks;
use super::price::{ApiPrice, DateBasis};
use super::rates::{PriceTier, TokenRates, mean_over_day};
use freeweights_record::units::{Hours, Tokens, UsdPerMillionTokens};
use jiff::civil::Date;
use serde::Deserialize;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::LazyLock;

/// The newest day on which the bundled data says that a price in it was verified.
///
/// The crate carries no date of release and no date per price, so this is the date of a price that
/// `price_checks.csv` does not know better.
const DATE: Date = jiff::civil::date(2026, 10, 26);

/// What the source of a bundled price is called where its provider has no page.
const SOURCE: &str = "https://github.com/pydantic/genai-prices";

/// Words in the names of models whose weights are open.
const OPEN_FAMILIES: [&str; 19] = [
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
    "granite",
];

/// One tier of one model, for a part of the day, from a date on. Prices in USD per million tokens.
#[derive(Debug, Deserialize)]
struct Row {
    provider: String,
    model: String,
    name: String,
    /// Empty: always.
    since: Option<Date>,
    /// Hours of the day at these prices. Empty: all 24.
    hours: Option<Hours>,
    /// Empty: requests of any length, or below the first threshold.
    above: Option<Tokens>,
    input: Option<UsdPerMillionTokens>,
    output: Option<UsdPerMillionTokens>,
    cache_read: Option<UsdPerMillionTokens>,
    cache_write: Option<UsdPerMillionTokens>,
    batch_input: Option<UsdPerMillionTokens>,
    batch_output: Option<UsdPerMillionTokens>,
    batch_cache_read: Option<UsdPerMillionTokens>,
    batch_cache_write: Option<UsdPerMillionTokens>,
}

/// A model of the table: its id and its rows.
#[derive(Debug)]
pub(super) struct Model {
    /// `provider/model`.
    pub(super) id: String,
    rows: Range<usize>,
    open: bool,
}

#[derive(Debug)]
struct Table {
    rows: Vec<Row>,
    models: Vec<Model>,
    by_id: HashMap<String, usize>,
}

static TABLE: LazyLock<Table> =
    LazyLock::new(|| Table::of(crate::facts::rows(include_str!("../../data/prices.csv"))));

impl Table {
    fn of(rows: Vec<Row>) -> Self {
        let mut models: Vec<Model> = Vec::new();
        for (at, row) in rows.iter().enumerate() {
            let same = |last: &Model| {
                let first = &rows[last.rows.start];
                first.model == row.model && first.provider == row.provider
            };
            match models.last_mut() {
                Some(last) if same(last) => last.rows.end = at + 1,
                _ => models.push(Model {
                    id: format!("{}/{}", row.provider, row.model),
                    rows: at..at + 1,
                    open: is_open(&row.model),
                }),
            }
        }
        let by_id = models.iter().enumerate().map(|(at, model)| (model.id.clone(), at)).collect();
        Self { rows, models, by_id }
    }
}

/// Every bundled model, those without a price of tokens too.
pub(super) fn models() -> &'static [Model] {
    &TABLE.models
}

/// The bundled model of an id.
pub(super) fn model(id: &str) -> Option<&'static Model> {
    TABLE.by_id.get(id).map(|at| &TABLE.models[*at])
}

/// Whether the weights of a model are open, as far as its name tells.
pub(super) fn is_open(model: &str) -> bool {
    let model = model.to_lowercase();
    OPEN_FAMILIES.iter().any(|family| model.contains(family))
}

impl Model {
    /// What people call it.
    pub(super) fn name(&self) -> &'static str {
        &TABLE.rows[self.rows.start].name
    }

    /// Its price in force on a day, with every tier; none without a price for input and for output.
    pub(super) fn price(&self, on: Date) -> Option<ApiPrice> {
        let rows = &TABLE.rows[self.rows.clone()];
        let since = rows.iter().map(|row| row.since).filter(|since| *since <= Some(on)).max()?;
        let rows: Vec<&Row> = rows.iter().filter(|row| row.since == since).collect();
        let (base, batch) = rates(&rows, None)?;
        let mut tiers = Vec::new();
        for above in rows.iter().filter_map(|row| row.above) {
            if tiers.iter().any(|tier: &PriceTier| tier.above == above) {
                continue;
            }
            let (rates, batch) = rates(&rows, Some(above))?;
            tiers.push(PriceTier { above, rates, batch });
        }
        let Row { provider, model, .. } = rows[0];
        let check = checks::checked(provider, model, base.input, base.output);
        Some(ApiPrice {
            provider: provider.clone(),
            model: model.clone(),
            input: base.input,
            output: base.output,
            cache_read: base.cache_read,
            cache_write: base.cache_write,
            batch,
            tier_above: None,
            tiers,
            varies_in_day: rows.iter().any(|row| row.hours.is_some()),
            open: self.open,
            checked: check.map_or(DATE, |(date, _)| date),
            date_basis: if check.is_some() { DateBasis::Checked } else { DateBasis::Catalogue },
            source: check
                .map(|(_, source)| source)
                .or_else(|| checks::page(provider))
                .unwrap_or(SOURCE)
                .to_owned(),
        })
    }
}

/// Normal and batch prices of one tier; each is the mean over the parts of the day.
fn rates(rows: &[&Row], above: Option<Tokens>) -> Option<(TokenRates, Option<TokenRates>)> {
    let parts = || rows.iter().filter(|row| row.above == above);
    let mean = |of: fn(&Row) -> Option<UsdPerMillionTokens>| {
        // Rows of one model name the same kinds of tokens in every part of the day.
        let parts: Option<Vec<_>> = parts()
            .map(|row| of(row).map(|price| (row.hours.unwrap_or(Hours::new(24.0)), price)))
            .collect();
        parts.and_then(|parts| mean_over_day(&parts))
    };
    let normal = TokenRates {
        input: mean(|row| row.input)?,
        output: mean(|row| row.output)?,
        cache_read: mean(|row| row.cache_read),
        cache_write: mean(|row| row.cache_write),
    };
    let batch = || {
        Some(TokenRates {
            input: mean(|row| row.batch_input)?,
            output: mean(|row| row.batch_output)?,
            cache_read: mean(|row| row.batch_cache_read),
            cache_write: mean(|row| row.batch_cache_write),
        })
    };
    Some((normal, batch()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prices::ApiUsage;
    use freeweights_record::units::Fraction;
    use genai_prices::{Calculator, PriceRequest, Usage, UsageKey};
    use jiff::civil::date;
    use jiff::tz::TimeZone;
    use std::time::SystemTime;

    /// What the crate charges at an hour, UTC. Nothing where it means another model by that name.
    fn theirs(price: &ApiPrice, usage: &ApiUsage, on: Date, hour: i8) -> Option<f64> {
        let cached = |share: Fraction| share.get() * usage.isl.as_f64();
        let tokens = Usage::from([
            (UsageKey::INPUT_TOKENS, usage.isl.as_f64()),
            (UsageKey::OUTPUT_TOKENS, usage.osl.as_f64()),
            (UsageKey::CACHE_READ_TOKENS, cached(usage.cache_read)),
            (UsageKey::CACHE_WRITE_TOKENS, cached(usage.cache_write)),
        ]);
        let time = on.at(hour, 45, 0, 0).to_zoned(TimeZone::UTC).unwrap();
        let mut request = PriceRequest::new(&price.model, &tokens)
            .with_provider_id(&price.provider)
            .with_timestamp(SystemTime::from(time.timestamp()));
        if usage.batch.get() > 0.0 {
            request = request.with_price_context("processing", "batch");
        }
        let result = Calculator::bundled().calculate(&request).ok()?;
        (result.model_id == price.model).then_some(result.input_price + result.output_price)
    }

    #[test]
    fn the_table_is_what_the_crate_says() {
        let share = Fraction::new;
        let all_day: Vec<i8> = (0..24).collect();
        let (mut same, mut priced) = (0, 0);
        for on in [date(2025, 6, 1), date(2026, 11, 22), date(2027, 1, 2)] {
            for model in models() {
                let Some(price) = model.price(on) else { continue };
                priced += 1;
                let lengths: &[u64] = match price.tiers.as_slice() {
                    [] => &[1_000, 2_000_000],
                    _ => &[1_000, 199_999, 200_000, 200_001, 272_001, 2_000_000],
                };
                for isl in lengths.iter().copied() {
                    let plain = ApiUsage::plain(Tokens::new(isl), Tokens::new(1_000));
                    let cached =
                        ApiUsage { cache_read: share(0.5), cache_write: share(0.2), ..plain };
                    // A batch API that the data does not know charges as usual there.
                    let has_batch = price.clone().in_tier_of(plain.isl).batch.is_some();
                    let batched =
                        ApiUsage { batch: share(f64::from(u8::from(has_batch))), ..cached };
                    for usage in [plain, cached, batched] {
                        let ours = price.per_request(&usage).get();
                        let hours: &[i8] = if price.varies_in_day { &all_day } else { &[12] };
                        let their: Option<Vec<f64>> =
                            hours.iter().map(|hour| theirs(&price, &usage, on, *hour)).collect();
                        let Some(their) = their else { continue };
                        let mean = their.iter().sum::<f64>() / hours.len() as f64;
                        assert!(
                            (ours - mean).abs() < 1e-7 * mean.max(1e-3),
                            "{} {usage:?} on {on}: {ours}, not {mean}",
                            model.id
                        );
                        same += 1;
                    }
                }
            }
        }
        assert!(priced > 5_000 && same > 30_000, "{priced} prices, {same} comparisons");
    }

    #[test]
    fn every_model_of_the_crate_is_in_the_table_once() {
        let theirs = Calculator::bundled().providers();
        let theirs: usize = theirs.map(|provider| provider.models().count()).sum();
        assert_eq!(models().len(), theirs);
        assert_eq!(TABLE.by_id.len(), theirs);
    }

    #[test]
    fn a_price_with_peak_hours_is_its_mean_over_the_day_and_says_so() {
        let price = model("deepseek/deepseek-v4-pro").unwrap().price(date(2026, 11, 22)).unwrap();
        // 01:00 to 04:00 and 06:00 to 10:00 UTC at 1.32, the rest at 0.66:
        // (7 * 1.32 + 17 * 0.66) / 24 = 0.8525; output (7 * 3.96 + 17 * 1.98) / 24 = 2.5575
        assert!(price.varies_in_day);
        assert!((price.input.get() - 0.8525).abs() < 1e-12);
        assert!((price.output.get() - 2.5575).abs() < 1e-12);
        // (7 * 0.044 + 17 * 0.022) / 24 = 0.028416..
        assert!((price.cache_read.unwrap().get() - 0.682 / 24.0).abs() < 1e-12);
    }
}
