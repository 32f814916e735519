//! One file per subcommand.

pub mod bench;
pub mod claims;
pub mod compare;
pub mod completions;
pub mod cost;
pub mod fleet;
pub mod hardware;
pub mod import;
pub mod ledger;
pub mod merge;
pub mod models;
pub mod plans;
pub mod prices;
pub mod report;
pub mod run;
pub mod server_args;
pub mod verify;

use clap::ValueEnum;
use freeweights_report::Format;

/// How results are written to standard output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum OutputFormat {
    /// For people at a terminal.
    #[default]
    Table,
    /// For a spreadsheet.
    Csv,
    /// For a program.
    Json,
    /// For a document.
    Md,
}

impl From<OutputFormat> for Format {
    fn from(format: OutputFormat) -> Self {
        match format {
            OutputFormat::Table => Self::Table,
            OutputFormat::Csv => Self::Csv,
            OutputFormat::Json => Self::Json,
            OutputFormat::Md => Self::Md,
        }
    }
}

/// Today, in UTC: which prices are in force, and how old they are.
pub fn today() -> jiff::civil::Date {
    jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date()
}
