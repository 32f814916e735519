//! The run: events in the order of time, over all replicas.
//!
//! Three things can be next: a run of a replica ends, a request comes, an alarm rings. What a replica
//! does in between is a formula, so the work is by request and not by token: about four events a
//! request whatever its length.

use super::config::{FleetConfig, Routing};
use super::error::FleetError;
use super::job::{Arrivals, Job};
use super::min_tree::MinTree;
use super::outcome::{Limits, LittlesLaw, Outcome, Tally};
use super::profile::Profile;
use super::replica::{Replica, Rules};
use super::service::Service;
use super::timers::Timers;
use freeweights_record::units::{Seconds, Tokens};
use rand::SeedableRng;
use rand::rngs::SmallRng;
use std::collections::VecDeque;

/// Keeps what is drawn here apart from the arrivals, which may be drawn from the same seed: times of
/// service that follow the gaps of arrivals would shorten every queue.
const SERVICE: u64 = 0x5E21_71CE_5E21_71CE;

/// What a replica is there for at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Duty {
    /// Off; it costs nothing.
    Off,
    /// Off, but paid: it waits for another to break.
    Spare,
    /// On its way.
    Starting,
    /// It takes requests.
    Serving,
    /// It takes no more requests, and goes off when it is done.
    Draining,
    /// It is being repaired, and paid.
    Broken,
}

/// A fleet while it runs.
pub(super) struct Running<'a, A> {
    pub(super) config: &'a FleetConfig,
    rules: Rules<'a>,
    arrivals: A,
    pub(super) replicas: Vec<Replica>,
    pub(super) duties: Vec<Duty>,
    /// How often each has begun to serve: alarms of a former life do not count.
    pub(super) lives: Vec<u32>,
    /// When the run of each ends.
    ends: MinTree,
    /// Requests in flight at each that serves; infinity for the others.
    pub(super) loads: MinTree,
    /// Requests that no replica has taken yet.
    pub(super) waiting: VecDeque<Job>,
    /// The replica that the last one in turn went to.
    turn: usize,
    tally: Tally,
    limits: Limits,
    pub(super) profile: Profile,
    pub(super) timers: Timers,
    pub(super) rng: SmallRng,
    pub(super) few_since: Option<f64>,
    keeps_loads: bool,
    room: u64,
    arrived: u64,
    refused: u64,
    turned_away: u64,
    pub(super) restarted: u64,
    events: u64,
    pub(super) in_flight: u64,
}

/// Runs a fleet over all requests that come, until the last one is done.
///
/// # Errors
/// As [`FleetConfig::check`]; [`FleetError::BatchNotMeasured`].
pub(super) fn run<A: Arrivals>(
    service: &Service,
    arrivals: A,
    period: Seconds,
    config: &FleetConfig,
) -> Result<Outcome, FleetError> {
    config.check()?;
    if let Some(curve) = service.curve()
        && config.batch_max > curve.batch_max()
    {
        let (asked, measured) = (config.batch_max, curve.batch_max());
        return Err(FleetError::BatchNotMeasured { asked, measured });
    }
    let mut running = Running::new(service, arrivals, period, config);
    running.open();
    let gave_up = !running.all_done();
    Ok(running.outcome(gave_up))
}

impl<'a, A: Arrivals> Running<'a, A> {
    fn new(service: &'a Service, arrivals: A, period: Seconds, config: &'a FleetConfig) -> Self {
        let pool = config.pool();
        Self {
            config,
            rules: Rules::new(service, config),
            arrivals,
            replicas: (0..pool).map(|_| Replica::new(config)).collect(),
            duties: vec![Duty::Off; pool],
            lives: vec![0; pool],
            ends: MinTree::new(pool),
            loads: MinTree::new(pool),
            waiting: VecDeque::new(),
            turn: pool - 1,
            tally: Tally::default(),
            limits: Limits::of(&config.bounds),
            profile: Profile::new(period.get(), config.bins as usize),
            timers: Timers::default(),
            rng: SmallRng::seed_from_u64(config.seed ^ SERVICE),
            few_since: None,
            keeps_loads: config.routing != Routing::RoundRobin,
            room: config.room().map_or(u64::MAX, Tokens::get),
            arrived: 0,
            refused: 0,
            turned_away: 0,
            restarted: 0,
            events: 0,
            in_flight: 0,
        }
    }

    /// Whether all requests were done; false where the fleet was given up.
    fn all_done(&mut self) -> bool {
        let mut coming = self.next_job();
        loop {
            let (replica, end) = self.ends.min();
            let alarm = self.timers.next();
            let arrival = coming.map_or(f64::INFINITY, |job| job.arrival);
            if end <= arrival && end <= alarm {
                if end.is_infinite() {
                    return true;
                }
                self.profile.advance(end);
                self.ended(replica, end);
            } else if alarm <= arrival {
                // When nobody is there or comes any more, alarms would ring for ever.
                if coming.is_none() && self.in_flight == 0 {
                    return true;
                }
                self.profile.advance(alarm);
                self.ring(alarm);
            } else if let Some(job) = coming {
                self.profile.advance(job.arrival);
                if self.in_flight >= u64::from(self.config.give_up_at) {
                    return false;
                }
                self.arrive(job);
                coming = self.next_job();
            }
            self.events += 1;
        }
    }

    /// The next request that a replica can hold at all.
    #[inline]
    fn next_job(&mut self) -> Option<Job> {
        loop {
            let job = self.arrivals.next()?;
            self.arrived += 1;
            if job.tokens() <= self.room {
                return Some(job);
            }
            self.refused += 1;
        }
    }

    #[inline]
    fn arrive(&mut self, job: Job) {
        self.profile.arrived();
        self.in_flight += 1;
        if self.config.routing == Routing::SharedQueue {
            self.waiting.push_back(job);
            self.share_out(job.arrival);
        } else {
            self.route(job, job.arrival, self.config.queue_max);
        }
    }

    /// Sends a request to a replica, or lets it wait where none serves.
    pub(super) fn route(&mut self, job: Job, now: f64, queue_max: Option<u32>) {
        let Some(replica) = self.choose(&job) else {
            self.waiting.push_back(job);
            return;
        };
        let queue = self.replicas[replica].queue.len();
        if queue_max.is_some_and(|most| queue >= most as usize) && !self.replicas[replica].is_idle()
        {
            self.turned_away += 1;
            self.in_flight -= 1;
            self.profile.level.in_flight -= 1.0;
            return;
        }
        self.hand_over(replica, job, now);
    }

    fn choose(&mut self, job: &Job) -> Option<usize> {
        match self.config.routing {
            Routing::RoundRobin => {
                let count = self.duties.len();
                for _ in 0..count {
                    self.turn += 1;
                    if self.turn >= count {
                        self.turn = 0;
                    }
                    if self.duties[self.turn] == Duty::Serving {
                        return Some(self.turn);
                    }
                }
                None
            }
            Routing::LeastLoaded | Routing::SharedQueue => {
                let (replica, load) = self.loads.min();
                load.is_finite().then_some(replica)
            }
            Routing::PrefixAffine => self.affine(job),
        }
    }

    /// The replica with most of the prompt in its cache. Those with more than twice the least load,
    /// and more than a batch, are passed over.
    fn affine(&self, job: &Job) -> Option<usize> {
        let (least, load) = self.loads.min();
        if load.is_infinite() {
            return None;
        }
        let most = (2.0 * load).max(f64::from(self.config.batch_max));
        let blocks = self.arrivals.blocks(job);
        let (mut best, mut length) = (least, 0);
        for (index, replica) in self.replicas.iter().enumerate() {
            let Some(cache) = &replica.cache else { continue };
            if self.loads.key(index) > most {
                continue;
            }
            let found = cache.found(blocks, job.salt());
            let nearer = self.loads.key(index) < self.loads.key(best);
            if found > length || (found == length && found > 0 && nearer) {
                (best, length) = (index, found);
            }
        }
        Some(best)
    }

    /// A request joins the queue of a replica, which begins at once, or with its next step, if it
    /// can.
    #[inline]
    fn hand_over(&mut self, index: usize, job: Job, now: f64) {
        let replica = &mut self.replicas[index];
        let first = replica.queue.is_empty();
        replica.queue.push_back(job);
        if self.keeps_loads {
            self.loads.set(index, self.loads.key(index) + 1.0);
        }
        if self.replicas[index].is_idle() {
            self.begin(index, now);
        } else if first
            && self.replicas[index].admits(&job, &self.rules)
            && let Some(end) = self.replicas[index].interrupt(now)
        {
            self.ends.set(index, end);
        }
    }

    /// A replica plans its next run.
    #[inline]
    fn begin(&mut self, index: usize, now: f64) {
        let Self { replicas, rules, arrivals, rng, .. } = self;
        let replica = &mut replicas[index];
        let (idle, admitted) = (replica.is_idle(), replica.admitted());
        debug_assert!(idle, "a replica plans when its run is over");
        let end = replica.begin(now, rules, |job| arrivals.blocks(job), rng);
        self.profile.level.admitted += (replica.admitted() - admitted) as f64;
        if end.is_finite() {
            self.profile.level.busy += 1.0;
        }
        self.ends.set(index, end);
    }

    /// The run of a replica is over.
    fn ended(&mut self, index: usize, now: f64) {
        let Self { replicas, arrivals, tally, limits, .. } = self;
        let replica = &mut replicas[index];
        let mut done = 0_u32;
        replica.complete(
            now,
            |job| arrivals.blocks(job),
            |sequence| {
                tally.done(sequence, now, limits);
                done += 1;
            },
        );
        self.profile.level.busy -= 1.0;
        if done > 0 {
            let gone = f64::from(done);
            self.profile.level.in_flight -= gone;
            self.profile.level.admitted -= gone;
            self.in_flight -= u64::from(done);
            if self.keeps_loads {
                self.loads.set(index, self.loads.key(index) - gone);
            }
        }
        self.ends.set(index, f64::INFINITY);
        if self.config.routing == Routing::SharedQueue && self.duties[index] == Duty::Serving {
            self.take_shared(index);
        }
        self.begin(index, now);
        if self.duties[index] == Duty::Draining && self.replicas[index].in_flight() == 0 {
            self.turn_off(index);
        }
    }

    /// A replica takes from the shared queue whom it can admit.
    fn take_shared(&mut self, index: usize) {
        let replica = &mut self.replicas[index];
        let mut taken = 0.0;
        while let Some(job) = self.waiting.front()
            && replica.takes(job, &self.rules)
        {
            replica.queue.push_back(*job);
            self.waiting.pop_front();
            taken += 1.0;
        }
        if taken > 0.0 {
            self.loads.set(index, self.loads.key(index) + taken);
        }
    }

    /// The shared queue goes to whoever has room.
    pub(super) fn share_out(&mut self, now: f64) {
        while let Some(&job) = self.waiting.front() {
            let (index, load) = self.loads.min();
            if load.is_infinite() || !self.replicas[index].takes(&job, &self.rules) {
                return;
            }
            self.waiting.pop_front();
            self.hand_over(index, job, now);
        }
    }

    /// What was in flight at a broken replica goes elsewhere, and its run ends nowhere.
    pub(super) fn evacuate(&mut self, index: usize, now: f64) {
        let mut lost = Vec::new();
        let replica = &mut self.replicas[index];
        if !replica.is_idle() {
            self.profile.level.busy -= 1.0;
        }
        self.profile.level.admitted -= replica.admitted() as f64;
        replica.break_down(|job| lost.push(job));
        self.ends.set(index, f64::INFINITY);
        self.restarted += lost.len() as u64;
        for job in lost {
            if self.config.routing == Routing::SharedQueue {
                self.waiting.push_back(job);
            } else {
                // Who was let in is not turned away for the failure of a machine.
                self.route(job, now, None);
            }
        }
        if self.config.routing == Routing::SharedQueue {
            self.share_out(now);
        }
    }

    fn outcome(self, gave_up: bool) -> Outcome {
        let (span, level) = self.profile.totals();
        let seconds = Seconds::new;
        let profile = self.profile.parts();
        let tally = self.tally;
        Outcome {
            arrived: self.arrived,
            finished: tally.e2e.count(),
            refused: self.refused,
            turned_away: self.turned_away,
            restarted: self.restarted,
            gave_up,
            span: seconds(span),
            input_tokens: Tokens::new(tally.input),
            output_tokens: Tokens::new(tally.output),
            cached_tokens: Tokens::new(tally.cached),
            met: tally.met,
            busy_time: seconds(level.busy),
            paid_time: seconds(level.paid),
            admitted_time: seconds(level.admitted),
            littles_law: LittlesLaw {
                over_time: seconds(level.in_flight),
                by_latencies: tally.e2e.sum(),
            },
            profile,
            events: self.events,
            wait: tally.wait,
            ttft: tally.ttft,
            tpot: tally.tpot,
            e2e: tally.e2e,
        }
    }
}
