//! Prices that fall, demand that grows, and whether hardware bought today keeps winning.

use crate::error::CostError;
use freeweights_record::units::{Fraction, Quantity, Ratio, Usd, UsdPerYear, Years};

/// Factor by which a price falls each year.
///
/// `k = 1 / (1 - d)`, with `d` the share by which it falls: a price that halves each year has
/// `d = 0.5` and `k = 2`. A negative share is a price that rises.
///
/// # Errors
/// [`CostError::OutOfRange`] where the share is not a number below 1.
pub fn factor_of_decline(decline: Fraction) -> Result<Ratio, CostError> {
    let share = decline.get();
    if share.is_finite() && share < 1.0 {
        Ok(Ratio::new(1.0 / (1.0 - share)))
    } else {
        Err(CostError::OutOfRange {
            name: "price_decline".to_owned(),
            value: share.to_string(),
            rule: "it must be below 1: a price that falls by all of itself is gone",
        })
    }
}

/// A price some years from now.
///
/// `p0 * k^(-t)`, with `k` of [`factor_of_decline`]; in the unit of the price.
#[must_use]
pub fn declined<Q: Quantity>(price: Q, factor: Ratio, time: Years) -> Q {
    Q::from_f64(price.as_f64() * factor.get().powf(-time.get()))
}

/// A demand some years from now.
///
/// `v0 * (1 + g)^t`, with `g` the growth of a year; in the unit of the demand.
#[must_use]
pub fn grown<Q: Quantity>(demand: Q, growth: Fraction, time: Years) -> Q {
    Q::from_f64(demand.as_f64() * (1.0 + growth.get()).powf(time.get()))
}

/// What one USD in some years is worth today.
///
/// `(1 + r)^(-t)`, with `r` the cost of capital.
#[must_use]
pub fn discount_factor(rate: Fraction, time: Years) -> Ratio {
    Ratio::new((-time.get() * rate.get().ln_1p()).exp())
}

/// What a stream of yearly amounts is worth today, each paid at the end of its year.
///
/// `sum(amount_t * (1 + r)^(-t))` for `t = 1, 2, ..`; USD.
///
/// # Source
/// I. Fisher, The Rate of Interest (1907).
#[must_use]
pub fn net_present_value(amounts: impl IntoIterator<Item = UsdPerYear>, rate: Fraction) -> Usd {
    ends_of_years()
        .zip(amounts)
        .map(|(time, amount)| Usd::new(amount.get() * discount_factor(rate, time).get()))
        .sum()
}

/// The last year in which our own bill is below the API's.
///
/// The end of the first year is `1 year`; `None` where there is no such year. A year in between in
/// which the API is the cheaper does not end the search.
#[must_use]
pub fn last_winning_year(
    own: impl IntoIterator<Item = UsdPerYear>,
    api: impl IntoIterator<Item = UsdPerYear>,
) -> Option<Years> {
    let years = ends_of_years().zip(own.into_iter().zip(api));
    years.filter(|(_, (own, api))| own < api).map(|(time, _)| time).last()
}

/// 1 year, 2 years, and so on.
pub(crate) fn ends_of_years() -> impl Iterator<Item = Years> {
    (1_u32..).map(|year| Years::new(f64::from(year)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use freeweights_record::units::{RequestsPerYear, UsdPerMillionTokens};
    use proptest::prelude::*;

    fn bills(usd: &[f64]) -> Vec<UsdPerYear> {
        usd.iter().copied().map(UsdPerYear::new).collect()
    }

    #[test]
    fn a_price_that_halves_each_year() {
        let factor = factor_of_decline(Fraction::new(0.5)).unwrap();
        assert_eq!(factor, Ratio::new(2.0));
        // 8 * 2^-3 = 1
        let price = declined(UsdPerMillionTokens::new(8.0), factor, Years::new(3.0));
        assert_eq!(price, UsdPerMillionTokens::new(1.0));
        assert_eq!(
            factor_of_decline(Fraction::new(1.0)).unwrap_err().to_string(),
            "price_decline is 1, but it must be below 1: a price that falls by all of itself is gone; correct it in the scenario or with --set price_decline=VALUE"
        );
        assert!(factor_of_decline(Fraction::new(f64::NAN)).is_err());
        // A price that rises by a quarter each year: 1 / 1.25 = 0.8, and 8 * 0.8^-1 = 10.
        let rising = factor_of_decline(Fraction::new(-0.25)).unwrap();
        let price = declined(UsdPerMillionTokens::new(8.0), rising, Years::new(1.0));
        assert!((price.get() - 10.0).abs() < 1e-12);
    }

    #[test]
    fn demand_that_grows_by_half() {
        // 100 * 1.5^2
        let demand = grown(RequestsPerYear::new(100.0), Fraction::new(0.5), Years::new(2.0));
        assert_eq!(demand, RequestsPerYear::new(225.0));
    }

    #[test]
    fn two_payments_at_ten_percent() {
        // 110 / 1.1 + 242 / 1.21 = 100 + 200
        let value = net_present_value(bills(&[110.0, 242.0]), Fraction::new(0.1));
        assert!((value.get() - 300.0).abs() < 1e-9);
        assert_eq!(net_present_value([], Fraction::new(0.1)), Usd::new(0.0));
    }

    #[test]
    fn a_steady_bill_against_a_falling_one() {
        // 100 a year against 300, 150, 75, 37.5: the second year is the last that is won.
        let own = bills(&[100.0; 4]);
        let api: Vec<_> = (0..4)
            .map(|t| declined(UsdPerYear::new(300.0), Ratio::new(2.0), Years::new(f64::from(t))))
            .collect();
        assert_eq!(last_winning_year(own.clone(), api), Some(Years::new(2.0)));
        assert_eq!(last_winning_year(own.clone(), own.clone()), None);
        // Won, lost, won.
        let api = bills(&[101.0, 99.0, 101.0]);
        assert_eq!(last_winning_year(own, api), Some(Years::new(3.0)));
    }

    proptest! {
        #[test]
        fn a_year_of_decline_takes_its_share(decline in -1.0..0.99_f64, price in 0.01..1e3_f64) {
            let factor = factor_of_decline(Fraction::new(decline)).unwrap();
            let later = declined(UsdPerMillionTokens::new(price), factor, Years::new(1.0));
            prop_assert!((later.get() - price * (1.0 - decline)).abs() < 1e-9 * price);
        }

        #[test]
        fn what_comes_later_is_worth_less(rate in 0.0..1.0_f64, time in 0.0..50.0_f64, more in 0.0..10.0_f64) {
            let at = |time| discount_factor(Fraction::new(rate), Years::new(time));
            prop_assert!(at(time + more) <= at(time));
            prop_assert!(at(time).get() <= 1.0);
        }
    }
}
