//! Reading results back.

mod error;
mod summary;
mod table;

pub use error::ReadError;
pub use summary::read_summary_from;

use crate::record::Record;
use std::path::{Path, PathBuf};

/// How forgiving a reader is.
#[derive(Debug, Clone, Default)]
pub struct ReadOptions {
    /// Leave out rows that cannot be read and say so, where otherwise the first is an error.
    pub lenient: bool,
}

/// Records, and what was left out of them.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Measurements {
    /// One record per case, in the order of the file.
    pub records: Vec<Record>,
    /// Why rows were left out; empty unless reading was lenient.
    pub skipped: Vec<String>,
}

/// Reads a `summary.csv`, or the one inside a folder.
///
/// # Errors
/// [`ReadError`], with line and column where one cell is to blame.
pub fn read_results(path: &Path, options: &ReadOptions) -> Result<Measurements, ReadError> {
    let path = if path.is_dir() { path.join("summary.csv") } else { path.to_path_buf() };
    let failed = |source| ReadError::Io { path: PathBuf::from(&path), source };
    let file = std::fs::File::open(&path).map_err(failed)?;
    let rows = summary::read_rows(file, options.lenient)?;
    Ok(Measurements { records: rows.records, skipped: rows.skipped })
}
