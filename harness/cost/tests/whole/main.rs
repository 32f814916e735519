//! Whole assessments: what each part of a scenario does to the answer.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod answers;
mod fixture;
mod points;
mod record;
mod spread;
mod terms;
