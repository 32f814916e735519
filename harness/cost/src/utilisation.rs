//! How much of what is paid for is used.

use freeweights_record::units::{
    Fraction, Hours, RequestsPerSecond, RequestsPerYear, UsdPerMillionTokens,
};

use crate::figure::Machines;

/// Hours that machines are busy with a year's requests.
///
/// `requests / (capacity * 3600)`; hours, over all machines together.
#[must_use]
pub fn busy_hours(demand: RequestsPerYear, capacity: RequestsPerSecond) -> Hours {
    Hours::new(demand.get() / (capacity.get() * 3600.0))
}

/// Share of the paid machine hours that are busy.
///
/// `busy / (machines * hours)`; with one mix of requests this equals useful tokens over the tokens
/// the machines could make in that time.
#[must_use]
pub fn utilisation(busy: Hours, machines: Machines, time: Hours) -> Fraction {
    Fraction::new(busy.get() / (machines.as_f64() * time.get()))
}

/// Cost of tokens on hardware whose cost is fixed, below saturation.
///
/// `C(U) = C(1) / U`, exactly. It holds for the fixed part of a bill only.
#[must_use]
pub fn cost_at(utilisation: Fraction, saturated: UsdPerMillionTokens) -> UsdPerMillionTokens {
    saturated / utilisation.get()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn half_of_two_machines() {
        // 31.536 million requests at 1 a second are 8760 h: one of two machines all year.
        let busy = busy_hours(RequestsPerYear::new(31.536e6), RequestsPerSecond::new(1.0));
        assert!((busy.get() - 8_760.0).abs() < 1e-9);
        let share = utilisation(busy, Machines::new(2), Hours::new(8_760.0));
        assert!((share.get() - 0.5).abs() < 1e-12);
    }

    proptest! {
        #[test]
        fn a_fixed_bill_over_fewer_tokens(bill in 1.0..1e6_f64, full in 1e6..1e15_f64, share in 0.001..1.0_f64) {
            let saturated = UsdPerMillionTokens::new(bill / full * 1e6);
            let direct = bill / (full * share) * 1e6;
            let ours = cost_at(Fraction::new(share), saturated).get();
            prop_assert!((ours / direct - 1.0).abs() < 1e-12);
        }
    }
}
