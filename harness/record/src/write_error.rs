//! Why results could not be written, and what to do about it.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Why results could not be written.
#[derive(Debug, Error)]
pub enum WriteError {
    /// The folder or a file in it could not be made or written.
    #[error("cannot write {path}: {source}; {advice}", path = path.display(), advice = advice(source))]
    Io {
        /// Folder or file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The folder or a file in it was removed under the run; what it held was written again.
    #[error(
        "{path} was removed while the run lasted; what was measured is written again to {again}: go on with --resume and --out {again}",
        path = path.display(), again = again.display()
    )]
    Removed {
        /// What was removed.
        path: PathBuf,
        /// The folder that holds everything now.
        again: PathBuf,
    },
    /// The folder or a file in it was moved or replaced under the run.
    #[error(
        "{path} was moved or replaced while the run lasted; what was measured is where it was moved to: go on with --resume and --out there",
        path = path.display()
    )]
    Moved {
        /// What is not there any more.
        path: PathBuf,
    },
    /// Another process writes to the folder.
    #[error("{path} is being written to by another process; wait for it, or name another folder with --out", path = path.display())]
    Busy {
        /// The folder.
        path: PathBuf,
    },
    /// The folder holds a run already; results are append-only.
    #[error("{path} already holds results; name a fresh folder with --out", path = path.display())]
    Taken {
        /// The folder.
        path: PathBuf,
    },
    /// A figure is NaN or infinite. It should have been an empty cell.
    #[error("case {case_id}: column {column} is not a finite number")]
    NotFinite {
        /// The case.
        case_id: String,
        /// The column.
        column: String,
    },
    /// A figure is below zero where its unit has no such thing.
    #[error("case {case_id}: column {column} is negative")]
    Negative {
        /// The case.
        case_id: String,
        /// The column.
        column: String,
    },
    /// A row could not be put into CSV.
    #[error("cannot write a row: {0}")]
    Row(#[from] csv::Error),
}

impl WriteError {
    pub(crate) fn io(path: &Path, source: io::Error) -> Self {
        Self::Io { path: path.to_path_buf(), source }
    }

    /// Whether there is no more room.
    pub(crate) fn is_full(&self) -> bool {
        matches!(self, Self::Io { source, .. } if no_room(source))
    }
}

fn no_room(error: &io::Error) -> bool {
    let kinds = [ErrorKind::StorageFull, ErrorKind::QuotaExceeded, ErrorKind::FileTooLarge];
    kinds.contains(&error.kind())
}

fn advice(error: &io::Error) -> &'static str {
    if no_room(error) {
        "make room and run it again; bench and run go on with --resume and the same --out"
    } else {
        "name another folder with --out"
    }
}
