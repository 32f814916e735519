//! Llama and the models that share its shape to the letter: Llama 2 to 3.3, `SmolLM2`, `TinyLlama`,
//! the distillations of `DeepSeek`-R1 into Llama. Files of Mistral and Mixtral say they are it too.

use super::{Config, Family, Header};
use crate::spec::ModelSpec;
use crate::stored::{Format, Pairs};

/// The family.
pub(super) struct Llama;

impl Family for Llama {
    fn name(&self) -> &'static str {
        "llama"
    }

    fn checkpoint_names(&self) -> &'static [&'static str] {
        &["LlamaForCausalLM"]
    }

    fn spec_from_gguf(&self, header: &Header<'_>) -> Result<ModelSpec, String> {
        let mut spec = header.base(self.name())?;
        // llama.cpp computes these files without their window; so does everybody who runs them.
        spec.window = None;
        spec.windowed = crate::spec::LayerSet::None;
        Ok(spec)
    }

    fn spec_from_config(&self, config: &Config<'_>) -> Result<ModelSpec, String> {
        let mut spec = config.base(self.name())?;
        spec.qkv_bias = config.flag("attention_bias");
        spec.output_bias = spec.qkv_bias;
        Ok(spec)
    }

    fn pairs(&self, format: Format) -> Pairs {
        adjacent_in_gguf(format)
    }
}

/// Families whose GGUF files have the rows of queries and keys in another order than checkpoints.
pub(super) fn adjacent_in_gguf(format: Format) -> Pairs {
    match format {
        Format::Gguf => Pairs::Adjacent,
        Format::Checkpoint => Pairs::Halves,
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
            Llama.spec_from_config(&Config::new(&config)).unwrap(),
            Preset::find("llama-3.2-1b").unwrap().spec()
        );
    }
}
