//! From values to places along an axis.

use plotters::coord::combinators::LogCoord;
use plotters::coord::ranged1d::Ranged;
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::IntoLogRange;

/// A straight or a logarithmic scale.
pub(crate) enum Axis {
    Linear { scale: RangedCoordf64, ends: (f64, f64) },
    Log { scale: LogCoord<f64>, ends: (f64, f64) },
}

impl Axis {
    /// From `low` to `high`, a little further where they are the same.
    pub(crate) fn linear(low: f64, high: f64) -> Self {
        let (low, high) = if high > low { (low, high) } else { (low - 0.5, low + 0.5) };
        Self::Linear { scale: (low..high).into(), ends: (low, high) }
    }

    /// From `low` to `high`, both above zero, a little further where they are the same.
    pub(crate) fn log(low: f64, high: f64) -> Self {
        let low = low.max(f64::MIN_POSITIVE);
        let (low, high) =
            if high > low * 1.2 { (low, high) } else { (low / 2.0, high.max(low) * 2.0) };
        Self::Log { scale: (low..high).log_scale().into(), ends: (low, high) }
    }

    /// The two ends.
    pub(crate) const fn ends(&self) -> (f64, f64) {
        match self {
            Self::Linear { ends, .. } | Self::Log { ends, .. } => *ends,
        }
    }

    /// The pixel of a value between two pixels; what lies beyond an end lies on it.
    pub(crate) fn at(&self, value: f64, pixels: (i32, i32)) -> i32 {
        let (low, high) = self.ends();
        let value = value.clamp(low, high);
        match self {
            Self::Linear { scale, .. } => scale.map(&value, pixels),
            Self::Log { scale, .. } => scale.map(&value, pixels),
        }
    }

    /// Round values to write beside the axis, about as many as asked for.
    pub(crate) fn ticks(&self, about: usize) -> Vec<f64> {
        match self {
            Self::Linear { scale, .. } => scale.key_points(about),
            Self::Log { ends: (low, high), .. } => {
                // Within a decade there may be too few round ones: then evenly, as on a straight one.
                if high / low < 10.0 {
                    Self::linear(*low, *high).ticks(about)
                } else {
                    logarithmic(*low, *high, about)
                }
            }
        }
    }
}

/// Powers of ten, with 2 and 5 between them where there is room, or every so many where there is
/// none. (Those of plotters come in ninths of a decade.)
fn logarithmic(low: f64, high: f64, about: usize) -> Vec<f64> {
    let decades = (high / low).log10();
    #[expect(clippy::cast_possible_truncation, reason = "the logarithm of a finite f64")]
    let (first, last) = (low.log10().floor() as i32, high.log10().ceil() as i32);
    let about = about.max(2) as f64;
    let steps: &[f64] = if decades * 3.0 <= about {
        &[1.0, 2.0, 5.0]
    } else if decades < 3.0 {
        &[1.0, 3.0]
    } else {
        &[1.0]
    };
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a small count above zero"
    )]
    let every = (decades / about).ceil().max(1.0) as usize;
    let inside = |value: &f64| *value >= low * (1.0 - 1e-9) && *value <= high * (1.0 + 1e-9);
    (first..=last)
        .step_by(every)
        .flat_map(|power| steps.iter().map(move |step| step * 10_f64.powi(power)))
        .filter(inside)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_lie_in_proportion_or_in_decades() {
        let linear = Axis::linear(0.0, 10.0);
        assert_eq!(
            [0.0, 2.5, 10.0, 99.0, -1.0].map(|v| linear.at(v, (100, 500))),
            [100, 200, 500, 500, 100]
        );
        let log = Axis::log(1.0, 10_000.0);
        assert_eq!([1.0, 10.0, 100.0, 1e9].map(|v| log.at(v, (0, 400))), [0, 100, 200, 400]);
        // The vertical axis runs upwards.
        assert_eq!(log.at(10.0, (400, 0)), 300);
    }

    #[test]
    fn ticks_are_round_and_not_too_many() {
        assert_eq!(Axis::log(3.0, 40.0).ticks(6), [5.0, 10.0, 20.0]);
        assert_eq!(Axis::log(3.0, 540.0).ticks(6), [3.0, 10.0, 30.0, 100.0, 300.0]);
        assert!(Axis::log(110.0, 190.0).ticks(6).len() >= 3);
        assert_eq!(Axis::log(1.0, 1e6).ticks(4), [1.0, 100.0, 1e4, 1e6]);
        let few = Axis::log(0.000_2, 7e9).ticks(5);
        assert!((2..=7).contains(&few.len()), "{few:?}");
        assert_eq!(Axis::linear(0.0, 1.0).ticks(5), [0.0, 0.5, 1.0]);
    }

    #[test]
    fn one_value_alone_has_an_axis_too() {
        assert_eq!(Axis::log(4.0, 4.0).at(4.0, (0, 100)), 50);
        assert_eq!(Axis::linear(4.0, 4.0).at(4.0, (0, 100)), 50);
    }
}
