//! What can be wrong with a file of prices, and what to do about it.

use thiserror::Error;

/// Why a file of prices was not read. Every message ends in the next action.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum PriceImportError {
    /// The text is none of the known formats.
    #[error(
        "{origin} is no list of prices that is known here; give LiteLLM's model_prices JSON, OpenRouter's models JSON, or a CSV that begins with {}",
        super::table::REQUIRED.join(",")
    )]
    NotRecognised {
        /// The file.
        origin: String,
    },
    /// The text is not JSON, or another JSON than its format says.
    #[error("{origin}, line {line}, column {column}: {message}; fetch the file again")]
    Json {
        /// The file.
        origin: String,
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
        /// What the parser said.
        message: String,
    },
    /// A row is not CSV.
    #[error("{origin}: {message}; correct that line")]
    Csv {
        /// The file.
        origin: String,
        /// What the parser said, with the line.
        message: String,
    },
    /// A column that every row needs is not there.
    #[error("{origin} has no column {column}; add it to the first line and to every row")]
    MissingColumn {
        /// The file.
        origin: String,
        /// The column.
        column: &'static str,
    },
    /// A column that is not known.
    #[error(
        "{origin} has a column {column:?} that is not known; {}",
        crate::nearest::advice(nearest)
    )]
    UnknownColumn {
        /// The file.
        origin: String,
        /// The column.
        column: String,
        /// Columns that look like it.
        nearest: Vec<String>,
    },
    /// A column is in another unit than USD per million tokens.
    #[error(
        "{origin}: the column {column:?} is not in USD per million tokens; convert its values and call it {expected}"
    )]
    OtherUnit {
        /// The file.
        origin: String,
        /// The column.
        column: String,
        /// The column it should be.
        expected: String,
    },
    /// A field that must be there is empty.
    #[error("{origin}, {place}: {field} is missing; fill it in or remove the entry")]
    Missing {
        /// The file.
        origin: String,
        /// Line or name of the entry.
        place: String,
        /// The field.
        field: String,
    },
    /// A field is not what it should be.
    #[error("{origin}, {place}: {field} is {value:?}; write {expected}")]
    BadValue {
        /// The file.
        origin: String,
        /// Line or name of the entry.
        place: String,
        /// The field.
        field: String,
        /// What is there.
        value: String,
        /// What belongs there.
        expected: &'static str,
    },
    /// A price that nobody charges.
    #[error("{origin}, {place}: {field} is {value}, which {doubt}; correct it or remove the entry")]
    Implausible {
        /// The file.
        origin: String,
        /// Line or name of the entry.
        place: String,
        /// The field.
        field: String,
        /// What is there.
        value: String,
        /// Why it cannot be.
        doubt: &'static str,
    },
    /// A price in another currency.
    #[error(
        "{origin}, {place}: the currency is {currency:?}; convert the prices to USD, say so in their source, and write USD"
    )]
    Currency {
        /// The file.
        origin: String,
        /// Line or name of the entry.
        place: String,
        /// The currency.
        currency: String,
    },
}
