//! The folder of a run, and reading the folders of runs before.

use crate::exit::Exit;
use crate::print;
use anyhow::Context;
use clap::Args;
use freeweights_record::{Host, Mapping, Measurements, ReadOptions, read_results};
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
#[derive(Args, Default)]
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
    /// Whether rows that cannot be read are left out.
    pub const fn lenient(&self) -> bool {
        self.lenient
    }

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

/// The runs at some paths: a folder without a `summary.csv` stands for the runs in it.
pub fn runs_of(paths: &[PathBuf]) -> anyhow::Result<Vec<PathBuf>> {
    let mut runs = Vec::new();
    for path in paths {
        let several = path.is_dir() && !path.join("summary.csv").exists();
        let found = if several { folders_of_runs(path)? } else { vec![path.clone()] };
        // Without any, reading the folder itself tells what is missing.
        runs.extend(if found.is_empty() { vec![path.clone()] } else { found });
    }
    Ok(runs)
}

/// Folders in a folder that hold a run, by name.
pub fn folders_of_runs(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let cannot =
        || format!("cannot read the folder {}; name one that holds runs", folder.display());
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(cannot)? {
        let path = entry.with_context(cannot)?.path();
        if path.join("summary.csv").is_file() {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// The machine of a run, where its `host.json` can be read: it is not needed, only told.
pub fn host(path: &Path) -> Option<Host> {
    let folder = if path.is_dir() { path } else { path.parent()? };
    let beside = path.is_dir() || path.file_name().is_some_and(|name| name == "summary.csv");
    let text = crate::texts::inside(&folder.join("host.json")).ok().filter(|_| beside)?;
    serde_json::from_str(&text).ok()
}
