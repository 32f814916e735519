//! `SmolLM3`: llama of which every fourth layer knows no positions.

use super::llama::adjacent_in_gguf;
use super::{Config, Family, Header};
use crate::spec::{LayerSet, ModelSpec};
use crate::stored::{Format, Pairs};

/// Of how many layers one knows no positions, if nobody says.
const PERIOD: usize = 4;

/// The family.
pub(super) struct SmolLm3;

impl Family for SmolLm3 {
    fn name(&self) -> &'static str {
        "smollm3"
    }

    fn checkpoint_names(&self) -> &'static [&'static str] {
        &["SmolLM3ForCausalLM"]
    }

    fn spec_from_gguf(&self, header: &Header<'_>) -> Result<ModelSpec, String> {
        let mut spec = header.base(self.name())?;
        spec.unrotated =
            LayerSet::where_layer(spec.layers, |n| LayerSet::Every(PERIOD).contains(n));
        Ok(spec)
    }

    fn spec_from_config(&self, config: &Config<'_>) -> Result<ModelSpec, String> {
        let mut spec = config.base(self.name())?;
        // 1 for layers that turn, 0 for those that do not.
        let listed = config.get("no_rope_layers").and_then(|list| list.as_array());
        spec.unrotated = if let Some(turn) = listed {
            let still = |n: usize| turn.get(n).and_then(serde_json::Value::as_u64) == Some(0);
            LayerSet::where_layer(spec.layers, still)
        } else {
            let period = config.optional("no_rope_layer_interval")?.unwrap_or(PERIOD).max(1);
            LayerSet::where_layer(spec.layers, |n| LayerSet::Every(period).contains(n))
        };
        spec.qkv_bias = config.flag("attention_bias");
        spec.output_bias = spec.qkv_bias;
        if config.flag("use_sliding_window") {
            config.window(&mut spec)?;
        }
        Ok(spec)
    }

    fn pairs(&self, format: Format) -> Pairs {
        adjacent_in_gguf(format)
    }
}
