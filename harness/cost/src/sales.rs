//! What a host earns with tokens, and the machines they keep busy.

use freeweights_record::units::{
    Hours, Ratio, Seconds, Tokens, TokensPerSecond, Usd, UsdPerMillionTokens,
};

/// Tokens sold, by the price they have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TokensSold {
    /// Input that was in the cache.
    pub cached_input: Tokens,
    /// Input that was not.
    pub input: Tokens,
    /// Output.
    pub output: Tokens,
}

/// Prices of a host.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SellingPrices {
    /// Of input that was in the cache.
    pub cached_input: UsdPerMillionTokens,
    /// Of input that was not.
    pub input: UsdPerMillionTokens,
    /// Of output.
    pub output: UsdPerMillionTokens,
}

/// What they earn.
///
/// `cached * p_cached + input * p_input + output * p_output`; USD.
#[must_use]
pub fn revenue(sold: TokensSold, prices: SellingPrices) -> Usd {
    prices.cached_input * sold.cached_input
        + prices.input * sold.input
        + prices.output * sold.output
}

/// Machines that are always busy with so many tokens in so long a time; not rounded.
///
/// `tokens / (tokens/s of one machine * hours * 3600)`; machines.
#[must_use]
pub fn machines_busy(tokens: Tokens, of_one: TokensPerSecond, time: Hours) -> Ratio {
    let rate = tokens / Seconds::new(time.get() * 3_600.0);
    Ratio::new(rate / of_one)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_prices() {
        let sold = TokensSold {
            cached_input: Tokens::new(4_000_000),
            input: Tokens::new(2_000_000),
            output: Tokens::new(1_000_000),
        };
        let prices = SellingPrices {
            cached_input: UsdPerMillionTokens::new(0.25),
            input: UsdPerMillionTokens::new(1.0),
            output: UsdPerMillionTokens::new(8.0),
        };
        // 4 * 0.25 + 2 * 1 + 1 * 8 = 11
        assert_eq!(revenue(sold, prices), Usd::new(11.0));
    }

    #[test]
    fn an_hour_of_two_and_a_half_machines() {
        // 9,000,000 / (1000 * 3600) = 2.5
        let machines =
            machines_busy(Tokens::new(9_000_000), TokensPerSecond::new(1_000.0), Hours::new(1.0));
        assert_eq!(machines, Ratio::new(2.5));
    }
}
