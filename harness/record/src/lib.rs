//! Units, statistics, the record of a measurement and the CSV it travels in.
//!
//! Measuring and costing meet only here: a machine writes [`Record`]s, a laptop reads them back.
//! There is no model, no clock, no network and no price in this crate, and it builds in seconds.
//!
//! - [`units`]: one type per unit, so that seconds cannot be passed for tokens.
//! - [`stats`]: statistics that name their convention and refuse too few samples.
//! - [`metric`]: each figure of an inference benchmark as one small function.
//! - [`Sample`] and [`Record`]: one repetition, and one summarised case.
//! - [`requests`]: what a client saw of a server, request by request, and its summary.
//! - [`compare`]: two runs, case by case, and many over time.
//! - [`spreadsheet`]: texts that no spreadsheet takes for a formula.
//! - [`RunFolder`]: where they are kept, flushed as each case ends.

mod append_only;
mod column;
pub mod compare;
pub mod host;
mod import;
pub mod metric;
mod read;
mod record;
pub mod requests;
mod reserve;
mod resume;
mod rows;
mod run_folder;
mod sample;
pub mod schema;
mod seen;
pub mod spreadsheet;
pub mod stats;
mod summarise;
mod text;
pub mod units;
mod write_error;

pub use host::Host;
pub use import::{Mapping, MappingError};
pub use read::{
    CaseSamples, Gaps, Measurements, ReadError, ReadOptions, Samples, read_gaps, read_requests,
    read_results, read_summary_from,
};
pub use record::{Record, SCHEMA_VERSION, Status, Weights};
pub use resume::KeptRun;
pub use run_folder::{LastRow, RunFolder, SampleOf, summary_text, write_results};
pub use sample::{ITL_COLUMNS, RAW_COLUMNS, Readings, Sample};
pub use summarise::{Shape, summarise, widen, widen_by_runs};
pub use text::Text;
pub use write_error::WriteError;
