//! Where a tensor of a model lies in a file, and what files call it where a family says nothing
//! else.

use crate::spec::ModelSpec;
use crate::tensors::{Part, Role};
use std::ops::Range;

/// Where a tensor of a model lies in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// All of a stored tensor.
    Whole(String),
    /// Some rows of one: several tensors of the model are stored as one.
    Rows(String, Range<usize>),
    /// Several, one behind the other: one tensor of the model is stored as several.
    Stack(Vec<Place>),
    /// All of one, the rows and columns of its matrices having changed places.
    Transposed(String),
}

impl Place {
    /// The stored tensors it speaks of.
    pub(crate) fn names(&self) -> Vec<&str> {
        match self {
            Self::Whole(name) | Self::Rows(name, _) | Self::Transposed(name) => vec![name],
            Self::Stack(places) => places.iter().flat_map(Self::names).collect(),
        }
    }
}

/// A tensor of a layer in a checkpoint: `model.layers.N.REST`.
pub(crate) fn in_checkpoint(layer: usize, rest: &str) -> Place {
    Place::Whole(format!("model.layers.{layer}.{rest}"))
}

/// A tensor of a layer in a GGUF: `blk.N.REST`.
pub(crate) fn in_gguf(layer: usize, rest: &str) -> Place {
    Place::Whole(format!("blk.{layer}.{rest}"))
}

/// The usual places of a tensor in a checkpoint of the transformers library, the likeliest first.
pub(crate) fn usual_in_checkpoint(spec: &ModelSpec, role: Role) -> Vec<Place> {
    let whole = |name: &str| vec![Place::Whole(name.into())];
    let (n, part) = match role {
        Role::Embedding => return whole("model.embed_tokens.weight"),
        Role::Output => return whole("lm_head.weight"),
        Role::OutputNorm => return whole("model.norm.weight"),
        Role::Layer(n, part) => (n, part),
    };
    let rest = match part {
        Part::AttentionNorm => "input_layernorm.weight",
        Part::Query if spec.latent.is_some_and(|latent| latent.query_rank.is_some()) => {
            "self_attn.q_b_proj.weight"
        }
        Part::Query => "self_attn.q_proj.weight",
        Part::Key => "self_attn.k_proj.weight",
        Part::Value => "self_attn.v_proj.weight",
        Part::QueryBias => "self_attn.q_proj.bias",
        Part::KeyBias => "self_attn.k_proj.bias",
        Part::ValueBias => "self_attn.v_proj.bias",
        Part::QueryNorm => "self_attn.q_norm.weight",
        Part::KeyNorm => "self_attn.k_norm.weight",
        Part::Sinks => "self_attn.sinks",
        Part::AttentionOutput => "self_attn.o_proj.weight",
        Part::AttentionOutputBias => "self_attn.o_proj.bias",
        Part::QueryDown => "self_attn.q_a_proj.weight",
        Part::QueryDownNorm => "self_attn.q_a_layernorm.weight",
        Part::LatentDown => "self_attn.kv_a_proj_with_mqa.weight",
        Part::LatentNorm => "self_attn.kv_a_layernorm.weight",
        Part::LatentKey | Part::LatentValue => {
            return vec![by_head(
                spec,
                part,
                &format!("model.layers.{n}.self_attn.kv_b_proj.weight"),
            )];
        }
        // Behind attention, or before the feed-forward layer: those that have both name one anew.
        Part::AttentionPostNorm | Part::FeedForwardNorm => "post_attention_layernorm.weight",
        Part::Gate => "mlp.gate_proj.weight",
        Part::Up => "mlp.up_proj.weight",
        Part::Down => "mlp.down_proj.weight",
        Part::Router => "mlp.gate.weight",
        Part::RouterBias => "mlp.router.bias",
        Part::RouterCorrection => "mlp.gate.e_score_correction_bias",
        Part::ExpertGate => return each_expert(spec, n, "mlp.experts", "gate_proj"),
        Part::ExpertUp => return each_expert(spec, n, "mlp.experts", "up_proj"),
        Part::ExpertDown => return each_expert(spec, n, "mlp.experts", "down_proj"),
        Part::ExpertGateBias | Part::ExpertUpBias => "mlp.experts.gate_up_proj_bias",
        Part::ExpertDownBias => "mlp.experts.down_proj_bias",
        Part::SharedGate => "mlp.shared_experts.gate_proj.weight",
        Part::SharedUp => "mlp.shared_experts.up_proj.weight",
        Part::SharedDown => "mlp.shared_experts.down_proj.weight",
        Part::FeedForwardPostNorm => "post_feedforward_layernorm.weight",
    };
    vec![in_checkpoint(n, rest)]
}

/// Experts that a checkpoint stores one by one: `model.layers.N.FOLDER.E.NAME.weight`.
pub(crate) fn each_expert(spec: &ModelSpec, layer: usize, folder: &str, name: &str) -> Vec<Place> {
    let count = spec.experts.as_ref().map_or(0, |experts| experts.count);
    let one = |e| in_checkpoint(layer, &format!("{folder}.{e}.{name}.weight"));
    vec![Place::Stack((0..count).map(one).collect())]
}

/// Keys or values where each head's still columns of keys and its values follow each other.
fn by_head(spec: &ModelSpec, part: Part, name: &str) -> Place {
    let Some(latent) = spec.latent else { return Place::Whole(name.into()) };
    let both = latent.still + latent.value;
    let rows = |head: usize| match part {
        Part::LatentKey => head * both..head * both + latent.still,
        _ => head * both + latent.still..(head + 1) * both,
    };
    Place::Stack((0..spec.heads).map(|head| Place::Rows(name.into(), rows(head))).collect())
}

/// Query, key and value that are stored as one, in this order; `None` for other parts.
pub(crate) fn joined_attention(spec: &ModelSpec, part: Part, name: String) -> Option<Place> {
    let (q, kv) = (spec.query_width(), spec.kv_heads * spec.head_dim);
    let rows = match part {
        Part::Query | Part::QueryBias => 0..q,
        Part::Key | Part::KeyBias => q..q + kv,
        Part::Value | Part::ValueBias => q + kv..q + 2 * kv,
        _ => return None,
    };
    Some(Place::Rows(name, rows))
}

/// Gate and up projection that are stored as one, in this order; `None` for other parts.
pub(crate) fn joined_feed_forward(spec: &ModelSpec, part: Part, name: String) -> Option<Place> {
    let inner = spec.intermediate;
    match part {
        Part::Gate => Some(Place::Rows(name, 0..inner)),
        Part::Up => Some(Place::Rows(name, inner..2 * inner)),
        _ => None,
    }
}

/// The usual places of a tensor in a GGUF, the likeliest first.
pub(crate) fn usual_in_gguf(spec: &ModelSpec, role: Role) -> Vec<Place> {
    let (n, part) = match role {
        Role::Layer(n, part) => (n, part),
        other => return vec![Place::Whole(gguf_name(other))],
    };
    let name = gguf_name(role);
    let mut places = match part {
        Part::LatentKey => vec![Place::Transposed(name)],
        _ => vec![Place::Whole(name)],
    };
    let qkv = if gguf_part(part).ends_with("bias") { "attn_qkv.bias" } else { "attn_qkv.weight" };
    places.extend(joined_attention(spec, part, format!("blk.{n}.{qkv}")));
    places.extend(joined_feed_forward(spec, part, format!("blk.{n}.ffn_up.weight")));
    if matches!(part, Part::LatentKey | Part::LatentValue) {
        places.push(by_head(spec, part, &format!("blk.{n}.attn_kv_b.weight")));
    }
    places
}

/// The places of a tensor in a GGUF of a family whose files join tensors: a part of a joint one
/// before one of its own.
pub(crate) fn joined_in_gguf(spec: &ModelSpec, role: Role) -> Vec<Place> {
    let mut places = usual_in_gguf(spec, role);
    places.sort_by_key(|place| !matches!(place, Place::Rows(..)));
    places
}

/// What a tensor is called in a GGUF.
pub(crate) fn gguf_name(role: Role) -> String {
    match role {
        Role::Embedding => "token_embd.weight".into(),
        Role::Output => "output.weight".into(),
        Role::OutputNorm => "output_norm.weight".into(),
        // Only a query that is made from a shortened vector has another name, and files of that
        // family are read, not written.
        Role::Layer(n, part) => format!("blk.{n}.{}", gguf_part(part)),
    }
}

fn gguf_part(part: Part) -> &'static str {
    match part {
        Part::AttentionNorm => "attn_norm.weight",
        Part::Query => "attn_q.weight",
        Part::Key => "attn_k.weight",
        Part::Value => "attn_v.weight",
        Part::QueryBias => "attn_q.bias",
        Part::KeyBias => "attn_k.bias",
        Part::ValueBias => "attn_v.bias",
        Part::QueryNorm => "attn_q_norm.weight",
        Part::KeyNorm => "attn_k_norm.weight",
        Part::Sinks => "attn_sinks.weight",
        Part::AttentionOutput => "attn_output.weight",
        Part::AttentionOutputBias => "attn_output.bias",
        Part::AttentionPostNorm => "post_attention_norm.weight",
        Part::QueryDown => "attn_q_a.weight",
        Part::QueryDownNorm => "attn_q_a_norm.weight",
        Part::LatentDown => "attn_kv_a_mqa.weight",
        Part::LatentNorm => "attn_kv_a_norm.weight",
        Part::LatentKey => "attn_k_b.weight",
        Part::LatentValue => "attn_v_b.weight",
        Part::FeedForwardNorm => "ffn_norm.weight",
        Part::Gate => "ffn_gate.weight",
        Part::Up => "ffn_up.weight",
        Part::Down => "ffn_down.weight",
        Part::Router => "ffn_gate_inp.weight",
        Part::RouterBias => "ffn_gate_inp.bias",
        Part::RouterCorrection => "exp_probs_b.bias",
        Part::ExpertGate => "ffn_gate_exps.weight",
        Part::ExpertUp => "ffn_up_exps.weight",
        Part::ExpertDown => "ffn_down_exps.weight",
        Part::ExpertGateBias => "ffn_gate_exps.bias",
        Part::ExpertUpBias => "ffn_up_exps.bias",
        Part::ExpertDownBias => "ffn_down_exps.bias",
        Part::SharedGate => "ffn_gate_shexp.weight",
        Part::SharedUp => "ffn_up_shexp.weight",
        Part::SharedDown => "ffn_down_shexp.weight",
        Part::FeedForwardPostNorm => "post_ffw_norm.weight",
    }
}
