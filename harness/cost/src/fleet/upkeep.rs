//! Replicas that start, stop, break and are repaired.

use super::config::Routing;
use super::job::Arrivals;
use super::service::exponential;
use super::simulate::{Duty, Running};
use super::timers::Alarm;

impl<A: Arrivals> Running<'_, A> {
    /// The fleet as it is at the beginning: all that are asked for serve already.
    pub(super) fn open(&mut self) {
        let serving = self.config.replicas.get() as usize;
        let spares = self.config.spares.get() as usize;
        for index in 0..self.duties.len() {
            if index < serving {
                self.profile.level.paid += 1.0;
                self.serve(index, 0.0);
            } else if index >= self.duties.len() - spares {
                self.profile.level.paid += 1.0;
                self.duties[index] = Duty::Spare;
            }
        }
        if let Some(scaling) = self.config.scaling {
            self.timers.set(scaling.interval.get(), Alarm::Look);
        }
    }

    pub(super) fn ring(&mut self, now: f64) {
        match self.timers.ring() {
            Some(Alarm::Look) => self.look(now),
            Some(Alarm::Ready(index)) if self.duties[index] == Duty::Starting => {
                self.serve(index, now);
                self.hand_out_waiting(now);
            }
            Some(Alarm::Breaks(index, life)) if self.lives[index] == life => {
                self.break_down(index, now);
            }
            Some(Alarm::Repaired(index)) if self.duties[index] == Duty::Broken => {
                self.repaired(index, now);
            }
            _ => {}
        }
    }

    fn serve(&mut self, index: usize, now: f64) {
        self.duties[index] = Duty::Serving;
        self.lives[index] += 1;
        self.loads.set(index, self.replicas[index].in_flight() as f64);
        if let Some(failures) = self.config.failures {
            let life = exponential(&mut self.rng) * failures.mtbf.get();
            self.timers.set(now + life, Alarm::Breaks(index, self.lives[index]));
        }
    }

    /// Requests that waited for any replica at all.
    fn hand_out_waiting(&mut self, now: f64) {
        if self.config.routing == Routing::SharedQueue {
            self.share_out(now);
            return;
        }
        for job in std::mem::take(&mut self.waiting) {
            self.route(job, now, None);
        }
    }

    /// Starts a replica that is off or spare.
    fn start(&mut self, index: usize, now: f64) {
        if self.duties[index] == Duty::Off {
            self.profile.level.paid += 1.0;
        }
        self.duties[index] = Duty::Starting;
        self.timers.set(now + self.config.cold_start.get(), Alarm::Ready(index));
    }

    /// Off, and no longer paid.
    pub(super) fn turn_off(&mut self, index: usize) {
        self.duties[index] = Duty::Off;
        self.lives[index] += 1;
        self.profile.level.paid -= 1.0;
        if let Some(cache) = &mut self.replicas[index].cache {
            cache.clear();
        }
    }

    fn count(&self, duties: &[Duty]) -> usize {
        self.duties.iter().filter(|duty| duties.contains(duty)).count()
    }

    /// Compares the replicas there are with those the requests in flight ask for.
    ///
    /// `wanted = ceil(in flight / target)`, between the fewest and the most. More start at once;
    /// fewer only after so many have been too many for a while, the last replica first.
    fn look(&mut self, now: f64) {
        let Some(scaling) = self.config.scaling else { return };
        self.timers.set(now + scaling.interval.get(), Alarm::Look);
        let asked = crate::sizing::rounded_up(self.in_flight as f64 / scaling.in_flight);
        let wanted = asked.clamp(scaling.min.get(), scaling.max.get()) as usize;
        let there = self.count(&[Duty::Serving, Duty::Starting]);
        if wanted >= there {
            self.few_since = None;
            self.start_more(wanted - there, now);
            return;
        }
        let since = *self.few_since.get_or_insert(now);
        if now - since >= scaling.hold.get() {
            self.let_go(there - wanted);
            self.few_since = Some(now);
        }
    }

    fn start_more(&mut self, mut many: usize, now: f64) {
        for index in 0..self.duties.len() {
            if many == 0 {
                break;
            }
            match self.duties[index] {
                // One that drains has all it needs to go on.
                Duty::Draining => self.serve(index, now),
                Duty::Off => self.start(index, now),
                _ => continue,
            }
            many -= 1;
        }
        self.hand_out_waiting(now);
    }
    fn let_go(&mut self, mut many: usize) {
        for index in (0..self.duties.len()).rev() {
            if many == 0 {
                return;
            }
            match self.duties[index] {
                Duty::Starting => self.turn_off(index),
                Duty::Serving => {
                    self.loads.set(index, f64::INFINITY);
                    self.duties[index] = Duty::Draining;
                    if self.replicas[index].in_flight() == 0 {
                        self.turn_off(index);
                    }
                }
                _ => continue,
            }
            many -= 1;
        }
    }

    fn break_down(&mut self, index: usize, now: f64) {
        let Some(failures) = self.config.failures else { return };
        self.duties[index] = Duty::Broken;
        self.lives[index] += 1;
        self.loads.set(index, f64::INFINITY);
        self.timers.set(now + failures.mttr.get(), Alarm::Repaired(index));
        if let Some(spare) = self.duties.iter().position(|duty| *duty == Duty::Spare) {
            self.start(spare, now);
        }
        self.evacuate(index, now);
    }

    /// A repaired replica serves where one is missing, and is a spare else.
    fn repaired(&mut self, index: usize, now: f64) {
        self.duties[index] = Duty::Spare;
        let wanted = match self.config.scaling {
            Some(scaling) => scaling.min,
            None => self.config.replicas,
        };
        if self.count(&[Duty::Serving, Duty::Starting]) < wanted.get() as usize {
            self.start(index, now);
        } else if self.count(&[Duty::Spare]) > self.config.spares.get() as usize {
            self.turn_off(index);
        }
    }
}
