//! Texts that are named on the command line or lie in the folder of a run, read into memory whole:
//! as long as any of their kind is, and no longer.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// Longest text that people write or hand on: scenarios, prices, plans, ledgers, prompts, and what
/// a run keeps of its machine and its command.
const WRITTEN: u64 = 64 << 20;

/// Longest trace of requests. Published ones have up to a gigabyte.
const TRACE: u64 = 4 << 30;

/// Reads a text of up to 64 MiB. It may be a pipe, as of `<(zcat ..)`.
///
/// # Errors
/// Those of the system, [`io::ErrorKind::FileTooLarge`], and for what is no UTF-8.
pub fn written(path: &Path) -> io::Result<String> {
    up_to(WRITTEN, path)
}

/// Reads a trace of requests, as [`written`] reads a text.
///
/// # Errors
/// As [`written`].
pub fn trace(path: &Path) -> io::Result<String> {
    up_to(TRACE, path)
}

/// Reads a text that lies in a folder: a plain file of up to 64 MiB. Nobody who names a folder
/// knows of a pipe in it.
///
/// # Errors
/// As [`written`]; [`io::ErrorKind::InvalidInput`] for anything else than a plain file.
pub fn inside(path: &Path) -> io::Result<String> {
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no plain file"));
    }
    written(path)
}

fn up_to(most: u64, path: &Path) -> io::Result<String> {
    let file = File::open(path)?;
    let too_long = |length: u64| length > most;
    let mut bytes = Vec::new();
    let told = file.metadata()?.len();
    if !too_long(told) {
        // A pipe does not tell, and a file may grow.
        file.take(most + 1).read_to_end(&mut bytes)?;
    }
    if too_long(told.max(bytes.len() as u64)) {
        let reason = format!("it is longer than {} MiB", most >> 20);
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, reason));
    }
    String::from_utf8(bytes).map_err(|_| {
        io::Error::new(io::ErrorKind::InvalidData, "stream did not contain valid UTF-8")
    })
}
