//! Files of a model as they are opened: plain files, and texts of a length that is believed.
//!
//! Links are followed: the cache of the hub is made of them. What a name in an index may be is said
//! where the index is read.

use crate::error::ModelError;
use std::fs::File;
use std::path::Path;

/// Longest config.json that is believed; published ones have some thousand bytes.
pub(crate) const CONFIG_BYTES: u64 = 16 << 20;
/// Longest index of shards; that of a model with a hundred thousand tensors has ten megabytes.
pub(crate) const INDEX_BYTES: u64 = 64 << 20;
/// Longest tokenizer.json; those of 262,144 tokens have some 35 megabytes.
pub(crate) const TOKENIZER_BYTES: u64 = 256 << 20;

/// Opens a plain file and gives its length. A pipe would be waited for, perhaps for ever.
///
/// # Errors
/// [`ModelError::NotAFile`], [`ModelError::Io`].
pub(crate) fn open(path: &Path) -> Result<(File, u64), ModelError> {
    let io = |source| ModelError::Io { path: path.to_path_buf(), source };
    if !std::fs::metadata(path).map_err(io)?.is_file() {
        return Err(ModelError::NotAFile { path: path.to_path_buf() });
    }
    let file = File::open(path).map_err(io)?;
    let length = file.metadata().map_err(io)?.len();
    Ok((file, length))
}

/// Sees that a file is a plain one of no more than `most` bytes, before it is read into memory.
///
/// # Errors
/// [`ModelError::BadCheckpoint`] beyond that, and those of [`open`].
pub(crate) fn check(path: &Path, most: u64) -> Result<(), ModelError> {
    let (_, length) = open(path)?;
    if length <= most {
        return Ok(());
    }
    let reason = format!("it has {length} bytes, where no more than {most} are believed");
    Err(ModelError::BadCheckpoint { path: path.to_path_buf(), reason })
}

/// Reads a text of no more than `most` bytes.
///
/// # Errors
/// As [`check`].
pub(crate) fn text(path: &Path, most: u64) -> Result<String, ModelError> {
    check(path, most)?;
    std::fs::read_to_string(path)
        .map_err(|source| ModelError::Io { path: path.to_path_buf(), source })
}
