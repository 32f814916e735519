//! Dummy weights as the floating-point models of candle ask for them: the tensors of the dummy GGUF
//! under the names and in the row order of a checkpoint.

use super::DummyReader;
use crate::families::Family;
use crate::quant::Quant;
use crate::spec::ModelSpec;
use crate::tensors::Role;
use candle_core::quantized::gguf_file::Content;
use candle_core::{DType, Device, Result, Shape, Tensor};
use candle_nn::VarBuilder;
use candle_nn::var_builder::SimpleBackend;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// Dummy weights stored as `quant` and computed with as `dtype`.
pub(crate) fn weights(
    family: &dyn Family,
    spec: &ModelSpec,
    quant: Quant,
    dtype: DType,
    device: &Device,
) -> VarBuilder<'static> {
    let (content, reader) = super::gguf(family, spec, quant);
    let roles = family
        .tensors(spec)
        .into_iter()
        .map(|tensor| (tensor.role.checkpoint_name(), tensor.role))
        .collect();
    let made_up = MadeUp {
        content,
        reader: Mutex::new(reader),
        roles,
        heads: spec.heads,
        kv_heads: spec.kv_heads,
    };
    VarBuilder::from_backend(Box::new(made_up), dtype, device.clone())
}

struct MadeUp {
    content: Content,
    reader: Mutex<DummyReader>,
    roles: HashMap<String, Role>,
    heads: usize,
    kv_heads: usize,
}

impl SimpleBackend for MadeUp {
    fn get(
        &self,
        shape: Shape,
        name: &str,
        _: candle_nn::Init,
        dtype: DType,
        device: &Device,
    ) -> Result<Tensor> {
        let tensor = self.get_unchecked(name, dtype, device)?;
        if tensor.shape() != &shape {
            candle_core::bail!("{name} has shape {:?}, not {shape:?}", tensor.shape());
        }
        Ok(tensor)
    }

    fn get_unchecked(&self, name: &str, dtype: DType, device: &Device) -> Result<Tensor> {
        let Some(&role) = self.roles.get(name) else {
            candle_core::bail!("the model has no tensor {name}");
        };
        // Reading leaves no half-done state behind, so a poisoned lock is as good as a clean one.
        let mut reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
        let stored = self.content.tensor(&mut *reader, &role.gguf_name(), &Device::Cpu)?;
        let tensor = stored.dequantize(&Device::Cpu)?;
        let tensor = match role {
            Role::Query(_) => part_rotary_pairs(&tensor, self.heads)?,
            Role::Key(_) => part_rotary_pairs(&tensor, self.kv_heads)?,
            _ => tensor,
        };
        tensor.to_dtype(dtype)?.to_device(device)
    }

    fn contains_tensor(&self, name: &str) -> bool {
        self.roles.contains_key(name)
    }
}

/// GGUF keeps rotary pairs side by side, checkpoints keep them half a head apart.
///
/// # Shapes
/// `rows`: `(heads * head_dim, hidden)`, in and out.
fn part_rotary_pairs(rows: &Tensor, heads: usize) -> Result<Tensor> {
    let (count, hidden) = rows.dims2()?;
    rows.reshape((heads, count / heads / 2, 2, hidden))?.transpose(1, 2)?.reshape((count, hidden))
}
