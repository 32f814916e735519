//! Input and output tokens of each request.

use freeweights_record::units::Tokens;
use rand::Rng;
use rand_distr::{Distribution as _, LogNormal};
use std::fmt;
use std::str::FromStr;

/// How lengths vary around their mean.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Spread {
    /// Not at all.
    #[default]
    Fixed,
    /// Evenly, by this share of the mean down and up.
    Uniform(f64),
    /// By a log-normal law whose logarithm deviates by this; the mean stays.
    LogNormal(f64),
}

impl FromStr for Spread {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |kind: &str, most: f64| {
            let value = text.strip_prefix(kind)?.parse::<f64>().ok()?;
            (value > 0.0 && value <= most).then_some(value)
        };
        match (text, number("uniform:", 1.0), number("lognormal:", 3.0)) {
            ("fixed", ..) => Ok(Self::Fixed),
            (_, Some(share), _) => Ok(Self::Uniform(share)),
            (.., Some(sigma)) => Ok(Self::LogNormal(sigma)),
            _ => Err(
                "give fixed, uniform:SHARE up to 1 as in uniform:0.5, or lognormal:SIGMA up to 3"
                    .into(),
            ),
        }
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed => f.write_str("fixed"),
            Self::Uniform(share) => write!(f, "uniform:{share}"),
            Self::LogNormal(sigma) => write!(f, "lognormal:{sigma}"),
        }
    }
}

/// Mean lengths and how they vary.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Lengths {
    /// Input tokens, on average.
    pub isl: Tokens,
    /// Output tokens, on average.
    pub osl: Tokens,
    /// Around both.
    pub spread: Spread,
}

impl Lengths {
    /// Lengths of the next request; at least one token each.
    pub(crate) fn draw(&self, random: &mut impl Rng) -> (Tokens, Tokens) {
        (self.one(self.isl, random), self.one(self.osl, random))
    }

    fn one(&self, mean: Tokens, random: &mut impl Rng) -> Tokens {
        let length = match self.spread {
            Spread::Fixed => return mean,
            Spread::Uniform(share) => {
                mean.as_f64() * random.random_range(1.0 - share..=1.0 + share)
            }
            Spread::LogNormal(sigma) => {
                // The mean of a log-normal is exp(mu + sigma^2 / 2).
                let law = LogNormal::new(mean.as_f64().ln() - sigma * sigma / 2.0, sigma)
                    .expect("invariant: a mean of at least one token, and a finite deviation");
                law.sample(random)
            }
        };
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "at least 1, and a cast of what is too large saturates"
        )]
        let tokens = length.round().max(1.0) as u64;
        Tokens::new(tokens)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand::rngs::SmallRng;

    #[test]
    fn means_stay_where_they_are() {
        for spread in ["fixed", "uniform:0.5", "lognormal:0.8"] {
            let spread: Spread = spread.parse().unwrap();
            let lengths = Lengths { isl: Tokens::new(512), osl: Tokens::new(100), spread };
            let mut random = SmallRng::seed_from_u64(1);
            let all: Vec<_> = (0..50_000).map(|_| lengths.draw(&mut random)).collect();
            let isl = all.iter().map(|(isl, _)| isl.as_f64()).sum::<f64>() / 50_000.0;
            let osl = all.iter().map(|(_, osl)| osl.as_f64()).sum::<f64>() / 50_000.0;
            assert!((isl / 512.0 - 1.0).abs() < 0.02, "{spread} {isl}");
            assert!((osl / 100.0 - 1.0).abs() < 0.02, "{spread} {osl}");
            let varies = all.iter().any(|pair| *pair != all[0]);
            assert_eq!(varies, spread != Spread::Fixed);
        }
        for wrong in ["uniform:2", "lognormal:0", "normal"] {
            assert!(wrong.parse::<Spread>().is_err(), "{wrong}");
        }
    }
}
