//! The volume, or the share, from which something holds.

use freeweights_record::units::{Fraction, RequestsPerDay};

/// Halvings: enough for the last digit of a real number.
const STEPS: u32 = 200;

/// The lowest demand from which something holds.
///
/// It is looked for between a thousandth of a request and 1e12 requests a day, the most a scenario
/// may have, and has to hold from somewhere on. `None` where it holds for all of them or for none.
pub(super) fn first_volume(holds: impl Fn(RequestsPerDay) -> bool) -> Option<RequestsPerDay> {
    let holds = |exponent: f64| holds(RequestsPerDay::new(exponent.exp()));
    bisect(1e-3_f64.ln(), 1e12_f64.ln(), holds).map(|at| RequestsPerDay::new(at.exp()))
}

/// The lowest share from which something holds; `None` as for [`first_volume`].
pub(super) fn first_share(
    low: Fraction,
    high: Fraction,
    holds: impl Fn(Fraction) -> bool,
) -> Option<Fraction> {
    bisect(low.get(), high.get(), |share| holds(Fraction::new(share))).map(Fraction::new)
}

fn bisect(mut low: f64, mut high: f64, holds: impl Fn(f64) -> bool) -> Option<f64> {
    if holds(low) || !holds(high) {
        return None;
    }
    for _ in 0..STEPS {
        let middle = low + (high - low) / 2.0;
        if middle <= low || middle >= high {
            break;
        }
        if holds(middle) {
            high = middle;
        } else {
            low = middle;
        }
    }
    Some(high)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_that_holds_is_found_to_the_last_digits() {
        let at = first_volume(|volume| volume.get() >= 4_321.0).unwrap().get();
        assert!((at / 4_321.0 - 1.0).abs() < 1e-12, "{at}");
        assert_eq!(first_volume(|_| true), None);
        assert_eq!(first_volume(|_| false), None);
        let half = first_share(Fraction::new(0.0), Fraction::new(1.0), |share| share.get() > 0.5);
        assert!((half.unwrap().get() - 0.5).abs() < 1e-12);
    }
}
