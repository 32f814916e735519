//! Input and output prices from one bill.

use crate::error::CostError;
use freeweights_record::units::{
    Fraction, RequestsPerYear, Tokens, UsdPerMillionTokens, UsdPerYear,
};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Who pays for what: a policy, not a measurement, so its name is printed with the prices.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
#[non_exhaustive]
pub enum Allocation {
    /// Prefill seconds and decode seconds share the bill, each as measured.
    #[default]
    TimeShare,
    /// The whole bill over input tokens, and again over output tokens. The two do not add up.
    FullToEach,
    /// One output token costs as much as this many input tokens.
    Ratio(f64),
}

impl fmt::Display for Allocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TimeShare => f.pad("time-share"),
            Self::FullToEach => f.pad("full-to-each"),
            Self::Ratio(ratio) => write!(f, "ratio:{ratio}"),
        }
    }
}

impl FromStr for Allocation {
    type Err = CostError;

    fn from_str(text: &str) -> Result<Self, CostError> {
        let unknown = || CostError::UnknownAllocation { text: text.to_owned() };
        match text {
            "time-share" => Ok(Self::TimeShare),
            "full-to-each" => Ok(Self::FullToEach),
            _ => {
                let ratio = text.strip_prefix("ratio:").and_then(|n| n.parse().ok());
                ratio
                    .filter(|ratio: &f64| ratio.is_finite() && *ratio > 0.0)
                    .map(Self::Ratio)
                    .ok_or_else(unknown)
            }
        }
    }
}

impl TryFrom<String> for Allocation {
    type Error = CostError;
    fn try_from(text: String) -> Result<Self, CostError> {
        text.parse()
    }
}

impl From<Allocation> for String {
    fn from(allocation: Allocation) -> Self {
        allocation.to_string()
    }
}

/// A bill in two parts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Split {
    /// What input tokens pay for.
    pub input: UsdPerYear,
    /// What output tokens pay for.
    pub output: UsdPerYear,
}

/// Splits a bill between the input and the output of its requests.
///
/// `time-share`: `input = bill * s`, with `s` the share of busy time spent in prefill;
/// `ratio:N`: `input = bill * isl / (isl + N * osl)`. The output pays the rest, so the two sum to
/// the bill. `full-to-each`: both are the bill.
///
/// # Source
/// GKE's inference cost guide uses a ratio of 4, NVIDIA's inference cost article 3;
/// `InferenceX` gives the full bill to each.
#[must_use]
pub fn split(
    bill: UsdPerYear,
    policy: Allocation,
    isl: Tokens,
    osl: Tokens,
    prefill_share: Fraction,
) -> Split {
    let share = match policy {
        Allocation::FullToEach => return Split { input: bill, output: bill },
        Allocation::TimeShare => prefill_share.get(),
        Allocation::Ratio(ratio) => isl.as_f64() / (isl.as_f64() + ratio * osl.as_f64()),
    };
    let input = bill * share;
    Split { input, output: bill - input }
}

/// The two parts of a bill as prices of tokens.
#[must_use]
pub fn token_prices(
    split: Split,
    requests: RequestsPerYear,
    isl: Tokens,
    osl: Tokens,
) -> (UsdPerMillionTokens, UsdPerMillionTokens) {
    (split.input / (requests * isl), split.output / (requests * osl))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_ratio_of_three_as_published() {
        // 87,500 USD a year over 153.3e9 tokens, 12,700 in to 1,300 out:
        // 10.95 million requests; input price = 87,500 / (10.95e6 * (12,700 + 3 * 1,300)).
        let requests = RequestsPerYear::new(153.3e9 / 14_000.0);
        let (isl, osl) = (Tokens::new(12_700), Tokens::new(1_300));
        let bill = UsdPerYear::new(87_500.0);
        let parts = split(bill, Allocation::Ratio(3.0), isl, osl, Fraction::new(0.0));
        let (input, output) = token_prices(parts, requests, isl, osl);
        assert!((input.get() - 0.481).abs() < 5e-4);
        assert!((output.get() - 1.444).abs() < 5e-4);
        assert!((output.get() / input.get() - 3.0).abs() < 1e-9);
    }

    #[test]
    fn time_shares_follow_the_clock() {
        let bill = UsdPerYear::new(100.0);
        let (isl, osl) = (Tokens::new(1), Tokens::new(1));
        let parts = split(bill, Allocation::TimeShare, isl, osl, Fraction::new(0.25));
        assert_eq!(parts, Split { input: UsdPerYear::new(25.0), output: UsdPerYear::new(75.0) });
        let both = split(bill, Allocation::FullToEach, isl, osl, Fraction::new(0.25));
        assert_eq!(both, Split { input: bill, output: bill });
    }

    #[test]
    fn policies_are_read_by_name() {
        assert_eq!("time-share".parse(), Ok(Allocation::TimeShare));
        assert_eq!("ratio:4".parse(), Ok(Allocation::Ratio(4.0)));
        for bad in ["ratio:0", "ratio:-1", "ratio:inf", "ratio:", "halves"] {
            let error = bad.parse::<Allocation>().unwrap_err().to_string();
            assert!(error.ends_with("write time-share, full-to-each or ratio:N"), "{error}");
        }
    }

    proptest! {
        #[test]
        fn the_parts_sum_to_the_bill(
            bill in 0.0..1e9_f64, share in 0.0..=1.0_f64, ratio in 0.01..100.0_f64,
            isl in 1_u64..100_000, osl in 1_u64..100_000, requests in 1.0..1e9_f64,
        ) {
            let bill = UsdPerYear::new(bill);
            let (isl, osl) = (Tokens::new(isl), Tokens::new(osl));
            let requests = RequestsPerYear::new(requests);
            for policy in [Allocation::TimeShare, Allocation::Ratio(ratio)] {
                let parts = split(bill, policy, isl, osl, Fraction::new(share));
                let (input, output) = token_prices(parts, requests, isl, osl);
                let back = input * (requests * isl) + output * (requests * osl);
                prop_assert!((back - bill).get().abs() <= 1e-9 * bill.get());
            }
        }
    }
}
