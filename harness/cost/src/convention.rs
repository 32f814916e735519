//! How the industry's dashboards turn throughput into money.
//!
//! A GPU-hour of a published price, always busy, is charged in full to input tokens and again in
//! full to output tokens. The two do not add up to one bill; [`crate::allocation`] makes some that
//! do.

use crate::facts::rows;
use crate::nearest::nearest;
use freeweights_record::units::{TokensPerSecondPerGpu, UsdPerGpuHour, UsdPerMillionTokens};
use serde::Deserialize;
use std::fmt;
use std::sync::LazyLock;

/// Price of tokens at 100% utilisation.
///
/// `USD per GPU-hour / (tokens/s per GPU * 3600 / 1e6)`; USD per million tokens. With the input
/// rate it is the price of input, with the output rate that of output, and the GPU-hour is in both.
///
/// # Source
/// `InferenceX` (formerly `InferenceMAX`), cost per million tokens.
#[must_use]
pub fn usd_per_million(
    price: UsdPerGpuHour,
    throughput: TokensPerSecondPerGpu,
) -> UsdPerMillionTokens {
    UsdPerMillionTokens::new(price.get() / (throughput.get() * 3_600.0 / 1e6))
}

/// Who owns the GPU of a GPU-hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum Ownership {
    /// A hyperscaler, for itself.
    #[serde(rename = "own hyperscaler")]
    Hyperscaler,
    /// A cloud that rents out nothing but GPUs.
    #[serde(rename = "own neocloud")]
    Neocloud,
    /// Somebody else: it is rented for three years.
    #[serde(rename = "three-year rental")]
    ThreeYearRental,
}

impl fmt::Display for Ownership {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Hyperscaler => "own hyperscaler",
            Self::Neocloud => "own neocloud",
            Self::ThreeYearRental => "three-year rental",
        })
    }
}

/// What the convention charges for an hour of a GPU.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct GpuHour {
    /// The GPU.
    pub device: String,
    /// Who owns it.
    pub tenure: Ownership,
    /// Its price.
    pub usd_per_gpu_hour: UsdPerGpuHour,
    /// Where the row comes from.
    pub source: String,
    /// When that was checked.
    pub checked: String,
}

static GPU_HOURS: LazyLock<Vec<GpuHour>> =
    LazyLock::new(|| rows(include_str!("../data/gpu_hour.csv")));

/// The table of GPU-hours.
#[must_use]
pub fn gpu_hours() -> &'static [GpuHour] {
    &GPU_HOURS
}

/// What the convention charges for an hour of a GPU.
///
/// # Errors
/// The names of devices that look like it.
pub fn gpu_hour(device: &str, tenure: Ownership) -> Result<&'static GpuHour, Vec<String>> {
    let of_tenure = || gpu_hours().iter().filter(|row| row.tenure == tenure);
    of_tenure()
        .find(|row| row.device.eq_ignore_ascii_case(device))
        .ok_or_else(|| nearest(device, of_tenure().map(|row| row.device.as_str())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_dollars_an_hour_at_a_thousand_tokens_a_second() {
        // 2 / (1000 * 3600 / 1e6) = 2 / 3.6
        let price = usd_per_million(UsdPerGpuHour::new(2.0), TokensPerSecondPerGpu::new(1_000.0));
        assert!((price.get() - 0.555_556).abs() < 1e-6);
    }

    #[test]
    fn the_table_knows_every_device_in_every_tenure() {
        use Ownership::{Hyperscaler, Neocloud, ThreeYearRental};
        assert_eq!(gpu_hours().len(), 21);
        assert!(gpu_hours().iter().all(|row| !row.source.is_empty() && !row.checked.is_empty()));
        for row in gpu_hours() {
            for tenure in [Hyperscaler, Neocloud, ThreeYearRental] {
                assert!(gpu_hour(&row.device, tenure).is_ok(), "{} {tenure}", row.device);
            }
        }
        let h200 = gpu_hour("h200", Neocloud).unwrap();
        assert_eq!(h200.usd_per_gpu_hour, UsdPerGpuHour::new(1.74));
        let near = gpu_hour("MI300", ThreeYearRental).unwrap_err();
        assert_eq!(near[0], "MI300X");
    }
}
