//! The loop that sends requests, times them and hands them on.
//!
//! It runs on one thread. Nothing is sent again: whatever becomes of a request is its row.

use super::schedule::{Planned, Planner, Schedule, Shard};
use crate::fault::Fault;
use crate::prompt::Prompts;
use crate::server::{Exchange, Prepared, Server};
use freeweights_record::requests::{Phase, RequestSample};
use freeweights_record::units::{Seconds, Tokens};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

/// How often the wish to stop is looked at.
const LOOK: Duration = Duration::from_millis(100);

/// Failures one behind the other after which a server is taken for gone; twice the requests in
/// flight where that is more.
const GONE_AFTER: u32 = 20;

/// A slot of a closed loop whose request failed waits this long, times the failures in a row, and a
/// second at most: a server that refuses at once would be asked a hundred thousand times a second.
const PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// What a request read and wrote, to be counted by somebody else than the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// What was read, without the chat template.
    pub prompt: Arc<str>,
    /// What was written.
    pub answer: String,
}

/// Takes requests as they end.
pub trait Sink {
    /// One request, and its texts where they are kept.
    fn take(&mut self, request: RequestSample, written: Option<Written>);
}

impl<F: FnMut(RequestSample, Option<Written>)> Sink for F {
    fn take(&mut self, request: RequestSample, written: Option<Written>) {
        self(request, written);
    }
}

/// What is sent, and how much of it counts.
#[derive(Debug, Clone)]
pub struct LoadCase {
    /// When requests are sent, over all client processes.
    pub schedule: Schedule,
    /// Which of them this process sends.
    pub shard: Shard,
    /// Seed of arrivals and lengths.
    pub seed: u64,
    /// Requests of this process that come first and do not count.
    pub warmup: u32,
    /// Requests of this process that count; none with a `time` alone.
    pub requests: Option<u32>,
    /// How long requests that count are sent.
    pub time: Option<Seconds>,
    /// Whether somebody else counts tokens where the server does not.
    pub counted_elsewhere: bool,
}

/// Why a case ended.
#[derive(Debug, Clone, PartialEq)]
pub enum WhyEnded {
    /// All that counts was done.
    Done,
    /// The user wanted it to.
    Interrupted,
    /// The server answers no more; with the latest failure.
    ServerGone(String),
}

/// How a case ended.
#[derive(Debug, Clone, PartialEq)]
pub struct CaseEnd {
    /// Why.
    pub why: WhyEnded,
    /// Most requests that were in flight.
    pub most_in_flight: u32,
}

enum Came {
    Answer(Box<Exchange>, u32),
    SlotIsFree,
}

struct InFlight {
    phase: Phase,
    scheduled: Instant,
    asked: Tokens,
    prompt: Arc<str>,
}

/// A request whose prompt is written.
struct Ready {
    request: Prepared,
    at: Option<Seconds>,
}

struct Driver<'a, S: Server, K: Sink> {
    server: Arc<S>,
    prompts: &'a Prompts,
    case: &'a LoadCase,
    origin: Instant,
    start: Instant,
    sink: &'a mut K,
    planner: Planner,
    ready: Option<Ready>,
    set: JoinSet<Came>,
    in_flight: HashMap<u32, InFlight>,
    slots: u32,
    sent: u32,
    measured: u32,
    measured_in_flight: u32,
    measuring_since: Option<Instant>,
    failed_in_a_row: u32,
    last_failure: String,
    most_in_flight: u32,
}

/// Sends the requests of a case until all that counts has ended. The load is kept up till then, by
/// requests that do not count; those are cut off in the end.
///
/// `origin` is when the run began, on which all times in rows count; `start` when the case begins.
pub async fn drive<S: Server, K: Sink>(
    server: Arc<S>,
    prompts: &Prompts,
    case: &LoadCase,
    (origin, start): (Instant, Instant),
    stop: &AtomicBool,
    sink: &mut K,
) -> CaseEnd {
    let slots = match &case.schedule {
        Schedule::Closed { concurrency, .. } => case.shard.part(*concurrency),
        Schedule::Open { .. } | Schedule::Trace(_) => 0,
    };
    let planner = Planner::new(case.schedule.clone(), case.shard, case.seed);
    let mut driver = Driver {
        server,
        prompts,
        case,
        origin,
        start,
        sink,
        planner,
        ready: None,
        set: JoinSet::new(),
        in_flight: HashMap::new(),
        slots,
        sent: 0,
        measured: 0,
        measured_in_flight: 0,
        measuring_since: None,
        failed_in_a_row: 0,
        last_failure: String::new(),
        most_in_flight: 0,
    };
    driver.prepare();
    sleep_until(start).await;
    let why = driver.run(stop).await;
    driver.cut_off();
    CaseEnd { why, most_in_flight: driver.most_in_flight }
}

impl<S: Server, K: Sink> Driver<'_, S, K> {
    async fn run(&mut self, stop: &AtomicBool) -> WhyEnded {
        let mut look = Instant::now() + LOOK;
        loop {
            self.send_what_is_due();
            if self.is_done() {
                return WhyEnded::Done;
            }
            if self.failed_in_a_row >= GONE_AFTER.max(2 * self.slots) {
                return WhyEnded::ServerGone(std::mem::take(&mut self.last_failure));
            }
            let due = self.ready.as_ref().and_then(|ready| ready.at);
            let due = due.map(|at| self.start + Duration::from_secs_f64(at.get()));
            tokio::select! {
                biased;
                Some(came) = self.set.join_next() => self.came(came.ok()),
                () = sleep_until(due.unwrap_or(look).min(look)) => {}
            }
            let now = Instant::now();
            if now >= look {
                look = now + LOOK;
                if stop.load(Ordering::Relaxed) {
                    return WhyEnded::Interrupted;
                }
            }
        }
    }

    /// Writes the prompt of the next request before it is due.
    fn prepare(&mut self) {
        if self.ready.is_none() {
            self.ready = self.planner.next().map(|planned| {
                let Planned { index, at, isl, osl, blocks } = planned;
                let prompt = self.prompts.write(index, isl, &blocks);
                Ready { request: Prepared { index, prompt, osl }, at }
            });
        }
    }

    fn send_what_is_due(&mut self) {
        loop {
            let now = Instant::now();
            let closed = matches!(self.case.schedule, Schedule::Closed { .. });
            let due = match self.ready.as_ref().map(|ready| ready.at) {
                None => return,
                Some(None) => self.slots > 0,
                Some(Some(at)) => self.start + Duration::from_secs_f64(at.get()) <= now,
            };
            if !due || self.is_done() {
                return;
            }
            let Some(ready) = self.ready.take() else { return };
            self.slots -= u32::from(closed);
            self.send(ready, now);
            self.prepare();
        }
    }

    fn send(&mut self, ready: Ready, now: Instant) {
        let scheduled = match ready.at {
            Some(at) => self.start + Duration::from_secs_f64(at.get()),
            None => now,
        };
        let phase = self.phase(now);
        self.sent += 1;
        if phase == Phase::Measured {
            self.measured += 1;
            self.measured_in_flight += 1;
            self.measuring_since.get_or_insert(now);
        }
        let (index, asked) = (ready.request.index, ready.request.osl);
        let prompt = Arc::clone(&ready.request.prompt);
        self.in_flight.insert(index, InFlight { phase, scheduled, asked, prompt });
        let in_flight = u32::try_from(self.in_flight.len()).unwrap_or(u32::MAX);
        self.most_in_flight = self.most_in_flight.max(in_flight);
        let server = Arc::clone(&self.server);
        self.set
            .spawn(async move { Came::Answer(Box::new(server.send(ready.request).await), index) });
    }

    fn phase(&self, now: Instant) -> Phase {
        if self.sent < self.case.warmup {
            Phase::Warmup
        } else if self.is_measuring(now) {
            Phase::Measured
        } else {
            Phase::Drain
        }
    }

    /// Whether a request sent now would count.
    fn is_measuring(&self, now: Instant) -> bool {
        let more = self.case.requests.is_none_or(|most| self.measured < most);
        let time = match (self.case.time, self.measuring_since) {
            (Some(time), Some(since)) => (now - since).as_secs_f64() < time.get(),
            _ => true,
        };
        more && time
    }

    fn is_done(&self) -> bool {
        let all_sent = self.sent >= self.case.warmup && !self.is_measuring(Instant::now());
        let nothing_more = self.ready.is_none() && self.in_flight.is_empty();
        (all_sent && self.measured_in_flight == 0) || nothing_more
    }

    fn came(&mut self, came: Option<Came>) {
        match came {
            Some(Came::Answer(exchange, index)) => self.answered(*exchange, index),
            Some(Came::SlotIsFree) => self.slots += 1,
            // A task that panicked says nothing of its request; it is cut off in the end.
            None => {}
        }
    }

    fn answered(&mut self, exchange: Exchange, index: u32) {
        let Some(of) = self.in_flight.remove(&index) else { return };
        if of.phase == Phase::Measured {
            self.measured_in_flight -= 1;
        }
        let answer = exchange.text.clone();
        let sample = self.sample(exchange, index, &of);
        let failed = sample.error.is_some();
        if failed {
            self.failed_in_a_row += 1;
            sample.error.as_deref().unwrap_or_default().clone_into(&mut self.last_failure);
        } else {
            self.failed_in_a_row = 0;
        }
        let prompt = of.prompt;
        self.sink.take(sample, answer.map(|answer| Written { prompt, answer }));
        if matches!(self.case.schedule, Schedule::Closed { .. }) {
            if failed {
                let pause = (PAUSE * self.failed_in_a_row).min(LONGEST_PAUSE);
                self.set.spawn(async move {
                    sleep(pause).await;
                    Came::SlotIsFree
                });
            } else {
                self.slots += 1;
            }
        }
    }

    fn sample(&self, exchange: Exchange, index: u32, of: &InFlight) -> RequestSample {
        let Exchange { sent, arrivals, usage, mut fault, .. } = exchange;
        let since = |from: Instant, to: Instant| {
            Seconds::new(to.saturating_duration_since(from).as_secs_f64())
        };
        if fault.is_none() && usage.is_none() && !self.case.counted_elsewhere {
            fault = Some(Fault::NoUsage);
        }
        RequestSample {
            index,
            phase: of.phase,
            scheduled: since(self.origin, of.scheduled),
            sent: since(self.origin, sent),
            ttft: arrivals.first().map(|first| since(sent, *first)),
            e2e: arrivals.last().map(|last| since(sent, *last)),
            gaps: arrivals.windows(2).map(|pair| since(pair[0], pair[1])).collect(),
            events: u32::try_from(arrivals.len()).unwrap_or(u32::MAX),
            tokens_in: usage.map(|usage| Tokens::new(usage.prompt_tokens)),
            tokens_out: usage.map(|usage| Tokens::new(usage.completion_tokens)),
            tokens_asked: of.asked,
            error: fault.map(|fault| fault.to_string().into()),
        }
    }

    /// Ends what is still on its way: it neither counts nor fails.
    fn cut_off(&mut self) {
        self.set.abort_all();
        let mut rest: Vec<(u32, InFlight)> = self.in_flight.drain().collect();
        rest.sort_by_key(|(index, _)| *index);
        for (index, of) in rest {
            let at = of.scheduled.saturating_duration_since(self.origin).as_secs_f64();
            let sample = RequestSample {
                index,
                phase: Phase::Drain,
                scheduled: Seconds::new(at),
                sent: Seconds::new(at),
                tokens_asked: of.asked,
                error: Some(Fault::Cut.to_string().into()),
                ..RequestSample::default()
            };
            self.sink.take(sample, None);
        }
    }
}
