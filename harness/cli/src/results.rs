//! The folder of a run, and reading the folders of runs before.

use crate::exit::Exit;
use crate::print;
use anyhow::Context;
use clap::Args;
use freeweights_record::{Mapping, Measurements, ReadOptions, read_results};
use std::path::{Path, PathBuf};

/// Where runs go without `--out`.
const FOLDER: &str = "freeweights-results";

/// A name for a run that sorts by time: `20261122T031500Z`, with a suffix where that is taken.
pub fn fresh_run_id(now: jiff::Timestamp) -> String {
    now.strftime("%Y%m%dT%H%M%SZ").to_string()
}

/// The folder of a run: `--out`, or a fresh one under `freeweights-results`.
pub fn folder(out: Option<&Path>, run_id: &str) -> PathBuf {
    if let Some(path) = out {
        return path.to_path_buf();
    }
    let base = Path::new(FOLDER);
    let taken = |path: &PathBuf| path.exists();
    let plain = base.join(run_id);
    if !taken(&plain) {
        return plain;
    }
    // Two runs within one second.
    (2..u32::MAX)
        .map(|n| base.join(format!("{run_id}-{n}")))
        .find(|path| !taken(path))
        .unwrap_or(plain)
}

/// How files of results are read.
#[derive(Args)]
pub struct Reading {
    /// Leave out rows that cannot be read, say so, and exit with 1.
    #[arg(long)]
    lenient: bool,
    /// Columns of a CSV of no known format, and constants where a tool is silent: pairs as in
    /// `isl=prompt,ttft_mean_s=ttft_ms*0.001,threads=4,model='name'`; the columns of ours are in
    /// results/SCHEMA.md.
    #[arg(long, value_name = "OURS=THEIRS,..")]
    map: Option<Mapping>,
}

impl Reading {
    /// The same, for the reader.
    pub fn options(&self) -> ReadOptions {
        ReadOptions { lenient: self.lenient, mapping: self.map.clone() }
    }
}

/// Measurements of a file or a folder of a run.
pub fn read(path: &Path, options: &ReadOptions) -> anyhow::Result<Measurements> {
    let named = |what: &str| format!("{}: {what}", path.display());
    let mut read = read_results(path, options).with_context(|| path.display().to_string())?;
    read.skipped.iter_mut().for_each(|message| *message = named(message));
    read.notes.iter().for_each(|note| print::note(&named(note)));
    Ok(read)
}

/// Measurements of one or more files or folders, in the order given.
pub fn read_all(paths: &[PathBuf], options: &ReadOptions) -> anyhow::Result<Measurements> {
    let mut all = Measurements::default();
    for path in paths {
        all.extend(read(path, options)?)?;
    }
    Ok(all)
}

/// Tells what a lenient reader left out: good, or some failed.
pub fn complain_of_skipped(read: &Measurements) -> Exit {
    for message in &read.skipped {
        print::complain(&format!("skipped: {message}"));
    }
    if read.skipped.is_empty() { Exit::Good } else { Exit::SomeFailed }
}
