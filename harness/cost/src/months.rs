//! Break-even as subscriptions count it: by the month, of so many working hours.

use freeweights_record::units::{
    Hours, KilowattHours, Months, TokensPerMonth, TokensPerSecond, Usd, UsdPerKilowattHour,
    UsdPerMonth,
};

/// Tokens of a month.
///
/// `tokens/s * hours * 3600`; tokens per month. How many hours a month has is up to the caller:
/// 730 around the clock, some 170 of work.
#[must_use]
pub fn tokens_of_month(rate: TokensPerSecond, hours: Hours) -> TokensPerMonth {
    TokensPerMonth::new(rate.get() * hours.get() * 3_600.0)
}

/// What the energy of a month costs.
#[must_use]
pub fn monthly_energy_cost(energy: KilowattHours, price: UsdPerKilowattHour) -> UsdPerMonth {
    UsdPerMonth::new((price * energy).get())
}

/// Months after which bought hardware has paid for itself.
///
/// `t* = capital / (API per month - own operations per month)`. `None`, never, where the API costs
/// no more than our own operations.
///
/// # Source
/// A Cost-Benefit Analysis of On-Premise Large Language Model Deployment, arXiv 2509.18101.
#[must_use]
pub fn break_even_months(
    capital: Usd,
    api: UsdPerMonth,
    operations: UsdPerMonth,
) -> Option<Months> {
    let saved = (api - operations).get();
    (saved > 0.0).then(|| Months::new(capital.get() / saved))
}

#[cfg(test)]
mod tests {
    use super::*;
    use freeweights_record::units::Watts;

    #[test]
    fn a_hundred_tokens_a_second_in_a_hundred_hours() {
        // 100 * 100 * 3600 = 36 million tokens
        let tokens = tokens_of_month(TokensPerSecond::new(100.0), Hours::new(100.0));
        assert_eq!(tokens, TokensPerMonth::new(36e6));
        // 500 W for 100 h = 50 kWh at 0.2 = 10 USD
        let energy = Watts::new(500.0) * Hours::new(100.0);
        let operations = monthly_energy_cost(energy, UsdPerKilowattHour::new(0.2));
        assert_eq!(operations, UsdPerMonth::new(10.0));
        // 1000 / (60 - 10)
        let api = UsdPerMonth::new(60.0);
        let time = break_even_months(Usd::new(1_000.0), api, operations);
        assert_eq!(time, Some(Months::new(20.0)));
        assert_eq!(break_even_months(Usd::new(1_000.0), operations, operations), None);
    }
}
