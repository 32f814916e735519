//! `bench --url`: a server is driven, timed, and what was seen of it kept.
//!
//! Not here: the sending (`freeweights_client`) and the figures (`freeweights_record::requests`).

pub mod about;
mod loads;
mod recorder;
mod searching;
mod session;

use about::Behind;

use crate::commands::bench::BenchArgs;
use crate::exit::Exit;
use crate::{measuring, print, results};
use anyhow::{Context, ensure};
use freeweights_client::load::{Schedule, WhyEnded};
use freeweights_client::{Probe, Secret, Target, probe};
use freeweights_measure::capture_host;
use freeweights_models::TextTokenizer;
use freeweights_record::{Record, RunFolder, Status};
use loads::{Load, loads};
use serde_json::json;
use session::Session;
use std::sync::Arc;
use std::time::Duration;

/// What a run against a server leaves behind.
pub struct Served {
    /// One record per case, in the order in which they were run.
    pub records: Vec<Record>,
    /// Where everything is kept.
    pub folder: RunFolder,
    /// How the process ends.
    pub exit: Exit,
    /// What ended the run before all was measured: results that could not be written any more.
    pub broken: Option<anyhow::Error>,
}

/// Measures a server as the arguments say.
pub fn measure(args: &BenchArgs) -> anyhow::Result<Served> {
    let behind = Behind::of(&args.server)?;
    let target = target(args)?;
    let loads = loads(args)?;
    ensure!(
        args.server.shard.is_none() || loads.len() == 1,
        "shards keep step within one case only: give one --concurrency or --rate, one --isl and one --osl, and run the others one after the other"
    );
    enough_for_shards(args, &loads)?;
    let base = args.server.find_max.then(|| searching::base(&args.server, &loads)).transpose()?;
    session::start_of(args.server.start_at)?;
    let tokenizer = args.server.tokenizer.as_deref().map(TextTokenizer::open).transpose();
    let tokenizer = tokenizer.context("cannot use --tokenizer")?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let now = jiff::Timestamp::now();
    // Shards are given the same start, and so the same blocks of a trace.
    let nonce = nonce(args.server.start_at.filter(|_| args.server.shard.is_some()), now);
    let mut probe = runtime.block_on(probe(target, args.seed.unwrap_or(42), nonce))?;
    for note in &probe.notes {
        print::note(note);
    }
    if !probe.counts {
        let counted = tokenizer.is_some();
        ensure!(
            counted,
            "the server tells no token counts in its stream (no usage with stream_options), and chunks are no tokens; give --tokenizer FILE"
        );
        print::note("the server tells no token counts: they are those of --tokenizer");
        probe.calibration = tokenizer.as_ref().and_then(loads::calibrated);
    }
    let run_id = results::fresh_run_id(now);
    let path = results::folder(args.out.as_deref(), &run_id);
    let folder = RunFolder::create(&path)?;
    let host = capture_host();
    measuring::write_host(&folder, &host)?;
    folder.write_file(crate::manifest::FILE, &manifest(args, &probe, &run_id, now, nonce)?)?;
    let tokenizer = tokenizer.map(Arc::new);
    let mut session = Session {
        args,
        behind,
        host,
        run_id,
        nonce,
        probe,
        runtime,
        folder: Some(folder),
        tokenizer,
        records: Vec::new(),
        stop: measuring::stop_on_interrupt(),
        origin: None,
        cases: 0,
        lone: 0,
        broken: None,
    };
    let found = if let Some(base) = base {
        searching::search(&mut session, base)?
    } else {
        for load in &loads {
            if session.run(load, true)?.why != WhyEnded::Done {
                break;
            }
        }
        Exit::Good
    };
    session.end(found)
}

/// Refuses shards that would have nothing to send.
fn enough_for_shards(args: &BenchArgs, loads: &[Load]) -> anyhow::Result<()> {
    let Some(shard) = args.server.shard else { return Ok(()) };
    let in_flight = loads.iter().find_map(|load| match load.schedule {
        Schedule::Closed { concurrency, .. } => Some(concurrency),
        Schedule::Open { .. } | Schedule::Trace(_) => None,
    });
    for (what, count) in [("--concurrency", in_flight), ("--requests", args.server.requests)] {
        ensure!(
            count.is_none_or(|count| count >= shard.of),
            "{what} {} is for all {} shards, so some would send nothing; give at least {}",
            count.unwrap_or(0),
            shard.of,
            shard.of
        );
    }
    Ok(())
}

/// The first of these exits that is not good.
fn exit_of(records: &[Record]) -> Exit {
    let failed = |record: &Record| {
        record.status != Status::Ok || record.requests_failed.is_some_and(|count| count > 0)
    };
    if records.is_empty() || records.iter().any(failed) { Exit::SomeFailed } else { Exit::Good }
}

/// A number that no other run has, and all shards of one do: servers remember prompts.
fn nonce(start_at: Option<jiff::Timestamp>, now: jiff::Timestamp) -> u64 {
    let of = |time: jiff::Timestamp| {
        let nanoseconds = time.as_nanosecond().unsigned_abs();
        u64::try_from(nanoseconds & u128::from(u64::MAX)).unwrap_or(0)
    };
    match start_at {
        Some(start) => of(start),
        None => of(now) ^ u64::from(std::process::id()),
    }
}

fn target(args: &BenchArgs) -> anyhow::Result<Target> {
    let server = &args.server;
    let url = server.url.as_deref().unwrap_or_default();
    let mut target = Target::new(url, server.model.as_deref().unwrap_or_default())?;
    let key = std::env::var(&server.api_key_env).ok().filter(|key| !key.is_empty());
    ensure!(
        key.is_some() || server.api_key_env == "OPENAI_API_KEY",
        "the environment has no {}; set it, or leave --api-key-env out",
        server.api_key_env
    );
    target.api = server.endpoint;
    target.key = key.map(Secret::new);
    target.headers = server.header.iter().map(|text| text.parse()).collect::<Result<_, _>>()?;
    target.body = server.body.clone().unwrap_or_default();
    target.http2 = server.http2;
    target.certificate.clone_from(&server.ca);
    target.timeout = Duration::from_secs_f64(server.timeout);
    target.stall = Duration::from_secs_f64(server.stall);
    target.ignore_eos = !server.eos;
    target.keep_text = server.tokenizer.is_some();
    Ok(target)
}

/// What the run is a run of. Neither key nor values of headers are in it.
fn manifest(
    args: &BenchArgs,
    probe: &Probe,
    run_id: &str,
    now: jiff::Timestamp,
    nonce: u64,
) -> anyhow::Result<String> {
    let server = &args.server;
    let target = probe.server.target();
    let build = measuring::build_info();
    let value = json!({
        "run_json_version": 1,
        "run_id": run_id,
        "started_at": now,
        "freeweights": {
            "version": build.version,
            "git_commit": build.git_commit,
            "build_profile": build.profile,
            "build_flags": build.flags,
        },
        "server": {
            "url": target.url.as_str(),
            "model": target.model,
            "version": probe.version,
            "endpoint": target.api.name(),
            "headers": target.headers.iter().map(|header| &header.name).collect::<Vec<_>>(),
            "body": target.body,
            "http2": target.http2,
            "ignore_eos": target.ignore_eos,
            "tokens_per_word": probe.calibration.map(|found| found.per_word),
            "tokens_around": probe.calibration.map(|found| found.around),
            "hardware": server.hardware,
            "gpus": server.gpus,
            "nodes": server.nodes,
        },
        "load": {
            "seed": args.seed.unwrap_or(42),
            "nonce": nonce,
            "lengths": server.lengths.to_string(),
            "trace": server.trace.as_ref().and_then(|path| path.file_name()).map(|name| name.to_string_lossy().into_owned()),
            "speed": server.trace.as_ref().map(|_| server.speed),
            "requests": server.requests,
            "duration_s": server.duration,
            "objective": server.objective.as_ref().map(ToString::to_string),
            "shard": server.shard.map(|shard| shard.to_string()),
            "start_at": server.start_at,
        },
    });
    Ok(format!("{}\n", serde_json::to_string_pretty(&value)?))
}

/// The load of one case, for people.
fn shown(load: &Load) -> String {
    load.to_string()
}
