//! Why there is no comparison.

use super::Which;
use thiserror::Error;

/// Why two sides cannot be compared.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CompareError {
    /// No case of one side is one of the other.
    #[error("no case in common: {why}")]
    NothingInCommon {
        /// What differs, and what to do.
        why: String,
    },
    /// Without the ignored columns two cases of one side would be the same.
    #[error(
        "without {ignored}, cases of {side} that differ would be taken for one: {first}; {second}; give a file with one of them, or ignore less"
    )]
    Mixed {
        /// The side.
        side: Which,
        /// The ignored columns.
        ignored: String,
        /// A case.
        first: String,
        /// Another one.
        second: String,
    },
    /// The samples do not give what the summary says.
    #[error(
        "{side}, run {run_id}, case {case_id}: {column} is {summary} in summary.csv and {raw} by the samples in raw.csv; give the files as they were written"
    )]
    SamplesDisagree {
        /// The side.
        side: Which,
        /// The run.
        run_id: String,
        /// The case.
        case_id: String,
        /// Column of the summary.
        column: &'static str,
        /// What the summary says; `empty` where it says nothing.
        summary: String,
        /// What the samples say.
        raw: String,
    },
    /// There is no run to tell the history of.
    #[error("no folder in it has a summary.csv; give the folder that holds the folders of runs")]
    NoRuns,
}
