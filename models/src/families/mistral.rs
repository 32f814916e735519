//! Mistral 7B, Nemo and Small: llama with a head size of its own, the first of them with a window.

use super::llama::adjacent_in_gguf;
use super::{Config, Family, Header};
use crate::spec::ModelSpec;
use crate::stored::{Format, Pairs};

/// The family.
pub(super) struct Mistral;

impl Family for Mistral {
    fn name(&self) -> &'static str {
        "mistral"
    }

    fn gguf_name(&self) -> &'static str {
        "llama"
    }

    fn checkpoint_names(&self) -> &'static [&'static str] {
        &["MistralForCausalLM", "Mistral3ForConditionalGeneration"]
    }

    fn spec_from_gguf(&self, header: &Header<'_>) -> Result<ModelSpec, String> {
        header.base(self.name())
    }

    fn spec_from_config(&self, config: &Config<'_>) -> Result<ModelSpec, String> {
        let mut spec = config.base(self.name())?;
        config.window(&mut spec)?;
        Ok(spec)
    }

    fn pairs(&self, format: Format) -> Pairs {
        adjacent_in_gguf(format)
    }
}
