//! config.json, as the transformers library writes it: what most families have in common.

use super::config_rope;
use crate::spec::{LayerSet, MOST_LAYERS, ModelSpec, Rope};
use serde_json::Value;

/// The part of a config.json that speaks of the language model.
pub(crate) struct Config<'a> {
    json: &'a Value,
}

impl<'a> Config<'a> {
    /// The config, or the part of it that speaks of text where a model has other senses too.
    pub(crate) fn new(whole: &'a Value) -> Self {
        Self { json: whole.get("text_config").filter(|part| part.is_object()).unwrap_or(whole) }
    }

    /// The same with `others` where it says nothing.
    pub(super) fn with_defaults(&self, others: &Value) -> Value {
        merged(others, self.json)
    }

    /// The same with `others` whatever it says.
    pub(super) fn with(&self, others: &Value) -> Value {
        merged(self.json, others)
    }

    /// The value of a key; nothing where it is null.
    pub(super) fn get(&self, key: &str) -> Option<&'a Value> {
        self.json.get(key).filter(|value| !value.is_null())
    }

    /// A whole number that must be there.
    pub(super) fn number(&self, key: &str) -> Result<usize, String> {
        self.optional(key)?.ok_or_else(|| format!("config.json: missing field `{key}`"))
    }

    /// A whole number that may be there.
    pub(super) fn optional(&self, key: &str) -> Result<Option<usize>, String> {
        let Some(value) = self.get(key) else { return Ok(None) };
        let number = value.as_u64().and_then(|n| usize::try_from(n).ok());
        number.map(Some).ok_or_else(|| format!("config.json: {key} is {value}, no whole number"))
    }

    /// A number that may be there.
    pub(super) fn real(&self, key: &str) -> Result<Option<f64>, String> {
        let Some(value) = self.get(key) else { return Ok(None) };
        let number = value.as_f64().filter(|number| number.is_finite());
        number.map(Some).ok_or_else(|| format!("config.json: {key} is {value}, no number"))
    }

    /// As [`real`](Self::real), in single precision.
    pub(super) fn single(&self, key: &str) -> Result<Option<f32>, String> {
        #[expect(clippy::cast_possible_truncation, reason = "engines compute in f32")]
        let narrow = |number: f64| number as f32;
        Ok(self.real(key)?.map(narrow))
    }

    /// Whether something is said to be so.
    pub(super) fn flag(&self, key: &str) -> bool {
        self.get(key).and_then(Value::as_bool).unwrap_or(false)
    }

    /// A text.
    pub(super) fn text(&self, key: &str) -> Option<&'a str> {
        self.get(key).and_then(Value::as_str)
    }

    /// The layers that `layer_types` gives this kind.
    pub(super) fn layers_of_type(&self, kind: &str) -> Option<LayerSet> {
        let kinds = self.get("layer_types")?.as_array()?;
        let flags: Vec<bool> = kinds.iter().map(|k| k.as_str() == Some(kind)).collect();
        Some(LayerSet::of(&flags))
    }

    /// The shape as llama reads it. `head_dim` may differ from `hidden_size / heads`.
    pub(super) fn base(&self, architecture: &str) -> Result<ModelSpec, String> {
        let mut spec = ModelSpec::llama(architecture);
        spec.hidden = self.number("hidden_size")?;
        spec.intermediate = self.number("intermediate_size")?;
        spec.vocab = self.number("vocab_size")?;
        spec.layers = self.number("num_hidden_layers")?;
        if spec.layers > MOST_LAYERS {
            return Err(format!("config.json: num_hidden_layers is {}", spec.layers));
        }
        spec.heads = self.number("num_attention_heads")?;
        spec.kv_heads = self.optional("num_key_value_heads")?.unwrap_or(spec.heads);
        spec.context = self.number("max_position_embeddings")?;
        spec.head_dim = match self.optional("head_dim")? {
            Some(head_dim) => head_dim,
            None if spec.heads > 0 && spec.hidden.is_multiple_of(spec.heads) => {
                spec.hidden / spec.heads
            }
            None => {
                let (heads, hidden) = (spec.heads, spec.hidden);
                return Err(format!(
                    "config.json: num_attention_heads {heads} does not divide hidden_size {hidden}"
                ));
            }
        };
        spec.norm_eps =
            self.real("rms_norm_eps")?.ok_or("config.json: missing field `rms_norm_eps`")?;
        spec.tied_embeddings = self.flag("tie_word_embeddings");
        spec.rope = self.rope(spec.head_dim, spec.context, None)?;
        let activation = self.text("hidden_activation").or_else(|| self.text("hidden_act"));
        let known = ["silu", "swish", "gelu_pytorch_tanh"];
        if let Some(other) = activation.filter(|name| !known.contains(name)) {
            return Err(format!("config.json: the activation {other:?} is not read"));
        }
        if let Some(kinds) = self.get("layer_types").and_then(Value::as_array) {
            if kinds.len() != spec.layers {
                let (layers, kinds) = (spec.layers, kinds.len());
                return Err(format!("config.json: layer_types has {kinds} of {layers} layers"));
            }
            let read = ["full_attention", "sliding_attention"];
            let unread = |kind: &&Value| !kind.as_str().is_some_and(|kind| read.contains(&kind));
            if let Some(kind) = kinds.iter().find(unread) {
                return Err(format!("config.json: layers of the type {kind} are not read"));
            }
        }
        if self.flag("mlp_bias") {
            return Err(
                "config.json: mlp_bias is set, which this family is not known to have".into()
            );
        }
        Ok(spec)
    }

    /// Rotary positions, of the layers of a type where the config tells them apart.
    pub(super) fn rope(
        &self,
        head_dim: usize,
        context: usize,
        layer_type: Option<&str>,
    ) -> Result<Rope, String> {
        config_rope::read(self, head_dim, context, layer_type)
    }

    /// The window, where it is in use: configs of Qwen name one that is not. Without `layer_types` the
    /// layers from `max_window_layers` on have it.
    pub(super) fn window_if_used(&self, spec: &mut ModelSpec) -> Result<(), String> {
        if !self.flag("use_sliding_window") {
            return Ok(());
        }
        self.window(spec)?;
        let first = self.optional("max_window_layers")?.unwrap_or(0);
        if self.get("layer_types").is_none() && spec.window.is_some() {
            spec.windowed = LayerSet::where_layer(spec.layers, |n| n >= first);
        }
        Ok(())
    }

    /// The window of all layers, unless the config switches it off.
    pub(super) fn window(&self, spec: &mut ModelSpec) -> Result<(), String> {
        spec.window = self.optional("sliding_window")?;
        spec.windowed = match spec.window {
            Some(_) => self.layers_of_type("sliding_attention").unwrap_or(LayerSet::All),
            None => LayerSet::None,
        };
        if spec.windowed == LayerSet::None {
            spec.window = None;
        }
        Ok(())
    }
}

/// What one of them says, the second where both do.
fn merged(first: &Value, second: &Value) -> Value {
    let mut all = first.as_object().cloned().unwrap_or_default();
    let said = second.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null());
    all.extend(said.map(|(key, value)| (key.clone(), value.clone())));
    Value::Object(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_absent_or_of_another_kind_is_named() {
        let json = serde_json::json!({"hidden_size": 64, "intermediate_size": "many"});
        let config = Config::new(&json);
        let error = config.base("llama").unwrap_err();
        assert_eq!(error, "config.json: intermediate_size is \"many\", no whole number");
        let json = serde_json::json!({"hidden_size": 64});
        let error = Config::new(&json).base("llama").unwrap_err();
        assert_eq!(error, "config.json: missing field `intermediate_size`");
    }
}
