//! Quantised llama models: `candle_transformers::models::quantized_llama`.

use super::PlainModel;
use crate::families::Source;
use crate::spec::ModelSpec;
use candle_core::quantized::gguf_file::Content;
use candle_core::{DType, Device, Result, Tensor};
use candle_transformers::models::quantized_llama::{MAX_SEQ_LEN, ModelWeights};

/// A GGUF of the llama family.
pub struct QuantisedLlama {
    weights: ModelWeights,
}

impl QuantisedLlama {
    /// Reads every tensor named in `content` from `source`.
    ///
    /// # Errors
    /// Errors of candle.
    pub fn open(
        _spec: &ModelSpec,
        content: Content,
        mut source: &mut dyn Source,
        device: &Device,
    ) -> Result<Self> {
        Ok(Self { weights: ModelWeights::from_gguf(content, &mut source, device)? })
    }
}

impl PlainModel for QuantisedLlama {
    fn forward(&mut self, tokens: &Tensor, position: usize) -> Result<Tensor> {
        self.weights.forward(tokens, position)
    }

    fn clear(&mut self) -> Result<()> {
        self.weights.clear_kv_cache();
        Ok(())
    }

    fn kv_dtype(&self) -> DType {
        DType::F32
    }

    fn max_positions(&self) -> usize {
        MAX_SEQ_LEN
    }
}
