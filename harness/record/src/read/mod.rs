//! Reading results back: a run of freeweights, or what another tool wrote.

mod error;
mod gaps;
mod kept;
pub(crate) mod plain;
mod requests;
mod samples;
mod split;
mod summary;
mod table;

pub use error::ReadError;
pub use gaps::{Gaps, read_gaps};
pub(crate) use kept::{KeptGaps, read_kept};
pub use requests::read_requests;
pub use samples::{CaseSamples, Samples};
pub use summary::read_summary_from;

use crate::import::{self, Mapping};
use crate::record::Record;
use std::collections::HashSet;
use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind, Read};
use std::path::Path;

/// How a file is to be read.
#[derive(Debug, Clone, Default)]
pub struct ReadOptions {
    /// Leave out rows that cannot be read and say so, where otherwise the first is an error.
    pub lenient: bool,
    /// How to read a CSV of no known format, and what to fill in where a tool is silent.
    pub mapping: Option<Mapping>,
}

/// Records and, where they were kept, the samples behind them.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Measurements {
    /// One record per case, in the order of the file.
    pub records: Vec<Record>,
    /// The samples behind the records, where they were kept.
    pub samples: Samples,
    /// Why rows were left out; empty unless reading was lenient.
    pub skipped: Vec<String>,
    /// What else is to be told of the files: rows that a kill left half-written.
    pub notes: Vec<String>,
}

impl Measurements {
    /// Adds what another file holds.
    ///
    /// # Errors
    /// [`ReadError::SameCase`] where both hold the same case of the same run.
    pub fn extend(&mut self, other: Self) -> Result<(), ReadError> {
        // The first file of several, and mostly the only one, is taken as it is: it may be big.
        if self.records.is_empty() && self.skipped.is_empty() && self.notes.is_empty() {
            *self = other;
            return Ok(());
        }
        let known: HashSet<_> = self.records.iter().map(|r| (&*r.run_id, &*r.case_id)).collect();
        if let Some(twice) =
            other.records.iter().find(|r| known.contains(&(&*r.run_id, &*r.case_id)))
        {
            let (run_id, case_id) = (twice.run_id.to_string(), twice.case_id.to_string());
            return Err(ReadError::SameCase { case_id, run_id });
        }
        self.records.extend(other.records);
        self.samples.extend(other.samples);
        self.skipped.extend(other.skipped);
        self.notes.extend(other.notes);
        Ok(())
    }
}

/// Reads results, recognised by what is in them: a folder of a run (its `summary.csv` and, where it
/// is there, its `raw.csv`), a single summary, or a file another tool wrote.
///
/// # Errors
/// [`ReadError`], with line and column or the way to the field where one value is to blame.
pub fn read_results(path: &Path, options: &ReadOptions) -> Result<Measurements, ReadError> {
    let folder = path.is_dir();
    let path = if folder { path.join("summary.csv") } else { path.to_path_buf() };
    let failed = |source| ReadError::Io { path: path.clone(), source };
    let file = if folder { plain::open(&path) } else { File::open(&path) };
    let mut file = BufReader::with_capacity(HEAD, file.map_err(failed)?);
    if is_summary(file.fill_buf().map_err(failed)?) {
        return read_run(&path, file, options.lenient);
    }
    let told = file.get_ref().metadata().map_or(0, |about| about.len());
    let mut text = String::new();
    if told <= OTHERS_BYTES {
        // A pipe does not tell.
        file.take(OTHERS_BYTES + 1).read_to_string(&mut text).map_err(failed)?;
    }
    if told.max(text.len() as u64) > OTHERS_BYTES {
        return Err(ReadError::TooLong { path });
    }
    import::read(&text, options)
}

/// Longest file of another tool that is read. It stands in memory whole, and as JSON takes a multiple
/// of its length there.
const OTHERS_BYTES: u64 = 512 << 20;

/// Bytes that are looked at to tell a summary, of which many are too big to be read twice.
const HEAD: usize = 1 << 16;

/// Whether the first line has our first column.
fn is_summary(head: &[u8]) -> bool {
    let head = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
    let first = head.split(|&byte| byte == b'\n').next().unwrap_or_default();
    let mut names = first.split(|&byte| byte == b',').map(<[u8]>::trim_ascii);
    names.any(|name| name == b"schema_version" || name == b"\"schema_version\"")
}

/// A `summary.csv`, and the `raw.csv` beside it.
fn read_run(
    path: &Path,
    summary: impl BufRead + Send,
    lenient: bool,
) -> Result<Measurements, ReadError> {
    let summary::Rows { records, mut skipped, torn } = summary::read_rows(summary, lenient)?;
    let mut notes: Vec<String> = torn.into_iter().collect();
    let samples = match path.file_name() {
        Some(name) if name == "summary.csv" => {
            read_beside(&path.with_file_name("raw.csv"), lenient, &mut skipped, &mut notes)?
        }
        // A summary under another name may lie beside the samples of any run.
        _ => Samples::default(),
    };
    Ok(Measurements { records, samples, skipped, notes })
}

fn read_beside(
    path: &Path,
    lenient: bool,
    skipped: &mut Vec<String>,
    notes: &mut Vec<String>,
) -> Result<Samples, ReadError> {
    let file = match plain::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Samples::default()),
        Err(source) => return Err(ReadError::Io { path: path.to_path_buf(), source }),
    };
    samples::read_samples(file, lenient, skipped, notes)
        .map_err(|source| ReadError::Beside { path: path.to_path_buf(), source: source.into() })
}
