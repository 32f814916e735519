//! The folder of a run, and reading the folders of runs before.

use anyhow::Context;
use freeweights_record::{ReadOptions, Record, read_results};
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

/// Records of one or more summaries, in the order given.
pub fn read_all(paths: &[PathBuf]) -> anyhow::Result<Vec<Record>> {
    let mut records = Vec::new();
    for path in paths {
        let read = read_results(path, &ReadOptions::default())
            .with_context(|| format!("{}", path.display()))?;
        records.extend(read.records);
    }
    Ok(records)
}
