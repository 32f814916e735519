//! gpt-oss: experts and attention with biases, one more score a head, every other layer with a
//! window. Its own checkpoints are in MXFP4, which is not read; a GGUF in `bf16` or `q8_0` is, and
//! dummies are made.

use super::{Config, Family, Header, usual_places};
use crate::spec::{Activation, Experts, LayerSet, ModelSpec, RopeScaling};
use crate::stored::{Format, Place, in_checkpoint, in_gguf};
use crate::tensors::{Part, Role};

/// The family.
pub(super) struct GptOss;

impl Family for GptOss {
    fn name(&self) -> &'static str {
        "gpt-oss"
    }

    fn checkpoint_names(&self) -> &'static [&'static str] {
        &["GptOssForCausalLM"]
    }

    fn spec_from_gguf(&self, header: &Header<'_>) -> Result<ModelSpec, String> {
        let mut spec = header.base(self.name())?;
        spec.activation = Activation::ClampedSwiglu;
        spec.windowed = LayerSet::AllButEvery(2);
        if let Some(RopeScaling::Yarn { truncate, .. }) = &mut spec.rope.scaling {
            *truncate = false;
        }
        Ok(spec)
    }

    fn spec_from_config(&self, config: &Config<'_>) -> Result<ModelSpec, String> {
        let mut spec = config.base(self.name())?;
        config.window(&mut spec)?;
        if spec.window.is_some() && config.get("layer_types").is_none() {
            spec.windowed = LayerSet::AllButEvery(2);
        }
        spec.activation = Activation::ClampedSwiglu;
        spec.qkv_bias = true;
        spec.output_bias = true;
        spec.sinks = true;
        let count = config.number("num_local_experts")?;
        let active = config.number("num_experts_per_tok")?;
        let experts = Experts::plain(count, active, spec.intermediate);
        spec.experts = Some(Experts { biases: true, ..experts });
        Ok(spec)
    }

    fn unread(&self, format: Format) -> Option<&'static str> {
        (format == Format::Checkpoint).then_some(
            "the experts of a gpt-oss checkpoint lie in an order that is not read; use a GGUF in bf16 or q8_0, or dummy:gpt-oss-20b for its shape",
        )
    }

    fn places(&self, spec: &ModelSpec, format: Format, role: Role) -> Vec<Place> {
        match (format, role) {
            (Format::Checkpoint, Role::Layer(n, Part::Router)) => {
                vec![in_checkpoint(n, "mlp.router.weight")]
            }
            (Format::Gguf, Role::Layer(n, Part::FeedForwardNorm)) => {
                vec![in_gguf(n, "post_attention_norm.weight")]
            }
            _ => usual_places(spec, format, role),
        }
    }
}
