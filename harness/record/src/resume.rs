//! Going on with a run that was killed or interrupted: what its folder holds, and opening it again.
//!
//! Not here: whether the run may go on at all (the same machine, model and arguments), which is for
//! those who measure to say.

use crate::read::{self, ReadError, plain};
use crate::record::{Record, Status};
use crate::run_folder::RunFolder;
use crate::sample::Sample;
use crate::text::Text;
use crate::write_error::WriteError;
use std::collections::HashMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// What the folder of a run holds. Nothing was changed to find out.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct KeptRun {
    /// Where it is.
    path: PathBuf,
    /// One record per case that ended, in the order of the file.
    pub records: Vec<Record>,
    /// Whole samples by case, warm-ups too, in the order in which they were taken.
    pub samples: HashMap<Text, Vec<Sample>>,
    /// What a kill left half-written, for people; it goes when the folder is opened.
    pub torn: Vec<String>,
    raw_bytes: u64,
    itl_bytes: u64,
    /// Bytes of each file, of [`FILES`], as it was read.
    lengths: [u64; 3],
}

const FILES: [&str; 3] = ["summary.csv", "raw.csv", "itl.csv"];

impl KeptRun {
    /// Reads the folder. Rows that a kill left half-written are passed over, and so is the last
    /// sample where its gaps are not all there. Files that are not there hold nothing.
    ///
    /// # Errors
    /// [`ReadError`] where anything else is wrong: such files were changed by somebody.
    pub fn read(path: &Path) -> Result<Self, ReadError> {
        let mut torn = Vec::new();
        let mut lengths = [0; 3];
        let mut whole = |at: usize| {
            let name = FILES[at];
            let bytes = contents(&path.join(name))?;
            lengths[at] = bytes.len() as u64;
            let whole = whole_rows(&bytes);
            if whole < bytes.len() {
                torn.push(format!("{name}: its last row is half-written and left out"));
            }
            Ok(bytes[..whole].to_vec())
        };
        let (summary, raw, itl) = (whole(0)?, whole(1)?, whole(2)?);
        let beside = |name: &str, source| ReadError::Beside {
            path: path.join(name),
            source: Box::new(source),
        };
        let records = match summary.as_slice() {
            [] => Vec::new(),
            text => match read::read_summary_from(text) {
                Err(ReadError::Empty) => Vec::new(),
                read => read.map_err(|error| beside("summary.csv", error))?,
            },
        };
        let gaps = read::KeptGaps::read(&itl).map_err(|error| beside("itl.csv", error))?;
        let kept = read::read_kept(&raw, gaps).map_err(|error| beside("raw.csv", error))?;
        torn.extend(kept.dropped);
        Ok(Self {
            path: path.to_path_buf(),
            records,
            samples: kept.samples,
            torn,
            raw_bytes: kept.raw_bytes.unwrap_or(raw.len()) as u64,
            itl_bytes: kept.itl_bytes.unwrap_or(itl.len()) as u64,
            lengths,
        })
    }

    /// Whether a record is measured again when the run goes on: where it was interrupted, and
    /// where it failed if that is asked for.
    #[must_use]
    pub fn is_open(record: &Record, failed_again: bool) -> bool {
        match record.status {
            Status::Ok => false,
            Status::Failed => failed_again,
            Status::Interrupted => true,
        }
    }

    /// Opens the folder to go on: cuts off what is half-written and takes the rows of cases that
    /// are measured again out of `summary.csv`. Nothing else changes.
    ///
    /// # Errors
    /// [`WriteError::Busy`] where another process writes to it, or has since it was read,
    /// [`WriteError::Io`].
    pub fn reopen(&mut self, failed_again: bool) -> Result<RunFolder, WriteError> {
        let locked = RunFolder::lock(&self.path)?;
        // Whoever had the lock may have written to its end: none of that is to be cut off.
        let length = |name| std::fs::metadata(self.path.join(name)).map_or(0, |file| file.len());
        if FILES.map(length) != self.lengths {
            return Err(WriteError::Busy { path: self.path.clone() });
        }
        self.records.retain(|record| !Self::is_open(record, failed_again));
        RunFolder::reopen(&self.path, locked, self.raw_bytes, self.itl_bytes, &self.records)
    }
}

fn contents(path: &Path) -> Result<Vec<u8>, ReadError> {
    match plain::read(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        read => read.map_err(|source| ReadError::Io { path: path.to_path_buf(), source }),
    }
}

/// How many bytes there are up to the end of the last whole row: every row ends in a line break, and
/// one inside quotes ends none.
fn whole_rows(bytes: &[u8]) -> usize {
    let (mut quoted, mut end) = (false, 0);
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            b'"' => quoted = !quoted,
            b'\n' if !quoted => end = at + 1,
            _ => {}
        }
    }
    end
}

#[cfg(test)]
mod tests;
