//! Model families: what differs between them is how a header says the shape, and what files call
//! the tensors. A new one is a file here and a line in [`FAMILIES`].
//!
//! Not here: what is computed ([`crate::spec::ModelSpec`] says it, engines do it).

mod config;
mod config_rope;
mod deepseek;
mod gemma2;
mod gemma3;
mod glm;
mod gpt_oss;
mod granite;
mod header;
mod header_write;
mod llama;
mod mistral;
mod mixtral;
mod olmo2;
mod phi3;
mod qwen2;
mod qwen3;
mod smollm3;

pub(crate) use config::Config;
pub(crate) use header::Header;
pub(crate) use header_write::metadata;

use crate::error::ModelError;
use crate::spec::ModelSpec;
use crate::stored::{Format, Pairs, Place, usual_in_checkpoint, usual_in_gguf};
use crate::tensors::Role;
use candle_core::quantized::gguf_file::Value;

/// What differs from one family of models to the next.
pub(crate) trait Family: Sync {
    /// Its name: the one that GGUF has for it, where it has one.
    fn name(&self) -> &'static str;

    /// The architecture that a GGUF of it says it is.
    fn gguf_name(&self) -> &'static str {
        self.name()
    }

    /// Keys that a GGUF of it has beside those of every family.
    fn own_metadata(&self, _spec: &ModelSpec) -> Vec<(&'static str, Value)> {
        Vec::new()
    }

    /// Names, as config.json has them in `architectures`.
    fn checkpoint_names(&self) -> &'static [&'static str];

    /// The shape, from the header of a GGUF.
    ///
    /// # Errors
    /// A sentence naming the key that is absent or contradicts the rest.
    fn spec_from_gguf(&self, header: &Header<'_>) -> Result<ModelSpec, String>;

    /// The shape, from a config.json.
    ///
    /// # Errors
    /// A sentence naming the key that is absent or contradicts the rest.
    fn spec_from_config(&self, config: &Config<'_>) -> Result<ModelSpec, String>;

    /// Why files of a kind are not read, where they are not.
    fn unread(&self, _format: Format) -> Option<&'static str> {
        None
    }

    /// How rotary pairs lie in files.
    fn pairs(&self, _format: Format) -> Pairs {
        Pairs::Halves
    }

    /// What is to be added to the numbers of a stored tensor.
    fn offset(&self, _format: Format, _role: Role) -> f32 {
        0.0
    }

    /// Where a tensor may lie in a file, the likeliest place first.
    fn places(&self, spec: &ModelSpec, format: Format, role: Role) -> Vec<Place> {
        usual_places(spec, format, role)
    }
}

/// Where a tensor lies if a family says nothing else.
fn usual_places(spec: &ModelSpec, format: Format, role: Role) -> Vec<Place> {
    match format {
        Format::Gguf => usual_in_gguf(spec, role),
        Format::Checkpoint => usual_in_checkpoint(spec, role),
    }
}

/// Every family there is.
pub(crate) static FAMILIES: &[&dyn Family] = &[
    &llama::Llama,
    &mistral::Mistral,
    &mixtral::Mixtral,
    &qwen2::Qwen2,
    &qwen3::Qwen3,
    &qwen3::Qwen3Moe,
    &gemma2::Gemma2,
    &gemma3::Gemma3,
    &phi3::Phi3,
    &smollm3::SmolLm3,
    &olmo2::Olmo2,
    &glm::Glm,
    &glm::Glm4,
    &granite::Granite,
    &deepseek::DeepSeek2,
    &gpt_oss::GptOss,
];

/// The family by its name.
///
/// # Errors
/// [`ModelError::UnsupportedArchitecture`] with the supported ones.
pub(crate) fn by_name(name: &str) -> Result<&'static dyn Family, ModelError> {
    FAMILIES.iter().find(|family| family.name() == name).copied().ok_or_else(|| unsupported(name))
}

/// The family that reads a GGUF of this architecture.
///
/// # Errors
/// [`ModelError::UnsupportedArchitecture`] with the supported ones.
pub(crate) fn by_gguf_name(name: &str) -> Result<&'static dyn Family, ModelError> {
    FAMILIES
        .iter()
        .find(|family| family.gguf_name() == name)
        .copied()
        .ok_or_else(|| unsupported(name))
}

/// The family by its name in config.json.
///
/// # Errors
/// [`ModelError::UnsupportedArchitecture`] with the supported ones.
pub(crate) fn by_checkpoint_name(name: &str) -> Result<&'static dyn Family, ModelError> {
    FAMILIES
        .iter()
        .find(|family| family.checkpoint_names().contains(&name))
        .copied()
        .ok_or_else(|| unsupported(name))
}

fn unsupported(found: &str) -> ModelError {
    let names = FAMILIES
        .iter()
        .map(|family| format!("{} ({})", family.name(), family.checkpoint_names().join(", ")))
        .collect::<Vec<_>>();
    ModelError::UnsupportedArchitecture { found: found.to_owned(), supported: names.join(", ") }
}
