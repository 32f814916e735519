//! What can go wrong on the way to a text.

use thiserror::Error;

/// Why there is no text.
#[derive(Debug, Error)]
pub enum ReportError {
    /// A format nobody knows.
    #[error("{text:?} is no format; write table, csv, json or md")]
    UnknownFormat {
        /// What was given.
        text: String,
    },
    /// A row could not be put into CSV.
    #[error("cannot write CSV: {0}; try --format json")]
    Csv(#[from] csv::Error),
    /// A value could not be put into JSON.
    #[error("cannot write JSON: {0}; try --format csv")]
    Json(#[from] serde_json::Error),
    /// A chart could not be drawn.
    #[error("cannot draw a chart: {reason}; the tables of --format md show the same")]
    Drawing {
        /// What went wrong.
        reason: String,
    },
    /// The page could not be put together.
    #[error("cannot write the page: {0}; try --format md")]
    Page(#[from] minijinja::Error),
}
