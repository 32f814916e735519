//! What a token costs over the life of a machine, the money's own cost included.

use crate::decline::{discount_factor, ends_of_years, net_present_value};
use crate::error::CostError;
use crate::finance::yearly_capital_cost;
use freeweights_record::units::{
    Fraction, Quantity as _, TokensPerYear, Usd, UsdPerMillionTokens, UsdPerYear, Years,
};

/// A machine that is bought, used and sold.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Purchase {
    /// What it costs.
    pub price: Usd,
    /// What it is sold for in the end.
    pub residual: Usd,
    /// Cost of capital, a year.
    pub rate: Fraction,
    /// Years in between.
    pub life: Years,
}

/// A year of such a machine.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct YearOfUse {
    /// Operations: fixed, and those that come with tokens.
    pub operations: UsdPerYear,
    /// Useful tokens.
    pub tokens: TokensPerYear,
}

/// Levelised cost of tokens, of years that are all alike.
///
/// `(CRF(r, n) * (C - S / (1 + r)^n) + fixed operations) / tokens + variable cost`; USD per million
/// tokens.
///
/// # Errors
/// As [`yearly_capital_cost`]; [`CostError::OutOfRange`] without tokens.
///
/// # Source
/// NREL, Simple Levelized Cost of Energy: (capital * CRF + fixed O&M) / energy + variable O&M.
pub fn levelised_cost(
    purchase: &Purchase,
    operations: UsdPerYear,
    tokens: TokensPerYear,
    variable: UsdPerMillionTokens,
) -> Result<UsdPerMillionTokens, CostError> {
    let Purchase { price, residual, rate, life } = *purchase;
    let capital = yearly_capital_cost(price, residual, rate, life)?;
    Ok((capital + operations) / some(tokens)? + variable)
}

/// Levelised cost of tokens by cash flow, of years that need not be alike.
///
/// `(C + sum(operations_t * (1 + r)^(-t)) - S * (1 + r)^(-n)) / sum(tokens_t * (1 + r)^(-t))`; USD
/// per million tokens. The life `n` is as many years as are given; the purchase's own is not used.
/// Of years that are all alike it is [`levelised_cost`].
///
/// # Errors
/// As [`yearly_capital_cost`]; [`CostError::OutOfRange`] without tokens.
///
/// # Source
/// IEA and NEA, Projected Costs of Generating Electricity: discounted costs over discounted output.
pub fn levelised_cost_of_flows(
    purchase: &Purchase,
    years: &[YearOfUse],
) -> Result<UsdPerMillionTokens, CostError> {
    let Purchase { price, residual, rate, .. } = *purchase;
    let life = Years::new(years.len() as f64);
    // For its checks of price, residual and rate.
    yearly_capital_cost(price, residual, rate, life)?;
    let operations = net_present_value(years.iter().map(|year| year.operations), rate);
    let resale = residual * discount_factor(rate, life).get();
    let tokens = ends_of_years()
        .zip(years)
        .map(|(time, year)| year.tokens * discount_factor(rate, time).get())
        .sum();
    let cost = price + operations - resale;
    Ok(UsdPerYear::new(cost.get()) / some(tokens)?)
}

/// Tokens to divide by.
fn some(tokens: TokensPerYear) -> Result<TokensPerYear, CostError> {
    if tokens.get() > 0.0 && tokens.get().is_finite() {
        Ok(tokens)
    } else {
        Err(CostError::OutOfRange {
            name: "tokens".to_owned(),
            value: tokens.as_f64().to_string(),
            rule: "it must be more than 0: what yields no tokens has no cost per token",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn purchase(price: f64, residual: f64, rate: f64, life: f64) -> Purchase {
        Purchase {
            price: Usd::new(price),
            residual: Usd::new(residual),
            rate: Fraction::new(rate),
            life: Years::new(life),
        }
    }

    fn year(operations: f64, tokens: f64) -> YearOfUse {
        YearOfUse { operations: UsdPerYear::new(operations), tokens: TokensPerYear::new(tokens) }
    }

    #[test]
    fn a_machine_of_ten_thousand() {
        // CRF(8%, 5) = 0.250456: 2,504.56 + 500 = 3,004.56 a year over 1e9 tokens, and 0.10.
        let cost = levelised_cost(
            &purchase(10_000.0, 0.0, 0.08, 5.0),
            UsdPerYear::new(500.0),
            TokensPerYear::new(1e9),
            UsdPerMillionTokens::new(0.10),
        );
        assert!((cost.unwrap().get() - 3.104_56).abs() < 1e-5);
    }

    #[test]
    fn tokens_that_come_early_weigh_more() {
        // At 100% interest: (1200 + 400/2 + 400/4) / (2e6/2 + 4e6/4) = 1500 / 2e6 = 750 a million
        let flows = [year(400.0, 2e6), year(400.0, 4e6)];
        let cost = levelised_cost_of_flows(&purchase(1_200.0, 0.0, 1.0, 2.0), &flows);
        assert!((cost.unwrap().get() - 750.0).abs() < 1e-9);
        // Sold for 400 after two years: 100 today.
        let cost = levelised_cost_of_flows(&purchase(1_200.0, 400.0, 1.0, 2.0), &flows);
        assert!((cost.unwrap().get() - 700.0).abs() < 1e-9);
    }

    #[test]
    fn what_yields_no_tokens_has_no_cost_per_token() {
        let bought = purchase(10.0, 0.0, 0.1, 1.0);
        let error = levelised_cost_of_flows(&bought, &[year(1.0, 0.0)]).unwrap_err();
        insta::assert_snapshot!(error, @"tokens is 0, but it must be more than 0: what yields no tokens has no cost per token; correct it in the scenario or with --set tokens=VALUE");
        assert!(levelised_cost_of_flows(&bought, &[]).is_err());
        let none = TokensPerYear::new(0.0);
        let free = UsdPerMillionTokens::new(0.0);
        assert!(levelised_cost(&bought, UsdPerYear::new(1.0), none, free).is_err());
    }

    proptest! {
        #[test]
        fn the_two_agree_for_years_that_are_alike(
            price in 0.0..1e6_f64, residual in 0.0..1.0_f64, rate in 0.0..0.5_f64, life in 1_u8..20,
            operations in 0.0..1e6_f64, tokens in 1e3..1e15_f64, variable in 0.0..100.0_f64,
        ) {
            let bought = purchase(price, price * residual, rate, f64::from(life));
            let simple = levelised_cost(
                &bought,
                UsdPerYear::new(operations),
                TokensPerYear::new(tokens),
                UsdPerMillionTokens::new(variable),
            ).unwrap();
            let flows = vec![year(operations + variable * tokens / 1e6, tokens); usize::from(life)];
            let by_flow = levelised_cost_of_flows(&bought, &flows).unwrap();
            prop_assert!((simple - by_flow).get().abs() <= 1e-9 * simple.get());
        }
    }
}
