//! One price for a mix of input and output tokens.

use freeweights_record::units::{Ratio, Tokens, UsdPerMillionTokens};

/// Price of a mix of input and output tokens.
///
/// `(a * input + b * output) / (a + b)`, at `a` input tokens to `b` output tokens. A blended price
/// means nothing without its `a:b`.
///
/// # Source
/// Artificial Analysis quotes 3:1.
#[must_use]
pub fn blend(
    input: UsdPerMillionTokens,
    output: UsdPerMillionTokens,
    a: Tokens,
    b: Tokens,
) -> UsdPerMillionTokens {
    let (a, b) = (a.as_f64(), b.as_f64());
    UsdPerMillionTokens::new((a * input.get() + b * output.get()) / (a + b))
}

/// How many times one price another is.
#[must_use]
pub fn price_ratio(price: UsdPerMillionTokens, other: UsdPerMillionTokens) -> Ratio {
    Ratio::new(price / other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_to_one() {
        let of = |input, output| {
            let (input, output) =
                (UsdPerMillionTokens::new(input), UsdPerMillionTokens::new(output));
            blend(input, output, Tokens::new(3), Tokens::new(1))
        };
        // (3 * 30 + 60) / 4 and (3 * 0.14 + 0.28) / 4
        assert!((of(30.0, 60.0).get() - 37.5).abs() < 1e-12);
        assert!((of(0.14, 0.28).get() - 0.175).abs() < 1e-12);
        assert!((price_ratio(of(30.0, 60.0), of(0.14, 0.28)).get() - 214.3).abs() < 0.05);
    }
}
