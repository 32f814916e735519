//! Where and when prices of the bundled catalogue were published.

use freeweights_record::units::UsdPerMillionTokens;
use jiff::civil::Date;
use serde::Deserialize;
use std::sync::LazyLock;

/// A price that somebody looked up on a known day.
#[derive(Debug, Deserialize)]
struct Check {
    provider: String,
    model: String,
    input: UsdPerMillionTokens,
    output: UsdPerMillionTokens,
    checked: Date,
    source: String,
}

#[derive(Debug, Deserialize)]
struct Provider {
    provider: String,
    url: String,
}

static CHECKS: LazyLock<Vec<Check>> =
    LazyLock::new(|| crate::facts::rows(include_str!("../../data/price_checks.csv")));

static PROVIDERS: LazyLock<Vec<Provider>> =
    LazyLock::new(|| crate::facts::rows(include_str!("../../data/providers.csv")));

/// The day and the page a price was checked on, if it still is that price.
///
/// The prices are compared too: a newer catalogue must not inherit an old date.
pub(super) fn checked(
    provider: &str,
    model: &str,
    input: UsdPerMillionTokens,
    output: UsdPerMillionTokens,
) -> Option<(Date, &'static str)> {
    let same = |a: UsdPerMillionTokens, b: UsdPerMillionTokens| (a / b - 1.0).abs() < 1e-9;
    CHECKS
        .iter()
        .find(|check| check.provider == provider && check.model == model)
        .filter(|check| same(check.input, input) && same(check.output, output))
        .map(|check| (check.checked, check.source.as_str()))
}

/// The page a provider publishes its prices on.
pub(super) fn page(provider: &str) -> Option<&'static str> {
    PROVIDERS.iter().find(|row| row.provider == provider).map(|row| row.url.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    #[test]
    fn every_check_still_is_the_price_of_the_catalogue() {
        let catalogue = super::super::Catalogue::bundled();
        for check in CHECKS.iter() {
            let id = format!("{}/{}", check.provider, check.model);
            let price = catalogue.find(&id, date(2026, 11, 22)).unwrap();
            assert_eq!((price.input, price.output), (check.input, check.output), "{id}");
            assert_eq!((price.checked, &price.source), (check.checked, &check.source), "{id}");
        }
    }
}
