//! The tensors of a GGUF.

use super::{Format, Pairs, StoredTensors, TensorReader, missing};
use crate::source::gguf::Gguf;
use crate::tensors::Role;
use candle_core::quantized::GgmlDType;
use std::io::Result;

impl StoredTensors for Gguf {
    fn dtype(&self, role: Role) -> Option<GgmlDType> {
        self.found.get(&role).map(|found| found.dtype)
    }

    fn pairs(&self) -> Pairs {
        self.family.pairs(Format::Gguf)
    }

    fn offset(&self, role: Role) -> f32 {
        self.family.offset(Format::Gguf, role)
    }

    fn transposed(&self, role: Role) -> bool {
        self.found.get(&role).is_some_and(|found| found.transposed)
    }

    fn open(&self) -> Result<Box<dyn TensorReader + '_>> {
        Ok(Box::new(GgufReader(self)))
    }
}

struct GgufReader<'a>(&'a Gguf);

impl TensorReader for GgufReader<'_> {
    fn read(&mut self, role: Role, at: u64, out: &mut [u8]) -> Result<()> {
        let found = self.0.found.get(&role).ok_or_else(|| missing(role))?;
        found.pieces(at, out.len() as u64, |name, start, into| {
            self.0.file.read(name, start, &mut out[into])
        })
    }
}
