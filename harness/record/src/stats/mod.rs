//! Statistics that name their convention, keep their unit, and refuse too few samples.

mod bootstrap;
mod fences;
mod moments;
pub(crate) mod normal;
mod pace;
mod percentile;
mod series;
mod student;
mod trend;

pub use bootstrap::{Interval, RESAMPLES, bootstrap_t_interval};
pub use fences::beyond_outer_fences;
pub use moments::{mean, sample_stddev};
pub use pace::{RUNS_NEEDED, Timed, at_another_moment, at_another_run, pace_spread};
pub use percentile::{Percentile, median, percentile_linear};
pub use series::{autocorrelation, series_interval};
pub use trend::{Trend, mann_kendall, theil_sen_drift};

use thiserror::Error;

/// Why a figure cannot be given. It becomes an empty cell, never 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum NoValue {
    /// Fewer samples than the statistic needs to mean anything.
    #[error("{have} samples, {needed} needed")]
    TooFewSamples {
        /// The smallest number of samples the statistic is given for.
        needed: usize,
        /// How many there were.
        have: usize,
    },
    /// Fewer tokens than the metric is defined for.
    #[error("{have} tokens, {needed} needed")]
    TooFewTokens {
        /// The smallest number of tokens the metric is defined for.
        needed: u64,
        /// How many there were.
        have: u64,
    },
    /// A sample, or the result, is not a finite number.
    #[error("not a finite number")]
    NotFinite,
}

/// Refuses slices that are too short or hold something that is no number.
fn check<Q: crate::units::Quantity>(samples: &[Q], needed: usize) -> Result<(), NoValue> {
    if samples.len() < needed {
        return Err(NoValue::TooFewSamples { needed, have: samples.len() });
    }
    if samples.iter().any(|x| !x.as_f64().is_finite()) {
        return Err(NoValue::NotFinite);
    }
    Ok(())
}
