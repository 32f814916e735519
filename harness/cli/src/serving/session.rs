//! A run against a server: its cases one after the other.

use super::about::{self, Behind, Seen, described};
use super::loads::Load;
use super::recorder::{Keeping, Kept, Recorder};
use super::{Served, exit_of, shown};
use crate::commands::bench::BenchArgs;
use crate::exit::Exit;
use crate::print;
use crate::progress::Progress;
use anyhow::{Context, bail, ensure};
use freeweights_client::load::{CaseEnd, LoadCase, Schedule, WhyEnded, drive};
use freeweights_client::metrics_page::{Reading, Readings};
use freeweights_client::prompt::{Prefix, Prompts};
use freeweights_client::{Cut, OpenAi, Prepared, Probe, Server as _};
use freeweights_models::TextTokenizer;
use freeweights_record::requests::{Distribution, RequestOf, RequestTotals};
use freeweights_record::stats::Percentile;
use freeweights_record::units::{Fraction, Seconds, Tokens, TokensPerRequest};
use freeweights_record::{Host, Record, RunFolder, Status, WriteError};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio::time::{Instant, sleep, sleep_until};

/// Seconds of a case without `--duration` and `--requests`.
const DURATION: f64 = 30.0;

/// How often the server is asked what it tells of itself.
const ASK: Duration = Duration::from_secs(1);

/// Questions without an answer, one behind the other, after which no more is asked.
const IN_VAIN: u32 = 5;

/// How often the client looks whether its own clock runs late.
const LOOK: Duration = Duration::from_millis(20);

/// How near to its first time a lone request must come before the next step of a search, and how
/// long that is waited for.
const SETTLED_WITHIN: Duration = Duration::from_millis(20);
const SETTLE_AT_MOST: Duration = Duration::from_mins(1);

/// What all cases of a run share.
pub struct Session<'a> {
    pub args: &'a BenchArgs,
    pub behind: Behind,
    pub host: Host,
    pub run_id: String,
    pub nonce: u64,
    pub probe: Probe,
    pub runtime: Runtime,
    pub folder: Option<RunFolder>,
    pub tokenizer: Option<Arc<TextTokenizer>>,
    pub records: Vec<Record>,
    pub stop: Arc<AtomicBool>,
    /// When the run began; set with the first case.
    pub origin: Option<Instant>,
    /// Cases begun.
    pub cases: u64,
    /// Lone requests sent.
    pub lone: u32,
    /// What keeps anything more from being written.
    pub broken: Option<WriteError>,
}

/// What a case left to decide by.
pub struct CaseDone {
    /// Its figures.
    pub totals: RequestTotals,
    /// Why it ended.
    pub why: WhyEnded,
    /// The longest time for which this client stood still.
    pub longest_pause: Seconds,
}

/// What runs beside the requests of a case.
#[derive(Default)]
struct Beside {
    metrics: Mutex<Readings>,
    lag: Mutex<Distribution>,
}

impl Session<'_> {
    /// Runs a case, keeps its requests and its record.
    pub fn run(&mut self, load: &Load, keep_record: bool) -> anyhow::Result<CaseDone> {
        let seed = self.args.seed.unwrap_or(42);
        let mut record = described(&self.run_id, seed, &self.probe, load, &self.behind, &self.host);
        record.shards = self.args.server.shard.map(|shard| shard.of);
        if self.records.iter().any(|before| before.case_id == record.case_id) {
            record.case_id = format!("{}-again{}", record.case_id, self.records.len()).into();
        }
        let of = RequestOf { run_id: record.run_id.clone(), case_id: record.case_id.clone() };
        let case = self.case(load, seed);
        let beside = Arc::new(Beside::default());
        let (end, kept) = self.drive(&case, of, load, &beside)?;
        let Kept { folder, totals, mismatches, gaps_left_out, error } = kept;
        let lag = beside.lag.lock().map(|lag| lag.clone()).unwrap_or_default();
        let metrics = beside.metrics.lock().map(|metrics| metrics.clone()).unwrap_or_default();
        let found = Seen {
            lag_p99: lag.percentile(Percentile::P99).ok(),
            metrics: &metrics,
            mismatches,
            tokens_from: if self.server_counts() { "usage" } else { "tokenizer" },
            checked: self.server_counts() && self.tokenizer.is_some(),
        };
        about::fill(&mut record, &totals, seed, &found);
        let folder = self.folder.insert(folder);
        judge(&mut record, &totals, &end);
        self.broken = error;
        if let Some(error) = &self.broken {
            // Its figures hold requests that are not on the disk.
            record.status = Status::Interrupted;
            record.error = Some(format!("requests could not be kept: {error}").into());
        }
        if keep_record {
            let written = folder.write_record(&record);
            self.broken = self.broken.take().or(written.err());
        }
        tell(&record, load, gaps_left_out);
        self.records.push(record);
        if self.broken.is_some() {
            let (why, longest_pause) = (WhyEnded::Interrupted, Seconds::new(0.0));
            return Ok(CaseDone { totals, why, longest_pause });
        }
        let longest_pause = lag.max().unwrap_or(Seconds::new(0.0));
        Ok(CaseDone { totals, why: end.why, longest_pause })
    }

    fn server_counts(&self) -> bool {
        self.probe.counts
    }

    fn case(&self, load: &Load, seed: u64) -> LoadCase {
        let server = &self.args.server;
        let shard = server.shard.unwrap_or_default();
        let is_trace = matches!(load.schedule, Schedule::Trace(_));
        let default = (server.requests.is_none() && !is_trace).then_some(DURATION);
        let (warmup, until_ended) = load.warmup();
        LoadCase {
            schedule: load.schedule.clone(),
            shard,
            seed,
            warmup: shard.part(warmup),
            until_ended,
            requests: server.requests.map(|count| shard.part(count)),
            time: server.duration.or(default).map(Seconds::new),
            counted_elsewhere: self.tokenizer.is_some(),
        }
    }

    fn drive(
        &mut self,
        case: &LoadCase,
        of: RequestOf,
        load: &Load,
        beside: &Arc<Beside>,
    ) -> anyhow::Result<(CaseEnd, Kept)> {
        let folder = self.folder.take().context("the folder of the run is gone")?;
        let keeping = Keeping {
            of,
            objective: self.args.server.objective.clone(),
            tokenizer: self.tokenizer.clone(),
            server_counts: self.server_counts(),
            gaps: self.args.server.gaps,
            stop: Arc::clone(&self.stop),
        };
        let mut recorder = Recorder::start(folder, keeping);
        let ended = recorder.ended();
        let calibration = self.probe.calibration.unwrap_or_default();
        // No two cases have a prompt in common: the server would remember the first one's.
        self.cases += 1;
        let nonce = self.nonce.wrapping_add(self.cases);
        let prompts = Prompts::new(calibration, load.prefix, case.seed, nonce);
        let server = Arc::new(self.probe.server.clone());
        let start_at = self.args.server.start_at;
        let (origin, stop) = (&mut self.origin, &self.stop);
        let progress = Progress::spinner(&shown(load));
        let end = self.runtime.block_on(async {
            // The first case begins with those of the other shards, the next ones behind it.
            let start = if origin.is_none() { start_of(start_at)? } else { Instant::now() };
            let origin = *origin.get_or_insert(start);
            let tasks = [
                tokio::spawn(ask(start, server.clone(), Arc::clone(beside))),
                tokio::spawn(look(start, Arc::clone(beside))),
                tokio::spawn(say(progress, shown(load), ended)),
            ];
            let end = drive(server, &prompts, case, (origin, start), stop, &mut recorder).await;
            for task in tasks {
                task.abort();
            }
            anyhow::Ok(end)
        });
        let kept = recorder.finish();
        Ok((end?, kept))
    }

    /// Time to the first token of one request alone; `None` where it fails, takes longer than
    /// `most`, or nobody waits for it any more.
    fn ttft_alone(&mut self, most: Duration) -> Option<Duration> {
        let calibration = self.probe.calibration.unwrap_or_default();
        let prompts = Prompts::new(calibration, Prefix::Bust, 0, self.nonce);
        // Far from the requests of any case, and never the same one: it would be remembered.
        let index = (u32::MAX / 2).wrapping_add(self.lone);
        self.lone = self.lone.wrapping_add(1);
        let prompt = prompts.write(index, Tokens::new(32), &[]);
        let request = Prepared { index, prompt, osl: Tokens::new(1) };
        let exchange = self.runtime.block_on(async {
            tokio::select! {
                exchange = self.probe.server.send(request, Cut::never()) => Some(exchange),
                () = sleep(most) => None,
                () = raised(&self.stop) => None,
            }
        })?;
        let first = exchange.arrivals.first()?.saturating_duration_since(exchange.sent);
        exchange.fault.is_none().then_some(first)
    }

    /// Waits until the server answers one request about as fast as it did at first: what was cut
    /// off may still be in its queue. `alone` is what it takes without a load, once known. Whether
    /// it answers at all.
    pub fn settle(&mut self, alone: &mut Option<Duration>) -> bool {
        let begun = std::time::Instant::now();
        let mut answers = false;
        while !self.stop.load(Ordering::Relaxed) {
            let left = SETTLE_AT_MOST.saturating_sub(begun.elapsed());
            if left.is_zero() {
                let so = if answers { "is slower than at first for" } else { "answers nothing in" };
                print::note(&format!("the server {so} a minute already"));
                break;
            }
            let took = self.ttft_alone(left);
            answers |= took.is_some();
            match (took, *alone) {
                (Some(took), None) => {
                    *alone = Some(took);
                    return true;
                }
                (Some(took), Some(before)) if took <= before * 2 + SETTLED_WITHIN => return true,
                _ => std::thread::sleep(Duration::from_millis(100)),
            }
        }
        answers
    }

    /// Ends the run.
    pub fn end(self, found: Exit) -> anyhow::Result<Served> {
        let folder = self.folder.context("the folder of the run is gone")?;
        let exit = match (exit_of(&self.records), self.args.server.find_max) {
            // A search goes on until something fails.
            (_, true) => found,
            (exit, false) => exit,
        };
        let broken = self.broken.map(anyhow::Error::new);
        Ok(Served { records: self.records, folder, exit, broken })
    }
}

/// When the case begins: now, or at the time all shards were given.
pub fn start_of(at: Option<jiff::Timestamp>) -> anyhow::Result<Instant> {
    let Some(at) = at else { return Ok(Instant::now()) };
    let left = at.duration_since(jiff::Timestamp::now());
    let Ok(left) = Duration::try_from(left) else {
        bail!("--start-at {at} is over; give a time some seconds ahead, the same to all shards");
    };
    ensure!(left < Duration::from_hours(24), "--start-at {at} is more than a day ahead");
    Ok(Instant::now() + left)
}

/// Waits until a wish is there.
async fn raised(stop: &AtomicBool) {
    while !stop.load(Ordering::Relaxed) {
        sleep(Duration::from_millis(100)).await;
    }
}

/// Asks the server what it tells of itself; no more where it never told anything.
async fn ask(start: Instant, server: Arc<OpenAi>, beside: Arc<Beside>) {
    sleep_until(start).await;
    let mut in_vain = 0;
    while in_vain < IN_VAIN {
        // Under load one answer or another may come too late.
        match server.get("/metrics").await.and_then(|page| Reading::of(&page)) {
            Some(reading) => {
                in_vain = 0;
                if let Ok(mut metrics) = beside.metrics.lock() {
                    metrics.push(reading);
                }
            }
            None => in_vain += 1,
        }
        sleep(ASK).await;
    }
}

/// Looks how late a sleep ends: so late is what the client sees.
async fn look(start: Instant, beside: Arc<Beside>) {
    sleep_until(start).await;
    loop {
        let before = Instant::now();
        sleep(LOOK).await;
        // Timers tick in milliseconds.
        let late = before.elapsed().saturating_sub(LOOK + Duration::from_millis(1));
        if let Ok(mut lag) = beside.lag.lock() {
            lag.push(Seconds::new(late.as_secs_f64()));
        }
    }
}

async fn say(progress: Progress, what: String, ended: Arc<AtomicU32>) {
    loop {
        progress.say(&format!("{what}: {} requests ended", ended.load(Ordering::Relaxed)));
        sleep(Duration::from_millis(250)).await;
    }
}

/// Sets how the case ended.
fn judge(record: &mut Record, totals: &RequestTotals, end: &CaseEnd) {
    let (status, error) = match &end.why {
        WhyEnded::ServerGone(last) => {
            (Status::Failed, Some(format!("the server answers no more; the last one: {last}")))
        }
        WhyEnded::Interrupted => (Status::Interrupted, None),
        WhyEnded::Done if totals.completed() == 0 => {
            let why = totals.errors().unwrap_or_else(|| "no request was measured".into());
            (Status::Failed, Some(format!("no request came to its end: {why}")))
        }
        WhyEnded::Done => (Status::Ok, None),
    };
    record.status = status;
    record.error = error.map(Into::into);
}

/// What is worth a line beside the table.
fn tell(record: &Record, load: &Load, gaps_left_out: u64) {
    let load = shown(load);
    if let Some(error) = &record.error {
        print::note(&format!("{load}: {error}"));
    }
    if let Some(errors) = &record.errors {
        let (failed, all) = (record.requests_failed.unwrap_or(0), record.requests.unwrap_or(0));
        print::note(&format!("{load}: {failed} of {all} requests failed: {errors}"));
    }
    if let Some(short) = record.short_answers.filter(|short| *short > 0) {
        let mean = record.tokens_out_mean.map_or(0.0, TokensPerRequest::get);
        print::note(&format!(
            "{load}: {short} answers are shorter than asked for, {mean:.1} tokens on average"
        ));
    }
    if let Some(count) = record.tokens_mismatch.filter(|count| *count > 0) {
        print::note(&format!(
            "{load}: server and --tokenizer count {count} answers differently: it may be the tokenizer of another model"
        ));
    }
    if record.degraded == Some(true) {
        print::note(&format!(
            "{load}: degraded: this client lagged, so latencies are not the server's alone; lower the load, or share it out with --shard"
        ));
    }
    if record.drifting == Some(true) {
        print::note(&format!(
            "{load}: latencies drift by a factor of {:.2} over the case: no steady state",
            record.drift_ratio.map_or(1.0, Fraction::get)
        ));
    }
    if gaps_left_out > 0 {
        print::note(&format!(
            "{load}: itl.csv leaves out {gaps_left_out} gaps; percentiles have them (--gaps keeps more)"
        ));
    }
}
