//! What downloads tell of themselves while they run.
//!
//! Not here: anything that is shown; that is the caller's.

/// A file that begins to arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Download<'a> {
    /// Its name in the repository.
    pub file: &'a str,
    /// Which of the model's files it is, counted from 1.
    pub number: usize,
    /// How many files the model has.
    pub files: usize,
    /// Its length, where the hub gives it.
    pub bytes: Option<u64>,
    /// How much of it an earlier attempt left.
    pub already: u64,
}

/// Is told how far downloads are, one file after the other. Files that are there already are not
/// spoken of.
pub trait Progress {
    /// A file begins to arrive.
    fn begins(&self, download: &Download<'_>);

    /// So many bytes of it are here; fewer than before where the server had to start over.
    fn reached(&self, bytes: u64);

    /// It is over; `whole` if the file is here and has the hash it should have.
    fn ends(&self, whole: bool);
}

/// Hears and shows nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Quiet;

impl Progress for Quiet {
    fn begins(&self, _: &Download<'_>) {}

    fn reached(&self, _: u64) {}

    fn ends(&self, _: bool) {}
}
