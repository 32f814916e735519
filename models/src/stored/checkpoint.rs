//! The tensors of a checkpoint, copied from its mapped shards.

use super::{Format, Pairs, StoredTensors, TensorReader, missing};
use crate::source::checkpoint::Checkpoint;
use crate::tensors::Role;
use candle_core::quantized::GgmlDType;
use std::io::{Error, ErrorKind, Result};

impl StoredTensors for Checkpoint {
    fn dtype(&self, role: Role) -> Option<GgmlDType> {
        self.found.get(&role).map(|found| found.dtype)
    }

    fn pairs(&self) -> Pairs {
        self.family.pairs(Format::Checkpoint)
    }

    fn offset(&self, role: Role) -> f32 {
        self.family.offset(Format::Checkpoint, role)
    }

    fn transposed(&self, role: Role) -> bool {
        self.found.get(&role).is_some_and(|found| found.transposed)
    }

    fn open(&self) -> Result<Box<dyn TensorReader + '_>> {
        self.unchanged()?;
        Ok(Box::new(CheckpointReader(self)))
    }
}

struct CheckpointReader<'a>(&'a Checkpoint);

impl TensorReader for CheckpointReader<'_> {
    fn read(&mut self, role: Role, at: u64, out: &mut [u8]) -> Result<()> {
        let found = self.0.found.get(&role).ok_or_else(|| missing(role))?;
        found.pieces(at, out.len() as u64, |name, start, into| {
            let name = self.0.prefix.stored(name);
            let view = self.0.tensors.get(&name).map_err(|_| missing(role))?;
            let stored = usize::try_from(start)
                .ok()
                .and_then(|start| view.data().get(start..)?.get(..into.len()));
            let stored = stored.ok_or_else(|| Error::from(ErrorKind::UnexpectedEof))?;
            out[into].copy_from_slice(stored);
            Ok(())
        })
    }
}
