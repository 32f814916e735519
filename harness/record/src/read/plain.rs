//! Files of a folder as they are opened.

use std::fs::File;
use std::io;
use std::path::Path;

/// Opens a plain file. A pipe would be waited for, perhaps for ever: who names one means it, and who
/// is given a folder does not know of it.
///
/// # Errors
/// Those of the system; [`io::ErrorKind::InvalidInput`] for anything else than a plain file.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    if std::fs::metadata(path)?.is_file() {
        return File::open(path);
    }
    Err(io::Error::new(
        io::ErrorKind::InvalidInput,
        "it is no plain file; take it out of the folder",
    ))
}

/// Reads a plain file whole.
///
/// # Errors
/// As [`open`].
pub(crate) fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    io::Read::read_to_end(&mut open(path)?, &mut bytes)?;
    Ok(bytes)
}
