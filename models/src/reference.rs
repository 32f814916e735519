//! A model loaded for its answers and not for its speed.

use crate::error::ModelError;
use crate::load::{Found, Loaded, find};
use crate::model_id::ModelId;
use crate::plain::{PlainDecoder, PlainModel};
use crate::quant::Quant;
use crate::source::dummy;
use crate::tokenizer::TextTokenizer;
use candle_core::{DType, Device};

/// Loads a model with every matrix in f32, dequantised where it was quantised: what its weights mean
/// to f32 precision, whatever an engine makes of them. Four bytes a parameter, and slow.
///
/// # Errors
/// [`ModelError`]; the message ends in the next action.
pub fn load_reference(id: &ModelId, device: &Device, progress: bool) -> Result<Loaded, ModelError> {
    let (info, found) = find(id, progress)?;
    let spec = &info.spec;
    let no_text = || ModelError::Tokenizer { reason: "dummy weights write no text".into() };
    let (model, tokenizer): (Box<dyn PlainModel>, _) = match found {
        Found::Gguf(mut file) => {
            let tokenizer = TextTokenizer::from_gguf(&file.content);
            let (family, source) = (file.family, &mut file.reader);
            (family.open_dequantised(spec, &file.content, source, device)?, tokenizer)
        }
        Found::Dummy { family, quant } => {
            let (content, mut source) = dummy::gguf(family, spec, quant);
            (family.open_dequantised(spec, &content, &mut source, device)?, Err(no_text()))
        }
        Found::Checkpoint { checkpoint, folder } => {
            let (family, weights) =
                (checkpoint.family, checkpoint.into_weights(DType::F32, device));
            let tokenizer = TextTokenizer::from_file(&folder.join("tokenizer.json"));
            (family.open_dense(spec, weights, DType::F32, device)?, tokenizer)
        }
    };
    let (weights, per_step) =
        (spec.weight_bytes(Quant::F32), spec.weight_bytes_per_step(Quant::F32));
    let decoder = PlainDecoder::new(model, spec.clone(), device.clone(), weights, per_step);
    Ok(Loaded { decoder: Box::new(decoder), info, tokenizer })
}
