//! Tensors quantised as they are read: a checkpoint in the types that a GGUF of some quantisation
//! would have.
//!
//! Rows are quantised by candle as they are asked for; nothing is kept. There is no importance
//! matrix, so a published GGUF of the same name may say slightly more.

use super::{Pairs, StoredTensors, TensorReader, missing};
use crate::quant::{Quant, quantised};
use crate::tensors::{Role, TensorSpec};
use candle_core::quantized::{GgmlDType, QTensor};
use candle_core::{Device, Tensor};
use freeweights_kernels::dense::Float;
use std::collections::HashMap;
use std::io::{Error, ErrorKind, Result};

/// Another source, quantised.
pub(crate) struct Quantised {
    stored: Box<dyn StoredTensors>,
    tensors: HashMap<Role, To>,
}

/// What one tensor becomes.
struct To {
    dtype: GgmlDType,
    from: Float,
    row: usize,
}

impl Quantised {
    /// `tensors` of `stored` at a quantisation.
    ///
    /// # Errors
    /// A sentence naming a tensor that is not in floating point.
    pub(crate) fn new(
        stored: Box<dyn StoredTensors>,
        tensors: &[TensorSpec],
        quant: Quant,
    ) -> std::result::Result<Self, String> {
        let mut to = HashMap::new();
        for tensor in tensors {
            let role = tensor.role;
            let Some(from) = stored.dtype(role) else { continue };
            let from = float_of(from).ok_or_else(|| {
                format!("{role:?} is in {from:?} already, and quantising twice loses twice")
            })?;
            let dtype = if quantised(role) { quant.tensor_dtype(tensor) } else { GgmlDType::F32 };
            to.insert(role, To { dtype, from, row: tensor.row() });
        }
        Ok(Self { stored, tensors: to })
    }
}

/// A floating-point type as the kernels know it.
pub(crate) fn float_of(dtype: GgmlDType) -> Option<Float> {
    match dtype {
        GgmlDType::F32 => Some(Float::F32),
        GgmlDType::F16 => Some(Float::F16),
        GgmlDType::BF16 => Some(Float::Bf16),
        _ => None,
    }
}

impl StoredTensors for Quantised {
    fn dtype(&self, role: Role) -> Option<GgmlDType> {
        self.tensors.get(&role).map(|to| to.dtype)
    }

    fn pairs(&self) -> Pairs {
        self.stored.pairs()
    }

    fn offset(&self, role: Role) -> f32 {
        self.stored.offset(role)
    }

    fn transposed(&self, role: Role) -> bool {
        self.stored.transposed(role)
    }

    fn open(&self) -> Result<Box<dyn TensorReader + '_>> {
        Ok(Box::new(QuantisingReader {
            tensors: &self.tensors,
            reader: self.stored.open()?,
            bytes: Vec::new(),
        }))
    }
}

struct QuantisingReader<'a> {
    tensors: &'a HashMap<Role, To>,
    reader: Box<dyn TensorReader + 'a>,
    bytes: Vec<u8>,
}

impl TensorReader for QuantisingReader<'_> {
    /// Whole blocks only.
    fn read(&mut self, role: Role, at: u64, out: &mut [u8]) -> Result<()> {
        let to = self.tensors.get(&role).ok_or_else(|| missing(role))?;
        let (block, size) = (to.dtype.block_size(), to.dtype.type_size());
        if !at.is_multiple_of(size as u64) || !out.len().is_multiple_of(size) {
            return Err(Error::new(ErrorKind::InvalidInput, "part of a block"));
        }
        let (first, count) = (at / size as u64 * block as u64, out.len() / size * block);
        self.bytes.resize(count * to.from.bytes(), 0);
        self.reader.read(role, first * to.from.bytes() as u64, &mut self.bytes)?;
        let mut numbers = vec![0.0; count];
        to.from.widen(&self.bytes, &mut numbers);
        let shape =
            if count.is_multiple_of(to.row) { (count / to.row, to.row) } else { (1, count) };
        let quantised = Tensor::from_vec(numbers, shape, &Device::Cpu)
            .and_then(|numbers| QTensor::quantize(&numbers, to.dtype))
            .map_err(Error::other)?;
        out.copy_from_slice(&quantised.data().map_err(Error::other)?);
        Ok(())
    }
}
