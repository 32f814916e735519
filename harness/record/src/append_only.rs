//! A file of a run that grows by whole groups of rows.
//!
//! Not here: what the rows are.

use crate::spreadsheet;
use crate::write_error::WriteError;
use serde::Serialize;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How often a lock is tried, and the time in between: two seconds in all.
const LOCK_TRIES: u32 = 40;
const LOCK_PAUSE: Duration = Duration::from_millis(50);

/// A CSV file that grows by whole groups of rows.
#[derive(Debug)]
pub(crate) struct AppendOnly {
    path: PathBuf,
    file: File,
    empty: bool,
    /// Bytes before the rows that were appended last.
    before: u64,
}

impl AppendOnly {
    /// A file that must not be there yet.
    pub(crate) fn create(path: PathBuf) -> Result<Self, WriteError> {
        let file = OpenOptions::new().create_new(true).read(true).append(true).open(&path);
        Ok(Self {
            file: file.map_err(|source| WriteError::io(&path, source))?,
            path,
            empty: true,
            before: 0,
        })
    }

    /// A file that may be there, to be written behind what it holds.
    pub(crate) fn open(path: PathBuf) -> Result<Self, WriteError> {
        refuse_other_kinds(&path).map_err(|source| WriteError::io(&path, source))?;
        let file = OpenOptions::new().create(true).read(true).append(true).open(&path);
        let file = file.map_err(|source| WriteError::io(&path, source))?;
        let before = file.metadata().map_err(|source| WriteError::io(&path, source))?.len();
        Ok(Self { path, file, empty: before == 0, before })
    }

    /// A file with this text in place of what it held: it has the one or the other at any moment.
    pub(crate) fn replace(path: PathBuf, text: &str) -> Result<Self, WriteError> {
        write_whole(&path, text.as_bytes())?;
        Self::open(path)
    }

    /// Whether nothing was written yet.
    pub(crate) const fn is_empty(&self) -> bool {
        self.empty
    }

    /// Keeps other processes from going on with the same run; the system gives it back when this
    /// one ends, however it ends. Where files cannot be locked nothing is kept.
    pub(crate) fn lock(&self) -> Result<(), WriteError> {
        for _ in 0..LOCK_TRIES {
            match self.file.try_lock() {
                // A process that was just killed has it until the system took its memory back.
                Err(TryLockError::WouldBlock) => std::thread::sleep(LOCK_PAUSE),
                _ => return Ok(()),
            }
        }
        let folder = self.path.parent().unwrap_or(&self.path);
        Err(WriteError::Busy { path: folder.to_path_buf() })
    }

    /// Forgets what lies behind the first `bytes`.
    pub(crate) fn cut(&mut self, bytes: u64) -> Result<(), WriteError> {
        let cut = self.file.set_len(bytes).and_then(|()| self.file.sync_all());
        self.empty = bytes == 0;
        cut.map_err(|source| WriteError::io(&self.path, source))
    }

    /// Where it was opened.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The file itself, for a row that may have to be written without asking for memory.
    pub(crate) fn handle(&self) -> Result<File, WriteError> {
        self.file.try_clone().map_err(|source| WriteError::io(&self.path, source))
    }

    /// Whether the file is still the one at its path.
    pub(crate) fn place(&self) -> Place {
        place_of(&self.file, &self.path)
    }

    /// Everything in it, even where it was removed.
    pub(crate) fn contents(&mut self) -> Result<Vec<u8>, WriteError> {
        let mut bytes = Vec::new();
        let read = self.file.rewind().and_then(|()| self.file.read_to_end(&mut bytes));
        read.map_err(|source| WriteError::io(&self.path, source))?;
        Ok(bytes)
    }

    /// Takes the rows that were appended last off again. Where that fails too, whoever reads the file
    /// passes half-written rows over.
    pub(crate) fn take_back(&mut self) {
        if self.file.set_len(self.before).is_ok() {
            self.empty = self.before == 0;
        }
    }

    /// Appends rows in one write, all or none; the header goes with the first row.
    pub(crate) fn append<T: Serialize>(
        &mut self,
        rows: impl IntoIterator<Item = T>,
    ) -> Result<(), WriteError> {
        let text = csv_text(rows, self.empty)?;
        if text.is_empty() {
            return Ok(());
        }
        let length = self.file.metadata().map_err(|source| WriteError::io(&self.path, source))?;
        self.before = length.len();
        let written = self.file.write_all(text.as_bytes()).and_then(|()| self.file.sync_data());
        if let Err(source) = written {
            // Half a row is none.
            self.take_back();
            return Err(WriteError::io(&self.path, source));
        }
        self.empty = false;
        Ok(())
    }
}

/// Where a file that is open for writing is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// Where it was opened.
    Here,
    /// Nowhere: it is gone when it is closed.
    Removed,
    /// At another path.
    Elsewhere,
}

#[cfg(unix)]
fn place_of(file: &File, path: &Path) -> Place {
    use std::os::unix::fs::MetadataExt;
    // Where the system tells nothing, nothing is known to be wrong.
    let Ok(open) = file.metadata() else { return Place::Here };
    if open.nlink() == 0 {
        return Place::Removed;
    }
    match std::fs::metadata(path) {
        Ok(there) if (there.dev(), there.ino()) == (open.dev(), open.ino()) => Place::Here,
        _ => Place::Elsewhere,
    }
}

/// Elsewhere than on Unix a file that is open stays where it is.
#[cfg(not(unix))]
fn place_of(_: &File, _: &Path) -> Place {
    Place::Here
}

/// A link may lead to a file of somebody who knows nothing of this run, and its end would be cut off;
/// a pipe would be waited for.
fn refuse_other_kinds(path: &Path) -> std::io::Result<()> {
    match std::fs::symlink_metadata(path) {
        Ok(there) if !there.is_file() => Err(std::io::Error::new(
            ErrorKind::InvalidInput,
            "it is no plain file; take it out of the folder",
        )),
        _ => Ok(()),
    }
}

/// Makes a file in place of what an earlier run may have left under its name, a link or a pipe too.
pub(crate) fn create_afresh(path: &Path) -> std::io::Result<File> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    OpenOptions::new().create_new(true).write(true).open(path)
}

/// Writes a file beside the one that is meant, and gives it its name when it is whole.
pub(crate) fn write_whole(path: &Path, text: &[u8]) -> Result<(), WriteError> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".part");
    let beside = PathBuf::from(beside);
    let write = || {
        let mut file = create_afresh(&beside)?;
        file.write_all(text)?;
        file.sync_all()?;
        std::fs::rename(&beside, path)
    };
    write().map_err(|source| {
        // It takes room, and nobody asks for half of it.
        let _ = std::fs::remove_file(&beside);
        WriteError::io(path, source)
    })
}

/// Rows as CSV, in which no text is a formula.
pub(crate) fn csv_text<T: Serialize>(
    rows: impl IntoIterator<Item = T>,
    header: bool,
) -> Result<String, WriteError> {
    let mut writer = csv::WriterBuilder::new().has_headers(header).from_writer(Vec::new());
    for row in rows {
        writer.serialize(row)?;
    }
    let mut bytes = writer.into_inner().map_err(|error| {
        csv::Error::from(std::io::Error::new(error.error().kind(), error.to_string()))
    })?;
    if spreadsheet::may_need_it(&bytes) {
        bytes = spreadsheet::harmless_cells(&bytes)?;
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
