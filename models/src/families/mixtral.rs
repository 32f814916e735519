//! Mixtral: Mistral with eight experts in place of each feed-forward layer.

use super::llama::adjacent_in_gguf;
use super::{Config, Family, Header, usual_places};
use crate::spec::{Experts, ModelSpec};
use crate::stored::{Format, Pairs, Place, each_expert, in_checkpoint};
use crate::tensors::{Part, Role};

/// The family.
pub(super) struct Mixtral;

impl Family for Mixtral {
    fn name(&self) -> &'static str {
        "mixtral"
    }

    fn gguf_name(&self) -> &'static str {
        "llama"
    }

    fn checkpoint_names(&self) -> &'static [&'static str] {
        &["MixtralForCausalLM"]
    }

    fn spec_from_gguf(&self, header: &Header<'_>) -> Result<ModelSpec, String> {
        header.base(self.name())
    }

    fn spec_from_config(&self, config: &Config<'_>) -> Result<ModelSpec, String> {
        let mut spec = config.base(self.name())?;
        config.window(&mut spec)?;
        let count = config.number("num_local_experts")?;
        let active = config.number("num_experts_per_tok")?;
        spec.experts = Some(Experts::plain(count, active, spec.intermediate));
        Ok(spec)
    }

    fn pairs(&self, format: Format) -> Pairs {
        adjacent_in_gguf(format)
    }

    fn places(&self, spec: &ModelSpec, format: Format, role: Role) -> Vec<Place> {
        let (Format::Checkpoint, Role::Layer(n, part)) = (format, role) else {
            return usual_places(spec, format, role);
        };
        let experts = |name: &str| each_expert(spec, n, "block_sparse_moe.experts", name);
        match part {
            Part::Router => vec![in_checkpoint(n, "block_sparse_moe.gate.weight")],
            Part::ExpertGate => experts("w1"),
            Part::ExpertDown => experts("w2"),
            Part::ExpertUp => experts("w3"),
            _ => usual_places(spec, format, role),
        }
    }
}
