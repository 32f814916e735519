//! The loop that sends requests, times them and hands them on.
//!
//! It runs on one thread. Nothing is sent again: whatever becomes of a request is its row.

use super::schedule::{Planned, Planner, Schedule, Shard};
use crate::fault::Fault;
use crate::prompt::Prompts;
use crate::server::{Cut, Exchange, Prepared, Server};
use freeweights_record::requests::{Phase, RequestSample};
use freeweights_record::units::{Seconds, Tokens};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::{Id, JoinError, JoinSet, yield_now};
use tokio::time::{Instant, sleep, sleep_until, timeout};

/// How often the wish to stop is looked at.
const LOOK: Duration = Duration::from_millis(100);

/// Failures one behind the other after which a server is taken for gone; twice the most requests
/// in flight where that is more: one broken connection may carry all of them.
const GONE_AFTER: u32 = 20;

/// Requests that are sent before answers are looked at again.
const AT_ONCE: u32 = 32;

/// How long requests that are cut off may take to give back what came.
const CUT: Duration = Duration::from_secs(1);

/// Times of a schedule beyond this are never: a century.
const NEVER: Duration = Duration::from_hours(24 * 365 * 100);

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
    /// Whether what is sent until they have ended does not count either: an open loop has reached
    /// its load then.
    pub until_ended: bool,
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
    task: Id,
    phase: Phase,
    /// Whether it is one of the first, which the warm-up waits for.
    is_first: bool,
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
    cut: watch::Sender<bool>,
    in_flight: HashMap<u32, InFlight>,
    slots: u32,
    sent: u32,
    first_in_flight: u32,
    measured: u32,
    measured_in_flight: u32,
    measuring_since: Option<Instant>,
    failed_in_a_row: u32,
    last_failure: String,
    most_in_flight: u32,
}

/// Sends the requests of a case until all that counts has ended. The load is kept up till then, by
/// requests that do not count; those are cut off in the end, and say what came till then.
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
        cut: watch::Sender::new(false),
        in_flight: HashMap::new(),
        slots,
        sent: 0,
        first_in_flight: 0,
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
    driver.cut_off().await;
    CaseEnd { why, most_in_flight: driver.most_in_flight }
}

impl<S: Server, K: Sink> Driver<'_, S, K> {
    async fn run(&mut self, stop: &AtomicBool) -> WhyEnded {
        let mut look = Instant::now() + LOOK;
        loop {
            let is_behind = self.send_what_is_due();
            if self.is_done() {
                return WhyEnded::Done;
            }
            if self.failed_in_a_row >= self.most_in_flight.saturating_mul(2).max(GONE_AFTER) {
                return WhyEnded::ServerGone(std::mem::take(&mut self.last_failure));
            }
            if is_behind {
                // More is due than can be sent: answers are looked at all the same.
                yield_now().await;
            } else {
                let due = self.ready.as_ref().and_then(|ready| ready.at);
                let due = due.map_or(look, |at| self.after_start(at));
                tokio::select! {
                    biased;
                    Some(came) = self.set.join_next_with_id() => self.came(came),
                    () = sleep_until(due.min(look)) => {}
                }
            }
            while let Some(came) = self.set.try_join_next_with_id() {
                self.came(came);
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

    fn after_start(&self, at: Seconds) -> Instant {
        let wait = Duration::try_from_secs_f64(at.get()).unwrap_or(NEVER).min(NEVER);
        self.start + wait
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

    /// Sends what is due, up to [`AT_ONCE`]; whether more may be.
    fn send_what_is_due(&mut self) -> bool {
        let closed = matches!(self.case.schedule, Schedule::Closed { .. });
        for _ in 0..AT_ONCE {
            let now = Instant::now();
            let due = match self.ready.as_ref().map(|ready| ready.at) {
                None => return false,
                Some(None) => self.slots > 0,
                Some(Some(at)) => self.after_start(at) <= now,
            };
            if !due || self.is_done() {
                return false;
            }
            let Some(ready) = self.ready.take() else { return false };
            self.slots -= u32::from(closed);
            self.send(ready, now);
            self.prepare();
        }
        true
    }

    fn send(&mut self, ready: Ready, now: Instant) {
        let scheduled = ready.at.map_or(now, |at| self.after_start(at));
        let phase = self.phase(now);
        let is_first = self.sent < self.case.warmup;
        self.sent = self.sent.saturating_add(1);
        self.first_in_flight += u32::from(is_first);
        if phase == Phase::Measured {
            self.measured += 1;
            self.measured_in_flight += 1;
            self.measuring_since.get_or_insert(now);
        }
        let (index, asked) = (ready.request.index, ready.request.osl);
        let prompt = Arc::clone(&ready.request.prompt);
        let (server, cut) = (Arc::clone(&self.server), Cut::when(self.cut.subscribe()));
        let answer =
            async move { Came::Answer(Box::new(server.send(ready.request, cut).await), index) };
        let task = self.set.spawn(answer).id();
        let of = InFlight { task, phase, is_first, scheduled, asked, prompt };
        self.in_flight.insert(index, of);
        let in_flight = u32::try_from(self.in_flight.len()).unwrap_or(u32::MAX);
        self.most_in_flight = self.most_in_flight.max(in_flight);
    }

    fn phase(&self, now: Instant) -> Phase {
        let first = self.sent < self.case.warmup;
        if first || (self.case.until_ended && self.first_in_flight > 0) {
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
        // Without slots, none of a closed loop is ever sent.
        let no_slots = match &self.case.schedule {
            Schedule::Closed { concurrency, .. } => self.case.shard.part(*concurrency) == 0,
            Schedule::Open { .. } | Schedule::Trace(_) => false,
        };
        let nothing_more = (self.ready.is_none() || no_slots) && self.in_flight.is_empty();
        (all_sent && self.measured_in_flight == 0) || nothing_more
    }

    fn came(&mut self, came: Result<(Id, Came), JoinError>) {
        match came {
            Ok((_, Came::Answer(exchange, index))) => self.answered(*exchange, index),
            Ok((_, Came::SlotIsFree)) => self.slots += 1,
            Err(error) => {
                let of = self.in_flight.iter().find(|(_, of)| of.task == error.id());
                let Some((index, of)) = of.map(|(index, of)| (*index, of)) else { return };
                // What the client cannot bear is a failure of the request like any other.
                let fault = Some(Fault::Client { reason: "its task ended in a panic".into() });
                let sent = of.scheduled;
                let none = Exchange { sent, arrivals: Vec::new(), usage: None, text: None, fault };
                self.answered(none, index);
            }
        }
    }

    fn answered(&mut self, exchange: Exchange, index: u32) {
        let Some(of) = self.in_flight.remove(&index) else { return };
        if of.phase == Phase::Measured {
            self.measured_in_flight -= 1;
        }
        self.first_in_flight -= u32::from(of.is_first);
        let answer = exchange.text.clone();
        let sample = self.sample(exchange, index, &of);
        let failed = sample.error.is_some();
        if failed {
            self.failed_in_a_row = self.failed_in_a_row.saturating_add(1);
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

    /// Ends what is still on its way: it neither counts nor fails, but what came of it was written
    /// under the load.
    async fn cut_off(&mut self) {
        for of in self.in_flight.values_mut() {
            of.phase = Phase::Drain;
        }
        self.measured_in_flight = 0;
        self.cut.send_replace(true);
        while !self.in_flight.is_empty() {
            match timeout(CUT, self.set.join_next_with_id()).await {
                Ok(Some(came)) => self.came(came),
                Ok(None) | Err(_) => break,
            }
        }
        self.set.abort_all();
        let mut rest: Vec<u32> = self.in_flight.keys().copied().collect();
        rest.sort_unstable();
        for index in rest {
            let Some(sent) = self.in_flight.get(&index).map(|of| of.scheduled) else { continue };
            let fault = Some(Fault::Cut);
            let none = Exchange { sent, arrivals: Vec::new(), usage: None, text: None, fault };
            self.answered(none, index);
        }
    }
}
