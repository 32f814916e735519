//! Every number the bill is computed from, one field each: cheap to copy, and to change one by one.

use crate::assessment::Fleet;
use crate::bill::{Tenure, Terms};
use crate::break_even::{Hosted, SelfHosted};
use crate::energy::mean_load;
use crate::error::CostError;
use crate::figure::Machines;
use crate::finance::{yearly_capital_cost, yearly_maintenance};
use crate::machine::Machine;
use crate::operating_point::OperatingPoint;
use crate::scenario::{HostingKind, Role, Scenario};
use crate::sizing::{machines_for, peak_rate};
use crate::staff;
use freeweights_record::units::{
    Days, Fraction, FullTimeEquivalents, Hours, Ratio, RequestsPerDay, RequestsPerSecond,
    RequestsPerYear, Tokens, Usd, UsdPerHour, UsdPerKilowattHour, UsdPerKilowattMonth,
    UsdPerMillionTokens, UsdPerRequest, UsdPerYear, Watts, Years,
};

/// Months of a year.
const MONTHS: f64 = 12.0;

/// Every number the bill is computed from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Inputs {
    pub(crate) requests_per_day: RequestsPerDay,
    pub(crate) days: Days,
    pub(crate) isl: Tokens,
    pub(crate) osl: Tokens,
    pub(crate) peak_to_mean: Ratio,
    pub(crate) growth: Fraction,
    pub(crate) cached_share: Fraction,

    /// As measured, or derived; before `usable_share`.
    pub(crate) throughput: RequestsPerSecond,
    pub(crate) prefill_share: Option<Fraction>,
    pub(crate) usable_share: Fraction,

    pub(crate) kind: HostingKind,
    pub(crate) price: Usd,
    pub(crate) price_factor: Ratio,
    pub(crate) residual_share: Fraction,
    pub(crate) cost_of_capital: Fraction,
    pub(crate) life: Years,
    pub(crate) maintenance_share: Fraction,
    pub(crate) spares: Machines,
    pub(crate) machines_max: Machines,
    pub(crate) prefill_power: Watts,
    pub(crate) decode_power: Watts,
    pub(crate) idle_power: Watts,

    pub(crate) electricity: UsdPerKilowattHour,
    pub(crate) pue: Ratio,
    pub(crate) hours: Hours,
    pub(crate) space: UsdPerYear,
    pub(crate) network: UsdPerYear,
    pub(crate) colocation: UsdPerKilowattMonth,
    pub(crate) rent: UsdPerHour,
    pub(crate) reserved_share: Fraction,
    pub(crate) reserved_discount: Fraction,

    pub(crate) people: FullTimeEquivalents,
    pub(crate) salary: UsdPerYear,
    /// Salaries of all roles, by their working time.
    pub(crate) roles: UsdPerYear,
    /// Working time of all roles over that stated.
    pub(crate) roles_time: Ratio,
    pub(crate) benefits_share: Fraction,
    pub(crate) software: UsdPerYear,
    pub(crate) shared_software: UsdPerYear,
    pub(crate) training: Usd,
    pub(crate) training_life: Years,
    pub(crate) training_per_year: UsdPerYear,
    pub(crate) sold_share: Fraction,
    pub(crate) sold_at: UsdPerMillionTokens,

    pub(crate) api_people: FullTimeEquivalents,
    pub(crate) api_factor: Ratio,
    pub(crate) api_decline: Fraction,
}

/// What the salaries of some roles come to, each for its working time.
pub(crate) fn salaries<'a>(
    roles: impl Iterator<Item = &'a Role>,
    time: impl Fn(&Role) -> FullTimeEquivalents,
    salary: impl Fn(&Role) -> UsdPerYear,
) -> UsdPerYear {
    roles.map(|role| salary(role) * time(role).get()).sum()
}

impl Inputs {
    pub(crate) fn of(
        scenario: &Scenario,
        kind: HostingKind,
        machine: &Machine,
        point: &OperatingPoint,
    ) -> Self {
        let Scenario { demand, hardware, hosting, staff, .. } = scenario;
        let (price, power, rent) = match machine {
            Machine::Owned { price, power } => {
                let watts = (power.prefill.value, power.decode.value, power.idle.value);
                (price.value, watts, UsdPerHour::new(0.0))
            }
            Machine::Rented { rent } => {
                let none = Watts::new(0.0);
                (Usd::new(0.0), (none, none, none), rent.value)
            }
        };
        Self {
            requests_per_day: demand.requests_per_day.value,
            days: demand.days_per_year.value,
            isl: demand.isl.value,
            osl: demand.osl.value,
            peak_to_mean: demand.peak_to_mean.value,
            growth: demand.growth_per_year.value,
            cached_share: demand.cached_share.value,
            throughput: point.requests_per_s.value,
            prefill_share: point.prefill_share,
            usable_share: hardware.usable_share.value,
            kind,
            price,
            price_factor: hardware.price_factor.value,
            residual_share: hardware.residual_share.value,
            cost_of_capital: hardware.cost_of_capital.value,
            life: hardware.life_years.value,
            maintenance_share: hardware.maintenance_share.value,
            spares: hardware.spares.value,
            machines_max: hardware.machines_max.value,
            prefill_power: power.0,
            decode_power: power.1,
            idle_power: power.2,
            electricity: hosting.electricity_usd_per_kwh.value,
            pue: hosting.pue.value,
            hours: hosting.hours_per_year.value,
            space: hosting.usd_per_machine_year.value,
            network: hosting.network_usd_per_year.value,
            colocation: hosting.colo_usd_per_kw_month.value,
            rent,
            reserved_share: hosting.reserved_share.value,
            reserved_discount: hosting.reserved_discount.value,
            people: staff.fte.value,
            salary: staff.salary_usd_per_year.value,
            roles: salaries(
                staff.roles.values(),
                |role| role.fte.value,
                |role| role.salary_usd_per_year.value,
            ),
            roles_time: Ratio::new(1.0),
            benefits_share: staff.benefits_share.value,
            software: scenario.software.usd_per_machine_year.value,
            shared_software: scenario.software.usd_per_year.value,
            training: scenario.training.one_off_usd.value,
            training_life: scenario.training.life_years.value,
            training_per_year: scenario.training.usd_per_year.value,
            sold_share: scenario.backfill.idle_share.value,
            sold_at: scenario.backfill.usd_per_million_tokens.value,
            api_people: scenario.api.fte.value,
            api_factor: scenario.api.price_factor.value,
            api_decline: scenario.api.price_decline_per_year.value,
        }
    }

    /// Requests of a year.
    pub(crate) fn requests(&self) -> RequestsPerYear {
        self.requests_per_day * self.days
    }

    /// Rate of the busiest time.
    pub(crate) fn peak(&self) -> RequestsPerSecond {
        peak_rate(self.requests() / self.hours, self.peak_to_mean)
    }

    /// What a machine serves in service: the measured throughput times the share that is usable.
    pub(crate) fn capacity(&self) -> RequestsPerSecond {
        self.throughput * self.usable_share.get()
    }

    /// The machines the demand needs, and those beside them.
    pub(crate) fn fleet(&self) -> Fleet {
        Fleet { serving: machines_for(self.peak(), self.capacity()), spares: self.spares }
    }

    /// Rent of a machine for a year, a part of its hours reserved.
    ///
    /// `rent * (1 - reserved * discount) * hours`; USD a year.
    fn yearly_rent(&self) -> UsdPerYear {
        let off = self.reserved_share.get() * self.reserved_discount.get();
        UsdPerYear::new((self.rent * (1.0 - off) * self.hours).get())
    }

    /// Space of a machine in a colocation site for a year, by the power it takes at most.
    ///
    /// `rate * load_w / 1000 * 12`; USD a year.
    fn yearly_colocation(&self) -> UsdPerYear {
        let provisioned = self.prefill_power.get().max(self.decode_power.get()) / 1_000.0;
        match self.kind {
            HostingKind::Colo => UsdPerYear::new(self.colocation.get() * provisioned * MONTHS),
            HostingKind::Own | HostingKind::Rent => UsdPerYear::new(0.0),
        }
    }

    /// What an hour of a machine earns with batch work of the same shape.
    ///
    /// `capacity * 3600 * (isl + osl) * price / 1e6`; USD an hour.
    fn hourly_sales(&self) -> UsdPerHour {
        let tokens = self.capacity().get() * 3_600.0 * (self.isl + self.osl).as_f64();
        UsdPerHour::new(tokens * self.sold_at.get() / 1e6)
    }

    /// What a machine on these terms costs a year, before its use is known.
    ///
    /// # Errors
    /// As [`yearly_capital_cost`] and [`staff::load`].
    pub(crate) fn terms(&self) -> Result<Terms, CostError> {
        let price = self.price * self.price_factor.get();
        let tenure = if self.kind == HostingKind::Rent {
            Tenure::Rent { rent: self.yearly_rent() }
        } else {
            let share = self.prefill_share.unwrap_or(Fraction::new(0.0));
            let load = mean_load(self.prefill_power, self.decode_power, share);
            Tenure::Own {
                capital: yearly_capital_cost(
                    price,
                    price * self.residual_share.get(),
                    self.cost_of_capital,
                    self.life,
                )?,
                maintenance: yearly_maintenance(price, self.maintenance_share),
                colocation: self.yearly_colocation(),
                idle: self.idle_power,
                // A busy machine draws no less than an idle one, whatever was drawn for both.
                load: Watts::new(load.get().max(self.idle_power.get())),
                pue: self.pue,
                electricity: self.electricity,
            }
        };
        let load = staff::load(self.benefits_share)?;
        let paid_off = if self.training.get() > 0.0 {
            let nothing = Usd::new(0.0);
            yearly_capital_cost(self.training, nothing, self.cost_of_capital, self.training_life)?
        } else {
            UsdPerYear::new(0.0)
        };
        Ok(Terms {
            tenure,
            hosting: self.space,
            network: self.network,
            software: self.software,
            shared_software: self.shared_software,
            training: paid_off + self.training_per_year,
            staff: staff::yearly_staff_cost(self.people, self.salary, load)
                + self.roles * (self.roles_time.get() * load.get()),
            sold_share: self.sold_share,
            sales: self.hourly_sales(),
            hours: self.hours,
        })
    }

    /// The self-hosted bill as a function of the volume.
    pub(crate) fn staircase(&self, terms: &Terms) -> SelfHosted {
        let capacity = self.capacity();
        SelfHosted {
            shared: terms.shared(),
            per_machine: terms.per_machine(),
            per_request: terms.per_request(capacity),
            capacity: capacity * self.hours / self.peak_to_mean.get(),
            spares: self.spares,
            // The bill of this demand is for all the machines it needs, so break-even is looked
            // for on that many too.
            machines_max: self.machines_max.max(self.fleet().serving),
        }
    }

    /// What people cost who work with an API.
    ///
    /// # Errors
    /// As [`staff::load`].
    pub(crate) fn api_staff(&self) -> Result<UsdPerYear, CostError> {
        let load = staff::load(self.benefits_share)?;
        Ok(staff::yearly_staff_cost(self.api_people, self.salary, load))
    }

    /// The bill of an API as a function of the volume.
    ///
    /// # Errors
    /// As [`staff::load`].
    pub(crate) fn hosted(&self, listed: ListedRequest) -> Result<Hosted, CostError> {
        Ok(self.hosted_with(listed, self.api_staff()?))
    }

    /// The same with what people cost known already.
    pub(crate) fn hosted_with(&self, listed: ListedRequest, fixed: UsdPerYear) -> Hosted {
        Hosted { fixed, per_request: listed.at(self.cached_share) * self.api_factor.get() }
    }
}

/// The listed price of a request, as a function of the share of its input that is cached.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ListedRequest {
    /// With nothing read from the cache.
    pub(crate) uncached: UsdPerRequest,
    /// What all of it read from the cache would add: below zero.
    pub(crate) cached: UsdPerRequest,
    /// The largest share that can be read.
    pub(crate) most: Fraction,
}

impl ListedRequest {
    /// `uncached + h * cached`, with `h` the share read from the cache.
    fn at(&self, cached_share: Fraction) -> UsdPerRequest {
        self.uncached + self.cached * cached_share.get().min(self.most.get())
    }
}
