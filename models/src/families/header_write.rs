//! The header that a GGUF of a shape has: what [`super::Header`] reads, and llama.cpp.

use super::Family;
use crate::spec::{Experts, ModelSpec, RopeScaling, Scores};
use candle_core::quantized::gguf_file::Value;
use std::collections::HashMap;

/// Keys that say a shape. There is no vocabulary but its size.
pub(crate) fn metadata(family: &dyn Family, spec: &ModelSpec) -> HashMap<String, Value> {
    let arch = family.gguf_name();
    #[expect(clippy::cast_possible_truncation, reason = "GGUF keeps the epsilon in f32")]
    let epsilon = spec.norm_eps as f32;
    let mut keys = vec![
        ("vocab_size", count(spec.vocab)),
        ("block_count", count(spec.layers)),
        ("embedding_length", count(spec.hidden)),
        ("feed_forward_length", count(spec.intermediate)),
        ("context_length", count(spec.context)),
        ("attention.head_count", count(spec.heads)),
        ("attention.head_count_kv", count(spec.kv_heads)),
        ("rope.dimension_count", count(spec.rope.width)),
        ("rope.freq_base", Value::F32(spec.rope.theta)),
        ("attention.layer_norm_rms_epsilon", Value::F32(epsilon)),
    ];
    if spec.head_dim * spec.heads != spec.hidden && spec.latent.is_none() {
        keys.push(("attention.key_length", count(spec.head_dim)));
        keys.push(("attention.value_length", count(spec.head_dim)));
    }
    if let Some(latent) = spec.latent {
        // Keys and values as they are kept: one head for all.
        keys.retain(|(key, _)| *key != "attention.head_count_kv");
        keys.extend([
            ("attention.head_count_kv", count(1)),
            ("attention.kv_lora_rank", count(latent.rank)),
            ("attention.key_length", count(latent.rank + spec.rope.width)),
            ("attention.value_length", count(latent.rank)),
            ("attention.key_length_mla", count(spec.head_dim)),
            ("attention.value_length_mla", count(latent.value)),
        ]);
        // llama.cpp asks for the rank unless the number of layers is that of a lite model it knows;
        // at 0 it takes queries from the hidden vector.
        keys.push(("attention.q_lora_rank", count(latent.query_rank.unwrap_or(0))));
    }
    keys.extend(spec.window.map(|window| ("attention.sliding_window", count(window))));
    let reals = [
        ("attn_logit_softcapping", spec.attention_softcap),
        ("final_logit_softcapping", spec.logit_softcap),
    ];
    keys.extend(reals.into_iter().filter_map(|(key, real)| Some((key, Value::F32(real?)))));
    keys.extend(scaling(spec));
    keys.extend(spec.experts.iter().flat_map(experts));
    keys.extend(family.own_metadata(spec));
    keys.into_iter().map(|(key, value)| (format!("{arch}.{key}"), value)).collect()
}

/// A whole number as GGUF keeps it.
pub(super) fn count(n: usize) -> Value {
    Value::U32(u32::try_from(n).unwrap_or(u32::MAX))
}

fn scaling(spec: &ModelSpec) -> Vec<(&'static str, Value)> {
    let text = |text: &str| Value::String(text.into());
    match &spec.rope.scaling {
        Some(RopeScaling::Linear { factor }) => vec![
            ("rope.scaling.type", text("linear")),
            ("rope.scaling.factor", Value::F32(*factor)),
        ],
        Some(RopeScaling::Yarn { factor, original_context, beta_fast, beta_slow, .. }) => vec![
            ("rope.scaling.type", text("yarn")),
            ("rope.scaling.factor", Value::F32(*factor)),
            ("rope.scaling.original_context_length", count(*original_context)),
            ("rope.scaling.yarn_beta_fast", Value::F32(*beta_fast)),
            ("rope.scaling.yarn_beta_slow", Value::F32(*beta_slow)),
        ],
        Some(RopeScaling::LongRope { original_context, magnitude, .. }) => vec![
            ("rope.scaling.original_context_length", count(*original_context)),
            ("rope.scaling.attn_factor", Value::F32(*magnitude)),
        ],
        // Tensors of their own say these.
        Some(RopeScaling::Llama3 { .. } | RopeScaling::Divisors(_)) | None => Vec::new(),
    }
}

fn experts(experts: &Experts) -> Vec<(&'static str, Value)> {
    let sigmoid = experts.scores == Scores::Sigmoid;
    let mut keys = vec![
        ("expert_count", count(experts.count)),
        ("expert_used_count", count(experts.active)),
        ("expert_feed_forward_length", count(experts.intermediate)),
        ("expert_weights_norm", Value::Bool(experts.normalised)),
        ("expert_weights_scale", Value::F32(experts.scale)),
        ("expert_gating_func", count(1 + usize::from(sigmoid))),
    ];
    if experts.dense_layers > 0 {
        keys.push(("leading_dense_block_count", count(experts.dense_layers)));
    }
    if experts.shared_intermediate > 0 {
        keys.extend([
            ("expert_shared_count", count(experts.shared_intermediate / experts.intermediate)),
            ("expert_shared_feed_forward_length", count(experts.shared_intermediate)),
        ]);
    }
    if let Some(groups) = experts.groups {
        keys.push(("expert_group_count", count(groups.count)));
        keys.push(("expert_group_used_count", count(groups.kept)));
    }
    keys
}
