//! How many machines a demand needs.

use crate::figure::Machines;
use freeweights_record::units::{Fraction, Ratio, RequestsPerDay, RequestsPerSecond};

/// Rate of the busiest time, from the mean and how far the peak stands above it.
///
/// `mean * peak_to_mean`; requests per second.
#[must_use]
pub fn peak_rate(mean: RequestsPerSecond, peak_to_mean: Ratio) -> RequestsPerSecond {
    mean * peak_to_mean.get()
}

/// Rate of the busiest hour, from the share of the day's requests that fall into it.
///
/// `requests per day * share / 3600`; requests per second.
#[must_use]
pub fn busiest_hour_rate(demand: RequestsPerDay, share: Fraction) -> RequestsPerSecond {
    RequestsPerSecond::new(demand.get() * share.get() / 3600.0)
}

/// Machines that carry the peak, at least one.
///
/// `ceil(peak / capacity)`. Spares come after the ceil, never before it.
#[must_use]
pub fn machines_for(peak: RequestsPerSecond, capacity: RequestsPerSecond) -> Machines {
    whole_machines(peak / capacity)
}

/// Machines for so many of them: the next whole number, at least one.
pub(crate) fn whole_machines(needed: f64) -> Machines {
    Machines::new(rounded_up(needed).max(1))
}

/// The next whole number, where a hair above one is that one: 3.0000000001 is 3.
///
/// Without a call of `ceil`, which is one on processors of the oldest kind: this is asked for every
/// drawn scenario.
pub(crate) fn rounded_up(value: f64) -> u32 {
    let value = value * (1.0 - 1e-12);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the cast saturates, at 0 too"
    )]
    let below = value as u32;
    below.saturating_add(u32::from(f64::from(below) < value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fifth_of_the_day_in_one_hour() {
        // 120,000 * 0.2 / 3600 = 6.667 requests/s; at 2.5 each that is 2.67, so 3.
        let peak = busiest_hour_rate(RequestsPerDay::new(120_000.0), Fraction::new(0.2));
        assert!((peak.get() - 6.667).abs() < 1e-3);
        assert_eq!(machines_for(peak, RequestsPerSecond::new(2.5)), Machines::new(3));
    }

    #[test]
    fn the_peak_decides_and_one_machine_is_the_least() {
        let peak = peak_rate(RequestsPerSecond::new(2.0), Ratio::new(1.5));
        assert_eq!(machines_for(peak, RequestsPerSecond::new(1.0)), Machines::new(3));
        let little = RequestsPerSecond::new(1e-6);
        assert_eq!(machines_for(little, RequestsPerSecond::new(1.0)), Machines::new(1));
    }
}
