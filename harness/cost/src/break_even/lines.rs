//! The two bills as lines over the volume, one of ours for each number of machines.

use super::{Hosted, SelfHosted};
use freeweights_record::units::{RequestsPerYear, UsdPerRequest, UsdPerYear};

/// The two bills as lines: on step `k` their gap is `overhead + per_machine * k - margin * V`.
#[derive(Clone, Copy)]
pub(super) struct Lines {
    /// What a request costs more at the API.
    pub(super) margin: UsdPerRequest,
    /// What is paid before the first serving machine, beyond what the API takes for nothing.
    overhead: UsdPerYear,
    /// What each machine costs.
    per_machine: UsdPerYear,
    /// What one machine serves.
    capacity: RequestsPerYear,
    /// What a full machine saves on its requests.
    full: UsdPerYear,
    /// The same beyond its own cost.
    gain: UsdPerYear,
}

impl Lines {
    pub(super) fn of(own: SelfHosted, api: Hosted) -> Self {
        let margin = api.per_request - own.per_request;
        let full = margin * own.capacity;
        Self {
            margin,
            overhead: own.shared + own.per_machine * own.spares.as_f64() - api.fixed,
            per_machine: own.per_machine,
            capacity: own.capacity,
            full,
            gain: full - own.per_machine,
        }
    }

    /// Whether a step starts at or below the API's line, at the volume `(k - 1) * capacity`.
    fn starts_below(&self, step: f64) -> bool {
        self.gain * step >= self.overhead + self.full
    }

    /// Whether it ends there, at the volume `k * capacity`.
    fn ends_below(&self, step: f64) -> bool {
        self.gain * step >= self.overhead
    }

    /// Whether self-hosting becomes the cheaper on this step.
    pub(super) fn crosses(&self, step: f64) -> bool {
        let cheaper = self.starts_below(step) || self.ends_below(step);
        cheaper && (step <= 1.0 || !self.ends_below(step - 1.0) || !self.starts_below(step))
    }

    /// The lowest volume of a step at which self-hosting is no dearer.
    pub(super) fn entry(&self, step: f64) -> RequestsPerYear {
        let start = self.capacity * (step - 1.0);
        if self.margin.get() <= 0.0 {
            return start;
        }
        let volume = (self.overhead + self.per_machine * step).get() / self.margin.get();
        RequestsPerYear::new(volume.max(start.get()))
    }

    /// The gap at which a step counts: that of its end, or of its start where the API's requests
    /// are the cheaper ones.
    fn bar(&self) -> UsdPerYear {
        if self.margin.get() > 0.0 { self.overhead } else { self.overhead + self.full }
    }

    /// The first `k >= 1` with `k * gain >= bar`.
    pub(super) fn first_step(&self) -> Option<f64> {
        let (gain, bar) = (self.gain, self.bar());
        if gain >= bar {
            Some(1.0)
        } else if gain.get() > 0.0 {
            Some((bar / gain).ceil())
        } else {
            None
        }
    }

    /// Where the crossings after the first begin, if there are any.
    ///
    /// Machines that cost more than they save lose the lead that the fixed parts gave them, so
    /// steps that lie below the API's line altogether come between.
    pub(super) fn next_step(&self, first: f64) -> f64 {
        if self.gain.get() >= 0.0 || self.crosses(first + 1.0) {
            return first + 1.0;
        }
        // The first step that starts above, or the one after the first that ends above.
        let above = if self.margin.get() > 0.0 {
            (self.overhead + self.full) / self.gain
        } else {
            self.overhead / self.gain + 1.0
        };
        let step = above.floor().max(first + 1.0);
        if self.crosses(step) { step } else { step + 1.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::break_even::{BreakEven, break_even, first_break_even};
    use crate::figure::Machines;
    use proptest::prelude::*;

    /// The first volume at which a scan of the two bills finds self-hosting no dearer.
    fn scanned(own: SelfHosted, api: Hosted) -> Option<f64> {
        const PARTS: u32 = 64;
        let capacity = own.capacity.get();
        let cheaper = |volume: f64| {
            let volume = RequestsPerYear::new(volume);
            let hosted = api.fixed + api.per_request * volume;
            own.bill_at(volume).is_some_and(|bill| bill <= hosted)
        };
        (0..own.machines_max.get())
            .flat_map(|step| (0..=PARTS).map(move |part| (step, part)))
            .map(|(step, part)| {
                // The start of a step belongs to the one before it; a hair later does not.
                let part = if part == 0 && step > 0 { 1e-6 } else { f64::from(part) };
                (f64::from(step) + part / f64::from(PARTS)) * capacity
            })
            .find(|volume| cheaper(*volume))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]
        #[test]
        fn the_first_crossing_is_what_a_scan_of_the_bills_finds(
            shared in 0.0..20.0_f64, per_machine in -3.0..10.0_f64, marginal in -0.5..1.0_f64,
            price in 0.0..2.0_f64, fixed in 0.0..20.0_f64, capacity in 1.0..20.0_f64,
            spares in 0_u32..3, most in 1_u32..30,
        ) {
            let own = SelfHosted {
                shared: UsdPerYear::new(shared),
                per_machine: UsdPerYear::new(per_machine),
                per_request: UsdPerRequest::new(marginal),
                capacity: RequestsPerYear::new(capacity),
                spares: Machines::new(spares),
                machines_max: Machines::new(most),
            };
            let api = Hosted { fixed: UsdPerYear::new(fixed), per_request: UsdPerRequest::new(price) };
            let ours = first_break_even(own, api).map(RequestsPerYear::get);
            let list = match break_even(own, api) {
                BreakEven::At(list) => list,
                BreakEven::Never(_) => Vec::new(),
            };
            prop_assert_eq!(ours, list.first().map(|first| first.requests_per_year.get()));
            // A scan sees no crossing that lies between its last point and the end of a step.
            match (ours, scanned(own, api)) {
                (None, found) => prop_assert_eq!(found, None),
                (Some(ours), Some(found)) => {
                    prop_assert!(ours <= found + 1e-9 * found && found - ours <= capacity / 63.0,
                        "{ours} against {found}");
                }
                (Some(ours), None) => {
                    let end = capacity * f64::from(most);
                    prop_assert!((ours - end).abs() <= 1e-6 * end, "{ours} against none");
                }
            }
        }

        #[test]
        fn every_crossing_is_what_a_walk_over_the_steps_finds(
            shared in 0.0..20.0_f64, per_machine in -3.0..10.0_f64, margin in -1.0..2.0_f64,
            fixed in 0.0..40.0_f64, capacity in 1.0..20.0_f64, most in 1_u32..60,
        ) {
            let own = SelfHosted {
                shared: UsdPerYear::new(shared),
                per_machine: UsdPerYear::new(per_machine),
                per_request: UsdPerRequest::new(0.0),
                capacity: RequestsPerYear::new(capacity),
                spares: Machines::new(0),
                machines_max: Machines::new(most),
            };
            let api = Hosted { fixed: UsdPerYear::new(fixed), per_request: UsdPerRequest::new(margin) };
            let gap = |step: u32, volume: f64| {
                shared + per_machine * f64::from(step) - fixed - margin * volume
            };
            let walked: Vec<u32> = (1..=most)
                .filter(|&step| {
                    let (start, end) = (f64::from(step - 1) * capacity, f64::from(step) * capacity);
                    let above_before = step == 1 || gap(step - 1, start) > 0.0;
                    let (starts, ends) = (gap(step, start) <= 0.0, gap(step, end) <= 0.0);
                    (starts && above_before) || (!starts && ends)
                })
                .collect();
            let ours: Vec<u32> = match break_even(own, api) {
                BreakEven::At(list) => list.iter().map(|one| one.machines.get()).collect(),
                BreakEven::Never(_) => Vec::new(),
            };
            prop_assert_eq!(ours, walked);
        }
    }
}
