//! From stored tensors, or from nothing, to the memory of a GPU.

use crate::error::ModelError;
use crate::source::dummy::scales;
use crate::spec::ModelSpec;
use crate::stored::{Pairs, StoredTensors, TensorReader, Turning, float_of, gguf_name};
use crate::tensors::{Role, TensorSpec, tensors_of};
use candle_core::quantized::GgmlDType;
use freeweights_kernels::cuda::steps::{fill_blocks, fill_numbers};
use freeweights_kernels::cuda::{BlockProduct, Buffer, Gpu, Place};
use freeweights_kernels::dense::Float;
use freeweights_kernels::matrix::{Format, dequantise, round_to_bf16};
use std::collections::HashMap;
use std::sync::Arc;

/// About how many stored bytes are in memory at a time.
const PIECE: usize = 64 << 20;

/// Half the width of even numbers with a standard deviation of 0.02: `0.02 sqrt(3)`.
const MOST: f32 = 0.034_641;

/// What a matrix is multiplied as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Numbers.
    Bf16,
    /// Blocks.
    Blocks(Format),
}

/// Reads tensors of one model.
pub(super) struct Reader<'a> {
    pub(super) gpu: &'a Arc<dyn Gpu>,
    spec: &'a ModelSpec,
    stored: &'a dyn StoredTensors,
    open: Box<dyn TensorReader + 'a>,
    tensors: HashMap<Role, TensorSpec>,
    /// Whether weights are made up on the GPU, and not read.
    made: bool,
    /// Bytes of each tensor as it is held.
    pub(super) held: HashMap<Role, u64>,
}

fn not_fused(reason: String) -> ModelError {
    ModelError::NotFused { reason }
}

#[expect(clippy::needless_pass_by_value, reason = "the shape map_err wants")]
fn unreadable(error: std::io::Error) -> ModelError {
    ModelError::Weights { reason: error.to_string() }
}

impl<'a> Reader<'a> {
    pub(super) fn new(
        gpu: &'a Arc<dyn Gpu>,
        spec: &'a ModelSpec,
        stored: &'a dyn StoredTensors,
        made: bool,
    ) -> Result<Self, ModelError> {
        Ok(Self {
            gpu,
            spec,
            stored,
            open: stored.open().map_err(unreadable)?,
            tensors: tensors_of(spec).into_iter().map(|tensor| (tensor.role, tensor)).collect(),
            made,
            held: HashMap::new(),
        })
    }

    fn dtype(&self, role: Role) -> Result<GgmlDType, ModelError> {
        let missing = || not_fused(format!("the tensor {} is missing", gguf_name(role)));
        self.stored.dtype(role).ok_or_else(missing)
    }

    /// What a matrix is multiplied as.
    pub(super) fn kind(&self, role: Role) -> Result<Kind, ModelError> {
        let dtype = self.dtype(role)?;
        if self.stored.transposed(role) {
            return Err(not_fused(format!("{} is stored transposed", gguf_name(role))));
        }
        let format = match dtype {
            _ if float_of(dtype).is_some() => return Ok(Kind::Bf16),
            GgmlDType::Q4_0 => Format::Q4_0,
            GgmlDType::Q4_1 => Format::Q4_1,
            GgmlDType::Q5_0 => Format::Q5_0,
            GgmlDType::Q5_1 => Format::Q5_1,
            GgmlDType::Q8_0 => Format::Q8_0,
            GgmlDType::Q4K => Format::Q4_K,
            GgmlDType::Q5K => Format::Q5_K,
            GgmlDType::Q6K => Format::Q6_K,
            other => {
                let name = gguf_name(role);
                let reason = format!("{name} is in {other:?}, for which there is no kernel");
                return Err(not_fused(reason));
            }
        };
        Ok(Kind::Blocks(format))
    }

    /// Rows and columns of a matrix.
    pub(super) fn shape(&self, role: Role) -> (usize, usize) {
        self.tensors.get(&role).map_or((0, 0), |tensor| (tensor.rows(), tensor.row()))
    }

    /// The matrices of these roles, one behind the other, in bf16.
    pub(super) fn joined(&mut self, roles: &[Role]) -> Result<Buffer, ModelError> {
        let numbers = |role: &Role| self.shape(*role).0 * self.shape(*role).1;
        let buffer = Buffer::zeroed(self.gpu, 2 * roles.iter().map(numbers).sum::<usize>())?;
        let mut at = 0;
        for &role in roles {
            let (rows, columns) = self.shape(role);
            self.numbers_into(role, &buffer, at)?;
            self.held.insert(role, 2 * (rows * columns) as u64);
            at += 2 * rows * columns;
        }
        Ok(buffer)
    }

    /// A matrix as numbers, whatever it is stored in, into a buffer.
    fn numbers_into(&mut self, role: Role, to: &Buffer, at: usize) -> Result<(), ModelError> {
        let (rows, columns) = self.shape(role);
        if self.made {
            let place = to.place().plus(at);
            return self.made_numbers(role, place, rows * columns);
        }
        let dtype = self.dtype(role)?;
        let kind = self.kind(role)?;
        let row_bytes = columns / dtype.block_size() * dtype.type_size();
        let mut done = 0;
        while done < rows {
            let count = self.rows_at_once(role, rows, row_bytes).min(rows - done);
            let bytes = self.rows(role, done, count, row_bytes)?;
            let bits: Vec<u8> = match (kind, float_of(dtype)) {
                (Kind::Bf16, Some(Float::Bf16)) => bytes,
                (Kind::Bf16, Some(float)) => {
                    let mut numbers = vec![0.0; count * columns];
                    float.widen(&bytes, &mut numbers);
                    rounded(&numbers)
                }
                (Kind::Blocks(format), _) => rounded(&dequantise(format, &bytes)),
                (Kind::Bf16, None) => Vec::new(),
            };
            to.write(at + 2 * done * columns, &bits)?;
            done += count;
        }
        Ok(())
    }

    /// A matrix in blocks, with the bytes behind it that kernels may read.
    pub(super) fn blocks(&mut self, role: Role) -> Result<Buffer, ModelError> {
        let (rows, columns) = self.shape(role);
        let dtype = self.dtype(role)?;
        let row_bytes = columns / dtype.block_size() * dtype.type_size();
        let buffer = Buffer::zeroed(self.gpu, rows * row_bytes + BlockProduct::PADDING)?;
        self.held.insert(role, (rows * row_bytes) as u64);
        if self.made {
            let count = rows * row_bytes / dtype.type_size();
            let (scale, minimum) = scales(dtype)
                .ok_or_else(|| not_fused(format!("no made-up weights in {dtype:?}")))?;
            let shape = [count, dtype.type_size()];
            let seed = self.seed(role);
            // SAFETY: the buffer was made for as many blocks.
            unsafe { fill_blocks(&**self.gpu, buffer.place(), shape, seed, scale, minimum)? };
            return Ok(buffer);
        }
        let mut done = 0;
        while done < rows {
            let count = self.rows_at_once(role, rows, row_bytes).min(rows - done);
            let bytes = self.rows(role, done, count, row_bytes)?;
            buffer.write(done * row_bytes, &bytes)?;
            done += count;
        }
        Ok(buffer)
    }

    fn made_numbers(&self, role: Role, to: Place, count: usize) -> Result<(), ModelError> {
        // SAFETY: the caller has made room for as many.
        unsafe { fill_numbers(&**self.gpu, to, count, self.seed(role), MOST)? };
        Ok(())
    }

    /// Another one for every tensor.
    fn seed(&self, role: Role) -> u64 {
        let all = tensors_of(self.spec);
        let place = all.iter().position(|tensor| tensor.role == role).unwrap_or(0);
        0xf4ee_0000 + place as u64
    }

    /// Where rows change places the matrix is one piece: none of those is large.
    fn rows_at_once(&self, role: Role, rows: usize, row_bytes: usize) -> usize {
        if self.turning(role).is_some() { rows } else { (PIECE / row_bytes.max(1)).max(1) }
    }

    fn turning(&self, role: Role) -> Option<Turning> {
        Turning::of(self.spec, role).filter(|_| self.stored.pairs() == Pairs::Adjacent)
    }

    /// Some rows as stored, rotary pairs in halves.
    fn rows(
        &mut self,
        role: Role,
        first: usize,
        count: usize,
        row_bytes: usize,
    ) -> Result<Vec<u8>, ModelError> {
        let mut bytes = vec![0; count * row_bytes];
        self.open.read(role, (first * row_bytes) as u64, &mut bytes).map_err(unreadable)?;
        let Some(turning) = self.turning(role) else { return Ok(bytes) };
        let mut turned = Vec::with_capacity(bytes.len());
        for row in 0..count {
            turned.extend_from_slice(&bytes[turning.stored_row(row) * row_bytes..][..row_bytes]);
        }
        Ok(turned)
    }

    /// A tensor of one row, what is to be added to it added; none where the model has none.
    pub(super) fn vector(&mut self, role: Role) -> Result<Option<Vec<f32>>, ModelError> {
        let Some(tensor) = self.tensors.get(&role) else { return Ok(None) };
        let count = tensor.row();
        self.held.insert(role, 4 * count as u64);
        if self.made {
            return Ok(Some(vec![if role.is_norm() { 1.0 } else { 0.0 }; count]));
        }
        let dtype = self.dtype(role)?;
        let float = float_of(dtype)
            .ok_or_else(|| not_fused(format!("{} is in {dtype:?}", gguf_name(role))))?;
        let bytes = self.rows(role, 0, count, float.bytes())?;
        let mut numbers = vec![0.0; count];
        float.widen(&bytes, &mut numbers);
        let offset = self.stored.offset(role);
        for number in &mut numbers {
            *number += offset;
        }
        Ok(Some(numbers))
    }
}

fn rounded(numbers: &[f32]) -> Vec<u8> {
    numbers.iter().flat_map(|number| round_to_bf16(*number).to_le_bytes()).collect()
}
