//! What a machine draws in a year, busy and idle, and what that costs.

use freeweights_record::units::{
    Fraction, Hours, KilowattHours, Ratio, UsdPerKilowattHour, UsdPerYear, Watts,
};

/// Energy of a year in one state, at the meter of the building.
///
/// `watts * hours * PUE / 1000`; kWh.
///
/// # Source
/// PUE: ISO/IEC 30134-2, all energy of the site over the energy of its computers.
#[must_use]
pub fn energy(power: Watts, time: Hours, pue: Ratio) -> KilowattHours {
    power * time * pue.get()
}

/// Energy of a year that is busy a share of the time.
///
/// `(idle_w * (1 - d) + load_w * d) * PUE * hours / 1000`, with `d` the duty cycle; kWh.
#[must_use]
pub fn energy_of_duty_cycle(
    idle: Watts,
    load: Watts,
    duty: Fraction,
    time: Hours,
    pue: Ratio,
) -> KilowattHours {
    energy(idle, time * (1.0 - duty.get()), pue) + energy(load, time * duty.get(), pue)
}

/// What the energy of a year costs.
#[must_use]
pub fn yearly_energy_cost(energy: KilowattHours, price: UsdPerKilowattHour) -> UsdPerYear {
    UsdPerYear::new((price * energy).get())
}

/// Mean power while busy, of two phases that share the time.
///
/// `prefill_w * s + decode_w * (1 - s)`, with `s` the share of busy time spent in prefill.
#[must_use]
pub fn mean_load(prefill: Watts, decode: Watts, prefill_share: Fraction) -> Watts {
    prefill * prefill_share.get() + decode * (1.0 - prefill_share.get())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_quarter_of_the_year_busy() {
        // (100 * 0.75 + 500 * 0.25) W * 1.2 * 8760 h = 200 W * 10512 h = 2102.4 kWh
        let energy = energy_of_duty_cycle(
            Watts::new(100.0),
            Watts::new(500.0),
            Fraction::new(0.25),
            Hours::new(8_760.0),
            Ratio::new(1.2),
        );
        assert!((energy.get() - 2_102.4).abs() < 1e-9);
        let cost = yearly_energy_cost(energy, UsdPerKilowattHour::new(0.5));
        assert!((cost.get() - 1_051.2).abs() < 1e-9);
    }

    #[test]
    fn phases_share_the_busy_time() {
        // 600 * 0.25 + 400 * 0.75 = 450
        let load = mean_load(Watts::new(600.0), Watts::new(400.0), Fraction::new(0.25));
        assert_eq!(load, Watts::new(450.0));
    }

    proptest! {
        #[test]
        fn energy_rises_with_power_and_with_pue(
            idle in 0.0..1e3_f64, load in 0.0..1e4_f64, more in 0.0..1e3_f64,
            duty in 0.0..1.0_f64, pue in 1.0..3.0_f64,
        ) {
            let at = |idle, load, pue| energy_of_duty_cycle(
                Watts::new(idle), Watts::new(load), Fraction::new(duty), Hours::new(8_760.0),
                Ratio::new(pue),
            ).get();
            prop_assert!(at(idle + more, load, pue) >= at(idle, load, pue));
            prop_assert!(at(idle, load + more, pue) >= at(idle, load, pue));
            prop_assert!(at(idle, load, pue + more) >= at(idle, load, pue));
        }
    }
}
