//! What a host keeps of the price it sells tokens at.
//!
//! Only the cost of the tokens is counted: no sales, no research, no training (see
//! [`crate::ledger`] for that).

use crate::utilisation::cost_at;
use freeweights_record::units::{Fraction, Usd, UsdPerMillionTokens};

/// Gross margin: the share of the price that is not cost. Negative where it loses.
///
/// `(price - cost) / price`.
#[must_use]
pub fn gross_margin(price: UsdPerMillionTokens, cost: UsdPerMillionTokens) -> Fraction {
    Fraction::new((price - cost) / price)
}

/// Gross margin on hardware whose cost is fixed, below saturation.
///
/// `(price - C(1) / U) / price`, with `C(1)` the cost at saturation and `U` the utilisation.
#[must_use]
pub fn gross_margin_at(
    utilisation: Fraction,
    price: UsdPerMillionTokens,
    saturated: UsdPerMillionTokens,
) -> Fraction {
    gross_margin(price, cost_at(utilisation, saturated))
}

/// Utilisation at which the margin is zero.
///
/// `C(1) / price`. `None` where that is above 1: at such a price a full machine loses, too.
#[must_use]
pub fn break_even_utilisation(
    price: UsdPerMillionTokens,
    saturated: UsdPerMillionTokens,
) -> Option<Fraction> {
    let share = saturated / price;
    (0.0..=1.0).contains(&share).then(|| Fraction::new(share))
}

/// Profit over cost. Some publish this one as "margin": 545% of it is a gross margin of 84.5%.
///
/// `(revenue - cost) / cost`.
#[must_use]
pub fn markup(revenue: Usd, cost: Usd) -> Fraction {
    Fraction::new((revenue - cost) / cost)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn usd(price: f64) -> UsdPerMillionTokens {
        UsdPerMillionTokens::new(price)
    }

    #[test]
    fn a_token_sold_for_four_times_its_cost() {
        // (0.8 - 0.2) / 0.8 = 0.75; half full it costs 0.4, so 0.5; a quarter full nothing is left.
        assert!((gross_margin(usd(0.8), usd(0.2)).get() - 0.75).abs() < 1e-12);
        let at = |share| gross_margin_at(Fraction::new(share), usd(0.8), usd(0.2)).get();
        assert!((at(0.5) - 0.5).abs() < 1e-12);
        assert!(at(0.25).abs() < 1e-12);
        // An eighth full it costs 1.6, twice the price.
        assert!((at(0.125) + 1.0).abs() < 1e-12);
        assert_eq!(break_even_utilisation(usd(0.8), usd(0.2)), Some(Fraction::new(0.25)));
        assert_eq!(break_even_utilisation(usd(0.2), usd(0.8)), None);
        assert_eq!(break_even_utilisation(usd(0.0), usd(0.8)), None);
    }

    #[test]
    fn a_markup_is_no_margin() {
        // (645 - 100) / 100
        assert!((markup(Usd::new(645.0), Usd::new(100.0)).get() - 5.45).abs() < 1e-12);
    }

    proptest! {
        #[test]
        fn the_margin_is_positive_above_that_utilisation_and_negative_below(
            price in 0.01..100.0_f64, cost in 0.001..100.0_f64, share in 0.001..1.0_f64,
        ) {
            let margin = gross_margin_at(Fraction::new(share), usd(price), usd(cost)).get();
            match break_even_utilisation(usd(price), usd(cost)) {
                Some(zero) if share > zero.get() => prop_assert!(margin >= -1e-12),
                Some(_) => prop_assert!(margin <= 1e-12),
                None => prop_assert!(margin < 0.0),
            }
        }
    }
}
