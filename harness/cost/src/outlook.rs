//! The years ahead: demand that grows, machines that are added, API prices that fall.

use crate::break_even::{Hosted, SelfHosted};
use crate::figure::Machines;
use crate::inputs::Inputs;
use crate::scenario::HostingKind;
use crate::sizing::rounded_up;
use freeweights_record::units::{Fraction, RequestsPerYear, Usd, UsdPerYear, Years};
use serde::{Deserialize, Serialize};

/// One year ahead, on both sides.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct YearAhead {
    /// 1 is the year that begins now.
    pub year: u32,
    /// Its demand.
    pub requests_per_year: RequestsPerYear,
    /// Machines paid for.
    pub machines: Machines,
    /// The self-hosted bill, each machine at its yearly capital cost.
    #[serde(rename = "self_hosted_usd_per_year")]
    pub self_hosted: UsdPerYear,
    /// The API's bill at its price of that year.
    #[serde(rename = "api_usd_per_year")]
    pub api: UsdPerYear,
}

/// What changes from one year to the next.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Course {
    first: RequestsPerYear,
    growth: Fraction,
    decline: Fraction,
    cost_of_capital: Fraction,
    horizon: Years,
    /// Rented machines are given back when they are not needed; bought ones stay.
    gives_back: bool,
}

impl Course {
    /// Over the life of the machines.
    pub(crate) fn of(inputs: &Inputs) -> Self {
        Self {
            first: inputs.requests(),
            growth: inputs.growth,
            decline: inputs.api_decline,
            cost_of_capital: inputs.cost_of_capital,
            horizon: inputs.life,
            gives_back: inputs.kind == HostingKind::Rent,
        }
    }

    /// The years in their order.
    ///
    /// Demand is `V (1 + g)^(t - 1)`, the API's price `p (1 - d)^(t - 1)`, with `g` the growth and
    /// `d` the decline of a year; what people cost stays. Machines follow the staircase and, where
    /// they were bought, never become fewer.
    pub(crate) fn years(self, own: SelfHosted, api: Hosted) -> impl Iterator<Item = YearAhead> {
        let (mut requests, mut price) = (self.first, api.per_request);
        let mut serving = Machines::new(1);
        let last = whole_years(self.horizon);
        (1..=last).map(move |year| {
            let needed = own.serving(requests);
            serving = if self.gives_back || needed > serving { needed } else { serving };
            let machines = serving.plus(own.spares);
            let ahead = YearAhead {
                year,
                requests_per_year: requests,
                machines,
                self_hosted: own.shared
                    + own.per_machine * machines.as_f64()
                    + own.per_request * requests,
                api: api.fixed + price * requests,
            };
            requests = requests * (1.0 + self.growth.get());
            price = price * (1.0 - self.decline.get());
            ahead
        })
    }

    /// What self-hosting saves over all years, in money of today.
    ///
    /// `sum over t of (api_t - own_t) / (1 + r)^t`, bills falling due at the end of their year; USD,
    /// below zero where self-hosting costs more.
    pub(crate) fn net_present_saving(self, own: SelfHosted, api: Hosted) -> Usd {
        let of_a_year = 1.0 / (1.0 + self.cost_of_capital.get());
        let mut discount = 1.0;
        let saved = self.years(own, api).map(|ahead| {
            discount *= of_a_year;
            (ahead.api - ahead.self_hosted).get() * discount
        });
        Usd::new(saved.sum())
    }

    /// The last year in which self-hosting is the cheaper; `None`: in no year.
    pub(crate) fn last_winning_year(self, own: SelfHosted, api: Hosted) -> Option<u32> {
        self.years(own, api)
            .filter(|ahead| ahead.self_hosted < ahead.api)
            .map(|ahead| ahead.year)
            .last()
    }
}

/// A begun year counts; at least one.
fn whole_years(horizon: Years) -> u32 {
    rounded_up(horizon.get()).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use freeweights_record::units::UsdPerRequest;

    const OWN: SelfHosted = SelfHosted {
        shared: UsdPerYear::new(100.0),
        per_machine: UsdPerYear::new(50.0),
        per_request: UsdPerRequest::new(0.1),
        capacity: RequestsPerYear::new(1_000.0),
        spares: Machines::new(1),
        machines_max: Machines::new(1),
    };
    const API: Hosted =
        Hosted { fixed: UsdPerYear::new(20.0), per_request: UsdPerRequest::new(0.4) };

    fn course(growth: f64, decline: f64) -> Course {
        Course {
            first: RequestsPerYear::new(1_000.0),
            growth: Fraction::new(growth),
            decline: Fraction::new(decline),
            cost_of_capital: Fraction::new(0.1),
            horizon: Years::new(3.0),
            gives_back: false,
        }
    }

    fn table(course: Course) -> Vec<(u32, f64, u32, f64, f64)> {
        let row = |y: YearAhead| {
            (y.year, y.requests_per_year.get(), y.machines.get(), y.self_hosted.get(), y.api.get())
        };
        course.years(OWN, API).map(row).collect()
    }

    #[test]
    fn demand_doubles_while_prices_halve() {
        // own: 100 + 50 * machines + 0.1 * V; API: 20 + 0.4 / 2^(t - 1) * V
        assert_eq!(
            table(course(1.0, 0.5)),
            [
                (1, 1_000.0, 2, 300.0, 420.0),
                (2, 2_000.0, 3, 450.0, 420.0),
                (3, 4_000.0, 5, 750.0, 420.0),
            ]
        );
        assert_eq!(course(1.0, 0.5).last_winning_year(OWN, API), Some(1));
        // 120 / 1.1 - 30 / 1.21 - 330 / 1.331
        let saved = course(1.0, 0.5).net_present_saving(OWN, API).get();
        assert!((saved - (120.0 / 1.1 - 30.0 / 1.21 - 330.0 / 1.331)).abs() < 1e-9);
    }

    #[test]
    fn the_walk_from_year_to_year_agrees_with_the_formulas() {
        use crate::decline;
        let course = Course { gives_back: true, ..course(0.3, 0.2) };
        let rows: Vec<YearAhead> = course.years(OWN, API).collect();
        let factor = decline::factor_of_decline(course.decline).unwrap();
        for ahead in &rows {
            let time = Years::new(f64::from(ahead.year - 1));
            let requests = decline::grown(course.first, course.growth, time);
            let price = decline::declined(API.per_request, factor, time);
            assert!((requests / ahead.requests_per_year - 1.0).abs() < 1e-12);
            assert!((ahead.api - (API.fixed + price * requests)).get().abs() < 1e-9);
        }
        let saved = rows.iter().map(|ahead| ahead.api - ahead.self_hosted);
        let value = decline::net_present_value(saved, course.cost_of_capital);
        assert!((value - course.net_present_saving(OWN, API)).get().abs() < 1e-9);
        let bills = |of: fn(&YearAhead) -> UsdPerYear| rows.iter().map(of).collect::<Vec<_>>();
        let last = decline::last_winning_year(bills(|y| y.self_hosted), bills(|y| y.api));
        let years = course.last_winning_year(OWN, API).map(|year| Years::new(f64::from(year)));
        assert_eq!(last, years);
    }

    #[test]
    fn bought_machines_stay_and_rented_ones_go() {
        let own = |course: Course| {
            let many = RequestsPerYear::new(4_000.0);
            let years = Course { first: many, ..course }.years(OWN, API);
            years.map(|ahead| ahead.machines.get()).collect::<Vec<_>>()
        };
        assert_eq!(own(course(-0.5, 0.0)), [5, 5, 5]);
        assert_eq!(own(Course { gives_back: true, ..course(-0.5, 0.0) }), [5, 3, 2]);
    }

    #[test]
    fn a_begun_year_is_a_year() {
        assert_eq!(whole_years(Years::new(4.0)), 4);
        assert_eq!(whole_years(Years::new(2.5)), 3);
        assert_eq!(whole_years(Years::new(0.2)), 1);
    }
}
