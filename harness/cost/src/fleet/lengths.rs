//! How long the requests of a drawn demand are.

use super::error::FleetError;
use crate::trace::{Request, Trace};
use freeweights_record::units::{Quantity, Ratio, Tokens, TokensPerRequest};
use rand::Rng;
use rand::rngs::SmallRng;

/// One length, input or output.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Length {
    /// Always the same.
    Fixed(Tokens),
    /// Log-normal: `mean * exp(s z - s^2 / 2)`, with `s^2 = ln(1 + variation^2)`, rounded.
    LogNormal {
        /// Its mean.
        mean: TokensPerRequest,
        /// Standard deviation over mean.
        variation: Ratio,
        /// The longest: what is drawn beyond is drawn again.
        most: Tokens,
    },
}

/// The lengths of requests.
#[derive(Debug, Clone)]
pub enum Lengths {
    /// Input and output drawn by themselves.
    Drawn {
        /// Input tokens.
        isl: Length,
        /// Output tokens.
        osl: Length,
    },
    /// Requests of a trace, picked at random: input and output stay together.
    Picked(Vec<Request>),
}

impl Lengths {
    /// All requests of one length.
    #[must_use]
    pub const fn fixed(isl: Tokens, osl: Tokens) -> Self {
        Self::Drawn { isl: Length::Fixed(isl), osl: Length::Fixed(osl) }
    }

    /// Those of a trace.
    #[must_use]
    pub fn of_trace(trace: &Trace) -> Self {
        Self::Picked(trace.requests().to_vec())
    }

    /// Refuses lengths that mean nothing.
    ///
    /// # Errors
    /// [`FleetError::OutOfRange`].
    pub fn check(&self) -> Result<(), FleetError> {
        let Self::Drawn { isl, osl } = self else { return Ok(()) };
        for (name, length) in [("input tokens", isl), ("output tokens", osl)] {
            let value = match length {
                Length::Fixed(tokens) => tokens.as_f64(),
                Length::LogNormal { mean, variation, most } => {
                    if !(variation.get() >= 0.0 && variation.get() <= 20.0) {
                        let value = variation.get().to_string();
                        let rule = "their variation must be between 0 and 20";
                        return Err(FleetError::OutOfRange { name, value, rule });
                    }
                    mean.as_f64().min(most.as_f64())
                }
            };
            if !(1.0..=1e9).contains(&value) {
                let rule = "they must be between 1 and 1e9";
                return Err(FleetError::OutOfRange { name, value: value.to_string(), rule });
            }
        }
        Ok(())
    }

    pub(super) fn picker(&self) -> Picker<'_> {
        match self {
            Self::Drawn { isl, osl } => Picker::Drawn(Bell::of(*isl), Bell::of(*osl)),
            Self::Picked(requests) => Picker::Picked(requests),
        }
    }
}

/// Draws lengths.
pub(super) enum Picker<'a> {
    Drawn(Bell, Bell),
    Picked(&'a [Request]),
}

impl Picker<'_> {
    #[inline]
    pub(super) fn pick(&self, rng: &mut SmallRng) -> (u32, u32) {
        match self {
            Self::Drawn(isl, osl) => (isl.draw(rng), osl.draw(rng)),
            Self::Picked(requests) => {
                let request = &requests[rng.random_range(0..requests.len())];
                (whole(request.isl.as_f64()), whole(request.osl.as_f64()))
            }
        }
    }
}

/// A log-normal length as it is drawn; of no width where it is fixed.
#[derive(Clone, Copy)]
pub(super) struct Bell {
    median: f64,
    width: f64,
    most: f64,
}

/// How often a length beyond the longest is drawn again before the longest is taken.
const TRIES: u32 = 100;

impl Bell {
    fn of(length: Length) -> Self {
        match length {
            Length::Fixed(tokens) => {
                Self { median: tokens.as_f64(), width: 0.0, most: f64::INFINITY }
            }
            Length::LogNormal { mean, variation, most } => {
                let square = (1.0 + variation.get() * variation.get()).ln();
                let median = mean.get() * (-square / 2.0).exp();
                Self { median, width: square.sqrt(), most: most.as_f64() }
            }
        }
    }

    #[inline]
    fn draw(&self, rng: &mut SmallRng) -> u32 {
        if self.width <= 0.0 {
            return whole(self.median);
        }
        for _ in 0..TRIES {
            let length = self.median * (self.width * normal(rng)).exp();
            if length <= self.most {
                return whole(length);
            }
        }
        whole(self.most)
    }
}

/// A length in tokens, at least one.
#[inline]
fn whole(length: f64) -> u32 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it saturates")]
    let tokens = (length + 0.5) as u32;
    tokens.max(1)
}

/// A draw from the standard normal distribution, by the polar method.
///
/// # Source
/// G. Marsaglia and T. A. Bray, SIAM Review 6 (1964), 260.
#[inline]
pub(super) fn normal(rng: &mut impl Rng) -> f64 {
    loop {
        let (x, y): (f64, f64) = (rng.random(), rng.random());
        let (x, y) = (2.0 * x - 1.0, 2.0 * y - 1.0);
        let square = x * x + y * y;
        if square > 0.0 && square < 1.0 {
            return x * (-2.0 * square.ln() / square).sqrt();
        }
    }
}

/// A draw from the gamma distribution of this shape and scale 1.
///
/// # Source
/// G. Marsaglia and W. W. Tsang, ACM Transactions on Mathematical Software 26 (2000), 363; below a
/// shape of 1 by their `gamma(shape + 1) * U^(1 / shape)`.
pub(super) fn gamma(shape: f64, rng: &mut impl Rng) -> f64 {
    if shape < 1.0 {
        let uniform: f64 = rng.random();
        return gamma(shape + 1.0, rng) * uniform.powf(1.0 / shape);
    }
    let d = shape - 1.0 / 3.0;
    let c = 1.0 / (9.0 * d).sqrt();
    loop {
        let x = normal(rng);
        let v = (1.0 + c * x).powi(3);
        let uniform: f64 = rng.random();
        if v > 0.0 && (1.0 - uniform).ln() < 0.5 * x * x + d - d * v + d * v.ln() {
            return d * v;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    fn moments(mut draw: impl FnMut(&mut SmallRng) -> f64) -> (f64, f64) {
        let mut rng = SmallRng::seed_from_u64(9);
        let draws: Vec<f64> = (0..200_000).map(|_| draw(&mut rng)).collect();
        let mean = draws.iter().sum::<f64>() / draws.len() as f64;
        let square = draws.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / draws.len() as f64;
        (mean, square.sqrt())
    }

    #[test]
    fn draws_have_their_moments() {
        let (mean, deviation) = moments(normal);
        assert!(mean.abs() < 0.01 && (deviation - 1.0).abs() < 0.01);
        for shape in [0.25, 1.0, 4.0] {
            let (mean, deviation) = moments(|rng| gamma(shape, rng));
            assert!((mean / shape - 1.0).abs() < 0.02, "{shape}: {mean}");
            assert!((deviation / shape.sqrt() - 1.0).abs() < 0.02, "{shape}: {deviation}");
        }
        let mean = TokensPerRequest::new(1_000.0);
        let (variation, most) = (Ratio::new(0.8), Tokens::new(1_000_000));
        let bell = Bell::of(Length::LogNormal { mean, variation, most });
        let (mean, deviation) = moments(|rng| f64::from(bell.draw(rng)));
        assert!((mean / 1_000.0 - 1.0).abs() < 0.01 && (deviation / 800.0 - 1.0).abs() < 0.03);
    }

    #[test]
    fn nothing_is_longer_than_the_longest() {
        let mean = TokensPerRequest::new(100.0);
        let (variation, most) = (Ratio::new(2.0), Tokens::new(120));
        let bell = Bell::of(Length::LogNormal { mean, variation, most });
        let mut rng = SmallRng::seed_from_u64(2);
        assert!((0..10_000).all(|_| (1..=120).contains(&bell.draw(&mut rng))));
    }

    #[test]
    fn lengths_without_meaning_are_refused() {
        assert!(Lengths::fixed(Tokens::new(0), Tokens::new(1)).check().is_err());
        let lengths = |variation| Lengths::Drawn {
            isl: Length::Fixed(Tokens::new(5)),
            osl: Length::LogNormal {
                mean: TokensPerRequest::new(50.0),
                variation: Ratio::new(variation),
                most: Tokens::new(100),
            },
        };
        assert_eq!(lengths(1.0).check(), Ok(()));
        insta::assert_snapshot!(lengths(f64::NAN).check().unwrap_err(), @"output tokens is NaN, but their variation must be between 0 and 20; give another value");
    }
}
