//! What demand does when a price falls, and what is spent then.

use freeweights_record::units::{
    Elasticity, Ratio, TokensPerYear, UsdPerMillionTokens, UsdPerYear,
};

/// Elasticity at which a price may fall or rise and the spend stays what it was.
///
/// Above it spend rises after a price cut (Jevons), below it spend falls.
pub const SPEND_NEUTRAL: Elasticity = Elasticity::new(1.0);

/// Volume at another price.
///
/// `v0 * (p / p0)^(-e)`; tokens per year.
///
/// # Source
/// Demand of constant elasticity; A. Marshall, Principles of Economics (1890), book III.
#[must_use]
pub fn volume_at(
    volume: TokensPerYear,
    price: UsdPerMillionTokens,
    new_price: UsdPerMillionTokens,
    elasticity: Elasticity,
) -> TokensPerYear {
    volume * (new_price / price).powf(-elasticity.get())
}

/// Spend at another price.
///
/// `p * v0 * (p / p0)^(-e)`; USD per year. It rises after a price cut exactly when `e > 1`.
#[must_use]
pub fn spend_at(
    volume: TokensPerYear,
    price: UsdPerMillionTokens,
    new_price: UsdPerMillionTokens,
    elasticity: Elasticity,
) -> UsdPerYear {
    new_price * volume_at(volume, price, new_price, elasticity)
}

/// Elasticity at which a price that changes by one factor changes the spend by another.
///
/// `e = 1 - ln(spend / spend0) / ln(p / p0)`: after a cut, a higher elasticity means more spend
/// than that. `None` where the price did not change, or a factor is not above zero.
#[must_use]
pub fn threshold_elasticity(price_factor: Ratio, spend_factor: Ratio) -> Option<Elasticity> {
    let (price, spend) = (price_factor.get(), spend_factor.get());
    let defined = price > 0.0 && spend > 0.0 && price.ln() != 0.0;
    let elasticity = 1.0 - spend.ln() / price.ln();
    (defined && elasticity.is_finite()).then(|| Elasticity::new(elasticity))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const YEAR: TokensPerYear = TokensPerYear::new(1e9);

    fn usd(price: f64) -> UsdPerMillionTokens {
        UsdPerMillionTokens::new(price)
    }

    #[test]
    fn half_the_price_at_an_elasticity_of_two() {
        // 1e9 * 0.5^-2 = 4e9 tokens; 5 USD a million for 4,000 million = 20,000, before 10,000.
        let two = Elasticity::new(2.0);
        assert_eq!(volume_at(YEAR, usd(10.0), usd(5.0), two), TokensPerYear::new(4e9));
        assert_eq!(spend_at(YEAR, usd(10.0), usd(5.0), two), UsdPerYear::new(20_000.0));
    }

    #[test]
    fn doubled_spend_at_half_the_price_takes_an_elasticity_of_two() {
        // 1 - ln 2 / ln 0.5 = 1 + 1
        let threshold = threshold_elasticity(Ratio::new(0.5), Ratio::new(2.0)).unwrap();
        assert!((threshold.get() - 2.0).abs() < 1e-12);
        assert_eq!(threshold_elasticity(Ratio::new(0.5), Ratio::new(1.0)), Some(SPEND_NEUTRAL));
        assert_eq!(threshold_elasticity(Ratio::new(1.0), Ratio::new(2.0)), None);
        assert_eq!(threshold_elasticity(Ratio::new(0.0), Ratio::new(2.0)), None);
        assert_eq!(threshold_elasticity(Ratio::new(0.5), Ratio::new(f64::NAN)), None);
    }

    proptest! {
        #[test]
        fn spend_rises_after_a_cut_exactly_when_demand_is_elastic(
            price in 0.01..100.0_f64, cut in 0.01..0.99_f64, elasticity in 0.0..4.0_f64,
        ) {
            prop_assume!((elasticity - 1.0).abs() > 1e-9);
            let e = Elasticity::new(elasticity);
            let before = spend_at(YEAR, usd(price), usd(price), e);
            let after = spend_at(YEAR, usd(price), usd(price * cut), e);
            prop_assert_eq!(after > before, e > SPEND_NEUTRAL);
        }

        #[test]
        fn the_threshold_gives_the_spend_back(cut in 0.01..0.99_f64, spend in 0.01..100.0_f64) {
            let e = threshold_elasticity(Ratio::new(cut), Ratio::new(spend)).unwrap();
            let factor = spend_at(YEAR, usd(1.0), usd(cut), e) / spend_at(YEAR, usd(1.0), usd(1.0), e);
            prop_assert!((factor / spend - 1.0).abs() < 1e-9);
        }
    }
}
