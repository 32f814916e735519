//! Every table and document, from fixed records, at two widths.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]
#![expect(clippy::too_many_lines, reason = "the lines are snapshots")]

mod claims;
mod compared;
mod cost;
mod figures;
mod fixture;
mod fleet;
mod measured;
mod page;
mod spread;
mod whole;
