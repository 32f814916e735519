//! Published cases, through the formulas that costs are made of.
//!
//! Published models contradict their own stated inputs here and there. Each case in `cases/` says
//! where, and carries what the inputs give as stated beside what was published.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]
#![expect(clippy::print_stderr, reason = "a skipped trace says so")]

mod break_even;
mod case;
mod convention;
mod ledger;
mod service;
mod tokens;
