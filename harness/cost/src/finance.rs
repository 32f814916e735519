//! What money tied up in a machine costs by the year.

use crate::error::CostError;
use freeweights_record::units::{Fraction, Usd, UsdPerYear, Years};

/// Capital recovery factor: the share of a price that, paid each year, repays it with interest.
///
/// `CRF(r, n) = r (1 + r)^n / ((1 + r)^n - 1)`, and `1 / n` at `r = 0`; a share of the price per
/// year. Computed as `r / (1 - (1 + r)^-n)` through `expm1` and `ln_1p`, so that it runs into
/// `1 / n` smoothly.
///
/// # Errors
/// [`CostError::OutOfRange`] where the rate is negative, the life not above zero, or either not
/// finite.
///
/// # Source
/// Textbook annuity; W. Short et al., A Manual for the Economic Evaluation of Energy Efficiency
/// and Renewable Energy Technologies, NREL/TP-462-5173.
pub fn capital_recovery_factor(rate: Fraction, life: Years) -> Result<Fraction, CostError> {
    check(rate, life)?;
    let (r, n) = (rate.get(), life.get());
    Ok(Fraction::new(factor(r, n, worth_minus_one(r, n))))
}

/// What one USD at the end of a life of `n` years is worth today, less one: `(1 + r)^-n - 1`.
fn worth_minus_one(r: f64, n: f64) -> f64 {
    (-n * r.ln_1p()).exp_m1()
}

/// `r / (1 - (1 + r)^-n)`, and `1 / n` at `r = 0`.
fn factor(r: f64, n: f64, worth_minus_one: f64) -> f64 {
    if r == 0.0 { 1.0 / n } else { r / -worth_minus_one }
}

/// Yearly capital cost of a machine that is bought, used and sold.
///
/// `(C - S / (1 + r)^n) * CRF(r, n)`, with `C` the price and `S` the residual value after `n`
/// years; USD per year.
///
/// # Errors
/// [`CostError::OutOfRange`] where the price or the residual is negative, or the residual is above
/// the price; and as [`capital_recovery_factor`].
///
/// # Source
/// As [`capital_recovery_factor`]; the residual is discounted to the day of purchase.
pub fn yearly_capital_cost(
    price: Usd,
    residual: Usd,
    rate: Fraction,
    life: Years,
) -> Result<UsdPerYear, CostError> {
    if !(price.get() >= 0.0 && price.get().is_finite()) {
        return Err(out_of_range("price_usd", price.get(), "it must be 0 or more"));
    }
    if !(residual.get() >= 0.0 && residual <= price) {
        let rule = "it must lie between 0 and the price";
        return Err(out_of_range("residual", residual.get(), rule));
    }
    check(rate, life)?;
    let (r, n) = (rate.get(), life.get());
    let worth_minus_one = worth_minus_one(r, n);
    let discounted = residual * (1.0 + worth_minus_one);
    Ok(UsdPerYear::new((price - discounted).get() * factor(r, n, worth_minus_one)))
}

/// Yearly maintenance of a machine.
///
/// `C * m`, with `m` the share of the price paid each year for support and spare parts.
#[must_use]
pub fn yearly_maintenance(price: Usd, share_per_year: Fraction) -> UsdPerYear {
    UsdPerYear::new(price.get() * share_per_year.get())
}

fn check(rate: Fraction, life: Years) -> Result<(), CostError> {
    let (r, n) = (rate.get(), life.get());
    if !(r >= 0.0 && r.is_finite()) {
        return Err(out_of_range("cost_of_capital", r, "it must be 0 or more"));
    }
    if !(n > 0.0 && n.is_finite()) {
        return Err(out_of_range("life_years", n, "it must be more than 0"));
    }
    Ok(())
}

fn out_of_range(name: &str, value: f64, rule: &'static str) -> CostError {
    CostError::OutOfRange { name: name.to_owned(), value: value.to_string(), rule }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn crf(rate: f64, life: f64) -> f64 {
        capital_recovery_factor(Fraction::new(rate), Years::new(life)).unwrap().get()
    }

    fn capital(price: f64, residual: f64, rate: f64, life: f64) -> f64 {
        let (price, residual) = (Usd::new(price), Usd::new(residual));
        yearly_capital_cost(price, residual, Fraction::new(rate), Years::new(life)).unwrap().get()
    }

    #[test]
    fn the_factor_agrees_with_published_tables() {
        // 0.08 * 1.08^5 / (1.08^5 - 1) = 0.08 * 1.469328 / 0.469328
        assert!((crf(0.08, 5.0) - 0.250_456).abs() < 5e-7);
        assert!((crf(0.10, 4.0) - 0.315_471).abs() < 5e-7);
        assert!((crf(0.08, 25.0) - 0.093_678_8).abs() < 5e-8);
        assert!((crf(0.0, 4.0) - 0.25).abs() < 1e-15);
    }

    #[test]
    fn the_residual_is_worth_less_today() {
        // (1000 - 100 / 1.1^4) * 0.315471 = (1000 - 68.301) * 0.315471 = 293.92
        assert!((capital(1_000.0, 100.0, 0.10, 4.0) - 293.92).abs() < 0.01);
        // without interest: (1000 - 100) / 4
        assert!((capital(1_000.0, 100.0, 0.0, 4.0) - 225.0).abs() < 1e-12);
    }

    #[test]
    fn bad_terms_are_named() {
        let error = capital_recovery_factor(Fraction::new(0.08), Years::new(0.0)).unwrap_err();
        insta::assert_snapshot!(error, @"life_years is 0, but it must be more than 0; correct it in the scenario or with --set life_years=VALUE");
        let above = yearly_capital_cost(
            Usd::new(10.0),
            Usd::new(11.0),
            Fraction::new(0.0),
            Years::new(1.0),
        );
        assert!(above.is_err());
        assert!(capital_recovery_factor(Fraction::new(f64::NAN), Years::new(1.0)).is_err());
        assert!(capital_recovery_factor(Fraction::new(-0.1), Years::new(1.0)).is_err());
    }

    proptest! {
        #[test]
        fn the_factor_runs_into_one_over_the_life(life in 0.5..50.0_f64, small in 0.0..1e-9_f64) {
            prop_assert!((crf(small, life) - 1.0 / life).abs() < 1e-8);
        }

        #[test]
        fn a_higher_residual_never_raises_the_cost(
            price in 1.0..1e6_f64, low in 0.0..1.0_f64, more in 0.0..1.0_f64,
            rate in 0.0..0.5_f64, life in 0.5..20.0_f64,
        ) {
            let high = low + (1.0 - low) * more;
            prop_assert!(
                capital(price, price * high, rate, life) <= capital(price, price * low, rate, life) + 1e-9
            );
        }

        #[test]
        fn the_cost_rises_with_the_price(
            price in 1.0..1e6_f64, more in 0.0..1e6_f64, rate in 0.0..0.5_f64, life in 0.5..20.0_f64,
        ) {
            prop_assert!(capital(price + more, 0.0, rate, life) >= capital(price, 0.0, rate, life));
        }

        #[test]
        fn yearly_payments_repay_the_price_with_interest(
            price in 1.0..1e6_f64, rate in 0.001..0.5_f64, life in 1_u32..20,
        ) {
            let payment = capital(price, 0.0, rate, f64::from(life));
            let worth: f64 = (1..=life).map(|year| payment / (1.0 + rate).powi(year.cast_signed())).sum();
            prop_assert!((worth / price - 1.0).abs() < 1e-9);
        }
    }
}
