//! One price of a file, in the unit of the file.

use super::PriceImportError;
use freeweights_record::units::UsdPerMillionTokens;
use serde_json::Value;

/// Nobody charges more for a million tokens.
const HIGHEST_PER_MILLION: f64 = 10_000.0;

/// Nobody charges less for a million tokens of input or output, unless nothing.
const LOWEST_PER_MILLION: f64 = 1e-4;

/// Nobody charges more for one token.
const HIGHEST_PER_TOKEN: f64 = HIGHEST_PER_MILLION / 1e6;

/// Where a price stands.
pub(super) struct Place<'a> {
    /// The file.
    pub(super) origin: &'a str,
    /// Line or name of the entry.
    pub(super) entry: String,
}

/// What a file counts its prices in.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Unit {
    UsdPerToken,
    UsdPerMillion,
}

impl Place<'_> {
    /// A number of a file as a price.
    pub(super) fn rate(
        &self,
        field: &str,
        value: f64,
        unit: Unit,
    ) -> Result<UsdPerMillionTokens, PriceImportError> {
        if !(value.is_finite() && value >= 0.0) {
            return Err(self.bad(field, &value.to_string(), "a price of 0 or more"));
        }
        let doubt = match unit {
            Unit::UsdPerToken if value > HIGHEST_PER_TOKEN => {
                "looks like USD per million, not per token"
            }
            Unit::UsdPerMillion if value > HIGHEST_PER_MILLION => {
                "is more than anybody charges for a million tokens"
            }
            Unit::UsdPerMillion if value > 0.0 && value < LOWEST_PER_MILLION => {
                "looks like USD per token, not per million"
            }
            Unit::UsdPerToken => return Ok(per_million(value)),
            Unit::UsdPerMillion => return Ok(UsdPerMillionTokens::new(value)),
        };
        Err(PriceImportError::Implausible {
            origin: self.origin.to_owned(),
            place: self.entry.clone(),
            field: field.to_owned(),
            value: value.to_string(),
            doubt,
        })
    }

    /// A text of a file as a price.
    pub(super) fn parsed(
        &self,
        field: &str,
        text: &str,
        unit: Unit,
    ) -> Result<UsdPerMillionTokens, PriceImportError> {
        let number = text.trim().parse::<f64>();
        let number = number.map_err(|_| self.bad(field, text, "a plain number, as in 0.15"))?;
        self.rate(field, number, unit)
    }

    /// A JSON value, a number or a decimal string, in USD per token.
    pub(super) fn json(
        &self,
        field: &str,
        value: &Value,
    ) -> Result<UsdPerMillionTokens, PriceImportError> {
        match value {
            Value::String(text) => self.parsed(field, text, Unit::UsdPerToken),
            Value::Number(number) => {
                self.rate(field, number.as_f64().unwrap_or(f64::NAN), Unit::UsdPerToken)
            }
            other => Err(self.bad(field, &other.to_string(), "a plain number, as in 1.5e-07")),
        }
    }

    pub(super) fn bad(&self, field: &str, value: &str, expected: &'static str) -> PriceImportError {
        PriceImportError::BadValue {
            origin: self.origin.to_owned(),
            place: self.entry.clone(),
            field: field.to_owned(),
            value: value.to_owned(),
            expected,
        }
    }

    pub(super) fn missing(&self, field: &str) -> PriceImportError {
        PriceImportError::Missing {
            origin: self.origin.to_owned(),
            place: self.entry.clone(),
            field: field.to_owned(),
        }
    }
}

/// USD per token as USD per million tokens.
///
/// Prices have few digits; the product must not add any, so it is rounded to nine decimals.
fn per_million(per_token: f64) -> UsdPerMillionTokens {
    UsdPerMillionTokens::new((per_token * 1e15).round() / 1e9)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_price_of_another_size_is_of_another_unit() {
        let place = Place { origin: "x", entry: "line 2".into() };
        let rate = |value, unit| place.rate("input", value, unit);
        assert_eq!(rate(1.5e-7, Unit::UsdPerToken), Ok(UsdPerMillionTokens::new(0.15)));
        assert_eq!(rate(0.15, Unit::UsdPerMillion), Ok(UsdPerMillionTokens::new(0.15)));
        assert_eq!(rate(0.0, Unit::UsdPerMillion), Ok(UsdPerMillionTokens::new(0.0)));
        let error = |value, unit| rate(value, unit).unwrap_err();
        insta::assert_snapshot!(error(0.15, Unit::UsdPerToken), @"x, line 2: input is 0.15, which looks like USD per million, not per token; correct it or remove the entry");
        insta::assert_snapshot!(error(1.5e-7, Unit::UsdPerMillion), @"x, line 2: input is 0.00000015, which looks like USD per token, not per million; correct it or remove the entry");
        insta::assert_snapshot!(error(20_000.0, Unit::UsdPerMillion), @"x, line 2: input is 20000, which is more than anybody charges for a million tokens; correct it or remove the entry");
        insta::assert_snapshot!(error(-0.5, Unit::UsdPerMillion), @r#"x, line 2: input is "-0.5"; write a price of 0 or more"#);
        insta::assert_snapshot!(error(f64::NAN, Unit::UsdPerToken), @r#"x, line 2: input is "NaN"; write a price of 0 or more"#);
        assert!(rate(f64::INFINITY, Unit::UsdPerToken).is_err());
        insta::assert_snapshot!(place.parsed("input", "$3", Unit::UsdPerMillion).unwrap_err(), @r#"x, line 2: input is "$3"; write a plain number, as in 0.15"#);
        insta::assert_snapshot!(place.json("input", &Value::Bool(true)).unwrap_err(), @r#"x, line 2: input is "true"; write a plain number, as in 1.5e-07"#);
    }
}
