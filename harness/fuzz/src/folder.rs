//! A folder for temporary files, so that files are read the way the command line reads them;
//! `scripts/fuzz` gives it one in memory.

use std::path::PathBuf;
use std::sync::LazyLock;

static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| {
    let folder = std::env::temp_dir().join(format!("freeweights-fuzz-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder for the inputs");
    folder
});

/// The folder of this process.
pub fn folder() -> PathBuf {
    FOLDER.clone()
}

/// Writes a file of the folder, in place of the one before.
pub fn file(name: &str, bytes: &[u8]) -> PathBuf {
    let path = FOLDER.join(name);
    std::fs::write(&path, bytes).expect("room for an input");
    path
}
