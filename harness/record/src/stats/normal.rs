//! The standard normal distribution.

use statrs::distribution::{ContinuousCDF, Normal};

/// Chance of more than `z`.
pub(super) fn above(z: f64) -> f64 {
    Normal::standard().sf(z)
}
