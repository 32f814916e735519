//! The claims: that thresholds flip verdicts, that sentences and figures agree, and that published
//! and imported results are judged.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod fixture;
mod flips;
mod results;
mod sentences;
