//! What the kernels have code for.

use crate::error::ModelError;
use crate::spec::ModelSpec;
use crate::stored::{StoredTensors, gguf_name};
use crate::tensors::Role;
use candle_core::quantized::GgmlDType;
use freeweights_kernels::dense::Float;
use freeweights_kernels::matrix::Format;
use freeweights_kernels::weights::{Matrix, Stored};

/// Refuses shapes that no kernel takes.
pub(super) fn check(spec: &ModelSpec) -> Result<(), ModelError> {
    if spec.latent.is_some() {
        return Err(not_fused("its attention is latent".into()));
    }
    let experts = spec.experts.as_ref();
    if experts.is_some_and(|experts| experts.shared_intermediate > 0) {
        return Err(not_fused("all its tokens share an expert".into()));
    }
    for (name, size) in [
        ("hidden size", spec.hidden),
        ("feed-forward size", spec.intermediate),
        ("feed-forward size of an expert", experts.map_or(0, |experts| experts.intermediate)),
        ("head size", spec.head_dim),
    ] {
        if !size.is_multiple_of(32) {
            return Err(not_fused(format!("its {name} of {size} is no multiple of 32")));
        }
    }
    Ok(())
}

/// A matrix of zeros in the type in which a tensor is stored.
pub(super) fn zeroed(
    stored: &dyn StoredTensors,
    role: Role,
    rows: usize,
    columns: usize,
) -> Result<Matrix, ModelError> {
    Matrix::zeroed(stored_as(stored, role)?, rows, columns)
        .map_err(|error| not_fused(format!("{}: {error}", gguf_name(role))))
}

/// The type in which a tensor is stored, as the kernels know it.
pub(super) fn stored_as(stored: &dyn StoredTensors, role: Role) -> Result<Stored, ModelError> {
    let dtype = stored
        .dtype(role)
        .ok_or_else(|| not_fused(format!("the tensor {} is missing", gguf_name(role))))?;
    Ok(match dtype {
        GgmlDType::F32 => Stored::Float(Float::F32),
        GgmlDType::F16 => Stored::Float(Float::F16),
        GgmlDType::BF16 => Stored::Float(Float::Bf16),
        GgmlDType::Q4_0 => Stored::Blocks(Format::Q4_0),
        GgmlDType::Q4_1 => Stored::Blocks(Format::Q4_1),
        GgmlDType::Q5_0 => Stored::Blocks(Format::Q5_0),
        GgmlDType::Q5_1 => Stored::Blocks(Format::Q5_1),
        GgmlDType::Q8_0 => Stored::Blocks(Format::Q8_0),
        GgmlDType::Q4K => Stored::Blocks(Format::Q4_K),
        GgmlDType::Q5K => Stored::Blocks(Format::Q5_K),
        GgmlDType::Q6K => Stored::Blocks(Format::Q6_K),
        other => {
            let name = gguf_name(role);
            return Err(not_fused(format!("{name} is in {other:?}, for which there is no kernel")));
        }
    })
}

/// The error of a model that the kernels cannot run.
pub(super) fn not_fused(reason: String) -> ModelError {
    ModelError::NotFused { reason }
}
