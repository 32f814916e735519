//! The kernel's small files under a root: the machine's own, or a tree that a test made.
//!
//! Not here: what the files mean.

use std::fs::{self, File};
use std::io::{self, Read, Seek};
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// Where `/sys` and `/proc` are found.
#[derive(Debug, Clone)]
pub struct Tree {
    root: PathBuf,
}

impl Tree {
    /// The files of this machine.
    #[must_use]
    pub fn here() -> Self {
        Self::at(Path::new("/"))
    }

    /// Files under a folder that stands for the root.
    #[must_use]
    pub fn at(root: &Path) -> Self {
        Self { root: root.to_path_buf() }
    }

    /// Where a file of the machine is.
    pub(crate) fn path(&self, inside: &str) -> PathBuf {
        self.root.join(inside.trim_start_matches('/'))
    }

    /// A whole file, without the white space around it; `None` where it is missing or empty.
    pub(crate) fn text(&self, inside: &str) -> Option<String> {
        let text = fs::read_to_string(self.path(inside)).ok()?;
        let text = text.trim();
        (!text.is_empty()).then(|| text.to_owned())
    }

    /// A file that holds one value.
    pub(crate) fn value<T: FromStr>(&self, inside: &str) -> Option<T> {
        self.text(inside)?.parse().ok()
    }

    /// Names in a folder, in order; none where there is no such folder.
    pub(crate) fn names(&self, inside: &str) -> Vec<String> {
        names(&self.path(inside))
    }
}

/// Names in a folder: shorter ones first, so that `cpu2` stands before `cpu10`.
pub(crate) fn names(folder: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut names: Vec<String> =
        entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
    names.sort_by(|a, b| (a.len(), a).cmp(&(b.len(), b)));
    names
}

/// A small file that is read again and again, without opening it or allocating anew.
#[derive(Debug)]
pub(crate) struct Gauge {
    file: File,
    text: [u8; 128],
}

impl Gauge {
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self { file: File::open(path)?, text: [0; 128] })
    }

    /// What the file says now, at most its first 128 bytes.
    pub(crate) fn text(&mut self) -> Option<&str> {
        self.file.rewind().ok()?;
        let length = self.file.read(&mut self.text).ok()?;
        std::str::from_utf8(&self.text[..length]).ok()
    }

    /// The whole number that the file holds now.
    pub(crate) fn number(&mut self) -> Option<u64> {
        self.text()?.trim().parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gauge_reads_what_is_there_now() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("energy_uj");
        fs::write(&path, "123456\n").unwrap();
        let mut gauge = Gauge::open(&path).unwrap();
        assert_eq!(gauge.number(), Some(123_456));
        fs::write(&path, "78\n").unwrap();
        assert_eq!(gauge.number(), Some(78));
        fs::write(&path, "").unwrap();
        assert_eq!(gauge.number(), None);
    }

    #[test]
    fn a_tree_knows_what_is_missing() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["cpu10", "cpu2", "cpuidle"] {
            fs::create_dir_all(folder.path().join("sys").join(name)).unwrap();
        }
        fs::write(folder.path().join("sys/limit"), " 17 \n").unwrap();
        fs::write(folder.path().join("sys/empty"), "\n").unwrap();
        let tree = Tree::at(folder.path());
        assert_eq!(tree.names("/sys"), ["cpu2", "cpu10", "empty", "limit", "cpuidle"]);
        assert_eq!(tree.value::<u32>("/sys/limit"), Some(17));
        assert_eq!(tree.value::<u32>("/sys/cpu2/limit"), None);
        assert_eq!(tree.text("/sys/empty"), None);
    }
}
