//! Demand that nobody recorded: a rate with a daily and a weekly shape, drawn arrivals, drawn
//! lengths.

use super::error::FleetError;
use super::job::{Arrivals as Stream, Job};
use super::lengths::{Lengths, Picker};
use super::service::exponential;
use freeweights_record::units::{
    Days, Fraction, Ratio, RequestsPerDay, RequestsPerSecond, Seconds,
};
use rand::SeedableRng;
use rand::rngs::SmallRng;

/// Seconds of an hour.
const HOUR: f64 = 3_600.0;

/// Hours of a week.
const WEEK: usize = 168;

/// Seconds of a day.
pub(super) const DAY: Seconds = Seconds::new(86_400.0);

/// How requests follow each other, around the rate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Arrivals {
    /// Independently of each other.
    Poisson,
    /// With gaps drawn from a gamma distribution of this coefficient of variation, standard deviation
    /// over mean: 1 is Poisson, above it requests come in bunches, below it evenly.
    Gamma {
        /// That coefficient.
        variation: Ratio,
    },
    /// Poisson while it is on, nothing while it is off; both last exponential times.
    OnOff {
        /// Share of the time it is on.
        on: Fraction,
        /// Mean time of being on and off once.
        cycle: Seconds,
    },
}

/// A demand that is drawn.
#[derive(Debug, Clone)]
pub struct Synthetic {
    arrivals: Arrivals,
    lengths: Lengths,
    /// Requests a second in each hour of the week.
    rates: Box<[f64; WEEK]>,
    /// Factor of each week over the one before.
    weekly: f64,
    seconds: f64,
    requests: u64,
    seed: u64,
}

impl Synthetic {
    /// The same rate at all times, for a day.
    ///
    /// # Errors
    /// [`FleetError::NoRequests`] where the rate is not above zero; [`FleetError::OutOfRange`] where
    /// the arrivals have no meaning.
    pub fn steady(
        rate: RequestsPerSecond,
        arrivals: Arrivals,
        lengths: Lengths,
    ) -> Result<Self, FleetError> {
        if !(rate.get() > 0.0 && rate.get().is_finite()) {
            return Err(FleetError::NoRequests);
        }
        let refused = |name, value: f64, rule| {
            Err(FleetError::OutOfRange { name, value: value.to_string(), rule })
        };
        match arrivals {
            Arrivals::Gamma { variation } if !(0.01..=100.0).contains(&variation.get()) => {
                let name = "the variation of gaps";
                return refused(name, variation.get(), "it must be between 0.01 and 100");
            }
            Arrivals::OnOff { on, .. } if !(on.get() > 0.0 && on.get() < 1.0) => {
                return refused("the share of time on", on.get(), "it must be between 0 and 1");
            }
            Arrivals::OnOff { cycle, .. } if !(cycle.get() > 0.0 && cycle.get().is_finite()) => {
                return refused("the time on and off", cycle.get(), "it must be more than 0");
            }
            _ => {}
        }
        Ok(Self {
            arrivals,
            lengths,
            rates: Box::new([rate.get(); WEEK]),
            weekly: 1.0,
            seconds: DAY.get(),
            requests: u64::MAX,
            seed: 1,
        })
    }

    /// So many requests a day on average over the week, in the shape of hours and days: only the
    /// proportions of the weights count.
    ///
    /// # Errors
    /// As [`Synthetic::steady`]; [`FleetError::OutOfRange`] where a weight is negative or all are 0.
    pub fn shaped(
        demand: RequestsPerDay,
        hours: &[Ratio; 24],
        days: &[Ratio; 7],
        arrivals: Arrivals,
        lengths: Lengths,
    ) -> Result<Self, FleetError> {
        let mean = demand.get() / DAY.get();
        let mut shaped = Self::steady(RequestsPerSecond::new(mean), arrivals, lengths)?;
        let sum = |weights: &[Ratio]| -> Result<f64, FleetError> {
            let sane = |weight: &Ratio| weight.get() >= 0.0 && weight.get().is_finite();
            let sum: f64 = weights.iter().map(|weight| weight.get()).sum();
            if weights.iter().all(sane) && sum > 0.0 {
                Ok(sum / weights.len() as f64)
            } else {
                let rule = "weights must be 0 or more, and one above 0";
                let (name, value) = ("the shape of the demand", sum.to_string());
                Err(FleetError::OutOfRange { name, value, rule })
            }
        };
        let (hour_mean, day_mean) = (sum(hours)?, sum(days)?);
        for (index, rate) in shaped.rates.iter_mut().enumerate() {
            let (day, hour) = (days[index / 24].get(), hours[index % 24].get());
            *rate = mean * (day / day_mean) * (hour / hour_mean);
        }
        Ok(shaped)
    }

    /// The same for so many days.
    #[must_use]
    pub fn for_days(self, days: Days) -> Self {
        Self { seconds: days.get() * DAY.get(), ..self }
    }

    /// The same until so many requests have come, however long that takes.
    #[must_use]
    pub fn with_requests(self, requests: u64) -> Self {
        Self { requests, seconds: f64::INFINITY, ..self }
    }

    /// The same, growing by so much each week.
    #[must_use]
    pub fn growing(self, weekly: Fraction) -> Self {
        Self { weekly: (1.0 + weekly.get()).max(0.0), ..self }
    }

    /// The same at so many times the rate.
    #[must_use]
    pub fn faster(mut self, times: Ratio) -> Self {
        self.rates.iter_mut().for_each(|rate| *rate *= times.get());
        self
    }

    /// Weights of the hours of a day whose busiest stands so far above the mean: a smooth bell around
    /// 14 o'clock.
    ///
    /// `exp(k cos(2 pi (h - 14) / 24))`, with `k` such that the largest is `peak` times the mean;
    /// `k` is at most 50.
    #[must_use]
    pub fn daily(peak: Ratio) -> [Ratio; 24] {
        let weights = |k: f64| {
            let mut hour = 0.0;
            [(); 24].map(|()| {
                let angle = (hour - 14.0) / 24.0 * std::f64::consts::TAU;
                hour += 1.0;
                (k * (angle.cos() - 1.0)).exp()
            })
        };
        // The largest weight is 1, so the peak is 24 over their sum; it rises with k.
        let peak_at = |k: f64| 24.0 / weights(k).iter().sum::<f64>();
        let (mut low, mut high) = (0.0, 50.0);
        for _ in 0..60 {
            let middle = f64::midpoint(low, high);
            if peak_at(middle) < peak.get() { low = middle } else { high = middle }
        }
        weights(low).map(Ratio::new)
    }

    /// The same, drawn from another seed.
    #[must_use]
    pub fn with_seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// The lengths of its requests.
    #[must_use]
    pub const fn lengths(&self) -> &Lengths {
        &self.lengths
    }

    /// Mean rate of the first week.
    #[must_use]
    pub fn mean_rate(&self) -> RequestsPerSecond {
        RequestsPerSecond::new(self.rates.iter().sum::<f64>() / WEEK as f64)
    }

    /// Rate of the busiest hour of the first week.
    #[must_use]
    pub fn peak_rate(&self) -> RequestsPerSecond {
        RequestsPerSecond::new(self.rates.iter().copied().fold(0.0, f64::max))
    }

    pub(super) fn arrivals(&self) -> Drawing<'_> {
        let mut rng = SmallRng::seed_from_u64(self.seed);
        let (on, switch) = match self.arrivals {
            Arrivals::OnOff { on, cycle } => (true, exponential(&mut rng) * cycle.get() * on.get()),
            _ => (true, f64::INFINITY),
        };
        Drawing {
            demand: self,
            picker: self.lengths.picker(),
            now: 0.0,
            hour: 0,
            hour_end: HOUR,
            growth: 1.0,
            on,
            switch,
            left: self.requests,
            rng,
        }
    }
}

/// A demand as it is drawn.
pub(super) struct Drawing<'a> {
    demand: &'a Synthetic,
    picker: Picker<'a>,
    now: f64,
    hour: usize,
    hour_end: f64,
    growth: f64,
    on: bool,
    /// When on turns to off, or off to on.
    switch: f64,
    left: u64,
    rng: SmallRng,
}

impl Drawing<'_> {
    /// Requests a second at the moment.
    #[inline]
    fn rate(&self) -> f64 {
        let base = self.demand.rates[self.hour] * self.growth;
        match self.demand.arrivals {
            Arrivals::OnOff { on, .. } => {
                if self.on {
                    base / on.get()
                } else {
                    0.0
                }
            }
            _ => base,
        }
    }

    /// A gap at a rate of 1.
    #[inline]
    fn gap(&mut self) -> f64 {
        match self.demand.arrivals {
            Arrivals::Gamma { variation } => {
                let shape = 1.0 / (variation.get() * variation.get());
                super::lengths::gamma(shape, &mut self.rng) / shape
            }
            Arrivals::Poisson | Arrivals::OnOff { .. } => exponential(&mut self.rng),
        }
    }

    /// The next hour, or the next turn between on and off.
    fn turn(&mut self) {
        if self.switch < self.hour_end {
            self.now = self.switch;
            self.on = !self.on;
            if let Arrivals::OnOff { on, cycle } = self.demand.arrivals {
                let share = if self.on { on.get() } else { 1.0 - on.get() };
                self.switch += exponential(&mut self.rng) * cycle.get() * share;
            }
            return;
        }
        self.now = self.hour_end;
        self.hour_end += HOUR;
        self.hour += 1;
        if self.hour == WEEK {
            self.hour = 0;
            self.growth *= self.demand.weekly;
        }
    }
}

impl Stream for Drawing<'_> {
    /// A gap is drawn at a rate of 1, and stretched by the rates of the hours it runs through.
    #[inline]
    fn next(&mut self) -> Option<Job> {
        if self.left == 0 {
            return None;
        }
        let mut gap = self.gap();
        loop {
            let (rate, until) = (self.rate(), self.hour_end.min(self.switch));
            let room = (until - self.now) * rate;
            if gap < room {
                self.now += gap / rate;
                break;
            }
            gap -= room;
            self.turn();
            if self.now > self.demand.seconds || self.growth <= 0.0 {
                return None;
            }
        }
        if self.now > self.demand.seconds {
            return None;
        }
        self.left -= 1;
        let (isl, osl) = self.picker.pick(&mut self.rng);
        Some(Job { arrival: self.now, isl, osl, place: 0, salt: 0 })
    }

    fn blocks(&self, _: &Job) -> &[u64] {
        &[]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use freeweights_record::units::Tokens;

    fn jobs(demand: &Synthetic) -> Vec<Job> {
        let mut arrivals = demand.arrivals();
        std::iter::from_fn(|| arrivals.next()).collect()
    }

    fn one() -> Lengths {
        Lengths::fixed(Tokens::new(10), Tokens::new(5))
    }

    fn steady(arrivals: Arrivals) -> Synthetic {
        Synthetic::steady(RequestsPerSecond::new(2.0), arrivals, one()).unwrap()
    }

    /// Mean and coefficient of variation of the gaps.
    fn gaps(demand: &Synthetic) -> (f64, f64) {
        let jobs = jobs(demand);
        let gaps: Vec<f64> =
            jobs.windows(2).map(|pair| pair[1].arrival - pair[0].arrival).collect();
        let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
        let square = gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / gaps.len() as f64;
        (mean, square.sqrt() / mean)
    }

    #[test]
    fn gaps_have_the_mean_and_the_variation_asked_for() {
        for (arrivals, variation) in [
            (Arrivals::Poisson, 1.0),
            (Arrivals::Gamma { variation: Ratio::new(3.0) }, 3.0),
            (Arrivals::Gamma { variation: Ratio::new(0.5) }, 0.5),
        ] {
            let (mean, ours) = gaps(&steady(arrivals).with_requests(200_000));
            assert!((mean / 0.5 - 1.0).abs() < 0.03, "{arrivals:?}: {mean}");
            assert!((ours / variation - 1.0).abs() < 0.03, "{arrivals:?}: {ours}");
        }
    }

    #[test]
    fn bursts_keep_the_mean_rate_and_are_off_in_between() {
        let on = Fraction::new(0.25);
        let bursts = steady(Arrivals::OnOff { on, cycle: Seconds::new(60.0) });
        let (mean, variation) = gaps(&bursts.with_requests(400_000));
        assert!((mean / 0.5 - 1.0).abs() < 0.03, "{mean}");
        assert!(variation > 5.0, "{variation}");
    }

    #[test]
    fn a_day_has_its_shape_and_a_week_its_growth() {
        let mut hours = [Ratio::new(1.0); 24];
        hours[12] = Ratio::new(5.0);
        let mut days = [Ratio::new(1.0); 7];
        days[6] = Ratio::new(0.0);
        let demand = RequestsPerDay::new(10_000.0);
        let shaped = Synthetic::shaped(demand, &hours, &days, Arrivals::Poisson, one()).unwrap();
        // 28 weights a day, 6 days of 7: the hour of 5 has 10,000 * 7 / 6 * 5 / 28 = 2,083.
        let noon = |job: &&Job| (12.0..13.0).contains(&(job.arrival % 86_400.0 / 3_600.0));
        let jobs = jobs(&shaped.clone().for_days(Days::new(14.0)).growing(Fraction::new(1.0)));
        let first: Vec<&Job> = jobs.iter().filter(|job| job.arrival < 7.0 * 86_400.0).collect();
        let at_noon = first.iter().filter(|job| noon(job)).count() as f64;
        assert!((at_noon / 6.0 / 2_083.3 - 1.0).abs() < 0.03, "{at_noon}");
        assert!(first.iter().all(|job| job.arrival < 6.0 * 86_400.0), "nobody comes on day 7");
        // Twice as many in the second week.
        let ratio = (jobs.len() - first.len()) as f64 / first.len() as f64;
        assert!((ratio - 2.0).abs() < 0.04, "{ratio}");
        assert!((shaped.mean_rate().get() * 86_400.0 - 10_000.0).abs() < 1e-6);
        assert!((shaped.peak_rate().get() * 3_600.0 - 2_083.333).abs() < 0.01);
    }

    #[test]
    fn a_daily_shape_has_the_peak_asked_for() {
        for peak in [1.0, 1.5, 3.0] {
            let hours = Synthetic::daily(Ratio::new(peak)).map(Ratio::get);
            let mean = hours.iter().sum::<f64>() / 24.0;
            let most = hours.iter().copied().fold(0.0, f64::max);
            assert!((most / mean - peak).abs() < 1e-9, "{peak}: {}", most / mean);
            assert!((hours[14] - most).abs() < 1e-12);
        }
    }

    #[test]
    fn a_demand_without_meaning_is_refused() {
        let none = Synthetic::steady(RequestsPerSecond::new(0.0), Arrivals::Poisson, one());
        assert_eq!(none.unwrap_err(), FleetError::NoRequests);
        let rate = RequestsPerSecond::new(1.0);
        let error = |arrivals| Synthetic::steady(rate, arrivals, one()).unwrap_err().to_string();
        insta::assert_snapshot!(error(Arrivals::Gamma { variation: Ratio::new(0.0) }), @"the variation of gaps is 0, but it must be between 0.01 and 100; give another value");
        let (on, cycle) = (Fraction::new(1.0), Seconds::new(1.0));
        insta::assert_snapshot!(error(Arrivals::OnOff { on, cycle }), @"the share of time on is 1, but it must be between 0 and 1; give another value");
        let flat = [Ratio::new(0.0); 24];
        let days = [Ratio::new(1.0); 7];
        let demand = RequestsPerDay::new(1.0);
        assert!(Synthetic::shaped(demand, &flat, &days, Arrivals::Poisson, one()).is_err());
    }

    #[test]
    fn the_same_seed_draws_the_same() {
        let demand = steady(Arrivals::Poisson).with_requests(100);
        assert_eq!(jobs(&demand), jobs(&demand));
        assert_ne!(jobs(&demand), jobs(&demand.clone().with_seed(2)));
    }
}
