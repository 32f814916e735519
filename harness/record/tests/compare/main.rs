//! How often `compare` is wrong: false alarms between alike runs, and slowdowns that it misses.
//!
//! Everything is seeded: a test here passes or fails for good. The ignored tests print the tables of
//! results/decisions/0014-compare.md; `scripts/compare-power` runs them.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod alarms;
mod noise;
mod power;
mod runs;
