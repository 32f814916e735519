//! Years of growth nobody knows: fleets that are ordered ahead, too early or too late.
//!
//! Not here: what a week of a machine costs, and how many machines a demand needs; both are handed
//! in.

use super::lengths::normal;
use super::percentiles::at_share;
use crate::figure::Machines;
use freeweights_record::units::{
    Fraction, Percent, Quantity, Ratio, RequestsPerYear, UsdPerRequest, UsdPerYear,
};
use rand::Rng;
use rand::SeedableRng;
use rand::rngs::SmallRng;
use serde::Serialize;

/// Weeks of a year.
pub(super) const WEEKS: f64 = 52.0;

/// Weeks between two points of the fan.
const STEP: u32 = 4;

/// The 95% quantile of the standard normal distribution.
const Z95: f64 = 1.644_853_626_951_472_2;

/// Commitment levels that are tried: how sure a planner wants to be that there is enough.
const LEVELS: [f64; 13] =
    [5.0, 10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 70.0, 80.0, 90.0, 95.0, 97.5, 99.0];

/// How the demand may grow.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Growth {
    /// Growth of a week that one time in twenty is undercut.
    pub low: Fraction,
    /// The median.
    pub value: Fraction,
    /// Growth of a week that one time in twenty is exceeded.
    pub high: Fraction,
    /// Standard deviation of what a single week adds to that, in the logarithm.
    pub noise: Fraction,
}

impl Growth {
    /// Growth of a year as growth of a week: `(1 + g)^(1 / 52) - 1`.
    #[must_use]
    pub fn of_year(low: Fraction, value: Fraction, high: Fraction, noise: Fraction) -> Self {
        let weekly =
            |year: Fraction| Fraction::new((1.0 + year.get()).max(1e-9).powf(1.0 / WEEKS) - 1.0);
        Self { low: weekly(low), value: weekly(value), high: weekly(high), noise }
    }

    /// The logarithm of a week's growth, drawn: normal on either side of the median.
    fn draw(&self, rng: &mut impl Rng) -> f64 {
        let of = |growth: Fraction| growth.get().max(-0.999).ln_1p();
        let (low, value, high) = (of(self.low), of(self.value), of(self.high));
        let z = normal(rng);
        value + z * if z < 0.0 { (value - low) / Z95 } else { (high - value) / Z95 }
    }
}

/// Machines that a multiple of today's demand needs: `a * m + b * sqrt(m)`, the next whole number.
///
/// The load grows with the demand and the margin over it with its square root, as in the
/// square-root staffing rule; `a` and `b` go through two fleets that were simulated.
///
/// # Source
/// S. Halfin and W. Whitt, Operations Research 29 (1981), 567.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Staffing {
    /// Machines that grow with the demand.
    pub load: Ratio,
    /// Machines that grow with its square root.
    pub margin: Ratio,
}

impl Staffing {
    /// Through the fleet of today's demand and that of a multiple of it, above 1.
    ///
    /// Neither part is below zero: where the larger demand needs more than in proportion, all of it
    /// is load.
    #[must_use]
    pub fn through(today: Machines, multiple: Ratio, then: Machines) -> Self {
        // n1 = a + b; nm = a m + b sqrt(m)
        let (one, many, m) = (today.as_f64(), then.as_f64(), multiple.get());
        let load = ((many - one * m.sqrt()) / (m - m.sqrt())).clamp(0.0, one);
        Self { load: Ratio::new(load), margin: Ratio::new(one - load) }
    }

    /// Machines at a multiple of today's demand; at least one.
    #[must_use]
    pub fn machines(&self, multiple: Ratio) -> Machines {
        let m = multiple.get();
        crate::sizing::whole_machines(self.load.get() * m + self.margin.get() * m.sqrt())
    }
}

/// What a planner pays.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Prices {
    /// A machine for a year, whether it works or not.
    pub machine: UsdPerYear,
    /// People and the like, whatever the number of machines.
    pub shared: UsdPerYear,
    /// A request that there is no machine for: what an API takes for it, or what it would have
    /// earned.
    pub turned_away: UsdPerRequest,
}

/// Everything that the years ahead depend on.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Ahead {
    /// How the demand may grow.
    pub growth: Growth,
    /// What a multiple of it needs.
    pub staffing: Staffing,
    /// Spares beside the machines that serve.
    pub spares: Machines,
    /// What is paid.
    pub prices: Prices,
    /// Requests of a year today.
    pub requests: RequestsPerYear,
    /// Weeks ahead.
    pub weeks: u32,
    /// Weeks from an order to the machine.
    pub lead_weeks: u32,
    /// Paths drawn.
    pub draws: u32,
    /// Seed.
    pub seed: u64,
}

/// P10, P50 and P90.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Fan<T> {
    /// One path in ten lies below.
    pub p10: T,
    /// Half of them do.
    pub p50: T,
    /// Nine in ten do.
    pub p90: T,
}

/// One moment ahead.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct FanPoint {
    /// Weeks from now.
    pub week: u32,
    /// Demand over today's.
    pub demand: Fan<Ratio>,
    /// Machines the demand needs, spares included.
    pub machines: Fan<Machines>,
    /// What just these machines cost a year at that moment.
    pub usd_per_year: Fan<UsdPerYear>,
}

/// What comes of always ordering for a commitment level.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Commitment {
    /// Orders cover the demand of the lead time ahead with this certainty.
    pub level: Percent,
    /// Mean bill a year: machines, shared costs and what is turned away.
    pub usd_per_year: UsdPerYear,
    /// Of it, machines nobody needed yet: bought too early.
    pub too_early: UsdPerYear,
    /// Of it, requests there was no machine for.
    pub turned_away: UsdPerYear,
    /// Share of the requests that there was no machine for.
    pub turned_away_share: Fraction,
    /// The bill of the luckier and the unluckier paths.
    pub spend: Fan<UsdPerYear>,
}

/// The years ahead.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Outlook {
    /// What it was computed from.
    pub from: Ahead,
    /// The fan, every four weeks.
    pub fan: Vec<FanPoint>,
    /// Every level that was tried.
    pub levels: Vec<Commitment>,
    /// The one with the lowest mean bill.
    pub best: Commitment,
    /// What one period with one order would ask for: `short / (short + over)`, with `short` the loss
    /// of a request turned away over the machine it lacked, and `over` the price of a machine that
    /// waits. The level of a newsvendor.
    pub newsvendor: Percent,
}

/// Draws paths of demand, week by week, and orders along each of them.
///
/// A path has one rate of growth, drawn once, and noise that each week adds. Every week the planner
/// sees the demand, and orders up to what it needs a lead time ahead if it grows by the quantile of
/// the drawn paths at the commitment level. Machines stay once they are there.
#[must_use]
pub fn outlook(from: Ahead) -> Outlook {
    let paths = paths(&from);
    let fan = fan(&from, &paths);
    let lead = (from.lead_weeks as usize).min(from.weeks as usize);
    let mut ratios: Vec<f64> = paths.iter().map(|path| path[lead]).collect();
    ratios.sort_by(f64::total_cmp);
    let levels: Vec<Commitment> = LEVELS
        .iter()
        .map(|level| commit(&from, &paths, at_share(&ratios, *level / 100.0), *level))
        .collect();
    let cheaper = |best: Commitment, next: &Commitment| {
        if next.usd_per_year < best.usd_per_year { *next } else { best }
    };
    let best = levels.iter().fold(levels[0], cheaper);
    // A machine serves its share of today's requests.
    let served = from.requests.get() / from.staffing.machines(Ratio::new(1.0)).as_f64();
    let short = (served * from.prices.turned_away.get() - from.prices.machine.get()).max(0.0);
    let all = short + from.prices.machine.get();
    let newsvendor = Percent::new(if all > 0.0 { short / all * 100.0 } else { 0.0 });
    Outlook { from, fan, levels, best, newsvendor }
}

/// Demand over today's, week by week.
fn paths(from: &Ahead) -> Vec<Vec<f64>> {
    let mut rng = SmallRng::seed_from_u64(from.seed);
    (0..from.draws.max(1))
        .map(|_| {
            let growth = from.growth.draw(&mut rng);
            let mut log = 0.0;
            let week = |_| {
                let now: f64 = log;
                log += growth;
                if from.growth.noise.get() > 0.0 {
                    log += from.growth.noise.get() * normal(&mut rng);
                }
                now.exp()
            };
            (0..=from.weeks).map(week).collect()
        })
        .collect()
}

fn fan(from: &Ahead, paths: &[Vec<f64>]) -> Vec<FanPoint> {
    let point = |week: u32| {
        let mut demand: Vec<f64> = paths.iter().map(|path| path[week as usize]).collect();
        demand.sort_by(f64::total_cmp);
        // Machines rise with the demand, so the ranks of one are those of the other.
        let ranks = [10.0, 50.0, 90.0].map(|level| Ratio::new(at_share(&demand, level / 100.0)));
        let machines = ranks.map(|demand| from.staffing.machines(demand).plus(from.spares));
        let usd = machines.map(|count| from.prices.shared + from.prices.machine * count.as_f64());
        FanPoint { week, demand: of(ranks), machines: of(machines), usd_per_year: of(usd) }
    };
    let mut weeks: Vec<u32> = (0..=from.weeks).step_by(STEP as usize).collect();
    if weeks.last() != Some(&from.weeks) {
        weeks.push(from.weeks);
    }
    weeks.into_iter().map(point).collect()
}

fn of<T: Copy>([p10, p50, p90]: [T; 3]) -> Fan<T> {
    Fan { p10, p50, p90 }
}

/// Orders along every path, always for the demand times `ahead`.
fn commit(from: &Ahead, paths: &[Vec<f64>], ahead: f64, level: f64) -> Commitment {
    let lead = from.lead_weeks as usize;
    let weeks = f64::from(from.weeks.max(1));
    let machine_week = from.prices.machine.get() / WEEKS;
    let requests_week = from.requests.get() / WEEKS;
    let today = from.staffing.machines(Ratio::new(1.0)).get();
    let (mut early, mut away, mut lost, mut asked) = (0.0, 0.0, 0.0, 0.0);
    let mut bills = Vec::with_capacity(paths.len());
    let mut ordered = vec![0_u32; from.weeks as usize + 1];
    for path in paths {
        let (mut fleet, mut bill) = (today, 0.0);
        for (week, &demand) in path.iter().enumerate().take(from.weeks as usize) {
            ordered[week] = from.staffing.machines(Ratio::new(demand * ahead)).get();
            if week >= lead {
                fleet = fleet.max(ordered[week - lead]);
            }
            let needed = from.staffing.machines(Ratio::new(demand)).get();
            let idle = f64::from(fleet.saturating_sub(needed)) * machine_week;
            let missing =
                if needed > fleet { 1.0 - f64::from(fleet) / f64::from(needed) } else { 0.0 };
            let requests = requests_week * demand;
            let gone = requests * missing * from.prices.turned_away.get();
            early += idle;
            away += gone;
            lost += requests * missing;
            asked += requests;
            bill += f64::from(fleet + from.spares.get()) * machine_week + gone;
        }
        bills.push(from.prices.shared.get() + bill / weeks * WEEKS);
    }
    let yearly = |sum: f64| UsdPerYear::new(sum / paths.len() as f64 / weeks * WEEKS);
    let mean = bills.iter().sum::<f64>() / bills.len() as f64;
    bills.sort_by(f64::total_cmp);
    Commitment {
        level: Percent::new(level),
        usd_per_year: UsdPerYear::new(mean),
        too_early: yearly(early),
        turned_away: yearly(away),
        turned_away_share: Fraction::new(if asked > 0.0 { lost / asked } else { 0.0 }),
        spend: of(
            [10.0, 50.0, 90.0].map(|rank| UsdPerYear::from_f64(at_share(&bills, rank / 100.0)))
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ahead(machine: f64, turned_away: f64, high: f64, lead_weeks: u32) -> Ahead {
        let share = Fraction::new;
        Ahead {
            growth: Growth {
                low: share(0.0),
                value: share(0.005),
                high: share(high),
                noise: share(0.01),
            },
            staffing: Staffing { load: Ratio::new(9.0), margin: Ratio::new(1.0) },
            spares: Machines::new(1),
            prices: Prices {
                machine: UsdPerYear::new(machine),
                shared: UsdPerYear::new(100.0),
                turned_away: UsdPerRequest::new(turned_away),
            },
            requests: RequestsPerYear::new(1e6),
            weeks: 104,
            lead_weeks,
            draws: 2_000,
            seed: 1,
        }
    }

    #[test]
    fn staffing_goes_through_both_fleets() {
        // 10 = a + b and 38 = 4 a + 2 b: a = 9, b = 1.
        let staffing = Staffing::through(Machines::new(10), Ratio::new(4.0), Machines::new(38));
        assert!((staffing.load.get() - 9.0).abs() < 1e-12);
        assert!((staffing.margin.get() - 1.0).abs() < 1e-12);
        // 9 * 9 + 3 = 84; nothing needs less than one.
        assert_eq!(staffing.machines(Ratio::new(9.0)), Machines::new(84));
        assert_eq!(staffing.machines(Ratio::new(0.0)), Machines::new(1));
        // More than in proportion is all load.
        let steep = Staffing::through(Machines::new(1), Ratio::new(4.0), Machines::new(9));
        assert_eq!((steep.load, steep.margin), (Ratio::new(1.0), Ratio::new(0.0)));
    }

    #[test]
    fn a_little_a_week_compounds() {
        let year = Growth::of_year(
            Fraction::new(0.0),
            Fraction::new(0.6777),
            Fraction::new(3.0),
            Fraction::new(0.0),
        );
        // 1.01^52 = 1.6777
        assert!((year.value.get() - 0.01).abs() < 1e-5);
        let outlook = outlook(Ahead { growth: year, ..ahead(1.0, 1.0, 0.0, 8) });
        let last = outlook.fan.last().unwrap();
        // 1.6777^2 = 2.815 after two years, in the middle.
        assert!((last.demand.p50.get() / 2.815 - 1.0).abs() < 0.05, "{:?}", last.demand);
        assert!(last.machines.p10 < last.machines.p50 && last.machines.p50 < last.machines.p90);
        assert_eq!(outlook.fan[0].machines.p10, Machines::new(11));
        assert_eq!(last.week, 104);
    }

    #[test]
    fn dear_machines_are_ordered_late_and_dear_customers_early() {
        let level = |machine, away| outlook(ahead(machine, away, 0.03, 26)).best.level.get();
        // A machine serves 100,000 requests a year: turned away they cost 100 or 10,000 USD.
        let (late, early) = (level(1_000.0, 0.001), level(1_000.0, 0.1));
        assert!(late <= 5.0 && early >= 70.0, "{late} {early}");
        let fractile = |away| outlook(ahead(1_000.0, away, 0.03, 26)).newsvendor.get();
        // (10,000 - 1,000) / 10,000
        assert!((fractile(0.1) - 90.0).abs() < 1e-9 && fractile(0.001).abs() < 1e-12);
    }

    #[test]
    fn a_higher_level_buys_more_early_and_turns_fewer_away() {
        let outlook = outlook(ahead(1_000.0, 0.05, 0.03, 26));
        for pair in outlook.levels.windows(2) {
            assert!(pair[1].too_early >= pair[0].too_early);
            assert!(pair[1].turned_away <= pair[0].turned_away);
            assert!(pair[0].spend.p10 <= pair[0].spend.p90);
        }
        assert!(outlook.levels.iter().all(|level| level.usd_per_year >= outlook.best.usd_per_year));
    }

    #[test]
    fn without_a_lead_time_or_growth_nobody_errs() {
        let still = Growth {
            low: Fraction::new(0.0),
            value: Fraction::new(0.0),
            high: Fraction::new(0.0),
            noise: Fraction::new(0.0),
        };
        let outlook = outlook(Ahead { growth: still, ..ahead(10.0, 1.0, 0.0, 8) });
        // 11 machines at 10 USD and 100 USD shared.
        assert!((outlook.best.usd_per_year.get() - 210.0).abs() < 1e-9);
        assert!(outlook.best.too_early.get().abs() < 1e-12);
        assert!(outlook.best.turned_away.get().abs() < 1e-12);
    }
}
