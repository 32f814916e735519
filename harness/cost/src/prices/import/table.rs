//! A plain CSV of prices, in USD per million tokens.

use super::rate::{Place, Unit};
use super::{Entry, Imported, PriceImportError, refuse_other_currency};
use crate::nearest::nearest;
use crate::prices::price::DateBasis;
use crate::prices::rates::{PriceTier, TokenRates};
use csv::StringRecord;
use freeweights_record::units::{Tokens, UsdPerMillionTokens};
use jiff::civil::Date;

/// Columns that every file has.
pub(super) const REQUIRED: [&str; 6] =
    ["provider", "model", "input_usd_per_mtok", "output_usd_per_mtok", "checked", "source"];

/// Columns that a file may have.
const OPTIONAL: [&str; 8] = [
    "cache_read_usd_per_mtok",
    "cache_write_usd_per_mtok",
    "batch_input_usd_per_mtok",
    "batch_output_usd_per_mtok",
    "tier_above_tokens",
    "tier_input_usd_per_mtok",
    "tier_output_usd_per_mtok",
    "currency",
];

/// What a column of prices is called at its end.
const UNIT: &str = "_usd_per_mtok";

/// Ends of columns that hold prices in other units or currencies.
const OTHER_UNITS: [&str; 9] = [
    "_per_token",
    "_per_ktok",
    "_per_1k",
    "_per_1k_tokens",
    "_per_thousand",
    "_per_mtok",
    "_per_million",
    "_per_1m",
    "_per_million_tokens",
];

/// Every row of the text.
pub(super) fn read(text: &str, origin: &str) -> Result<Imported, PriceImportError> {
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.as_bytes());
    let broken = |error: csv::Error| PriceImportError::Csv {
        origin: origin.to_owned(),
        message: error.to_string(),
    };
    let headers = reader.headers().map_err(broken)?.clone();
    check_headers(&headers, origin)?;
    let mut imported = Imported::default();
    for record in reader.records() {
        let record = record.map_err(broken)?;
        let line = record.position().map_or(0, csv::Position::line);
        let place = Place { origin, entry: format!("line {line}") };
        let row = Row { headers: &headers, record: &record, place };
        let name = format!("{}/{}", row.needed("provider")?, row.needed("model")?);
        imported.add(&name, row.entry()?);
    }
    Ok(imported)
}

fn check_headers(headers: &StringRecord, origin: &str) -> Result<(), PriceImportError> {
    let known = || REQUIRED.iter().chain(&OPTIONAL).copied();
    if !headers.iter().any(|header| header == "provider" || header == "model") {
        return Err(PriceImportError::NotRecognised { origin: origin.to_owned() });
    }
    let strange = headers.iter().find(|column| !known().any(|name| name == *column));
    if let Some(column) = strange {
        let (origin, column) = (origin.to_owned(), column.to_owned());
        return Err(if let Some(expected) = meant(&column) {
            PriceImportError::OtherUnit { origin, column, expected }
        } else {
            let nearest = nearest(&column, known());
            PriceImportError::UnknownColumn { origin, column, nearest }
        });
    }
    let missing = REQUIRED.into_iter().find(|name| !headers.iter().any(|header| header == *name));
    missing.map_or(Ok(()), |column| {
        Err(PriceImportError::MissingColumn { origin: origin.to_owned(), column })
    })
}

/// The column of prices that one in another unit stands for.
fn meant(column: &str) -> Option<String> {
    let stem = OTHER_UNITS.iter().find_map(|end| column.strip_suffix(end))?;
    // `input_eur_per_mtok`, `input_cost_per_token`: the kind of token is the first word or two.
    let names = REQUIRED.iter().chain(&OPTIONAL).filter_map(|name| name.strip_suffix(UNIT));
    let kind = names.filter(|kind| stem.starts_with(kind)).max_by_key(|kind| kind.len())?;
    Some(format!("{kind}{UNIT}"))
}

struct Row<'a> {
    headers: &'a StringRecord,
    record: &'a StringRecord,
    place: Place<'a>,
}

impl Row<'_> {
    /// A cell that is not empty.
    fn cell(&self, column: &str) -> Option<&str> {
        let at = self.headers.iter().position(|header| header == column)?;
        self.record.get(at).filter(|cell| !cell.is_empty())
    }

    fn needed(&self, column: &'static str) -> Result<&str, PriceImportError> {
        self.cell(column).ok_or_else(|| self.place.missing(column))
    }

    fn rate(&self, column: &str) -> Result<Option<UsdPerMillionTokens>, PriceImportError> {
        let cell = self.cell(column);
        cell.map(|text| self.place.parsed(column, text, Unit::UsdPerMillion)).transpose()
    }

    fn needed_rate(&self, column: &'static str) -> Result<UsdPerMillionTokens, PriceImportError> {
        self.rate(column)?.ok_or_else(|| self.place.missing(column))
    }

    fn entry(&self) -> Result<Entry, PriceImportError> {
        if let Some(currency) = self.cell("currency") {
            refuse_other_currency(&self.place, currency)?;
        }
        let rates = TokenRates {
            input: self.needed_rate("input_usd_per_mtok")?,
            output: self.needed_rate("output_usd_per_mtok")?,
            cache_read: self.rate("cache_read_usd_per_mtok")?,
            cache_write: self.rate("cache_write_usd_per_mtok")?,
        };
        let batch = self.batch(&rates)?;
        let checked = self.needed("checked")?;
        Ok(Entry {
            provider: self.needed("provider")?.to_owned(),
            model: self.needed("model")?.to_owned(),
            rates,
            batch,
            tiers: self.tier(&rates, batch.as_ref())?.into_iter().collect(),
            checked: checked
                .parse::<Date>()
                .map_err(|_| self.place.bad("checked", checked, "a date, as in 2026-10-19"))?,
            varies_in_day: false,
            date_basis: DateBasis::Checked,
            source: self.needed("source")?.to_owned(),
        })
    }

    /// Prices of the batch API. Cached tokens cost there what they cost otherwise.
    fn batch(&self, rates: &TokenRates) -> Result<Option<TokenRates>, PriceImportError> {
        let input = self.rate("batch_input_usd_per_mtok")?;
        let output = self.rate("batch_output_usd_per_mtok")?;
        match (input, output) {
            (None, None) => Ok(None),
            (Some(input), Some(output)) => Ok(Some(TokenRates { input, output, ..*rates })),
            (None, _) => Err(self.place.missing("batch_input_usd_per_mtok")),
            (_, None) => Err(self.place.missing("batch_output_usd_per_mtok")),
        }
    }

    /// The tier of long requests. Batched and cached tokens rise there as the normal ones do.
    fn tier(
        &self,
        rates: &TokenRates,
        batch: Option<&TokenRates>,
    ) -> Result<Option<PriceTier>, PriceImportError> {
        let prices = ["tier_input_usd_per_mtok", "tier_output_usd_per_mtok"];
        let Some(above) = self.cell("tier_above_tokens") else {
            let stray = prices.iter().any(|column| self.cell(column).is_some());
            let missing = || self.place.missing("tier_above_tokens");
            return if stray { Err(missing()) } else { Ok(None) };
        };
        let bad = || self.place.bad("tier_above_tokens", above, "a whole number, as in 200000");
        let above = above.parse::<u64>().map(Tokens::new).map_err(|_| bad())?;
        let input = rise(rates.input, self.needed_rate(prices[0])?);
        let output = rise(rates.output, self.needed_rate(prices[1])?);
        let scaled = |rates: &TokenRates| TokenRates {
            input: input(rates.input),
            output: output(rates.output),
            cache_read: rates.cache_read.map(&input),
            cache_write: rates.cache_write.map(&input),
        };
        Ok(Some(PriceTier { above, rates: scaled(rates), batch: batch.map(scaled) }))
    }
}

/// Takes a price along with one that rises from `low` to `high`: `price * high / low`.
fn rise(
    low: UsdPerMillionTokens,
    high: UsdPerMillionTokens,
) -> impl Fn(UsdPerMillionTokens) -> UsdPerMillionTokens {
    move |price| {
        if price == low {
            high
        } else if low.get() > 0.0 {
            price * (high / low)
        } else {
            price
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::prices::import;
    use freeweights_record::units::UsdPerMillionTokens;
    use jiff::civil::{Date, date};

    const DAY: Date = date(2026, 11, 20);
    const TEXT: &str = include_str!("../../../tests/fixtures/prices/plain.csv");
    const HEAD: &str = "provider,model,input_usd_per_mtok,output_usd_per_mtok,checked,source";

    #[test]
    fn every_column_is_read() {
        let imported = import(TEXT, "plain.csv", DAY).unwrap();
        let ids: Vec<String> = imported.prices.iter().map(crate::ApiPrice::id).collect();
        assert_eq!(ids, ["myhost/llama-3.1-8b-instruct", "myhost/big-context"]);
        let small = &imported.prices[0];
        assert_eq!((small.input.get(), small.output.get()), (0.04, 0.08));
        assert_eq!(small.dated(), "checked 2026-11-18");
        assert_eq!(small.source, "https://example.org/prices");
        assert!(!small.is_stale(DAY));
        let big = &imported.prices[1];
        assert!(big.is_stale(DAY), "checked in May");
        assert_eq!(big.cache_read, Some(UsdPerMillionTokens::new(0.3)));
        assert_eq!(big.batch.unwrap().output, UsdPerMillionTokens::new(7.5));
        let tier = big.tiers[0];
        assert_eq!((tier.above.get(), tier.rates.input.get()), (200_000, 6.0));
        // 0.3 * 6 / 3 = 0.6; 7.5 * 22.5 / 15 = 11.25
        assert!((tier.batch.unwrap().output.get() - 11.25).abs() < 1e-12);
        assert!((tier.rates.cache_read.unwrap().get() - 0.6).abs() < 1e-12);
        assert_eq!(imported.skipped[0].name, "myhost/free-model");
    }

    fn error(text: &str) -> String {
        import(text, "p.csv", DAY).unwrap_err().to_string()
    }

    #[test]
    fn columns_are_checked_before_rows() {
        insta::assert_snapshot!(error("provider,model,input_cost_per_token,output_usd_per_mtok,checked,source\n"), @r#"p.csv: the column "input_cost_per_token" is not in USD per million tokens; convert its values and call it input_usd_per_mtok"#);
        insta::assert_snapshot!(error("provider,model,input_usd_per_mtok,output_usd_per_1k,checked,source\n"), @r#"p.csv: the column "output_usd_per_1k" is not in USD per million tokens; convert its values and call it output_usd_per_mtok"#);
        insta::assert_snapshot!(error("provider,model,cache_read_eur_per_mtok\n"), @r#"p.csv: the column "cache_read_eur_per_mtok" is not in USD per million tokens; convert its values and call it cache_read_usd_per_mtok"#);
        insta::assert_snapshot!(error(&format!("{HEAD},curency\n")), @r#"p.csv has a column "curency" that is not known; did you mean currency?"#);
        insta::assert_snapshot!(error("provider,model,input_usd_per_mtok,output_usd_per_mtok,source\n"), @"p.csv has no column checked; add it to the first line and to every row");
    }

    #[test]
    fn a_bad_row_names_its_line() {
        let row =
            |row: &str| error(&format!("{HEAD},currency\na,b,1,2,2026-11-01,page,USD\n{row}\n"));
        insta::assert_snapshot!(row("a,c,1,2,2026-11-01,page,EUR"), @r#"p.csv, line 3: the currency is "EUR"; convert the prices to USD, say so in their source, and write USD"#);
        insta::assert_snapshot!(row("a,c,-1,2,2026-11-01,page,"), @r#"p.csv, line 3: input_usd_per_mtok is "-1"; write a price of 0 or more"#);
        insta::assert_snapshot!(row("a,c,NaN,2,2026-11-01,page,"), @r#"p.csv, line 3: input_usd_per_mtok is "NaN"; write a price of 0 or more"#);
        insta::assert_snapshot!(row("a,c,1,inf,2026-11-01,page,"), @r#"p.csv, line 3: output_usd_per_mtok is "inf"; write a price of 0 or more"#);
        insta::assert_snapshot!(row("a,c,20000,2,2026-11-01,page,"), @"p.csv, line 3: input_usd_per_mtok is 20000, which is more than anybody charges for a million tokens; correct it or remove the entry");
        insta::assert_snapshot!(row("a,c,0.00000015,2,2026-11-01,page,"), @"p.csv, line 3: input_usd_per_mtok is 0.00000015, which looks like USD per token, not per million; correct it or remove the entry");
        insta::assert_snapshot!(row("a,c,,2,2026-11-01,page,"), @"p.csv, line 3: input_usd_per_mtok is missing; fill it in or remove the entry");
        insta::assert_snapshot!(row("a,c,1,2,yesterday,page,"), @r#"p.csv, line 3: checked is "yesterday"; write a date, as in 2026-10-19"#);
        insta::assert_snapshot!(row("a,c,1,2,2026-11-01,,"), @"p.csv, line 3: source is missing; fill it in or remove the entry");
        insta::assert_snapshot!(row("a,c,1"), @"p.csv: CSV error: record 2 (line: 3, byte: 106): found record with 3 fields, but the previous record has 7 fields; correct that line");
    }

    #[test]
    fn half_a_tier_and_half_a_batch_are_refused() {
        let tier =
            format!("{HEAD},tier_above_tokens,tier_input_usd_per_mtok,tier_output_usd_per_mtok\n");
        let row = |end: &str| error(&format!("{tier}a,b,1,2,2026-11-01,page,{end}\n"));
        insta::assert_snapshot!(row(",3,"), @"p.csv, line 2: tier_above_tokens is missing; fill it in or remove the entry");
        insta::assert_snapshot!(row("200000,3,"), @"p.csv, line 2: tier_output_usd_per_mtok is missing; fill it in or remove the entry");
        insta::assert_snapshot!(row("200k,3,4"), @r#"p.csv, line 2: tier_above_tokens is "200k"; write a whole number, as in 200000"#);
        let batch = format!("{HEAD},batch_output_usd_per_mtok\na,b,1,2,2026-11-01,page,1\n");
        insta::assert_snapshot!(error(&batch), @"p.csv, line 2: batch_input_usd_per_mtok is missing; fill it in or remove the entry");
    }
}
