//! The formats of a table.

use crate::error::ReportError;
use std::fmt;
use std::str::FromStr;

/// How a table is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// For people at a terminal.
    #[default]
    Table,
    /// For a spreadsheet: one header row, full precision.
    Csv,
    /// For a program: full precision, `null` where something is missing.
    Json,
    /// For a document.
    Md,
}

impl Format {
    /// All of them, by name.
    pub const ALL: [Self; 4] = [Self::Table, Self::Csv, Self::Json, Self::Md];
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Table => "table",
            Self::Csv => "csv",
            Self::Json => "json",
            Self::Md => "md",
        })
    }
}

impl FromStr for Format {
    type Err = ReportError;

    fn from_str(text: &str) -> Result<Self, ReportError> {
        Self::ALL
            .into_iter()
            .find(|format| format.to_string() == text)
            .ok_or_else(|| ReportError::UnknownFormat { text: text.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_read_by_the_name_they_are_written_with() {
        for format in Format::ALL {
            assert_eq!(format.to_string().parse::<Format>().unwrap(), format);
        }
        let error = "xml".parse::<Format>().unwrap_err().to_string();
        assert_eq!(error, "\"xml\" is no format; write table, csv, json or md");
    }
}
