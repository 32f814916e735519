//! `freeweights merge RUN..`: what several client processes saw of one load, as one run.

use super::OutputFormat;
use crate::exit::Exit;
use crate::serving::about::length;
use crate::{print, results};
use anyhow::{Context, bail, ensure};
use clap::Args;
use freeweights_record::requests::{Objective, RequestOf, RequestTotals};
use freeweights_record::units::{Fraction, RequestsInFlight, Seconds, Tokens};
use freeweights_record::{
    ReadOptions, Record, RunFolder, Status, Text, read_requests, summary_text,
};
use freeweights_report::tables;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// When throughput is counted, in seconds of the load.
type Window = (Seconds, Seconds);

/// Requests written at once.
const AT_ONCE: usize = 4_096;

/// Join the runs of `bench --url .. --shard I/N` into one.
///
/// Every request is copied as it is, and the figures are computed from all of them, so that
/// percentiles are those of one process. What a shard's itl.csv left out is missing.
#[derive(Args)]
#[command(
    after_help = "Example:\n  freeweights merge shard-1 shard-2 shard-3 --out whole\n  freeweights cost whole"
)]
pub struct MergeArgs {
    /// Folders of the runs, all shards of one load.
    #[arg(required = true, value_name = "RUN", num_args = 2..)]
    runs: Vec<PathBuf>,
    /// Folder to write; a fresh one under freeweights-results without it.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// How to write the result.
    #[arg(long, value_enum, default_value_t)]
    format: OutputFormat,
}

/// One shard.
struct Part {
    path: PathBuf,
    record: Record,
    shard: String,
    /// What all shards of a load have in common, by its name in `run.json`.
    common: Vec<(&'static str, Value)>,
}

/// What shards must have been given alike.
const COMMON: [(&str, &str); 9] = [
    ("server", "url"),
    ("server", "model"),
    ("server", "endpoint"),
    ("server", "body"),
    ("load", "start_at"),
    ("load", "duration_s"),
    ("load", "requests"),
    ("load", "speed"),
    ("load", "objective"),
];

pub fn run(args: &MergeArgs) -> anyhow::Result<Exit> {
    let parts: Vec<Part> = args.runs.iter().map(|path| part(path)).collect::<Result<_, _>>()?;
    refuse_strangers(&parts)?;
    let run_id = results::fresh_run_id(jiff::Timestamp::now());
    let path = results::folder(args.out.as_deref(), &run_id);
    let mut record = parts[0].record.clone();
    record.run_id = run_id.as_str().into();
    let objective = record.objective.as_deref().map(str::parse::<Objective>).transpose()?;
    let mut totals = RequestTotals::new(objective);
    let windows: Vec<Option<Window>> =
        parts.iter().map(|part| survey(part, &mut totals)).collect::<Result<_, _>>()?;
    if let Some((begin, end)) = common_window(&windows)? {
        totals.bound_window(begin, end);
    }
    let mut folder = RunFolder::create(&path)?;
    let of = RequestOf { run_id: record.run_id.clone(), case_id: record.case_id.clone() };
    summarise(&mut record, &parts, &totals);
    let written = write(&parts, &of, &record, &mut folder);
    if written.is_err() {
        // Half of it is of no use, and in the way of the next attempt; the shards have everything.
        let _ = folder.discard();
    }
    written?;
    let records = [record];
    print::data(&match args.format {
        OutputFormat::Csv => summary_text(&records)?,
        OutputFormat::Json => {
            let document = serde_json::json!({ "records": records });
            format!("{}\n", serde_json::to_string_pretty(&document)?)
        }
        format => tables::served(&records).render(format.into(), print::width())?,
    })?;
    print::note(&format!("results: {}", path.display()));
    let [record] = &records;
    let failed = record.status != Status::Ok || record.requests_failed.is_some_and(|n| n > 0);
    Ok(if failed { Exit::SomeFailed } else { Exit::Good })
}

fn part(path: &Path) -> anyhow::Result<Part> {
    let read = results::read(path, &ReadOptions::default())?;
    let [record] = read.records.as_slice() else {
        bail!("{} has {} cases; a shard of a load has one", path.display(), read.records.len());
    };
    let manifest = path.join(crate::manifest::FILE);
    let cannot = || format!("cannot read {}; give the folder of a run", manifest.display());
    let text = crate::texts::inside(&manifest).with_context(cannot)?;
    let run: Value = serde_json::from_str(&text).with_context(cannot)?;
    let Some(shard) = run["load"]["shard"].as_str() else {
        bail!("{} is no part of a load: it was not made with --shard", path.display());
    };
    let common = COMMON.iter().map(|(section, name)| (*name, run[*section][*name].clone()));
    let common = common.collect();
    Ok(Part { path: path.to_path_buf(), record: record.clone(), shard: shard.to_owned(), common })
}

/// Refuses what is no part of the same load, or a part twice, or too few parts.
fn refuse_strangers(parts: &[Part]) -> anyhow::Result<()> {
    let first = &parts[0];
    let of = first.shard.split('/').nth(1).unwrap_or_default();
    for (at, part) in parts.iter().enumerate() {
        let same = part.record.case_id == first.record.case_id
            && part.record.seed == first.record.seed
            && part.shard.split('/').nth(1) == Some(of);
        ensure!(
            same,
            "{} and {} are not of one load: {} with seed {:?} as {}, and {} with seed {:?} as {}; merge shards of one command",
            first.path.display(),
            part.path.display(),
            first.record.case_id,
            first.record.seed.unwrap_or(0),
            first.shard,
            part.record.case_id,
            part.record.seed.unwrap_or(0),
            part.shard
        );
        let differs = first.common.iter().zip(&part.common).find(|(a, b)| a.1 != b.1);
        if let Some(((name, a), (_, b))) = differs {
            bail!(
                "{} and {} are not of one load: {name} is {a} in one and {b} in the other; merge shards of one command",
                first.path.display(),
                part.path.display()
            );
        }
        let before = parts[..at].iter().find(|other| other.shard == part.shard);
        if let Some(before) = before {
            bail!(
                "{} and {} are both shard {}; leave one out",
                before.path.display(),
                part.path.display(),
                part.shard
            );
        }
    }
    if of.parse() != Ok(parts.len()) {
        print::note(&format!(
            "{} of {of} shards: what the others sent is missing from throughput",
            parts.len()
        ));
    }
    Ok(())
}

/// Counts the requests of a shard, and tells when its load was steady.
fn survey(part: &Part, totals: &mut RequestTotals) -> anyhow::Result<Option<Window>> {
    let mut own = RequestTotals::default();
    read_requests(&part.path, |_, request| {
        totals.push(&request);
        own.push(&request);
    })
    .with_context(|| part.path.display().to_string())?;
    let (kept, all) = own.gaps();
    if kept < all {
        print::note(&format!(
            "itl.csv of shard {} has {kept} of {all} gaps: gaps between chunks have no percentiles in the whole; --gaps keeps more",
            part.shard
        ));
    }
    Ok(own.window())
}

/// When all shards sent: the load is whole only then.
fn common_window(windows: &[Option<Window>]) -> anyhow::Result<Option<Window>> {
    let known = || windows.iter().flatten();
    let begin = known().map(|(from, _)| from.get()).reduce(f64::max);
    let end = known().map(|(_, to)| to.get()).reduce(f64::min);
    let (Some(begin), Some(end)) = (begin, end) else { return Ok(None) };
    ensure!(
        begin < end,
        "the shards did not send at the same time: one began to count {begin:.1} s into the load, and another had ended at {end:.1} s; give all the same --start-at, and a longer --duration"
    );
    Ok(Some((Seconds::new(begin), Seconds::new(end))))
}

fn write(
    parts: &[Part],
    of: &RequestOf,
    record: &Record,
    folder: &mut RunFolder,
) -> anyhow::Result<()> {
    parts.iter().try_for_each(|part| copy(part, of, folder))?;
    folder.write_record(record)?;
    folder.write_file("merged.json", &merged(parts)?)?;
    if let Ok(host) = crate::texts::inside(&parts[0].path.join("host.json")) {
        folder.write_file("host.json", &host)?;
    }
    Ok(())
}

fn copy(part: &Part, of: &RequestOf, folder: &mut RunFolder) -> anyhow::Result<()> {
    let mut waiting = Vec::with_capacity(AT_ONCE);
    let mut failed = None;
    read_requests(&part.path, |_, request| {
        if failed.is_some() {
            return;
        }
        waiting.push(request);
        if waiting.len() >= AT_ONCE {
            failed = folder.write_requests(of, &waiting).err();
            waiting.clear();
        }
    })
    .with_context(|| part.path.display().to_string())?;
    match failed {
        Some(error) => Err(error.into()),
        None => Ok(folder.write_requests(of, &waiting)?),
    }
}

/// The figures of all requests, and of what each shard saw of the server the sum or the most.
fn summarise(record: &mut Record, parts: &[Part], totals: &RequestTotals) {
    let all = || parts.iter().map(|part| &part.record);
    let (seen, all_gaps) = totals.gaps();
    totals.summarise(record, record.seed.unwrap_or(0));
    if seen < all_gaps {
        // The first ones of each shard are no sample of all of them.
        (record.itl_p50_s, record.itl_p99_s, record.itl_max_s) = (None, None, None);
    }
    // What all were asked for, or else the mean.
    let alike = |of: fn(&Record) -> Option<Tokens>| {
        let first = of(&parts[0].record);
        first.filter(|_| parts.iter().all(|part| of(&part.record) == first))
    };
    record.isl = length(alike(|record| record.isl), record.tokens_in_mean);
    record.osl = length(alike(|record| record.osl), record.tokens_out_mean);
    record.shards = u32::try_from(parts.len()).ok();
    if record.concurrency.is_some() {
        record.late_p99_s = None;
    }
    record.degraded = Some(all().any(|record| record.degraded == Some(true)));
    record.tokens_mismatch = all().map(|record| record.tokens_mismatch).sum();
    // Every shard asks the same server.
    let mean = |of: fn(&Record) -> Option<RequestsInFlight>| {
        let told: Vec<f64> = all().filter_map(of).map(RequestsInFlight::get).collect();
        (!told.is_empty())
            .then(|| RequestsInFlight::new(told.iter().sum::<f64>() / told.len() as f64))
    };
    record.server_running_mean = mean(|record| record.server_running_mean);
    record.server_waiting_mean = mean(|record| record.server_waiting_mean);
    let fullest = all().filter_map(|record| record.server_kv_used_max).map(Fraction::get);
    record.server_kv_used_max = fullest.reduce(f64::max).map(Fraction::new);
    record.server_preemptions = all().filter_map(|record| record.server_preemptions).max();
    let worst = all().find(|record| record.status != Status::Ok);
    record.status = worst.map_or(Status::Ok, |record| record.status);
    record.error = worst.and_then(|record| record.error.clone());
}

/// What was merged.
fn merged(parts: &[Part]) -> anyhow::Result<String> {
    let part = |part: &Part| {
        let run_id: &Text = &part.record.run_id;
        serde_json::json!({ "shard": part.shard, "run_id": run_id.as_str() })
    };
    let value = serde_json::json!({
        "merged_json_version": 1,
        "shards": parts.iter().map(part).collect::<Vec<_>>(),
    });
    Ok(format!("{}\n", serde_json::to_string_pretty(&value)?))
}
