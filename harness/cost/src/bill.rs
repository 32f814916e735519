//! The yearly bill by component.

use crate::energy::energy;
use crate::error::CostError;
use crate::figure::Machines;
use freeweights_record::units::{
    Fraction, Hours, Ratio, RequestsPerSecond, Usd, UsdPerHour, UsdPerKilowattHour, UsdPerRequest,
    UsdPerYear, Watts,
};
use serde::{Deserialize, Serialize};
use std::fmt;

/// What a part of the bill pays for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ComponentKind {
    /// The machines: depreciation and the cost of the money tied up in them.
    Capital,
    /// Support and spare parts.
    Maintenance,
    /// Electricity of busy hours.
    EnergyActive,
    /// Electricity of idle hours.
    EnergyIdle,
    /// Space and network.
    Hosting,
    /// Rented space, by provisioned power.
    Colocation,
    /// Rent, electricity included.
    Rent,
    /// Licences and support.
    Software,
    /// Training and fine-tuning.
    Training,
    /// People.
    Staff,
    /// What idle hours earn with batch work: below zero.
    BatchSales,
}

impl fmt::Display for ComponentKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Capital => "capital",
            Self::Maintenance => "maintenance",
            Self::EnergyActive => "energy, active",
            Self::EnergyIdle => "energy, idle",
            Self::Hosting => "hosting",
            Self::Colocation => "colocation",
            Self::Rent => "rent",
            Self::Software => "software",
            Self::Training => "training",
            Self::Staff => "staff",
            Self::BatchSales => "sold to batch work",
        })
    }
}

/// One part of the bill.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Component {
    /// What it pays for.
    pub kind: ComponentKind,
    /// How much, a year.
    pub usd_per_year: UsdPerYear,
    /// Its share of the total.
    pub share: Fraction,
}

/// What a year costs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Bill {
    /// The parts; their shares sum to 1.
    pub components: Vec<Component>,
    /// Their sum.
    pub total_usd_per_year: UsdPerYear,
}

impl Bill {
    /// A part of the bill; zero where the bill has no such part.
    #[must_use]
    pub fn of(&self, kind: ComponentKind) -> UsdPerYear {
        self.components
            .iter()
            .filter(|component| component.kind == kind)
            .map(|component| component.usd_per_year)
            // The sum of nothing would be -0.
            .fold(UsdPerYear::new(0.0), |sum, part| sum + part)
    }
}

/// What machines, energy and people cost, before it is known how many and how busy.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Terms {
    /// How the machines are paid for.
    pub tenure: Tenure,
    /// Space of each machine.
    pub hosting: UsdPerYear,
    /// Network of the site, whatever the number of machines.
    pub network: UsdPerYear,
    /// Licences of each machine.
    pub software: UsdPerYear,
    /// Licences whatever the number of machines.
    pub shared_software: UsdPerYear,
    /// Training and fine-tuning.
    pub training: UsdPerYear,
    /// People, whatever the number of machines.
    pub staff: UsdPerYear,
    /// Share of the idle hours that are sold to batch work.
    pub sold_share: Fraction,
    /// What an hour of a machine earns with batch work.
    pub sales: UsdPerHour,
    /// Hours of a year a machine is on.
    pub hours: Hours,
}

/// Bought or rented.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Tenure {
    /// Bought, with the electricity it takes.
    Own {
        /// Capital cost of each machine.
        capital: UsdPerYear,
        /// Maintenance of each machine.
        maintenance: UsdPerYear,
        /// Rented space of each machine; zero on a site of ours.
        colocation: UsdPerYear,
        /// Power when it waits.
        idle: Watts,
        /// Mean power when it works.
        load: Watts,
        /// Energy of the site over the energy of its computers.
        pue: Ratio,
        /// Price of electricity.
        electricity: UsdPerKilowattHour,
    },
    /// Rented, electricity included.
    Rent {
        /// Rent of each machine.
        rent: UsdPerYear,
    },
}

impl Terms {
    /// Terms of machines alone: no site, no licences, no training, no people, no batch work.
    #[must_use]
    pub const fn of_machines(tenure: Tenure, hours: Hours) -> Self {
        let zero = UsdPerYear::new(0.0);
        Self {
            tenure,
            hosting: zero,
            network: zero,
            software: zero,
            shared_software: zero,
            training: zero,
            staff: zero,
            sold_share: Fraction::new(0.0),
            sales: UsdPerHour::new(0.0),
            hours,
        }
    }

    /// The bill of a year on so many machines that are busy for so many hours together.
    ///
    /// # Errors
    /// [`CostError::NotFinite`] where a part is no finite amount.
    pub fn bill(&self, machines: Machines, busy: Hours) -> Result<Bill, CostError> {
        let parts = self.parts(machines, busy);
        let total: UsdPerYear = parts.iter().map(|(_, usd)| *usd).sum();
        if !total.get().is_finite() {
            return Err(CostError::NotFinite { what: "the yearly bill" });
        }
        let share = |usd: UsdPerYear| if total.get() == 0.0 { 0.0 } else { usd / total };
        let component =
            |(kind, usd)| Component { kind, usd_per_year: usd, share: Fraction::new(share(usd)) };
        let components = parts.into_iter().filter(|(_, usd)| usd.get() != 0.0);
        Ok(Bill { components: components.map(component).collect(), total_usd_per_year: total })
    }

    /// Every part of the bill; zero where there is no such part.
    fn parts(&self, machines: Machines, busy: Hours) -> [(ComponentKind, UsdPerYear); 11] {
        use ComponentKind as Kind;
        let zero = UsdPerYear::new(0.0);
        let count = machines.as_f64();
        let waiting = self.hours * count - busy;
        let sold = waiting * self.sold_share.get();
        let (mut capital, mut maintenance, mut colocated, mut rented) = (zero, zero, zero, zero);
        let (mut active, mut idling) = (zero, zero);
        match self.tenure {
            Tenure::Own { capital: price, maintenance: care, colocation, .. } => {
                (capital, maintenance, colocated) =
                    (price * count, care * count, colocation * count);
                active = yearly(self.tenure.busy() * (busy + sold));
                idling = yearly(self.tenure.idling() * (waiting - sold));
            }
            Tenure::Rent { rent } => rented = rent * count,
        }
        [
            (Kind::Capital, capital),
            (Kind::Maintenance, maintenance),
            (Kind::EnergyActive, active),
            (Kind::EnergyIdle, idling),
            (Kind::Colocation, colocated),
            (Kind::Rent, rented),
            (Kind::Hosting, self.hosting * count + self.network),
            (Kind::Software, self.software * count + self.shared_software),
            (Kind::Training, self.training),
            (Kind::Staff, self.staff),
            (Kind::BatchSales, zero - yearly(self.sales * sold)),
        ]
    }

    /// What is paid whatever the number of machines.
    #[must_use]
    pub fn shared(&self) -> UsdPerYear {
        self.staff + self.training + self.shared_software + self.network
    }

    /// What each machine costs a year when it never works for the demand.
    #[must_use]
    pub fn per_machine(&self) -> UsdPerYear {
        let tenure = match self.tenure {
            Tenure::Own { capital, maintenance, colocation, .. } => {
                capital + maintenance + colocation
            }
            Tenure::Rent { rent } => rent,
        };
        tenure + self.hosting + self.software + yearly(self.waiting() * self.hours)
    }

    /// What each request adds to the bill: the time it takes is busy and no longer waiting.
    ///
    /// `(busy - waiting) * seconds / 3600`, in USD an hour; USD per request.
    #[must_use]
    pub fn per_request(&self, capacity: RequestsPerSecond) -> UsdPerRequest {
        let time = Hours::new(1.0 / (capacity.get() * 3600.0));
        UsdPerRequest::new(((self.tenure.busy() - self.waiting()) * time).get())
    }

    /// What an hour costs in which a machine has no work of the demand.
    ///
    /// `(1 - s) * idle + s * (busy - sales)`, with `s` the share of such hours that is sold.
    fn waiting(&self) -> UsdPerHour {
        let sold = self.sold_share.get();
        self.tenure.idling() * (1.0 - sold) + (self.tenure.busy() - self.sales) * sold
    }
}

impl Tenure {
    /// What the energy of a busy hour costs.
    fn busy(&self) -> UsdPerHour {
        self.hourly(|idle_and_load| idle_and_load.1)
    }

    /// What the energy of an idle hour costs.
    fn idling(&self) -> UsdPerHour {
        self.hourly(|idle_and_load| idle_and_load.0)
    }

    fn hourly(&self, of: impl Fn((Watts, Watts)) -> Watts) -> UsdPerHour {
        match *self {
            Self::Own { idle, load, pue, electricity, .. } => {
                let cost = electricity * energy(of((idle, load)), Hours::new(1.0), pue);
                UsdPerHour::new(cost.get())
            }
            Self::Rent { .. } => UsdPerHour::new(0.0),
        }
    }
}

/// An amount that falls due once a year.
const fn yearly(amount: Usd) -> UsdPerYear {
    UsdPerYear::new(amount.get())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::energy::{energy_of_duty_cycle, yearly_energy_cost};
    use crate::finance::{yearly_capital_cost, yearly_maintenance};
    use crate::utilisation::busy_hours;
    use freeweights_record::units::{RequestsPerYear, Usd, Years};
    use proptest::prelude::*;

    #[test]
    fn an_accelerator_by_the_hour_as_published() {
        // arXiv 2510.26136, A800: 120,000 CNY over 3 years, always busy, 0.4 kW, PUE 1.5,
        // 1.0 CNY/kWh, maintenance 3% a year, 7.09 CNY per USD: 0.6440 + 0.0846 + 0.0580 = 0.7866.
        let price = Usd::new(120_000.0 / 7.09);
        let hours = Hours::new(8_760.0);
        let capital =
            yearly_capital_cost(price, Usd::new(0.0), Fraction::new(0.0), Years::new(3.0)).unwrap();
        let tenure = Tenure::Own {
            capital,
            maintenance: yearly_maintenance(price, Fraction::new(0.03)),
            colocation: UsdPerYear::new(0.0),
            idle: Watts::new(400.0),
            load: Watts::new(400.0),
            pue: Ratio::new(1.5),
            electricity: UsdPerKilowattHour::new(1.0 / 7.09),
        };
        let terms = Terms::of_machines(tenure, hours);
        let bill = terms.bill(Machines::new(1), hours).unwrap();
        let hourly = |usd: UsdPerYear| usd.get() / 8_760.0;
        assert!((hourly(bill.total_usd_per_year) - 0.7866).abs() < 5e-5);
        let parts = [
            (ComponentKind::Capital, 0.6440, 0.82),
            (ComponentKind::EnergyActive, 0.0846, 0.108),
            (ComponentKind::Maintenance, 0.0580, 0.074),
        ];
        for (kind, usd, share) in parts {
            assert!((hourly(bill.of(kind)) - usd).abs() < 5e-5, "{kind}");
            let ours = bill.of(kind) / bill.total_usd_per_year;
            assert!((ours - share).abs() < 2e-3, "{kind}: {ours}");
        }
    }

    #[test]
    fn a_small_service_as_published() {
        // 3 instances of 2 GPUs fit one server of 8: 320,000 / 4 + 3,000 + 4,500 = 87,500 a year.
        let capital = yearly_capital_cost(
            Usd::new(320_000.0),
            Usd::new(0.0),
            Fraction::new(0.0),
            Years::new(4.0),
        );
        let tenure = Tenure::Rent { rent: UsdPerYear::new(3_000.0) + capital.unwrap() };
        let terms = Terms {
            hosting: UsdPerYear::new(4_500.0),
            ..Terms::of_machines(tenure, Hours::new(8_760.0))
        };
        let total = terms.bill(Machines::new(1), Hours::new(0.0)).unwrap().total_usd_per_year;
        assert!((total.get() - 87_500.0).abs() < 1e-9);
        let tokens = freeweights_record::units::TokensPerYear::new(153.3e9);
        assert!(((total / tokens).get() - 0.5708).abs() < 5e-5);
        // 43.8 million requests: 2.00 USD a thousand.
        let request = total / RequestsPerYear::new(120_000.0 * 365.0);
        assert!((request.get() * 1_000.0 - 2.0).abs() < 0.003);
    }

    prop_compose! {
        fn any_terms()(
            capital in 0.0..1e5_f64, maintenance in 0.0..1e4_f64, idle in 0.0..500.0_f64,
            more in 0.0..1e3_f64, pue in 1.0..2.0_f64, electricity in 0.0..1.0_f64,
            hosting in 0.0..1e4_f64, staff in 0.0..1e6_f64, sold in 0.0..1.0_f64,
            sales in 0.0..0.1_f64, training in 0.0..1e5_f64, software in 0.0..1e4_f64,
        ) -> Terms {
            Terms {
                tenure: Tenure::Own {
                    capital: UsdPerYear::new(capital),
                    maintenance: UsdPerYear::new(maintenance),
                    colocation: UsdPerYear::new(hosting / 2.0),
                    idle: Watts::new(idle),
                    load: Watts::new(idle + more),
                    pue: Ratio::new(pue),
                    electricity: UsdPerKilowattHour::new(electricity),
                },
                hosting: UsdPerYear::new(hosting),
                network: UsdPerYear::new(hosting * 3.0),
                software: UsdPerYear::new(software),
                shared_software: UsdPerYear::new(software * 2.0),
                training: UsdPerYear::new(training),
                staff: UsdPerYear::new(staff),
                sold_share: Fraction::new(sold),
                sales: UsdPerHour::new(sales),
                hours: Hours::new(8_760.0),
            }
        }
    }

    proptest! {
        #[test]
        fn shares_sum_to_one_and_parts_to_the_total(
            terms in any_terms(), count in 1_u32..50, share in 0.0..1.0_f64,
        ) {
            let busy = Hours::new(8_760.0 * f64::from(count) * share);
            let bill = terms.bill(Machines::new(count), busy).unwrap();
            let sum: UsdPerYear = bill.components.iter().map(|part| part.usd_per_year).sum();
            prop_assert!((sum - bill.total_usd_per_year).get().abs() < 1e-6);
            if sum.get() > 1e-3 {
                let shares: f64 = bill.components.iter().map(|part| part.share.get()).sum();
                prop_assert!((shares - 1.0).abs() < 1e-9);
            }
        }

        #[test]
        fn the_bill_is_its_fixed_part_and_its_requests(
            terms in any_terms(), count in 1_u32..50, share in 0.0..1.0_f64, rate in 0.001..1e3_f64,
        ) {
            let capacity = RequestsPerSecond::new(rate);
            let requests = RequestsPerYear::new(rate * 3600.0 * 8_760.0 * f64::from(count) * share);
            let busy = busy_hours(requests, capacity);
            let bill = terms.bill(Machines::new(count), busy).unwrap().total_usd_per_year;
            let parts = terms.shared() + terms.per_machine() * f64::from(count)
                + terms.per_request(capacity) * requests;
            prop_assert!((bill - parts).get().abs() <= 1e-9 * parts.get().abs().max(1e6));
        }

        #[test]
        fn the_energy_of_a_bill_is_that_of_its_duty_cycle(
            terms in any_terms(), count in 1_u32..50, share in 0.0..1.0_f64,
        ) {
            let terms = Terms { sold_share: Fraction::new(0.0), ..terms };
            let time = Hours::new(8_760.0 * f64::from(count));
            let bill = terms.bill(Machines::new(count), time * share).unwrap();
            let Tenure::Own { idle, load, pue, electricity, .. } = terms.tenure else { panic!() };
            let duty = energy_of_duty_cycle(idle, load, Fraction::new(share), time, pue);
            let paid = bill.of(ComponentKind::EnergyActive) + bill.of(ComponentKind::EnergyIdle);
            let known = yearly_energy_cost(duty, electricity);
            prop_assert!((paid - known).get().abs() <= 1e-9 * known.get().max(1.0));
        }

        #[test]
        fn a_spare_never_lowers_the_bill_unless_its_hours_are_sold(terms in any_terms(), count in 1_u32..50, share in 0.0..1.0_f64) {
            let terms = Terms { sold_share: Fraction::new(0.0), ..terms };
            let busy = Hours::new(8_760.0 * f64::from(count) * share);
            let total = |count| terms.bill(Machines::new(count), busy).unwrap().total_usd_per_year;
            prop_assert!(total(count + 1).get() >= total(count).get() - 1e-6);
        }
    }
}
