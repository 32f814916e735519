//! Room on the disk for the last rows of a run that has filled it.

use crate::append_only::create_afresh;
use std::cell::Cell;
use std::fs::remove_file;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Name of the file; a run that ends takes it away.
pub(crate) const FILE: &str = ".reserve";

/// A row has a few kilobytes, `host.json` some dozens.
const BYTES: usize = 256 << 10;

/// A file that holds nothing but room.
#[derive(Debug)]
pub(crate) struct Reserve {
    path: PathBuf,
    there: Cell<bool>,
}

impl Reserve {
    /// Takes the room. Where it cannot be had there is none to give up later, and the run goes on.
    pub(crate) fn in_folder(folder: &Path) -> Self {
        let path = folder.join(FILE);
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        // Noise: a file system that compresses must take the room too.
        let mut noise = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()
        };
        let bytes: Vec<u8> = (0..BYTES / 8).flat_map(|_| noise()).collect();
        let written = create_afresh(&path)
            .and_then(|mut file| file.write_all(&bytes).and_then(|()| file.sync_all()));
        let there = path.exists();
        let reserve = Self { path, there: Cell::new(there) };
        if written.is_err() {
            reserve.give_up();
        }
        reserve
    }

    /// Gives the room back; whether there was any.
    pub(crate) fn give_up(&self) -> bool {
        self.there.replace(false) && remove_file(&self.path).is_ok()
    }
}

impl Drop for Reserve {
    fn drop(&mut self) {
        self.give_up();
    }
}
