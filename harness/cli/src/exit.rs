//! Exit codes.

use std::process::ExitCode;

/// How the process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Everything went well.
    Good,
    /// Some rows failed or were cut short, or something compared is worse.
    SomeFailed,
    /// Bad usage or bad input; standard error says what to do next.
    BadInput,
    /// What was asked cannot be told from these measurements.
    Inconclusive,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Good => 0,
            Exit::SomeFailed => 1,
            Exit::BadInput => 2,
            Exit::Inconclusive => 3,
        })
    }
}
