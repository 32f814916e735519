//! From stored tensors to tensors of candle.

use crate::error::ModelError;
use crate::spec::ModelSpec;
use crate::stored::{Pairs, StoredTensors, TensorReader, Turning, float_of};
use crate::tensors::{Part, Role, TensorSpec, tensors_of};
use candle_core::quantized::ggml_file::qtensor_from_ggml;
use candle_core::quantized::{GgmlDType, QMatMul, QTensor};
use candle_core::{DType, Device, Tensor};
use std::collections::HashMap;

/// What the matrices are multiplied as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Matrices {
    /// Quantised ones as the file has them: candle quantises the activations to match.
    AsStored,
    /// Dequantised, activations left alone.
    Dequantised,
}

/// A matrix and what is added to its product.
pub(super) struct Linear {
    weight: QMatMul,
    bias: Option<Tensor>,
}

impl Linear {
    /// # Shapes
    /// `x`: `(.., in)`, result `(.., out)`.
    pub(super) fn forward(&self, x: &Tensor) -> candle_core::Result<Tensor> {
        let y = match &self.weight {
            // One product of all rows, whatever the batch.
            QMatMul::Tensor(weight) => {
                let (dims, columns) = (x.dims(), weight.dim(1)?);
                let mut shape = dims.to_vec();
                if let Some(last) = shape.last_mut() {
                    *last = weight.dim(0)?;
                }
                x.reshape(((), columns))?.matmul(&weight.t()?)?.reshape(shape)?
            }
            quantised => candle_core::Module::forward(quantised, &x.contiguous()?)?,
        };
        match &self.bias {
            Some(bias) => y.broadcast_add(bias),
            None => Ok(y),
        }
    }
}

/// Reads the tensors of a model, and counts their bytes.
pub(super) struct Loader<'a> {
    pub(super) spec: &'a ModelSpec,
    stored: &'a dyn StoredTensors,
    reader: Box<dyn TensorReader + 'a>,
    tensors: HashMap<Role, TensorSpec>,
    matrices: Matrices,
    /// What is computed in.
    pub(super) dtype: DType,
    pub(super) device: &'a Device,
    /// Bytes of each tensor as it is held.
    pub(super) held: HashMap<Role, u64>,
}

impl<'a> Loader<'a> {
    pub(super) fn new(
        spec: &'a ModelSpec,
        stored: &'a dyn StoredTensors,
        matrices: Matrices,
        dtype: DType,
        device: &'a Device,
    ) -> Result<Self, ModelError> {
        Ok(Self {
            spec,
            stored,
            reader: stored.open().map_err(unreadable)?,
            tensors: tensors_of(spec).into_iter().map(|tensor| (tensor.role, tensor)).collect(),
            matrices,
            dtype,
            device,
            held: HashMap::new(),
        })
    }

    /// Whether the model has this tensor.
    pub(super) fn has(&self, role: Role) -> bool {
        self.tensors.contains_key(&role)
    }

    /// The type and the bytes of some of a tensor's matrices (of the only one: `0..1`), rows in the
    /// order in which engines rotate them.
    fn bytes(
        &mut self,
        role: Role,
        first: usize,
        count: usize,
    ) -> Result<(GgmlDType, Vec<u8>), ModelError> {
        let gone = || ModelError::Weights { reason: format!("there is no tensor {role:?}") };
        let tensor = self.tensors.get(&role).ok_or_else(gone)?;
        let dtype = self.stored.dtype(role).ok_or_else(gone)?;
        let of_one = tensor.elements() / matrices_of(tensor) as u64;
        let one = of_one / dtype.block_size() as u64 * dtype.type_size() as u64;
        let length = usize::try_from(one * count as u64).map_err(|_| gone())?;
        let mut bytes = vec![0; length];
        self.reader.read(role, one * first as u64, &mut bytes).map_err(unreadable)?;
        *self.held.entry(role).or_default() += length as u64;
        let turning = Turning::of(self.spec, role);
        let turning = turning.filter(|_| self.stored.pairs() == Pairs::Adjacent);
        let Some(turning) = turning else { return Ok((dtype, bytes)) };
        // A vector's rows are its numbers.
        let row_elements = if tensor.shape.len() == 1 { 1 } else { tensor.row() };
        let row = row_elements / dtype.block_size() * dtype.type_size();
        let mut turned = Vec::with_capacity(length);
        for at in 0..length / row {
            turned.extend_from_slice(&bytes[turning.stored_row(at) * row..][..row]);
        }
        Ok((dtype, turned))
    }

    /// A tensor dequantised to what is computed in.
    pub(super) fn dense(&mut self, role: Role) -> Result<Tensor, ModelError> {
        let mut shape = self.tensors.get(&role).map(|t| t.shape.clone()).unwrap_or_default();
        let (dtype, bytes) = self.bytes(role, 0, shape.iter().rev().skip(2).product())?;
        let transposed = self.stored.transposed(role);
        if let (true, [.., rows, columns]) = (transposed, shape.as_mut_slice()) {
            std::mem::swap(rows, columns);
        }
        let mut tensor = self.float(dtype, &bytes, shape)?;
        if transposed {
            tensor =
                tensor.transpose(candle_core::D::Minus1, candle_core::D::Minus2)?.contiguous()?;
        }
        let offset = f64::from(self.stored.offset(role));
        if offset != 0.0 {
            tensor = (tensor.to_dtype(DType::F32)? + offset)?.to_dtype(self.dtype)?;
        }
        self.hold_dense(role, &tensor);
        Ok(tensor)
    }

    fn hold_dense(&mut self, role: Role, tensor: &Tensor) {
        let bytes = (tensor.elem_count() * tensor.dtype().size_in_bytes()) as u64;
        self.held.insert(role, bytes);
    }

    fn float(
        &self,
        dtype: GgmlDType,
        bytes: &[u8],
        shape: Vec<usize>,
    ) -> Result<Tensor, ModelError> {
        let kind = match dtype {
            GgmlDType::F32 => DType::F32,
            GgmlDType::F16 => DType::F16,
            GgmlDType::BF16 => DType::BF16,
            _ => {
                let quantised = qtensor_from_ggml(dtype, bytes, shape, &Device::Cpu)?;
                let numbers = quantised.dequantize(&Device::Cpu)?;
                return Ok(numbers.to_dtype(self.dtype)?.to_device(self.device)?);
            }
        };
        let tensor = Tensor::from_raw_buffer(bytes, kind, &shape, &Device::Cpu)?;
        Ok(tensor.to_dtype(self.dtype)?.to_device(self.device)?)
    }

    /// A matrix, with its bias where the model has one.
    pub(super) fn linear(&mut self, role: Role, bias: Option<Role>) -> Result<Linear, ModelError> {
        let weight = if self.stays_quantised(role) {
            let shape = self.tensors.get(&role).map(|t| t.shape.clone()).unwrap_or_default();
            QMatMul::from_qtensor(self.quantised(role, 0, shape)?)?
        } else {
            QMatMul::Tensor(self.dense(role)?)
        };
        let bias = bias.filter(|role| self.has(*role)).map(|role| self.dense(role)).transpose()?;
        Ok(Linear { weight, bias })
    }

    fn stays_quantised(&self, role: Role) -> bool {
        let float = self.stored.dtype(role).is_none_or(|dtype| float_of(dtype).is_some());
        self.matrices == Matrices::AsStored && !float && !self.stored.transposed(role)
    }

    fn quantised(
        &mut self,
        role: Role,
        first: usize,
        shape: Vec<usize>,
    ) -> Result<QTensor, ModelError> {
        let (dtype, bytes) = self.bytes(role, first, 1)?;
        Ok(qtensor_from_ggml(dtype, &bytes, shape, self.device)?)
    }

    /// The matrices of all experts, with their biases where the model has them.
    pub(super) fn experts(&mut self, role: Role, bias: Role) -> Result<Vec<Linear>, ModelError> {
        let shape = self.tensors.get(&role).map(|t| t.shape.clone()).unwrap_or_default();
        let biases = if self.has(bias) { Some(self.dense(bias)?) } else { None };
        let mut experts = Vec::new();
        for expert in 0..shape[0] {
            let shape = shape[1..].to_vec();
            let weight = if self.stays_quantised(role) {
                QMatMul::from_qtensor(self.quantised(role, expert, shape)?)?
            } else {
                let (dtype, bytes) = self.bytes(role, expert, 1)?;
                QMatMul::Tensor(self.float(dtype, &bytes, shape)?)
            };
            let bias = biases.as_ref().map(|all| all.get(expert)).transpose()?;
            experts.push(Linear { weight, bias });
        }
        if !self.stays_quantised(role) {
            let count: usize = shape.iter().product();
            self.held.insert(role, (count * self.dtype.size_in_bytes()) as u64);
        }
        Ok(experts)
    }

    /// The embedding as a table of numbers, and as the matrix of the head where it is that too.
    pub(super) fn embedding(&mut self) -> Result<(Tensor, Option<Linear>), ModelError> {
        let head = if self.spec.tied_embeddings && self.stays_quantised(Role::Embedding) {
            Some(self.linear(Role::Embedding, None)?)
        } else {
            None
        };
        let kept = self.held.remove(&Role::Embedding);
        let table = self.dense(Role::Embedding)?;
        if !self.spec.tied_embeddings {
            return Ok((table, None));
        }
        // A step reads the quantised one, and single rows of the other.
        if let Some(kept) = kept {
            self.held.insert(Role::Embedding, kept);
        }
        let head =
            head.unwrap_or_else(|| Linear { weight: QMatMul::Tensor(table.clone()), bias: None });
        Ok((table, Some(head)))
    }

    /// A vector of a layer, if the model has it.
    pub(super) fn vector(
        &mut self,
        layer: usize,
        part: Part,
    ) -> Result<Option<Tensor>, ModelError> {
        let role = Role::Layer(layer, part);
        if self.has(role) { self.dense(role).map(Some) } else { Ok(None) }
    }
}

/// How many matrices a tensor holds: of experts or heads many, else one.
fn matrices_of(tensor: &TensorSpec) -> usize {
    tensor.shape.iter().rev().skip(2).product()
}

#[expect(clippy::needless_pass_by_value, reason = "the shape map_err wants")]
fn unreadable(error: std::io::Error) -> ModelError {
    ModelError::Weights { reason: error.to_string() }
}
