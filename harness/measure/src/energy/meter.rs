//! A source with its readings over time, and what a window of time took.

use super::{EnergySource, Reading};
use crate::series::Series;
use freeweights_record::metric;
use freeweights_record::units::{Joules, Seconds, Watts};

/// A window is at least so many gaps long.
///
/// At each end the counter is read off the straight line between two readings, `g` apart. Where the
/// power steps by `P` between them, the line is wrong by at most `P * g / 4`, at two ends by
/// `P * g / 2`. Power steps by no more than the power itself, so over a window of length `w` the
/// energy is wrong by at most `g / (2 w)`: 5% at ten gaps.
const GAPS: f64 = 10.0;

/// Longest time between two readings of power that is still integrated: the hardware renews them
/// every 20 to 100 ms, so what lies between readings further apart was never seen.
const LONGEST_POWER_GAP: Seconds = Seconds::new(0.25);

/// A part of the machine with a source of energy.
pub struct Part {
    /// Where its energy is read.
    pub source: Box<dyn EnergySource>,
    /// A second source of the same energy, to check the first.
    pub check: Option<Box<dyn EnergySource>>,
    /// The device that it is of; `None` for what every case takes.
    pub device: Option<String>,
}

/// A source and its running total in microjoules, which whole numbers keep exact.
pub(crate) struct Meter {
    source: Box<dyn EnergySource>,
    total: Series,
    power: Option<(Seconds, Watts)>,
}

impl Meter {
    pub(crate) fn of(source: Box<dyn EnergySource>) -> Self {
        Self { source, total: Series::default(), power: None }
    }

    pub(crate) fn name(&self) -> String {
        self.source.name()
    }

    pub(crate) fn update(&self) -> Seconds {
        self.source.update()
    }

    /// Reads the source. A reading is that of the middle of the time it took.
    pub(crate) fn read(&mut self, clock: &dyn Fn() -> Seconds) {
        let before = clock();
        let reading = self.source.read(before);
        let at = before + (clock() - before) * 0.5;
        match reading {
            Some(Reading::Energy(energy)) => self.total.push(at, (energy.get() * 1e6).round()),
            Some(Reading::Power(power)) => self.integrate(at, power),
            Some(Reading::Lost) => self.total.restart(),
            None => {}
        }
        self.total.thin_total();
    }

    /// Adds the trapezoid between this reading of power and the last; too long a gap begins anew.
    fn integrate(&mut self, at: Seconds, power: Watts) {
        let last = self.power.replace((at, power));
        match (last, self.total.last()) {
            (Some((then, was)), Some((_, total))) if at - then <= LONGEST_POWER_GAP => {
                let mean = (was + power) * 0.5;
                self.total.push(at, total + 1e6 * (mean * (at - then)).get());
            }
            _ => {
                self.total.restart();
                self.total.push(at, 0.0);
            }
        }
    }

    /// Forgets what lies before the last reading.
    pub(crate) fn forget(&mut self) {
        self.total.forget();
    }

    /// Energy of a window; `None` where it is not covered, or too short for the readings around it.
    pub(crate) fn energy(&self, from: Seconds, to: Seconds) -> Option<Joules> {
        let (start, end) = (self.total.at(from)?, self.total.at(to)?);
        let gap = start.gap.get().max(end.gap.get()).max(self.source.update().get());
        let covered = (to - from).get() >= GAPS * gap;
        covered.then(|| Joules::new((end.value - start.value) / 1e6))
    }

    /// Mean power over a window.
    pub(crate) fn power(&self, from: Seconds, to: Seconds) -> Option<Watts> {
        metric::mean_power(self.energy(from, to)?, to - from).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;
    use std::collections::VecDeque;

    struct Played {
        readings: VecDeque<Option<Reading>>,
        update: f64,
    }

    impl EnergySource for Played {
        fn name(&self) -> String {
            "played".into()
        }
        fn update(&self) -> Seconds {
            Seconds::new(self.update)
        }
        fn read(&mut self, _: Seconds) -> Option<Reading> {
            self.readings.pop_front().flatten()
        }
    }

    /// A meter that has read these at these times.
    fn meter(update: f64, readings: &[(f64, Reading)]) -> Meter {
        let played = readings.iter().map(|(_, reading)| Some(*reading)).collect();
        let mut meter = Meter::of(Box::new(Played { readings: played, update }));
        for (at, _) in readings {
            meter.read(&|| Seconds::new(*at));
        }
        meter
    }

    fn energy(joules: f64) -> Reading {
        Reading::Energy(Joules::new(joules))
    }

    fn power(watts: f64) -> Reading {
        Reading::Power(Watts::new(watts))
    }

    fn window(meter: &Meter, from: f64, to: f64) -> Option<f64> {
        meter.energy(Seconds::new(from), Seconds::new(to)).map(Joules::get)
    }

    #[test]
    fn a_window_is_the_difference_of_the_counter_at_its_ends() {
        let readings: Vec<_> =
            (0..=40).map(|i| (f64::from(i) / 8.0, energy(f64::from(i * i)))).collect();
        let meter = meter(0.001, &readings);
        // readings at 1 s (64 J) and at 4 s (1024 J)
        assert_eq!(window(&meter, 1.0, 4.0), Some(960.0));
        // half-way between 64 and 81 J, 49 and 64 J before
        assert_eq!(window(&meter, 1.0625, 4.0), Some(1024.0 - 72.5));
        // not covered
        assert_eq!(window(&meter, 4.0, 5.5), None);
    }

    #[test]
    fn a_window_short_against_its_gaps_is_left_empty() {
        let readings: Vec<_> =
            (0..=40).map(|i| (f64::from(i) / 8.0, energy(f64::from(i)))).collect();
        let meter = meter(0.001, &readings);
        // Ends between readings 0.125 s apart: 1.25 s is ten gaps.
        assert!(window(&meter, 1.0625, 1.0625 + 1.25).is_some());
        assert_eq!(window(&meter, 1.0625, 1.0625 + 1.1875), None);
        // Ends at readings: only the counter's own pace counts.
        assert_eq!(window(&meter, 1.0, 1.125), Some(1.0));
        let slow = self::meter(0.1, &readings);
        assert_eq!(window(&slow, 1.0, 1.875), None);
        assert_eq!(window(&slow, 1.0, 2.0), Some(8.0));
    }

    #[test]
    fn a_starved_sampler_at_an_end_leaves_it_empty_and_in_the_middle_does_not() {
        let starved = |at: f64| !(3.0..5.0).contains(&at);
        let readings: Vec<_> = (0..=100)
            .map(|i| f64::from(i) / 10.0)
            .filter(|at| starved(*at))
            .map(|at| (at, energy(50.0 * at)))
            .collect();
        let meter = meter(0.001, &readings);
        assert!((window(&meter, 1.0, 9.0).unwrap() - 400.0).abs() < 1e-6);
        assert_eq!(window(&meter, 4.0, 9.0), None);
    }

    #[test]
    fn a_lost_counter_covers_nothing_across_the_loss() {
        let meter = meter(
            0.001,
            &[
                (0.0, energy(0.0)),
                (1.0, energy(10.0)),
                (2.0, Reading::Lost),
                (3.0, energy(20.0)),
                (5.0, energy(60.0)),
            ],
        );
        assert_eq!(window(&meter, 1.0, 5.0), None);
        assert_eq!(window(&meter, 3.0, 5.0), Some(40.0));
    }

    #[test]
    fn power_is_integrated_by_trapezoids() {
        let readings = [(0.0, 100.0), (0.125, 100.0), (0.25, 300.0), (0.5, 300.0)];
        let readings: Vec<_> = readings.iter().map(|(at, watts)| (*at, power(*watts))).collect();
        let meter = meter(0.01, &readings);
        // 12.5 + 25 + 75
        assert_eq!(window(&meter, 0.0, 0.5), Some(112.5));
        assert_eq!(meter.power(Seconds::new(0.0), Seconds::new(0.5)), Some(Watts::new(225.0)));
    }

    #[test]
    fn a_gap_in_power_is_not_bridged() {
        let readings = [(0.0, 100.0), (0.25, 100.0), (0.75, 100.0), (1.0, 100.0)];
        let readings: Vec<_> = readings.iter().map(|(at, watts)| (*at, power(*watts))).collect();
        let meter = meter(0.01, &readings);
        assert_eq!(window(&meter, 0.0, 1.0), None);
        assert_eq!(window(&meter, 0.75, 1.0), Some(25.0));
    }

    #[test]
    fn a_reading_is_of_the_middle_of_its_time() {
        let ticks = Cell::new(0.0);
        let clock = || {
            ticks.set(ticks.get() + 0.5);
            Seconds::new(ticks.get())
        };
        let mut meter = meter(0.001, &[]);
        meter.source = Box::new(Played { readings: [Some(energy(3.0))].into(), update: 0.001 });
        meter.read(&clock);
        assert_eq!(meter.total.last(), Some((Seconds::new(0.75), 3e6)));
    }
}
