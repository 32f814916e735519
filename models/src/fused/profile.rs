//! Where the time of a pass goes, by operation.
//!
//! The clock of the first thread, read between phases: what it waits for others counts to the phase
//! it waits in. Off, it costs one branch a phase.

use std::cell::Cell;
use std::time::{Duration, Instant};

/// What a pass is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operation {
    /// Embedding rows and the first norm.
    Embedding,
    /// Query, key and value.
    Projections,
    /// Rotation of queries and keys, and the KV cache.
    Rotation,
    /// Scores, softmax and weighted sums.
    Attention,
    /// Merging of parts, rounding.
    AttentionRows,
    /// The output projection of attention.
    AttentionOutput,
    /// Norms before the feed-forward layer.
    FeedForwardNorm,
    /// The choice of experts, and the rows of each brought together.
    Routing,
    /// Gate, up and their product.
    GateAndUp,
    /// Rounding of the inner layer.
    InnerRows,
    /// The down projection.
    Down,
    /// Norms before the next layer.
    AttentionNorm,
    /// The output head.
    Head,
}

impl Operation {
    const NAMES: [&'static str; 13] = [
        "embedding",
        "query, key, value",
        "rotation, KV cache",
        "attention",
        "attention rounding",
        "attention output",
        "feed-forward norm",
        "routing",
        "gate, up, SiLU",
        "inner rounding",
        "down",
        "attention norm",
        "output head",
    ];

    /// What is done row by row after a phase, where that is a phase of its own.
    pub(super) const fn rows(self) -> Self {
        match self {
            Self::Projections => Self::Rotation,
            Self::Attention => Self::AttentionRows,
            Self::AttentionOutput => Self::FeedForwardNorm,
            Self::GateAndUp => Self::InnerRows,
            Self::Down => Self::AttentionNorm,
            other => other,
        }
    }
}

/// Time by operation. Only the first thread writes to it.
#[derive(Debug, Default)]
pub(super) struct Profile {
    on: bool,
    last: Cell<Option<Instant>>,
    spent: Cell<[Duration; Operation::NAMES.len()]>,
}

// SAFETY: cells are written by thread 0 of a pass, which reads no others meanwhile: a pass has the
// decoder borrowed mutably. Outside of passes they are only read, which many threads may do.
unsafe impl Sync for Profile {}

impl Profile {
    /// Starts anew, on or off.
    pub(super) fn switch(&mut self, on: bool) {
        *self = Self { on, ..Self::default() };
    }

    pub(super) fn start(&self, thread: usize) {
        if self.on && thread == 0 {
            self.last.set(Some(Instant::now()));
        }
    }

    pub(super) fn note(&self, thread: usize, operation: Operation) {
        if !self.on || thread != 0 {
            return;
        }
        let now = Instant::now();
        if let Some(last) = self.last.replace(Some(now)) {
            let mut spent = self.spent.get();
            spent[operation as usize] += now - last;
            self.spent.set(spent);
        }
    }

    /// Each operation and its time so far; nothing if it is off.
    pub(super) fn spent(&self) -> Vec<(&'static str, Duration)> {
        if !self.on {
            return Vec::new();
        }
        Operation::NAMES.into_iter().zip(self.spent.get()).collect()
    }
}
