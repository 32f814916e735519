//! Who is told what happens in a run.

use crate::case::Case;
use crate::case_run::CaseResult;
use freeweights_record::Sample;
use std::error::Error;

/// What an observer answers: an error of its own (a full disk, say) ends the run.
pub type Told = Result<(), Box<dyn Error + Send + Sync>>;

/// Is told what happens, as it happens. What it does not care for it need not hear.
pub trait Observer {
    /// A sample begins.
    ///
    /// # Errors
    /// Ends the run.
    fn begins(&mut self, _case: &Case, _warmup: bool, _so_far: usize) -> Told {
        Ok(())
    }

    /// A sample ended well.
    ///
    /// # Errors
    /// Ends the run.
    fn sampled(&mut self, _case: &Case, _sample: &Sample) -> Told {
        Ok(())
    }

    /// A case ended, well or not.
    ///
    /// # Errors
    /// Ends the run.
    fn ended(&mut self, _result: &CaseResult) -> Told {
        Ok(())
    }
}

/// Nobody listens.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Observer for Silent {}
