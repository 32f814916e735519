//! Llama and the models that share its shape to the letter: SmolLM2, `TinyLlama`, Llama 2 to 3.2.

use super::{Family, Source};
use crate::error::ModelError;
use crate::plain::{DenseLlama, PlainModel, QuantisedLlama};
use crate::spec::{ModelSpec, RopeScaling};
use crate::tensors::{TensorSpec, llama_tensors};
use candle_core::quantized::gguf_file::{Content, Value};
use candle_core::{DType, Device};
use candle_nn::VarBuilder;
use serde::Deserialize;
use std::collections::HashMap;

/// The family.
pub(super) struct Llama;

impl Family for Llama {
    fn name(&self) -> &'static str {
        "llama"
    }

    fn checkpoint_names(&self) -> &'static [&'static str] {
        &["LlamaForCausalLM"]
    }

    fn spec_from_gguf(
        &self,
        metadata: &HashMap<String, Value>,
        content: &Content,
    ) -> Result<ModelSpec, String> {
        let number = |key: &str| -> Result<usize, String> {
            let key = format!("llama.{key}");
            let value = metadata.get(&key).ok_or_else(|| format!("{key} is missing"))?;
            let value = value.to_u64().map_err(|_| format!("{key} is no whole number"))?;
            usize::try_from(value).map_err(|_| format!("{key} is {value}"))
        };
        let real = |key: &str| metadata.get(&format!("llama.{key}")).and_then(|v| v.to_f32().ok());
        let (hidden, heads) = (number("embedding_length")?, number("attention.head_count")?);
        if heads == 0 || !hidden.is_multiple_of(heads) {
            return Err(format!("{heads} heads do not divide a hidden size of {hidden}"));
        }
        if number("expert_count").is_ok_and(|experts| experts > 1) {
            return Err(
                "it is a mixture of experts, which this family's file does not cover".into()
            );
        }
        if let Some(refusal) = unread(metadata, content, hidden / heads) {
            return Err(refusal);
        }
        let embedding = content
            .tensor_infos
            .get("token_embd.weight")
            .ok_or("the tensor token_embd.weight is missing")?;
        Ok(ModelSpec {
            architecture: self.name().into(),
            hidden,
            layers: number("block_count")?,
            heads,
            kv_heads: number("attention.head_count_kv").unwrap_or(heads),
            head_dim: hidden / heads,
            intermediate: number("feed_forward_length")?,
            vocab: embedding.shape.dims().first().copied().unwrap_or(0),
            context: number("context_length")?,
            tied_embeddings: !content.tensor_infos.contains_key("output.weight"),
            rope_theta: real("rope.freq_base").unwrap_or(10_000.0),
            rope_scaling: None,
            norm_eps: f64::from(
                real("attention.layer_norm_rms_epsilon")
                    .ok_or("llama.attention.layer_norm_rms_epsilon is missing")?,
            ),
        })
    }

    fn spec_from_config(&self, config: &serde_json::Value) -> Result<ModelSpec, String> {
        let config: Config =
            Config::deserialize(config).map_err(|error| format!("config.json: {error}"))?;
        config.spec()
    }

    fn tensors(&self, spec: &ModelSpec) -> Vec<TensorSpec> {
        llama_tensors(spec)
    }

    fn open_gguf(
        &self,
        spec: &ModelSpec,
        content: &Content,
        source: &mut dyn Source,
        device: &Device,
    ) -> Result<Box<dyn PlainModel>, ModelError> {
        Ok(Box::new(QuantisedLlama::open(spec, content, source, device)?))
    }

    fn open_dequantised(
        &self,
        spec: &ModelSpec,
        content: &Content,
        source: &mut dyn Source,
        device: &Device,
    ) -> Result<Box<dyn PlainModel>, ModelError> {
        Ok(Box::new(QuantisedLlama::open_dequantised(spec, content, source, device)?))
    }

    fn open_dense(
        &self,
        spec: &ModelSpec,
        weights: VarBuilder<'_>,
        dtype: DType,
        device: &Device,
    ) -> Result<Box<dyn PlainModel>, ModelError> {
        Ok(Box::new(DenseLlama::open(spec, weights, dtype, device)?))
    }
}

/// What a header says that this family would silently leave out, and so compute wrongly.
fn unread(metadata: &HashMap<String, Value>, content: &Content, head_dim: usize) -> Option<String> {
    if let Some(bias) =
        content.tensor_infos.keys().find(|name| name.rsplit('.').next() == Some("bias"))
    {
        return Some(format!("it has the bias {bias}, which this family has not"));
    }
    let scaling = metadata.get("llama.rope.scaling.type").and_then(|v| v.to_string().ok());
    let factors = content.tensor_infos.contains_key("rope_freqs.weight");
    if let Some(kind) = scaling.filter(|kind| *kind != "none" && !factors) {
        return Some(format!(
            "its rotary positions are scaled in the way {kind:?}, which is not read"
        ));
    }
    let rotated = metadata.get("llama.rope.dimension_count").and_then(|v| v.to_u64().ok());
    rotated.filter(|&rotated| rotated != head_dim as u64).map(|rotated| {
        format!("it rotates {rotated} of the {head_dim} columns of a head, where all are expected")
    })
}

/// The keys of config.json that matter here, as transformers writes them.
#[derive(Deserialize)]
struct Config {
    hidden_size: usize,
    intermediate_size: usize,
    vocab_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    num_key_value_heads: Option<usize>,
    head_dim: Option<usize>,
    max_position_embeddings: usize,
    rms_norm_eps: f64,
    #[serde(default = "default_rope_theta")]
    rope_theta: f32,
    rope_scaling: Option<ConfigRopeScaling>,
    #[serde(default)]
    tie_word_embeddings: bool,
    #[serde(default)]
    attention_bias: bool,
    #[serde(default)]
    mlp_bias: bool,
}

#[derive(Deserialize)]
struct ConfigRopeScaling {
    rope_type: Option<String>,
    /// How configs before 2024 name it.
    r#type: Option<String>,
    factor: Option<f32>,
    low_freq_factor: Option<f32>,
    high_freq_factor: Option<f32>,
    original_max_position_embeddings: Option<usize>,
}

fn default_rope_theta() -> f32 {
    10_000.0
}

impl Config {
    fn spec(&self) -> Result<ModelSpec, String> {
        let (hidden, heads) = (self.hidden_size, self.num_attention_heads);
        if heads == 0 || !hidden.is_multiple_of(heads) {
            return Err(format!(
                "config.json: num_attention_heads {heads} does not divide hidden_size {hidden}"
            ));
        }
        if self.head_dim.is_some_and(|dim| dim != hidden / heads) {
            return Err("config.json: head_dim is not hidden_size / num_attention_heads, which candle's llama takes for granted".into());
        }
        if self.attention_bias || self.mlp_bias {
            return Err("config.json: biases are set, which candle's llama has not".into());
        }
        Ok(ModelSpec {
            architecture: "llama".into(),
            hidden,
            layers: self.num_hidden_layers,
            heads,
            kv_heads: self.num_key_value_heads.unwrap_or(heads),
            head_dim: hidden / heads,
            intermediate: self.intermediate_size,
            vocab: self.vocab_size,
            context: self.max_position_embeddings,
            tied_embeddings: self.tie_word_embeddings,
            rope_theta: self.rope_theta,
            rope_scaling: self
                .rope_scaling
                .as_ref()
                .map(ConfigRopeScaling::spec)
                .transpose()?
                .flatten(),
            norm_eps: self.rms_norm_eps,
        })
    }
}

impl ConfigRopeScaling {
    fn spec(&self) -> Result<Option<RopeScaling>, String> {
        match self.rope_type.as_deref().or(self.r#type.as_deref()) {
            None | Some("default") => Ok(None),
            Some("llama3") => {
                let absent = "config.json: rope_scaling lacks a number that rope_type llama3 needs";
                Ok(Some(RopeScaling {
                    factor: self.factor.ok_or(absent)?,
                    low_freq_factor: self.low_freq_factor.ok_or(absent)?,
                    high_freq_factor: self.high_freq_factor.ok_or(absent)?,
                    original_context: self.original_max_position_embeddings.ok_or(absent)?,
                }))
            }
            Some(other) => Err(format!("config.json: rope_type {other:?} is not supported")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::preset::Preset;

    #[test]
    fn a_published_config_gives_the_presets_shape() {
        let config = serde_json::json!({
            "architectures": ["LlamaForCausalLM"], "hidden_size": 2048, "intermediate_size": 8192,
            "vocab_size": 128_256, "num_hidden_layers": 16, "num_attention_heads": 32,
            "num_key_value_heads": 8, "head_dim": 64, "max_position_embeddings": 131_072,
            "rms_norm_eps": 1e-5, "rope_theta": 500_000.0, "tie_word_embeddings": true,
            "rope_scaling": {"factor": 32.0, "high_freq_factor": 4.0, "low_freq_factor": 1.0,
                "original_max_position_embeddings": 8192, "rope_type": "llama3"}
        });
        assert_eq!(
            Llama.spec_from_config(&config).unwrap(),
            Preset::find("llama-3.2-1b").unwrap().spec()
        );
    }

    #[test]
    fn a_scaling_by_its_old_name_is_not_overlooked() {
        let scaling: ConfigRopeScaling =
            serde_json::from_value(serde_json::json!({"type": "linear", "factor": 4.0})).unwrap();
        let error = scaling.spec().unwrap_err();
        assert_eq!(error, "config.json: rope_type \"linear\" is not supported");
    }

    #[test]
    fn a_config_that_lacks_a_key_is_named() {
        let error = Llama.spec_from_config(&serde_json::json!({"hidden_size": 64})).unwrap_err();
        assert_eq!(error, "config.json: missing field `intermediate_size`");
    }
}
