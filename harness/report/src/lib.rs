//! Tables and documents from records and assessments.
//!
//! Everything returns text; printing is the caller's. What is missing is `-` in tables for people,
//! an empty cell in CSV and `null` in JSON, never 0. Tables for people round to three digits; CSV
//! and JSON keep full precision.
//!
//! - [`Grid`]: a generic table that renders in every [`Format`].
//! - [`tables`]: the tables of measurements, cost, bill and assumptions.
//! - [`chart`]: where the self-hosted bill meets those of APIs.
//! - [`documents`]: these put together.
//! - [`comparison`]: two runs, and many over time.
//! - [`page`]: one HTML file with everything in it; [`mod@charts`]: its charts by themselves.
//! - [`fn@gallery`]: published runs in a list.
//! - [`fleet_report`], [`fleet_page`], [`fleet_charts`]: a simulated fleet.
//! - [`claims_report`]: public claims, judged.

pub mod chart;
pub mod charts;
mod claims;
pub mod comparison;
pub mod documents;
mod error;
mod fleet;
mod format;
mod gallery;
mod grid;
mod markdown;
pub mod page;
mod paragraph;
pub mod png;
mod reading;
mod svg;
pub mod tables;
mod visible;

pub use chart::break_even_chart;
pub use charts::{Chart, charts, fleet_charts};
pub use claims::{claims_report, claims_table};
pub use comparison::{comparison_report, history_report};
pub use documents::{CostTable, bench_report, cost_report, cost_table, run_report};
pub use error::ReportError;
pub use fleet::{FleetTable, fleet_report, fleet_table};
pub use format::Format;
pub use gallery::{Published, gallery};
pub use grid::{Cell, Column, Grid};
pub use page::{Page, claims_page, fleet_page, html_report};
pub use png::png;
pub use visible::visible;
