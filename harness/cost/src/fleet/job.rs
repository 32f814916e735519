//! A request as the simulation carries it: small, because millions of them pass by.

/// One request. Lengths are at least 1 and at most `u32::MAX`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Job {
    /// Seconds since the beginning.
    pub(super) arrival: f64,
    pub(super) isl: u32,
    pub(super) osl: u32,
    /// Where its prefix blocks are: the place in the trace.
    pub(super) place: u32,
    /// Tells the prefixes of one repetition from those of the others.
    pub(super) salt: u32,
}

impl Job {
    /// Tokens of it in the KV cache when it is done.
    #[inline]
    pub(super) fn tokens(&self) -> u64 {
        u64::from(self.isl) + u64::from(self.osl)
    }

    /// What its blocks are told apart by.
    #[inline]
    pub(super) fn salt(&self) -> u64 {
        u64::from(self.salt) << 32
    }
}

/// Requests in the order they come.
pub(super) trait Arrivals {
    /// The next one; `None` when there are no more.
    fn next(&mut self) -> Option<Job>;
    /// The prefix blocks of a request; empty where nobody knows.
    fn blocks(&self, job: &Job) -> &[u64];
}
