//! One step of all sequences: recorded where the GPU can, and repeated in one call.
//!
//! Not here: prompts.

use super::decoder::{CudaDecoder, FEWEST_POSITIONS, bytes_of};
use crate::decoder::Decoder;
use crate::error::ModelError;
use freeweights_kernels::cuda::{GpuError, Recording};
use std::sync::Arc;

/// Most steps that are kept: one for each batch and size of a usual sweep.
const MOST_RECORDED: usize = 32;

/// A step as it was recorded, or is to be.
pub(super) struct Recorded {
    sequences: usize,
    /// Of the KV cache: it says where the keys are.
    cache: [usize; 2],
    /// Tokens that a sequence may have for it.
    keys: usize,
    /// `None` before the second such step, and where the GPU records nothing.
    steps: Option<Box<dyn Recording>>,
}

impl CudaDecoder {
    /// Everything a step does, for sequences of at most so many tokens.
    fn do_step(&mut self, keys: usize) -> Result<(), GpuError> {
        let sequences = self.lengths.len();
        let memory = self.parts().0;
        let rows = memory.step.rows(sequences, sequences, 1, keys);
        let positions = memory.step.positions.place();
        self.pass(&memory.step, rows).run(self.spec.layers, 0, sequences)?;
        self.finish(positions)
    }

    /// A step, by the recording if there is one or can be one.
    pub(super) fn step_recorded(&mut self) -> Result<(), ModelError> {
        let sequences = self.lengths.len();
        let longest = self.depth() + 1;
        // One for far longer sequences would split the keys of these into too many parts.
        let most = (4 * longest).max(FEWEST_POSITIONS);
        let cache = self.parts().1.shape();
        let fits = |step: &Recorded| {
            (step.sequences, step.cache) == (sequences, cache)
                && (longest..=most).contains(&step.keys)
        };
        let Some(at) = self.recorded.iter().position(fits) else {
            // The first step of a kind is done as it is: drivers load code at its first use, which a
            // recording may not.
            let keys = longest.next_power_of_two().max(FEWEST_POSITIONS);
            if self.recorded.len() == MOST_RECORDED {
                self.recorded.remove(0);
            }
            self.recorded.push(Recorded { sequences, cache, keys, steps: None });
            return Ok(self.do_step(keys)?);
        };
        if let Some(steps) = &self.recorded[at].steps {
            return Ok(steps.replay()?);
        }
        let keys = self.recorded[at].keys;
        let Some(steps) = self.record(keys)? else { return Ok(self.do_step(keys)?) };
        steps.replay()?;
        self.recorded[at].steps = Some(steps);
        Ok(())
    }

    /// Records a step. What cannot be recorded is done step by step, and said.
    fn record(&mut self, keys: usize) -> Result<Option<Box<dyn Recording>>, ModelError> {
        if self.unrecorded.is_some() {
            return Ok(None);
        }
        let gpu = Arc::clone(&self.gpu);
        match gpu.record(&mut || self.do_step(keys)) {
            Ok(Some(recording)) => Ok(Some(recording)),
            Ok(None) => {
                self.unrecorded = Some("this GPU records no steps".into());
                Ok(None)
            }
            Err(error) => {
                // Where the GPU itself has failed, this fails again.
                self.gpu.synchronize()?;
                self.unrecorded = Some(format!("a step could not be recorded: {error}"));
                Ok(None)
            }
        }
    }

    /// The lists of a step as the GPU wants them, where they have changed.
    pub(super) fn write_step_lists(&mut self, tokens: &[u32]) -> Result<(), ModelError> {
        let known = self.next.as_deref() == Some(tokens);
        let lists = &self.parts().0.step;
        if !known {
            lists.tokens.write(0, &bytes_of(tokens.iter().copied()))?;
        }
        if !self.positions_known {
            let word = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
            let count = self.lengths.len();
            lists.sequences.write(0, &bytes_of((0..count).map(word)))?;
            lists.positions.write(0, &bytes_of(self.lengths.iter().map(|n| word(*n))))?;
            lists.first_rows.write(0, &bytes_of((0..=count).map(word)))?;
            lists.chosen.write(0, &bytes_of((0..count).map(word)))?;
        }
        self.positions_known = true;
        Ok(())
    }
}
