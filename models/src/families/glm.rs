//! GLM-4: half of each head turns, neighbouring columns together; gate and up projection are stored
//! as one. The models of April 2025 (`glm4`) have norms behind attention and feed-forward layer too.

use super::{Config, Family, Header, usual_places};
use crate::spec::{ModelSpec, Norms};
use crate::stored::{Format, Pairs, Place, in_checkpoint, joined_feed_forward, joined_in_gguf};
use crate::tensors::{Part, Role};

/// GLM-4 of 2024.
pub(super) struct Glm;

impl Family for Glm {
    fn name(&self) -> &'static str {
        "chatglm"
    }

    fn checkpoint_names(&self) -> &'static [&'static str] {
        &["GlmForCausalLM"]
    }

    fn spec_from_gguf(&self, header: &Header<'_>) -> Result<ModelSpec, String> {
        header.base(self.name())
    }

    fn spec_from_config(&self, config: &Config<'_>) -> Result<ModelSpec, String> {
        base(self.name(), config)
    }

    fn pairs(&self, _: Format) -> Pairs {
        Pairs::Adjacent
    }

    fn places(&self, spec: &ModelSpec, format: Format, role: Role) -> Vec<Place> {
        joined(spec, format, role).unwrap_or_else(|| usual_places(spec, format, role))
    }
}

fn base(name: &str, config: &Config<'_>) -> Result<ModelSpec, String> {
    let defaults = serde_json::json!({"partial_rotary_factor": 0.5, "attention_bias": true});
    let merged = config.with_defaults(&defaults);
    let config = Config::new(&merged);
    let mut spec = config.base(name)?;
    spec.qkv_bias = config.flag("attention_bias");
    Ok(spec)
}

/// Gate and up projection; `None` for other tensors.
fn joined(spec: &ModelSpec, format: Format, role: Role) -> Option<Vec<Place>> {
    let Role::Layer(n, part @ (Part::Gate | Part::Up)) = role else { return None };
    let name = format!("model.layers.{n}.mlp.gate_up_proj.weight");
    match format {
        Format::Gguf => Some(joined_in_gguf(spec, role)),
        Format::Checkpoint => joined_feed_forward(spec, part, name).map(|place| vec![place]),
    }
}

/// GLM-4 of April 2025: GLM-4-0414, GLM-Z1.
pub(super) struct Glm4;

impl Family for Glm4 {
    fn name(&self) -> &'static str {
        "glm4"
    }

    fn checkpoint_names(&self) -> &'static [&'static str] {
        &["Glm4ForCausalLM"]
    }

    fn spec_from_gguf(&self, header: &Header<'_>) -> Result<ModelSpec, String> {
        let mut spec = header.base(self.name())?;
        spec.norms = Norms::Around;
        Ok(spec)
    }

    fn spec_from_config(&self, config: &Config<'_>) -> Result<ModelSpec, String> {
        let mut spec = base(self.name(), config)?;
        spec.norms = Norms::Around;
        Ok(spec)
    }

    fn pairs(&self, _: Format) -> Pairs {
        Pairs::Adjacent
    }

    fn places(&self, spec: &ModelSpec, format: Format, role: Role) -> Vec<Place> {
        if let (Format::Checkpoint, Role::Layer(n, part)) = (format, role) {
            match part {
                Part::AttentionPostNorm => {
                    return vec![in_checkpoint(n, "post_self_attn_layernorm.weight")];
                }
                Part::FeedForwardPostNorm => {
                    return vec![in_checkpoint(n, "post_mlp_layernorm.weight")];
                }
                _ => {}
            }
        }
        joined(spec, format, role).unwrap_or_else(|| usual_places(spec, format, role))
    }
}
