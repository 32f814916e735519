//! Floating-point llama models: `candle_transformers::models::llama`.

use super::PlainModel;
use crate::spec::ModelSpec;
use candle_core::{DType, Device, Result, Tensor};
use candle_nn::VarBuilder;
use candle_transformers::models::llama::{Cache, Config, Llama, Llama3RopeConfig, Llama3RopeType};

/// A checkpoint of the llama family.
pub struct DenseLlama {
    model: Llama,
    cache: Cache,
    /// Never filled: a clone of it shares the rotary tables and costs nothing.
    empty: Cache,
    max_positions: usize,
    dtype: DType,
}

impl DenseLlama {
    /// Takes the weights from `weights`, which must hold every tensor of the spec in its shape:
    /// candle unwraps where one is missing.
    ///
    /// # Errors
    /// Errors of candle.
    pub fn open(
        spec: &ModelSpec,
        weights: VarBuilder<'_>,
        dtype: DType,
        device: &Device,
    ) -> Result<Self> {
        let config = config(spec);
        let model = Llama::load(weights, &config)?;
        let empty = Cache::new(true, dtype, &config, device)?;
        let max_positions = config.max_position_embeddings;
        Ok(Self { model, cache: empty.clone(), empty, max_positions, dtype })
    }
}

fn config(spec: &ModelSpec) -> Config {
    Config {
        hidden_size: spec.hidden,
        intermediate_size: spec.intermediate,
        vocab_size: spec.vocab,
        num_hidden_layers: spec.layers,
        num_attention_heads: spec.heads,
        num_key_value_heads: spec.kv_heads,
        use_flash_attn: false,
        rms_norm_eps: spec.norm_eps,
        rope_theta: spec.rope_theta,
        bos_token_id: None,
        eos_token_id: None,
        rope_scaling: spec.rope_scaling.map(|scaling| Llama3RopeConfig {
            factor: scaling.factor,
            low_freq_factor: scaling.low_freq_factor,
            high_freq_factor: scaling.high_freq_factor,
            original_max_position_embeddings: scaling.original_context,
            rope_type: Llama3RopeType::Llama3,
        }),
        max_position_embeddings: spec.context,
        tie_word_embeddings: spec.tied_embeddings,
    }
}

impl PlainModel for DenseLlama {
    fn forward(&mut self, tokens: &Tensor, position: usize) -> Result<Tensor> {
        self.model.forward(tokens, position, &mut self.cache)
    }

    fn clear(&mut self) -> Result<()> {
        self.cache = self.empty.clone();
        Ok(())
    }

    fn kv_dtype(&self) -> DType {
        self.dtype
    }

    fn max_positions(&self) -> usize {
        self.max_positions
    }
}
