//! From which volume, and after which time, self-hosting is the cheaper.

mod lines;

use crate::figure::Machines;
use crate::sizing::whole_machines;
use freeweights_record::units::{
    Hours, RequestsPerYear, Usd, UsdPerHour, UsdPerRequest, UsdPerYear,
};
use lines::Lines;
use serde::{Deserialize, Serialize};

/// The self-hosted side: a staircase in machines with a slope for the energy of each request.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct SelfHosted {
    /// What is paid whatever the number of machines: staff, training, shared licences, network.
    #[serde(rename = "shared_usd_per_year")]
    pub shared: UsdPerYear,
    /// What each machine costs, used or not.
    #[serde(rename = "per_machine_usd_per_year")]
    pub per_machine: UsdPerYear,
    /// What each request adds: energy beyond idle, and batch work it takes the place of.
    #[serde(rename = "per_request_usd")]
    pub per_request: UsdPerRequest,
    /// What one machine serves in a year, room for the peak left.
    #[serde(rename = "capacity_requests_per_year")]
    pub capacity: RequestsPerYear,
    /// Machines that are paid and serve nothing.
    pub spares: Machines,
    /// The most serving machines the scenario has.
    pub machines_max: Machines,
}

impl SelfHosted {
    /// The bill of a year at a volume, on as many machines as serve it.
    ///
    /// `shared + (ceil(V / capacity) + spares) * per_machine + V * per_request`; `None` beyond the
    /// machines of the scenario.
    #[must_use]
    pub fn bill_at(&self, volume: RequestsPerYear) -> Option<UsdPerYear> {
        let serving = self.serving(volume);
        (serving <= self.machines_max).then(|| {
            let machines = serving.as_f64() + self.spares.as_f64();
            self.shared + self.per_machine * machines + self.per_request * volume
        })
    }

    /// Machines that serve a volume, at least one: `ceil(V / capacity)`.
    #[must_use]
    pub fn serving(&self, volume: RequestsPerYear) -> Machines {
        whole_machines(volume / self.capacity)
    }
}

/// The API side.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hosted {
    /// What is paid whatever the volume.
    pub fixed: UsdPerYear,
    /// What each request costs.
    pub per_request: UsdPerRequest,
}

/// A volume from which self-hosting is the cheaper, on so many machines.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Crossing {
    /// The volume.
    pub requests_per_year: RequestsPerYear,
    /// The machines that serve it.
    pub machines: Machines,
}

/// Where the two bills meet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BreakEven {
    /// The volumes from which self-hosting is cheaper, one for each step of the staircase that
    /// starts above the API's line again. After the last one there is no such step within the
    /// machines of the scenario, unless the list is full at 64.
    At(Vec<Crossing>),
    /// There is none.
    Never(NeverReason),
}

/// Why there is no break-even.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NeverReason {
    /// The API charges no more for a request than ours adds to the bill, and nothing else makes up
    /// for it.
    ApiAtOrBelowMarginal {
        /// What the API charges.
        api: UsdPerRequest,
        /// What a request adds to our bill.
        marginal: UsdPerRequest,
    },
    /// The volume is more than the machines of the scenario were measured to serve.
    BeyondCapacity {
        /// The volume one machine would have to serve.
        needed: RequestsPerYear,
        /// What the machines of the scenario serve, room for the peak left.
        capacity: RequestsPerYear,
        /// How many machines it would take; `None` where no number is enough, because each costs
        /// more than the API charges for all it can serve.
        fleet: Option<Machines>,
    },
}

/// The most crossings that are listed.
const CROSSINGS: usize = 64;

/// Volume from which self-hosting is the cheaper.
///
/// On `k` serving machines `V(k) = (shared + (k + spares) * per_machine - fixed_api) /
/// (p_api - v_self)`, requests per year; it counts where `(k - 1) * capacity <= V(k) <= k *
/// capacity`, and a step that lies below the API's line from its start on counts from there. Where
/// `p_api <= v_self` only that start can be below, as when the people who use an API cost more than
/// those who run the machines. At most 64 crossings are listed.
///
/// # Source
/// Cost-volume-profit analysis; the step cost of machines makes the self-hosted side a staircase.
#[must_use]
pub fn break_even(own: SelfHosted, api: Hosted) -> BreakEven {
    let lines = Lines::of(own, api);
    let most = own.machines_max.as_f64();
    let first = lines.first_step();
    let Some(first) = first.filter(|first| *first <= most) else {
        return BreakEven::Never(if lines.margin.get() <= 0.0 {
            NeverReason::ApiAtOrBelowMarginal { api: api.per_request, marginal: own.per_request }
        } else {
            NeverReason::BeyondCapacity {
                needed: lines.entry(1.0),
                capacity: own.capacity * most,
                fleet: first.map(machines),
            }
        });
    };
    let crossing =
        |step| Crossing { requests_per_year: lines.entry(step), machines: machines(step) };
    let mut crossings = vec![crossing(first)];
    let mut step = lines.next_step(first);
    while step <= most && lines.crosses(step) && crossings.len() < CROSSINGS {
        crossings.push(crossing(step));
        step += 1.0;
    }
    BreakEven::At(crossings)
}

/// The first volume from which self-hosting is the cheaper, or none: the first of [`break_even`].
#[must_use]
pub fn first_break_even(own: SelfHosted, api: Hosted) -> Option<RequestsPerYear> {
    let lines = Lines::of(own, api);
    let first = lines.first_step()?;
    (first <= own.machines_max.as_f64()).then(|| lines.entry(first))
}

fn machines(count: f64) -> Machines {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "at least one; the cast saturates"
    )]
    Machines::new(count as u32)
}

/// Time after which bought hardware has paid for itself.
///
/// `t* = capital / (alternative - own operations)`; hours. `None`, never, where the alternative
/// costs no more than our own operations.
///
/// # Source
/// Lenovo Press LP2368, On-Premise vs Cloud: Generative AI Total Cost of Ownership.
#[must_use]
pub fn break_even_time(
    capital: Usd,
    alternative: UsdPerHour,
    operations: UsdPerHour,
) -> Option<Hours> {
    let saved = (alternative - operations).get();
    (saved > 0.0).then(|| Hours::new(capital.get() / saved))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const API: Hosted =
        Hosted { fixed: UsdPerYear::new(0.0), per_request: UsdPerRequest::new(0.003) };

    fn own() -> SelfHosted {
        SelfHosted {
            shared: UsdPerYear::new(1_000.0),
            per_machine: UsdPerYear::new(500.0),
            per_request: UsdPerRequest::new(0.001),
            capacity: RequestsPerYear::new(1e6),
            spares: Machines::new(0),
            machines_max: Machines::new(1),
        }
    }

    fn crossings(own: SelfHosted, api: Hosted) -> Vec<(f64, u32)> {
        match break_even(own, api) {
            BreakEven::At(list) => {
                list.iter().map(|c| (c.requests_per_year.get(), c.machines.get())).collect()
            }
            BreakEven::Never(reason) => panic!("{reason:?}"),
        }
    }

    #[test]
    fn one_machine() {
        // (1000 + 500) / (0.003 - 0.001) = 750,000 requests, within the million.
        assert_eq!(crossings(own(), API), [(750_000.0, 1)]);
        // With 300 USD a year for the API: (1500 - 300) / 0.002 = 600,000.
        let api = Hosted { fixed: UsdPerYear::new(300.0), ..API };
        assert_eq!(crossings(own(), api), [(600_000.0, 1)]);
    }

    #[test]
    fn the_bill_climbs_by_a_machine_at_a_time() {
        let own = SelfHosted { machines_max: Machines::new(2), ..own() };
        let bill = |volume| own.bill_at(RequestsPerYear::new(volume)).map(UsdPerYear::get);
        // 1000 + 500 + 0.001 V up to a million, another 500 beyond it, nothing beyond two million
        assert_eq!(bill(1e6), Some(2_500.0));
        assert_eq!(bill(2e6), Some(4_000.0));
        assert_eq!(bill(2.1e6), None);
    }

    #[test]
    fn a_staircase_crosses_more_than_once() {
        // A machine that is full saves 0.002 * 1e6 - 1500 = 500 beyond its cost, against 1000 of
        // staff: step 2 holds, V(2) = (1000 + 2 * 1500) / 0.002 = 2 million, just full. Step 3
        // starts at 2 million with V(3) = 2.75 million: API again until there. Step 4: V = 3.5,
        // step 5: 4.25, step 6: 5.0, which is where step 6 starts: no gap any more.
        let own = SelfHosted {
            per_machine: UsdPerYear::new(1_500.0),
            machines_max: Machines::new(100),
            ..own()
        };
        let list = crossings(own, API);
        assert_eq!(list, [(2e6, 2), (2.75e6, 3), (3.5e6, 4), (4.25e6, 5)]);
    }

    #[test]
    fn never_has_a_reason() {
        let cheap = Hosted { per_request: UsdPerRequest::new(0.001), ..API };
        let reason = break_even(own(), cheap);
        assert!(matches!(reason, BreakEven::Never(NeverReason::ApiAtOrBelowMarginal { .. })));

        // One machine of 1e5 requests: 750,000 are beyond it; a full one saves 200 and costs 500.
        let small = SelfHosted { capacity: RequestsPerYear::new(1e5), ..own() };
        let BreakEven::Never(NeverReason::BeyondCapacity { needed, capacity, fleet }) =
            break_even(small, API)
        else {
            panic!("it is beyond capacity")
        };
        assert_eq!((needed.get(), capacity.get(), fleet), (750_000.0, 1e5, None));

        // Of 4e5 requests a full one saves 800 - 500 = 300: staff of 1000 takes four.
        let middle = SelfHosted { capacity: RequestsPerYear::new(4e5), ..own() };
        let BreakEven::Never(NeverReason::BeyondCapacity { fleet, .. }) = break_even(middle, API)
        else {
            panic!("it is beyond capacity")
        };
        assert_eq!(fleet, Some(Machines::new(4)));
    }

    #[test]
    fn people_who_use_an_api_can_cost_more_than_a_machine() {
        // The API's requests are the cheaper, but it takes 5,000 a year of people, we 1,000 + 500.
        let api =
            Hosted { fixed: UsdPerYear::new(5_000.0), per_request: UsdPerRequest::new(0.001) };
        assert_eq!(crossings(own(), api), [(0.0, 1)]);
        // A machine of a million costs 500 and saves 100, so that the lead of 4,000 lasts for ten.
        let api = Hosted { per_request: UsdPerRequest::new(0.001 + 0.000_1), ..api };
        let many = SelfHosted { machines_max: Machines::new(100), ..own() };
        // Step 9 starts at -4000 + 4500 - 800 = 300 below, step 10 at -4000 + 5000 - 900 = 100
        // above: it is below from 1000 / 0.0001 on, and step 11 never is.
        let list = crossings(many, api);
        assert_eq!(list.iter().map(|one| one.1).collect::<Vec<_>>(), [1, 10]);
        assert!((list[1].0 - 1e7).abs() < 1.0);
    }

    #[test]
    fn a_machine_that_pays_for_itself_pulls_the_bill_down_at_its_step() {
        // Idle hours sold at a profit: each machine brings 500. 1000 - 500 k against 0.0005 V:
        // half a million on the first one.
        let own = SelfHosted {
            per_machine: UsdPerYear::new(-500.0),
            machines_max: Machines::new(9),
            ..own()
        };
        let api = Hosted { fixed: UsdPerYear::new(0.0), per_request: UsdPerRequest::new(0.0012) };
        // 0.0002 V meets 500 at 2.5 million, beyond the first; the second brings it to 0 at its
        // start.
        assert_eq!(crossings(own, api), [(1e6, 2)]);
    }

    proptest! {
        #[test]
        fn the_first_crossing_is_the_first_of_all(
            shared in 0.0..1e5_f64, per_machine in 1.0..1e4_f64, marginal in 0.0..0.01_f64,
            capacity in 1e3..1e8_f64, price in 0.0..0.01_f64, most in 1_u32..100,
        ) {
            let own = SelfHosted {
                shared: UsdPerYear::new(shared),
                per_machine: UsdPerYear::new(per_machine),
                per_request: UsdPerRequest::new(marginal),
                capacity: RequestsPerYear::new(capacity),
                spares: Machines::new(1),
                machines_max: Machines::new(most),
            };
            let api = Hosted { per_request: UsdPerRequest::new(price), ..API };
            let all = match break_even(own, api) {
                BreakEven::At(list) => list.first().map(|first| first.requests_per_year),
                BreakEven::Never(_) => None,
            };
            prop_assert_eq!(first_break_even(own, api), all);
        }
    }

    #[test]
    fn a_server_against_four_clouds_as_published() {
        // 250,141.80 USD and 6.37 USD/h of operations: Lenovo LP2368 gives 2720.4, 4423.4, 6799.2
        // and 7591.6 hours.
        let published = [(98.32, 2_720.4), (62.92, 4_423.4), (43.16, 6_799.2), (39.32, 7_591.6)];
        for (cloud, hours) in published {
            let time = break_even_time(
                Usd::new(250_141.80),
                UsdPerHour::new(cloud),
                UsdPerHour::new(6.37),
            );
            assert!((time.unwrap().get() - hours).abs() < 0.06, "{cloud}: {time:?}");
        }
        assert_eq!(
            break_even_time(Usd::new(1.0), UsdPerHour::new(1.0), UsdPerHour::new(1.0)),
            None
        );
    }

    proptest! {
        #[test]
        fn at_every_crossing_the_bills_are_equal(
            shared in 0.0..1e5_f64, machine in 1.0..1e5_f64, energy in 0.0..0.01_f64,
            price in 0.0..0.1_f64, capacity in 1e3..1e8_f64, spares in 0_u32..3, most in 1_u32..1000,
        ) {
            let own = SelfHosted {
                shared: UsdPerYear::new(shared),
                per_machine: UsdPerYear::new(machine),
                per_request: UsdPerRequest::new(energy),
                capacity: RequestsPerYear::new(capacity),
                spares: Machines::new(spares),
                machines_max: Machines::new(most),
            };
            let api = Hosted { fixed: UsdPerYear::new(0.0), per_request: UsdPerRequest::new(price) };
            match break_even(own, api) {
                BreakEven::At(list) => for crossing in list {
                    let k = f64::from(crossing.machines.get());
                    let volume = crossing.requests_per_year.get();
                    let ours = shared + machine * (k + f64::from(spares)) + energy * volume;
                    prop_assert!((ours - price * volume).abs() <= 1e-6 * ours);
                    prop_assert!(volume <= k * capacity * (1.0 + 1e-9));
                    prop_assert!(k <= f64::from(most));
                },
                BreakEven::Never(NeverReason::ApiAtOrBelowMarginal { .. }) => prop_assert!(price <= energy),
                BreakEven::Never(NeverReason::BeyondCapacity { .. }) => {
                    // Not even the full fleet is cheaper.
                    let k = f64::from(most);
                    let volume = k * capacity;
                    let ours = shared + machine * (k + f64::from(spares)) + energy * volume;
                    prop_assert!(ours >= price * volume * (1.0 - 1e-9));
                }
            }
        }
    }
}
