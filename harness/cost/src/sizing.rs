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
    // A hair below the whole number is the whole number: 3.0000000001 machines are 3.
    let needed = (peak / capacity * (1.0 - 1e-12)).ceil().max(1.0);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "at least one; the cast saturates"
    )]
    Machines::new(needed as u32)
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
