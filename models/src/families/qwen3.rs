//! Qwen3, dense and with experts: llama with norms of queries and keys and a head size of its own.

use super::{Config, Family, Header};
use crate::spec::{Experts, ModelSpec, QkNorm};

/// The dense family.
pub(super) struct Qwen3;

impl Family for Qwen3 {
    fn name(&self) -> &'static str {
        "qwen3"
    }

    fn checkpoint_names(&self) -> &'static [&'static str] {
        &["Qwen3ForCausalLM"]
    }

    fn spec_from_gguf(&self, header: &Header<'_>) -> Result<ModelSpec, String> {
        header.base(self.name())
    }

    fn spec_from_config(&self, config: &Config<'_>) -> Result<ModelSpec, String> {
        dense(self.name(), config)
    }
}

fn dense(name: &str, config: &Config<'_>) -> Result<ModelSpec, String> {
    let mut spec = config.base(name)?;
    spec.qk_norm = QkNorm::Heads;
    spec.qkv_bias = config.flag("attention_bias");
    spec.output_bias = spec.qkv_bias;
    config.window_if_used(&mut spec)?;
    Ok(spec)
}

/// The family with experts.
pub(super) struct Qwen3Moe;

impl Family for Qwen3Moe {
    fn name(&self) -> &'static str {
        "qwen3moe"
    }

    fn checkpoint_names(&self) -> &'static [&'static str] {
        &["Qwen3MoeForCausalLM"]
    }

    fn spec_from_gguf(&self, header: &Header<'_>) -> Result<ModelSpec, String> {
        header.base(self.name())
    }

    fn spec_from_config(&self, config: &Config<'_>) -> Result<ModelSpec, String> {
        let mut spec = dense(self.name(), config)?;
        let some_dense = config.get("mlp_only_layers").and_then(|layers| layers.as_array());
        if some_dense.is_some_and(|layers| !layers.is_empty())
            || config.optional("decoder_sparse_step")?.unwrap_or(1) != 1
        {
            return Err("config.json: some layers have no experts, which is not read".into());
        }
        let count = config.number("num_experts")?;
        let active = config.number("num_experts_per_tok")?;
        let experts = Experts::plain(count, active, config.number("moe_intermediate_size")?);
        let normalised = config.flag("norm_topk_prob");
        spec.experts = Some(Experts { normalised, ..experts });
        Ok(spec)
    }
}
