//! When a request came, from the three ways in which traces write it.

use super::TraceError;
use freeweights_record::units::Seconds;
use jiff::civil::DateTime;

/// The time of a request, counted from wherever the trace counts.
pub(super) trait Clock {
    /// What belongs into the cell.
    const EXPECTED: &'static str;
    /// The time in a cell; `None` where there is none.
    fn read(&mut self, cell: &str) -> Option<Seconds>;
}

/// Seconds as a number.
pub(super) struct Stopwatch;

impl Clock for Stopwatch {
    const EXPECTED: &'static str = "seconds as a number";
    fn read(&mut self, cell: &str) -> Option<Seconds> {
        cell.parse().ok().filter(|time: &f64| time.is_finite()).map(Seconds::new)
    }
}

/// Dates with times, counted from the first one.
#[derive(Default)]
pub(super) struct Calendar {
    first: Option<DateTime>,
}

impl Clock for Calendar {
    const EXPECTED: &'static str = "a time like 2023-11-16 18:17:03.9799600";
    fn read(&mut self, cell: &str) -> Option<Seconds> {
        let time: DateTime = cell.parse().ok()?;
        let first = *self.first.get_or_insert(time);
        Some(Seconds::new(time.duration_since(first).as_secs_f64()))
    }
}

/// Holds requests to the order of time.
#[derive(Default)]
pub(super) struct Order {
    first: Option<Seconds>,
    last: Option<Seconds>,
}

impl Order {
    /// The time since the first request.
    pub(super) fn since_first(&mut self, line: u64, time: Seconds) -> Result<Seconds, TraceError> {
        if self.last.is_some_and(|last| time < last) {
            return Err(TraceError::Unsorted { line });
        }
        if time.get() < 0.0 {
            return Err(TraceError::NegativeTime { line, time: time.get().to_string() });
        }
        self.last = Some(time);
        Ok(time - *self.first.get_or_insert(time))
    }
}
