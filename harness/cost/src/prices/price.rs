//! One price of one model at one provider.

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

/// What an API charges for tokens.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ApiPrice {
    /// Who sells.
    pub provider: String,
    /// The model, as the provider calls it.
    pub model: String,
    /// Price of input tokens, uncached.
    pub input: UsdPerMillionTokens,
    /// Price of output tokens.
    pub output: UsdPerMillionTokens,
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

    /// What one request costs.
    ///
    /// `isl * input + osl * output`; USD.
    #[must_use]
    pub fn per_request(&self, isl: Tokens, osl: Tokens) -> UsdPerRequest {
        UsdPerRequest::new((self.input * isl + self.output * osl).get())
    }
}

fn age(checked: Date, today: Date) -> Days {
    let span = today.duration_since(checked);
    Days::new(span.as_secs_f64() / 86_400.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    #[test]
    fn prices_age() {
        let price = ApiPrice {
            provider: "host".into(),
            model: "org/model".into(),
            input: UsdPerMillionTokens::new(0.5),
            output: UsdPerMillionTokens::new(2.0),
            open: true,
            checked: date(2026, 8, 1),
            date_basis: DateBasis::Checked,
            source: "page".into(),
        };
        assert_eq!(price.id(), "host/org/model");
        assert!(!price.is_stale(date(2026, 10, 30)));
        assert!(price.is_stale(date(2026, 10, 31)));
        assert!(!price.is_stale(date(2026, 1, 1)));
        // 1000 * 0.5e-6 + 500 * 2e-6 = 0.0015
        let request = price.per_request(Tokens::new(1_000), Tokens::new(500));
        assert!((request.get() - 0.0015).abs() < 1e-15);
    }
}
