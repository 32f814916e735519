//! Gemma 3, the part that reads text: five layers with a window to one without, each kind with
//! rotary positions of its own, and norms of queries and keys.

use super::gemma2::{gemma, norm_offset, places, scale, scale_of_the_largest};
use super::{Config, Family, Header};
use crate::spec::{LayerSet, ModelSpec, QkNorm, Rope};
use crate::stored::{Format, Place};
use crate::tensors::Role;
use candle_core::quantized::gguf_file::Value;

/// Of how many layers one has no window, if nobody says.
const PERIOD: usize = 6;

/// Rotary base of the layers with a window, if nobody says.
const WINDOW_THETA: f32 = 10_000.0;

/// Layers of Gemma 3 27B.
const LAYERS_OF_27B: usize = 62;

/// The family.
pub(super) struct Gemma3;

impl Family for Gemma3 {
    fn name(&self) -> &'static str {
        "gemma3"
    }

    fn checkpoint_names(&self) -> &'static [&'static str] {
        &["Gemma3ForCausalLM", "Gemma3ForConditionalGeneration"]
    }

    fn spec_from_gguf(&self, header: &Header<'_>) -> Result<ModelSpec, String> {
        let mut spec = gemma(header.base(self.name())?);
        scale_of_the_largest(&mut spec, LAYERS_OF_27B);
        if spec.window.is_some() {
            let period = header.optional("attention.sliding_window_pattern")?.unwrap_or(PERIOD);
            spec.windowed = LayerSet::where_layer(spec.layers, |n| {
                LayerSet::AllButEvery(period.max(1)).contains(n)
            });
            let theta = header.real("rope.freq_base_swa")?.unwrap_or(WINDOW_THETA);
            spec.window_rope = Some(Rope::plain(theta, spec.head_dim));
        }
        Ok(spec)
    }

    fn spec_from_config(&self, config: &Config<'_>) -> Result<ModelSpec, String> {
        // What configs of the larger models leave out.
        let defaults = serde_json::json!({
            "head_dim": 256, "num_attention_heads": 8, "num_key_value_heads": 4,
            "vocab_size": 262_208, "max_position_embeddings": 131_072, "rms_norm_eps": 1e-6,
            "rope_theta": 1e6, "rope_local_base_freq": WINDOW_THETA, "query_pre_attn_scalar": 256,
            "tie_word_embeddings": true
        });
        let merged = config.with_defaults(&defaults);
        let config = &Config::new(&merged);
        let mut spec = gemma(config.base(self.name())?);
        spec.qk_norm = QkNorm::Heads;
        config.window(&mut spec)?;
        if spec.window.is_some() && config.get("layer_types").is_none() {
            let period = config.optional("sliding_window_pattern")?.unwrap_or(PERIOD).max(1);
            spec.windowed =
                LayerSet::where_layer(spec.layers, |n| LayerSet::AllButEvery(period).contains(n));
        }
        spec.attention_scale = scale(config)?;
        if spec.window.is_some() {
            let by_type =
                config.get("rope_parameters").and_then(|all| all.get("sliding_attention"));
            spec.window_rope = Some(if by_type.is_some() {
                config.rope(spec.head_dim, spec.context, Some("sliding_attention"))?
            } else {
                let theta = config.single("rope_local_base_freq")?.unwrap_or(WINDOW_THETA);
                Rope::plain(theta, spec.head_dim)
            });
        }
        Ok(spec)
    }

    fn own_metadata(&self, spec: &ModelSpec) -> Vec<(&'static str, Value)> {
        let theta = spec.window_rope.as_ref().map(|rope| rope.theta);
        let theta = theta.map(|theta| ("rope.freq_base_swa", Value::F32(theta)));
        theta.into_iter().chain([("attention.scale", Value::F32(spec.score_scale()))]).collect()
    }

    fn offset(&self, format: Format, role: Role) -> f32 {
        norm_offset(format, role)
    }

    fn places(&self, spec: &ModelSpec, format: Format, role: Role) -> Vec<Place> {
        places(spec, format, role)
    }
}
