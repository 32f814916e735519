//! Gemma 2: norms before and behind, every other layer with a window, scores and logits capped.

use super::{Config, Family, Header, usual_places};
use crate::spec::{Activation, LayerSet, ModelSpec, Norms};
use crate::stored::{Format, Place, in_checkpoint};
use crate::tensors::{Part, Role};
use candle_core::quantized::gguf_file::Value;

/// Layers of Gemma 2 27B.
const LAYERS_OF_27B: usize = 46;

/// The family.
pub(super) struct Gemma2;

impl Family for Gemma2 {
    fn name(&self) -> &'static str {
        "gemma2"
    }

    fn checkpoint_names(&self) -> &'static [&'static str] {
        &["Gemma2ForCausalLM"]
    }

    fn spec_from_gguf(&self, header: &Header<'_>) -> Result<ModelSpec, String> {
        let mut spec = gemma(header.base(self.name())?);
        spec.windowed = LayerSet::AllButEvery(2);
        scale_of_the_largest(&mut spec, LAYERS_OF_27B);
        Ok(spec)
    }

    fn spec_from_config(&self, config: &Config<'_>) -> Result<ModelSpec, String> {
        let defaults = serde_json::json!({"head_dim": 256, "tie_word_embeddings": true});
        let merged = config.with_defaults(&defaults);
        let config = &Config::new(&merged);
        let mut spec = gemma(config.base(self.name())?);
        config.window(&mut spec)?;
        if config.get("layer_types").is_none() && spec.window.is_some() {
            spec.windowed = LayerSet::AllButEvery(2);
        }
        spec.attention_scale = scale(config)?;
        spec.attention_softcap = config.single("attn_logit_softcapping")?;
        spec.logit_softcap = config.single("final_logit_softcapping")?;
        Ok(spec)
    }

    fn own_metadata(&self, spec: &ModelSpec) -> Vec<(&'static str, Value)> {
        vec![("attention.scale", Value::F32(spec.score_scale()))]
    }

    fn offset(&self, format: Format, role: Role) -> f32 {
        norm_offset(format, role)
    }

    fn places(&self, spec: &ModelSpec, format: Format, role: Role) -> Vec<Place> {
        places(spec, format, role)
    }
}

/// What all of Gemma has in common.
pub(super) fn gemma(mut spec: ModelSpec) -> ModelSpec {
    spec.norms = Norms::Around;
    spec.activation = Activation::GeluTanh;
    #[expect(clippy::cast_possible_truncation, reason = "embeddings are in f32")]
    let root = (spec.hidden as f64).sqrt() as f32;
    spec.embedding_scale = root;
    spec
}

/// One over the root of `query_pre_attn_scalar`.
pub(super) fn scale(config: &Config<'_>) -> Result<Option<f32>, String> {
    Ok(config.real("query_pre_attn_scalar")?.filter(|scalar| *scalar > 0.0).map(|scalar| {
        #[expect(clippy::cast_possible_truncation, reason = "scores are in f32")]
        let scale = (1.0 / scalar.sqrt()) as f32;
        scale
    }))
}

/// The largest models, told by their layers, divide scores by the root of `hidden / heads`; their
/// GGUF files do not say so.
pub(super) fn scale_of_the_largest(spec: &mut ModelSpec, layers: usize) {
    if let (None, true, Some(width)) =
        (spec.attention_scale, spec.layers == layers, spec.hidden.checked_div(spec.heads))
    {
        #[expect(clippy::cast_possible_truncation, reason = "scores are in f32")]
        let scale = (1.0 / (width as f64).sqrt()) as f32;
        spec.attention_scale = Some(scale);
    }
}

/// Checkpoints keep norms less one; GGUF files keep them as they are.
pub(super) fn norm_offset(format: Format, role: Role) -> f32 {
    if format == Format::Checkpoint && role.is_norm() { 1.0 } else { 0.0 }
}

/// `post_attention_layernorm` stands behind attention here, not before the feed-forward layer.
pub(super) fn places(spec: &ModelSpec, format: Format, role: Role) -> Vec<Place> {
    match (format, role) {
        (Format::Checkpoint, Role::Layer(n, Part::FeedForwardNorm)) => {
            vec![in_checkpoint(n, "pre_feedforward_layernorm.weight")]
        }
        _ => usual_places(spec, format, role),
    }
}
