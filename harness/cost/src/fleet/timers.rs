//! What happens by the clock and not by requests: replicas that are ready, break, are repaired, and
//! looks at the load.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

/// What happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Alarm {
    /// Whether there are enough replicas is looked at.
    Look,
    /// A replica has started.
    Ready(usize),
    /// A replica breaks, if it still lives the life of that number.
    Breaks(usize, u32),
    /// A replica is whole again.
    Repaired(usize),
}

#[derive(Debug, Clone, Copy)]
struct Timer {
    at: f64,
    /// Of two at one moment, the one set first.
    number: u64,
    alarm: Alarm,
}

impl PartialEq for Timer {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Timer {}

impl PartialOrd for Timer {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Timer {
    /// The earlier is the greater: a binary heap hands out its greatest.
    fn cmp(&self, other: &Self) -> Ordering {
        other.at.total_cmp(&self.at).then(other.number.cmp(&self.number))
    }
}

/// Alarms in the order of time.
#[derive(Default)]
pub(super) struct Timers {
    heap: BinaryHeap<Timer>,
    set: u64,
}

impl Timers {
    pub(super) fn set(&mut self, at: f64, alarm: Alarm) {
        self.set += 1;
        self.heap.push(Timer { at, number: self.set, alarm });
    }

    /// When the next one rings; infinity where none is set.
    #[inline]
    pub(super) fn next(&self) -> f64 {
        self.heap.peek().map_or(f64::INFINITY, |timer| timer.at)
    }

    pub(super) fn ring(&mut self) -> Option<Alarm> {
        self.heap.pop().map(|timer| timer.alarm)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alarms_ring_in_the_order_of_time_and_then_of_setting() {
        let mut timers = Timers::default();
        for (at, alarm) in [(2.0, Alarm::Look), (1.0, Alarm::Ready(3)), (1.0, Alarm::Repaired(4))] {
            timers.set(at, alarm);
        }
        assert!((timers.next() - 1.0).abs() < 1e-12);
        let rung: Vec<Alarm> = std::iter::from_fn(|| timers.ring()).collect();
        assert_eq!(rung, [Alarm::Ready(3), Alarm::Repaired(4), Alarm::Look]);
        assert!(timers.next().is_infinite());
    }
}
