//! What can be wrong with a ledger.

use super::Year;
use thiserror::Error;

/// Why there is no ledger. Every message ends in the next action.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum LedgerError {
    /// No entry at all.
    #[error("the ledger has no rows; give one row for each model and year")]
    NoRows,
    /// The header lacks a column or has one that nobody knows.
    #[error("line 1: {problem}; write the header {}", super::csv_text::HEADER)]
    Header {
        /// What is wrong with it.
        problem: String,
    },
    /// A row that cannot be read.
    #[error("line {line}: {problem}; correct that line")]
    Row {
        /// Line, from 1.
        line: u64,
        /// What is wrong with it.
        problem: String,
    },
    /// A cell that cannot be read.
    #[error("line {line}: {column} holds {found:?}; write {expected}")]
    Cell {
        /// Line, from 1.
        line: u64,
        /// The column.
        column: &'static str,
        /// What is there.
        found: String,
        /// What belongs there.
        expected: &'static str,
    },
    /// An amount that is negative or no number.
    #[error(
        "{model} in year {year} has an amount of {found}; write costs and revenue as amounts of 0 or more"
    )]
    NotAnAmount {
        /// The model.
        model: String,
        /// The year.
        year: Year,
        /// What it holds.
        found: String,
    },
}
