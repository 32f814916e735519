//! The simulated fleet against queueing theory, against its own books, and against what is published.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod answers;
mod books;
mod published;
mod theory;
mod traces;
