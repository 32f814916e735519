//! What goes on over time: sums over time of how much there is, by the part of the day.

use freeweights_record::units::{Fraction, RequestsInFlight, RequestsPerSecond, Seconds};
use serde::Serialize;

/// What there is at a moment.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Level {
    /// Requests that have come and are not done.
    pub(super) in_flight: f64,
    /// Replicas that work.
    pub(super) busy: f64,
    /// Replicas that are paid: serving, starting, or standing by.
    pub(super) paid: f64,
    /// Requests that are admitted.
    pub(super) admitted: f64,
}

/// Levels times seconds, and what came in that time.
#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    seconds: f64,
    level: Level,
    arrivals: u64,
}

impl Sums {
    #[inline]
    fn add(&mut self, level: &Level, seconds: f64) {
        self.seconds += seconds;
        self.level.in_flight += level.in_flight * seconds;
        self.level.busy += level.busy * seconds;
        self.level.paid += level.paid * seconds;
        self.level.admitted += level.admitted * seconds;
    }

    fn join(&mut self, other: &Self) {
        self.add(&other.level, 1.0);
        self.seconds += other.seconds - 1.0;
        self.arrivals += other.arrivals;
    }
}

/// One part of the day, or of the trace.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Part {
    /// When it begins, within the day or the trace.
    pub from_s: Seconds,
    /// Requests a second that came.
    pub requests_per_s: RequestsPerSecond,
    /// Mean requests in flight.
    pub in_flight: RequestsInFlight,
    /// Mean number of replicas that work.
    pub busy_replicas: f64,
    /// Mean number of replicas that are paid.
    pub paid_replicas: f64,
    /// Share of the paid replicas that work; `None` where none is paid.
    pub utilisation: Option<Fraction>,
}

/// Sums over time, in all and by part of a period that repeats.
pub(super) struct Profile {
    pub(super) level: Level,
    last: f64,
    /// The part under way, and when it ends.
    part: usize,
    part_end: f64,
    now: Sums,
    parts: Vec<Sums>,
    width: f64,
}

impl Profile {
    pub(super) fn new(period: f64, parts: usize) -> Self {
        let width = period / parts as f64;
        Self {
            level: Level::default(),
            last: 0.0,
            part: 0,
            part_end: width,
            now: Sums::default(),
            parts: vec![Sums::default(); parts],
            width,
        }
    }

    /// Time goes on to a moment, at the levels there are.
    #[inline]
    pub(super) fn advance(&mut self, now: f64) {
        while now >= self.part_end {
            let rest = self.part_end - self.last;
            self.now.add(&self.level, rest);
            self.last = self.part_end;
            self.next_part();
        }
        self.now.add(&self.level, now - self.last);
        self.last = now;
    }

    #[inline]
    pub(super) fn arrived(&mut self) {
        self.now.arrivals += 1;
        self.level.in_flight += 1.0;
    }

    fn next_part(&mut self) {
        let sums = std::mem::take(&mut self.now);
        self.parts[self.part].join(&sums);
        self.part = (self.part + 1) % self.parts.len();
        self.part_end += self.width;
    }

    /// The sums of all time, in this order: seconds, requests in flight, replicas that work, paid
    /// replicas, admitted requests.
    pub(super) fn totals(&self) -> (f64, Level) {
        let mut all = self.now;
        self.parts.iter().for_each(|part| all.join(part));
        (all.seconds, all.level)
    }

    /// The parts that there was time in.
    pub(super) fn parts(&self) -> Vec<Part> {
        let mut sums = self.parts.clone();
        sums[self.part].join(&self.now);
        sums.iter()
            .enumerate()
            .filter(|(_, sums)| sums.seconds > 0.0)
            .map(|(index, sums)| Part {
                from_s: Seconds::new(index as f64 * self.width),
                requests_per_s: RequestsPerSecond::new(sums.arrivals as f64 / sums.seconds),
                in_flight: RequestsInFlight::new(sums.level.in_flight / sums.seconds),
                busy_replicas: sums.level.busy / sums.seconds,
                paid_replicas: sums.level.paid / sums.seconds,
                utilisation: (sums.level.paid > 0.0)
                    .then(|| Fraction::new(sums.level.busy / sums.level.paid)),
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_shared_out_to_the_parts_of_the_period() {
        let mut profile = Profile::new(10.0, 2);
        profile.level.paid = 2.0;
        profile.arrived();
        profile.level.busy = 1.0;
        profile.advance(7.0);
        profile.level.busy = 2.0;
        profile.advance(14.0);
        // 0 to 5 and 10 to 14 are the first part: 5 * 1 + 4 * 2 of 9 * 2; 5 to 10 the second:
        // 2 * 1 + 3 * 2 of 5 * 2.
        let parts = profile.parts();
        assert_eq!(parts.len(), 2);
        assert!((parts[0].utilisation.unwrap().get() - 13.0 / 18.0).abs() < 1e-12);
        assert!((parts[1].utilisation.unwrap().get() - 0.8).abs() < 1e-12);
        assert!((parts[0].requests_per_s.get() - 1.0 / 9.0).abs() < 1e-12);
        let (seconds, level) = profile.totals();
        assert!((seconds - 14.0).abs() < 1e-12 && (level.busy - 21.0).abs() < 1e-12);
        assert!((level.in_flight - 14.0).abs() < 1e-12);
    }
}
