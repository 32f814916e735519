//! Qwen2 and Qwen2.5, and the distillations of `DeepSeek`-R1 into them: llama with biases of query,
//! key and value.

use super::{Config, Family, Header};
use crate::spec::ModelSpec;

/// The family.
pub(super) struct Qwen2;

impl Family for Qwen2 {
    fn name(&self) -> &'static str {
        "qwen2"
    }

    fn checkpoint_names(&self) -> &'static [&'static str] {
        &["Qwen2ForCausalLM"]
    }

    fn spec_from_gguf(&self, header: &Header<'_>) -> Result<ModelSpec, String> {
        header.base(self.name())
    }

    fn spec_from_config(&self, config: &Config<'_>) -> Result<ModelSpec, String> {
        let mut spec = config.base(self.name())?;
        spec.qkv_bias = true;
        config.window_if_used(&mut spec)?;
        Ok(spec)
    }
}
