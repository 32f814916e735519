//! What can be wrong with a trace.

use thiserror::Error;

/// Why a text is no trace. Every message ends in the next action.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TraceError {
    /// None of the known formats.
    #[error(
        "this is no trace of requests, it begins with {start:?}; give a CSV with the columns arrival_s,isl,osl, an Azure CSV (TIMESTAMP,ContextTokens,GeneratedTokens) or a Mooncake JSONL"
    )]
    Unrecognised {
        /// How the text begins.
        start: String,
    },
    /// No request at all.
    #[error("the trace has no requests; give one with at least two")]
    NoRows,
    /// A cell that cannot be read.
    #[error("line {line}: {column} holds {found:?}; write {expected} there")]
    BadCell {
        /// Line, from 1.
        line: u64,
        /// The column.
        column: String,
        /// What is there.
        found: String,
        /// What belongs there.
        expected: &'static str,
    },
    /// A line that cannot be read.
    #[error("line {line}: {message}; correct that line")]
    BadLine {
        /// Line, from 1.
        line: u64,
        /// What is wrong.
        message: String,
    },
    /// A request that came before time began.
    #[error("line {line}: a request came at {time} s, before time 0; count from the first request")]
    NegativeTime {
        /// Line, from 1.
        line: u64,
        /// When it came.
        time: String,
    },
    /// A request that came before the one above it.
    #[error("line {line}: this request came before the one above it; sort the trace by time")]
    Unsorted {
        /// Line, from 1.
        line: u64,
    },
    /// A text that says no columns.
    #[error(
        "{text:?} names no columns; write --map-trace arrival=COLUMN,isl=COLUMN,osl=COLUMN, and unit=s, ms or date"
    )]
    BadMap {
        /// What was given.
        text: String,
    },
    /// A column that the trace does not have.
    #[error("the trace has no column {name:?}; it has {known}; name one of them")]
    NoColumn {
        /// What was asked for.
        name: String,
        /// What there is.
        known: String,
    },
    /// All requests came at once.
    #[error("all requests of the trace came at the same time; give a trace that lasts a while")]
    NoSpan,
}
