//! A model loaded for its answers and not for its speed.

use crate::error::ModelError;
use crate::load::{Loaded, Ready, ready};
use crate::model_id::ModelId;
use crate::plain::{Matrices, PlainDecoder};
use crate::quant::Quant;
use crate::source::hub::Progress;
use candle_core::{DType, Device};

/// Loads a model with every matrix in f32, dequantised where it was quantised: what its weights mean
/// to f32 precision, whatever an engine makes of them. Four bytes a parameter, and slow.
///
/// # Errors
/// As [`load`](crate::load).
pub fn load_reference(
    id: &ModelId,
    quant: Option<Quant>,
    device: &Device,
    progress: &dyn Progress,
) -> Result<Loaded, ModelError> {
    let Ready { info, stored, tokenizer } = ready(id, quant, progress)?;
    let (stored, spec) = (stored.as_ref(), &info.spec);
    let decoder = PlainDecoder::load(spec, stored, Matrices::Dequantised, DType::F32, device)?;
    Ok(Loaded { decoder: Box::new(decoder), info, tokenizer })
}
