//! The requests of a case, one after the other: when each is to be sent, and how long it is.
//!
//! A schedule depends on the seed alone, so that several client processes draw the same one and
//! each sends its part.

use super::arrivals::Rate;
use super::lengths::Lengths;
use freeweights_record::units::{Ratio, Seconds, Tokens};
use rand::SeedableRng;
use rand::rngs::SmallRng;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// Which part of the requests this process sends: request `k` is its own where `k mod of = number`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    /// From 0.
    pub number: u32,
    /// How many there are.
    pub of: u32,
}

impl Default for Shard {
    /// All of them.
    fn default() -> Self {
        Self { number: 0, of: 1 }
    }
}

impl FromStr for Shard {
    type Err = String;

    /// `1/4` is the first of four.
    fn from_str(text: &str) -> Result<Self, String> {
        let parts =
            text.split_once('/').and_then(|(a, b)| Some((a.parse().ok()?, b.parse().ok()?)));
        match parts {
            Some((number, of)) if (1..=of).contains(&number) => Ok(Self { number: number - 1, of }),
            _ => Err("give I/N with I from 1 to N, as in 1/4".into()),
        }
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number + 1, self.of)
    }
}

impl Shard {
    /// Its part of something that all share.
    ///
    /// Of 10 slots three processes have 4, 3 and 3.
    #[must_use]
    pub const fn part(self, whole: u32) -> u32 {
        whole / self.of + (self.number < whole % self.of) as u32
    }
}

/// One request of a trace.
#[derive(Debug, Clone, PartialEq)]
pub struct ReplayRequest {
    /// When it came, from the first one on.
    pub arrival: Seconds,
    /// Its input tokens.
    pub isl: Tokens,
    /// Its output tokens.
    pub osl: Tokens,
    /// The blocks of its prompt that other requests may share.
    pub blocks: Vec<u64>,
}

/// A trace that is sent again.
#[derive(Debug, Clone)]
pub struct Replay {
    /// The requests by their arrival.
    pub requests: Arc<[ReplayRequest]>,
    /// How much faster than they came.
    pub speed: Ratio,
}

/// When requests are sent.
#[derive(Debug, Clone)]
pub enum Schedule {
    /// So many at a time, the next one when one ended.
    Closed {
        /// Requests in flight, over all client processes.
        concurrency: u32,
        /// How long they are.
        lengths: Lengths,
    },
    /// At a rate, whatever became of those before.
    Open {
        /// The rate.
        rate: Rate,
        /// How long they are.
        lengths: Lengths,
    },
    /// As a trace says.
    Trace(Replay),
}

/// A request that is to be sent.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Planned {
    /// Over all client processes.
    pub(crate) index: u32,
    /// Since the case began; `None` in a closed loop, where it depends on those before.
    pub(crate) at: Option<Seconds>,
    pub(crate) isl: Tokens,
    pub(crate) osl: Tokens,
    pub(crate) blocks: Vec<u64>,
}

/// Draws the requests of a schedule that are a shard's own.
#[derive(Debug)]
pub(crate) struct Planner {
    schedule: Schedule,
    shard: Shard,
    random: SmallRng,
    next: u32,
    clock: Seconds,
}

impl Planner {
    pub(crate) fn new(schedule: Schedule, shard: Shard, seed: u64) -> Self {
        let random = SmallRng::seed_from_u64(seed);
        Self { schedule, shard, random, next: 0, clock: Seconds::new(0.0) }
    }

    /// The next request over all shards; `None` behind the end of a trace.
    fn draw(&mut self) -> Option<Planned> {
        let index = self.next;
        let planned = match &self.schedule {
            Schedule::Closed { lengths, .. } => {
                let (isl, osl) = lengths.draw(&mut self.random);
                Planned { index, at: None, isl, osl, blocks: Vec::new() }
            }
            Schedule::Open { rate, lengths } => {
                // The first one comes after a gap, too: shards then begin alike.
                self.clock = self.clock + rate.gap(&mut self.random);
                let (isl, osl) = lengths.draw(&mut self.random);
                Planned { index, at: Some(self.clock), isl, osl, blocks: Vec::new() }
            }
            Schedule::Trace(replay) => {
                let request = replay.requests.get(index as usize)?;
                Planned {
                    index,
                    at: Some(request.arrival / replay.speed.get()),
                    isl: request.isl,
                    osl: request.osl,
                    blocks: request.blocks.clone(),
                }
            }
        };
        self.next = self.next.checked_add(1)?;
        Some(planned)
    }
}

impl Iterator for Planner {
    type Item = Planned;

    fn next(&mut self) -> Option<Planned> {
        loop {
            let planned = self.draw()?;
            if planned.index % self.shard.of == self.shard.number {
                return Some(planned);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::{Arrivals, Spread};
    use freeweights_record::units::RequestsPerSecond;

    fn open() -> Schedule {
        let lengths =
            Lengths { isl: Tokens::new(100), osl: Tokens::new(10), spread: Spread::LogNormal(0.5) };
        let rate = Rate { rate: RequestsPerSecond::new(10.0), arrivals: Arrivals::Poisson };
        Schedule::Open { rate, lengths }
    }

    #[test]
    fn shards_together_send_what_one_process_would() {
        let take = |shard: &str| -> Vec<Planned> {
            Planner::new(open(), shard.parse().unwrap(), 3).take(40).collect()
        };
        let one: Vec<Planned> = Planner::new(open(), Shard::default(), 3).take(120).collect();
        let mut all: Vec<Planned> = ["1/3", "2/3", "3/3"].into_iter().flat_map(take).collect();
        all.sort_by_key(|planned| planned.index);
        assert_eq!(all, one);
    }

    #[test]
    fn slots_are_shared_out_to_the_last_one() {
        let part = |shard: &str| shard.parse::<Shard>().unwrap().part(10);
        assert_eq!(["1/3", "2/3", "3/3"].map(part), [4, 3, 3]);
        for wrong in ["0/2", "3/2", "1", "a/b"] {
            assert!(wrong.parse::<Shard>().is_err(), "{wrong}");
        }
        assert_eq!("2/5".parse::<Shard>().unwrap().to_string(), "2/5");
    }

    #[test]
    fn a_trace_is_sent_as_it_came_and_then_ends() {
        let request = |arrival: f64| ReplayRequest {
            arrival: Seconds::new(arrival),
            isl: Tokens::new(5),
            osl: Tokens::new(6),
            blocks: vec![1],
        };
        let requests: Arc<[ReplayRequest]> = [0.0, 3.0].map(request).into();
        let replay = Replay { requests, speed: Ratio::new(2.0) };
        let all: Vec<Planned> =
            Planner::new(Schedule::Trace(replay), Shard::default(), 0).collect();
        let at: Vec<_> = all.iter().map(|planned| planned.at.unwrap().get()).collect();
        assert_eq!((at, all[1].blocks.clone()), (vec![0.0, 1.5], vec![1]));
    }
}
