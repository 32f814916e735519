//! Why the header of a GGUF is not taken.

use crate::error::ModelError;
use std::path::Path;

/// Why a header is not taken.
#[derive(Debug)]
pub(super) enum Fault {
    /// The file is no GGUF, or a damaged one.
    Damaged(String),
    /// The file may be sound, but nothing here reads it; the sentence ends in the next action.
    Unread(String),
    /// The system did not give its bytes.
    Io(std::io::Error),
}

impl Fault {
    /// As the error of one file.
    pub(super) fn of(self, path: &Path) -> ModelError {
        let path = path.to_path_buf();
        match self {
            Self::Damaged(reason) => ModelError::BadGguf { path, reason },
            Self::Unread(reason) => ModelError::UnreadGguf { path, reason },
            Self::Io(source) => ModelError::Io { path, source },
        }
    }
}

/// A name from a file as it stands in a message: on one line, and not longer than a line.
pub(super) fn shown(name: &str) -> String {
    const MOST: usize = 64;
    let mut short: String = name.chars().take(MOST).collect();
    if short.len() < name.len() {
        short.push('…');
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if !short.is_empty() && short.chars().all(plain) { short } else { format!("{short:?}") }
}
