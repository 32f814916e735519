//! The cases of a run against a server.

use crate::commands::bench::BenchArgs;
use crate::lists::Counts;
use anyhow::{Context, ensure};
use freeweights_client::load::{Lengths, Rate, Replay, ReplayRequest, Schedule, Spread};
use freeweights_client::prompt::{Calibration, Prefix, Prompts};
use freeweights_cost::trace::Trace;
use freeweights_models::TextTokenizer;
use freeweights_record::units::{Ratio, RequestsPerSecond, Tokens};
use std::fmt;
use std::path::Path;

/// Shapes without `--isl` and `--osl`.
const ISL: u32 = 128;
const OSL: u32 = 64;

/// Requests in flight without `--concurrency` and `--rate`.
const CONCURRENCY: [u32; 3] = [1, 4, 16];

/// Requests in front of an open loop or a trace that do not count, at least.
const WARMUP: u32 = 10;

/// What does not count in front of a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Warmup {
    /// As many as the user says, over all shards.
    Given(u32),
    /// What the schedule needs until its load is steady.
    Usual,
}

/// One case.
#[derive(Debug, Clone)]
pub struct Load {
    /// When requests are sent.
    pub schedule: Schedule,
    /// What prompts have in common.
    pub prefix: Prefix,
    /// What comes first and does not count.
    pub warmup: Warmup,
    /// Name of the trace.
    pub trace: Option<String>,
    /// Input and output tokens asked for, where they are the same for all.
    pub shape: Option<(Tokens, Tokens)>,
}

impl Load {
    /// The same case at another load: requests in flight, or a second.
    pub fn at(&self, load: f64) -> Self {
        let schedule = match &self.schedule {
            Schedule::Closed { lengths, .. } => {
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "a whole number of requests from 1 to a few thousand"
                )]
                let concurrency = load.round() as u32;
                Schedule::Closed { concurrency, lengths: *lengths }
            }
            Schedule::Open { rate, lengths } => {
                let rate = Rate { rate: RequestsPerSecond::new(load), ..*rate };
                Schedule::Open { rate, lengths: *lengths }
            }
            Schedule::Trace(replay) => Schedule::Trace(replay.clone()),
        };
        Self { schedule, ..self.clone() }
    }

    /// Requests that come first and do not count, over all shards; and whether what is sent until
    /// they have ended does not count either.
    ///
    /// A closed loop is at its load with the first batch. An open loop is when as many requests end
    /// as are sent: when the first ones have ended. A trace begins as it began.
    pub const fn warmup(&self) -> (u32, bool) {
        match (self.warmup, &self.schedule) {
            (Warmup::Given(count), _) => (count, false),
            (Warmup::Usual, Schedule::Closed { concurrency, .. }) => (*concurrency, false),
            (Warmup::Usual, Schedule::Open { .. }) => (WARMUP, true),
            (Warmup::Usual, Schedule::Trace(_)) => (WARMUP, false),
        }
    }

    /// Within the name of the case.
    pub fn id(&self) -> String {
        let lengths = |lengths: &Lengths| {
            let spread = match lengths.spread {
                Spread::Fixed => String::new(),
                spread => format!("-{spread}"),
            };
            format!("isl{}-osl{}{spread}", lengths.isl.get(), lengths.osl.get())
        };
        let load = match &self.schedule {
            Schedule::Closed { concurrency, lengths: l } => {
                format!("c{concurrency}-{}", lengths(l))
            }
            Schedule::Open { rate, lengths: l } => {
                format!("r{}-{}-{}", rate.rate.get(), rate.arrivals, lengths(l))
            }
            Schedule::Trace(replay) => {
                format!("{}-x{}", self.trace.as_deref().unwrap_or("trace"), replay.speed.get())
            }
        };
        format!("{load}-{}", self.prefix)
    }
}

impl fmt::Display for Load {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.schedule {
            Schedule::Closed { concurrency, .. } => write!(f, "{concurrency} in flight")?,
            Schedule::Open { rate, .. } => write!(f, "{:.4} requests/s", rate.rate.get())?,
            Schedule::Trace(replay) => write!(
                f,
                "{} at {} times its pace",
                self.trace.as_deref().unwrap_or("the trace"),
                replay.speed.get()
            )?,
        }
        match self.shape {
            Some((isl, osl)) => write!(f, ", {} to {} tokens", isl.get(), osl.get()),
            None => Ok(()),
        }
    }
}

/// The cases: loads by lengths.
pub fn loads(args: &BenchArgs) -> anyhow::Result<Vec<Load>> {
    let server = &args.server;
    if let Some(path) = &server.trace {
        return Ok(vec![of_trace(args, path)?]);
    }
    ensure!(
        server.prefix != Some(Prefix::Trace),
        "--prefix trace shares the blocks of a trace: give one with --trace, or use share:TOKENS"
    );
    let one = |count| Counts(vec![count]);
    let isls = args.isl.clone().unwrap_or_else(|| one(ISL));
    let osls = args.osl.clone().unwrap_or_else(|| one(OSL));
    let mut all = Vec::new();
    for isl in &isls.0 {
        for osl in &osls.0 {
            let (isl, osl) = (Tokens::new(u64::from(*isl)), Tokens::new(u64::from(*osl)));
            let lengths = Lengths { isl, osl, spread: server.lengths };
            for schedule in schedules(args, lengths) {
                all.push(Load {
                    schedule,
                    prefix: server.prefix.unwrap_or_default(),
                    warmup: server.warmup.map_or(Warmup::Usual, Warmup::Given),
                    trace: None,
                    shape: (server.lengths == Spread::Fixed).then_some((isl, osl)),
                });
            }
        }
    }
    Ok(all)
}

fn schedules(args: &BenchArgs, lengths: Lengths) -> Vec<Schedule> {
    let server = &args.server;
    if !server.rate.is_empty() {
        let rate = |rate: &f64| {
            let rate = Rate { rate: RequestsPerSecond::new(*rate), arrivals: server.arrivals };
            Schedule::Open { rate, lengths }
        };
        return server.rate.iter().map(rate).collect();
    }
    let default = if server.find_max { vec![1] } else { CONCURRENCY.to_vec() };
    let concurrency = server.concurrency.clone().map_or(default, |counts| counts.0);
    concurrency.into_iter().map(|concurrency| Schedule::Closed { concurrency, lengths }).collect()
}

fn of_trace(args: &BenchArgs, path: &Path) -> anyhow::Result<Load> {
    let server = &args.server;
    ensure!(!server.find_max, "--find-max searches with --rate or --concurrency, not with --trace");
    let text = crate::texts::trace(path)
        .with_context(|| format!("cannot read {}; give a trace of requests", path.display()))?;
    let trace = Trace::parse(&text).with_context(|| path.display().to_string())?;
    let cut = |tokens: Tokens, most: Option<u64>| {
        Tokens::new(tokens.get().clamp(1, most.unwrap_or(u64::MAX)))
    };
    let requests = trace.requests().iter().enumerate().map(|(at, request)| ReplayRequest {
        arrival: request.arrival,
        isl: cut(request.isl, server.max_isl),
        osl: cut(request.osl, server.max_osl),
        blocks: trace.prefix_blocks(at).to_vec(),
    });
    let has_blocks = !trace.prefix_blocks(0).is_empty();
    let prefix = match server.prefix {
        Some(prefix) => prefix,
        None if has_blocks => Prefix::Trace,
        None => Prefix::Bust,
    };
    ensure!(
        prefix != Prefix::Trace || has_blocks,
        "{} does not say which prefixes its requests share; use --prefix bust or share:TOKENS",
        path.display()
    );
    let name = path.file_stem().map(|name| name.to_string_lossy().into_owned());
    let replay = Replay { requests: requests.collect(), speed: Ratio::new(server.speed) };
    Ok(Load {
        schedule: Schedule::Trace(replay),
        prefix,
        warmup: server.warmup.map_or(Warmup::Usual, Warmup::Given),
        trace: name,
        shape: None,
    })
}

/// What words are worth by a tokenizer of ours, without any template.
pub fn calibrated(tokenizer: &TextTokenizer) -> Option<Calibration> {
    let prompts = Prompts::new(Calibration::default(), Prefix::Bust, 1, 1);
    let count = |index: u32, words: usize| {
        let text = prompts.write(index, Tokens::new(words as u64), &[]);
        let tokens = tokenizer.encode(&text).ok()?;
        Some((words, tokens.len() as u64))
    };
    Calibration::of(count(0, 64)?, count(1, 1_024)?)
}
