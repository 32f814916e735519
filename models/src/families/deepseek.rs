//! `DeepSeek`-V2, V3 and R1: latent attention, and many small experts beside one that all tokens
//! use. The layer that predicts a token further ahead is left out: it is for drafting.

use super::config_rope::deepseek_score_factor;
use super::{Config, Family, Header, usual_places};
use crate::spec::{Experts, Groups, Latent, ModelSpec, RopeScaling, Scores};
use crate::stored::{Format, Pairs, Place, in_gguf};
use crate::tensors::{Part, Role};
use candle_core::quantized::gguf_file::Value;

/// The family.
pub(super) struct DeepSeek2;

impl Family for DeepSeek2 {
    fn name(&self) -> &'static str {
        "deepseek2"
    }

    fn checkpoint_names(&self) -> &'static [&'static str] {
        &["DeepseekV2ForCausalLM", "DeepseekV3ForCausalLM"]
    }

    fn spec_from_gguf(&self, header: &Header<'_>) -> Result<ModelSpec, String> {
        let mut spec = header.base(self.name())?;
        if let Some(experts) = &mut spec.experts {
            experts.normalised = header.flag("expert_weights_norm").unwrap_or(false);
        }
        let multiplier = header.real("rope.scaling.yarn_log_multiplier")?;
        if let (Some(RopeScaling::Yarn { factor, magnitude, .. }), Some(log)) =
            (&mut spec.rope.scaling, multiplier)
        {
            // mscale and mscale_all_dim are the same in all of them.
            *magnitude = 1.0;
            spec.attention_scale =
                Some(root_of_width(spec.head_dim) * log.mul_add(factor.ln(), 1.0).powi(2));
        }
        Ok(spec)
    }

    fn spec_from_config(&self, config: &Config<'_>) -> Result<ModelSpec, String> {
        let (still, turning) =
            (config.number("qk_nope_head_dim")?, config.number("qk_rope_head_dim")?);
        let head_dim = still.saturating_add(turning);
        // Configs of V3 name a head size that is that of the turning part.
        let merged = config.with(&serde_json::json!({"head_dim": head_dim}));
        let config = &Config::new(&merged);
        let mut spec = config.base(self.name())?;
        spec.kv_heads = spec.heads;
        spec.rope = config.rope(turning, spec.context, None)?;
        spec.rope.width = turning;
        spec.latent = Some(Latent {
            query_rank: config.optional("q_lora_rank")?,
            rank: config.number("kv_lora_rank")?,
            still,
            value: config.number("v_head_dim")?,
        });
        let factor = deepseek_score_factor(config)?;
        spec.attention_scale = Some(root_of_width(head_dim) * factor);
        spec.experts = experts(config)?;
        Ok(spec)
    }

    fn pairs(&self, _: Format) -> Pairs {
        Pairs::Adjacent
    }

    fn places(&self, spec: &ModelSpec, format: Format, role: Role) -> Vec<Place> {
        let with_rank = spec.latent.is_some_and(|latent| latent.query_rank.is_some());
        match (format, role) {
            (Format::Gguf, Role::Layer(n, Part::Query)) if with_rank => {
                vec![in_gguf(n, "attn_q_b.weight")]
            }
            _ => usual_places(spec, format, role),
        }
    }

    fn own_metadata(&self, spec: &ModelSpec) -> Vec<(&'static str, Value)> {
        let Some(RopeScaling::Yarn { factor, .. }) = spec.rope.scaling else { return Vec::new() };
        // The inverse of what is done when it is read.
        let score = spec.score_scale() / root_of_width(spec.head_dim);
        let log = (score.sqrt() - 1.0) / factor.ln();
        vec![("rope.scaling.yarn_log_multiplier", Value::F32(log))]
    }
}

fn root_of_width(head_dim: usize) -> f32 {
    #[expect(clippy::cast_possible_truncation, reason = "scores are in f32")]
    let scale = (1.0 / (head_dim as f64).sqrt()) as f32;
    scale
}

fn experts(config: &Config<'_>) -> Result<Option<Experts>, String> {
    let Some(count) = config.optional("n_routed_experts")? else { return Ok(None) };
    if config.optional("moe_layer_freq")?.unwrap_or(1) != 1 {
        return Err("config.json: not every layer has experts, which is not read".into());
    }
    // V3's config says how it chooses, or leaves it to the code that reads it.
    let third = config.text("topk_method") == Some("noaux_tc")
        || config.text("scoring_func") == Some("sigmoid")
        || config.text("model_type") == Some("deepseek_v3");
    let grouped = third || config.text("topk_method") == Some("group_limited_greedy");
    let groups = config.optional("n_group")?.filter(|count| grouped && *count > 1);
    let intermediate = config.number("moe_intermediate_size")?;
    let shared = config.optional("n_shared_experts")?.unwrap_or(0);
    Ok(Some(Experts {
        count,
        active: config.number("num_experts_per_tok")?,
        intermediate,
        shared_intermediate: shared.saturating_mul(intermediate),
        dense_layers: config.optional("first_k_dense_replace")?.unwrap_or(0),
        scores: if third { Scores::Sigmoid } else { Scores::Softmax },
        corrected: third,
        normalised: config.flag("norm_topk_prob"),
        scale: config.single("routed_scaling_factor")?.unwrap_or(1.0),
        groups: match groups {
            None => None,
            Some(count) => {
                Some(Groups { count, kept: config.number("topk_group")?, by_best_two: third })
            }
        },
        biases: false,
    }))
}
