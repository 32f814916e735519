//! Granite 3: llama with multipliers of embeddings, scores, what is added, and logits.

use super::llama::adjacent_in_gguf;
use super::{Config, Family, Header};
use crate::spec::ModelSpec;
use crate::stored::{Format, Pairs};
use candle_core::quantized::gguf_file::Value;

/// The family.
pub(super) struct Granite;

impl Family for Granite {
    fn name(&self) -> &'static str {
        "granite"
    }

    fn checkpoint_names(&self) -> &'static [&'static str] {
        &["GraniteForCausalLM"]
    }

    fn spec_from_gguf(&self, header: &Header<'_>) -> Result<ModelSpec, String> {
        let mut spec = header.base(self.name())?;
        spec.embedding_scale = header.real("embedding_scale")?.unwrap_or(1.0);
        spec.residual_scale = header.real("residual_scale")?.unwrap_or(1.0);
        spec.logit_scale = divided(header.real("logit_scale")?);
        Ok(spec)
    }

    fn spec_from_config(&self, config: &Config<'_>) -> Result<ModelSpec, String> {
        let mut spec = config.base(self.name())?;
        spec.embedding_scale = config.single("embedding_multiplier")?.unwrap_or(1.0);
        spec.residual_scale = config.single("residual_multiplier")?.unwrap_or(1.0);
        spec.attention_scale = config.single("attention_multiplier")?;
        spec.logit_scale = divided(config.single("logits_scaling")?);
        spec.qkv_bias = config.flag("attention_bias");
        spec.output_bias = spec.qkv_bias;
        Ok(spec)
    }

    fn pairs(&self, format: Format) -> Pairs {
        adjacent_in_gguf(format)
    }

    fn own_metadata(&self, spec: &ModelSpec) -> Vec<(&'static str, Value)> {
        vec![
            ("embedding_scale", Value::F32(spec.embedding_scale)),
            ("residual_scale", Value::F32(spec.residual_scale)),
            ("attention.scale", Value::F32(spec.score_scale())),
            ("logit_scale", Value::F32(spec.logit_scale.recip())),
        ]
    }
}

/// Files say what logits are divided by.
fn divided(by: Option<f32>) -> f32 {
    by.filter(|by| *by != 0.0).map_or(1.0, f32::recip)
}
