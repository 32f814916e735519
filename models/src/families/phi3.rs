//! Phi-3, Phi-3.5 and Phi-4: llama whose query, key and value, and gate and up projection, are
//! stored as one, with rotary divisors for long sequences in some.

use super::{Config, Family, Header, usual_places};
use crate::spec::ModelSpec;
use crate::stored::{Format, Place, joined_attention, joined_feed_forward, joined_in_gguf};
use crate::tensors::Role;

/// The family.
pub(super) struct Phi3;

impl Family for Phi3 {
    fn name(&self) -> &'static str {
        "phi3"
    }

    fn checkpoint_names(&self) -> &'static [&'static str] {
        &["Phi3ForCausalLM"]
    }

    fn spec_from_gguf(&self, header: &Header<'_>) -> Result<ModelSpec, String> {
        header.base(self.name())
    }

    fn spec_from_config(&self, config: &Config<'_>) -> Result<ModelSpec, String> {
        let mut spec = config.base(self.name())?;
        config.window(&mut spec)?;
        Ok(spec)
    }

    fn places(&self, spec: &ModelSpec, format: Format, role: Role) -> Vec<Place> {
        let (n, part) = match (format, role) {
            (Format::Gguf, _) => return joined_in_gguf(spec, role),
            (Format::Checkpoint, Role::Layer(n, part)) => (n, part),
            (Format::Checkpoint, _) => return usual_places(spec, format, role),
        };
        let name = |rest: &str| format!("model.layers.{n}.{rest}.weight");
        joined_attention(spec, part, name("self_attn.qkv_proj"))
            .or_else(|| joined_feed_forward(spec, part, name("mlp.gate_up_proj")))
            .map_or_else(|| usual_places(spec, format, role), |place| vec![place])
    }
}
