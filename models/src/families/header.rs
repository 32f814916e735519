//! The header of a GGUF: what most families have in common.

use crate::source::gguf::GgufFile;
use crate::spec::{
    Experts, Groups, Latent, LayerSet, MOST_LAYERS, ModelSpec, QkNorm, Rope, RopeScaling, Scores,
    long_rope_magnitude, yarn_magnitude,
};
use candle_core::quantized::GgmlDType;
use candle_core::quantized::gguf_file::Value;

/// Numbers of the longest table that is read: a divisor for each pair of columns.
const LONGEST_TABLE: usize = 1 << 14;

/// A GGUF's header, and its small tensors where asked for.
pub(crate) struct Header<'a> {
    pub(crate) file: &'a GgufFile,
}

impl Header<'_> {
    /// `general.architecture`, which most keys begin with.
    pub(super) fn architecture(&self) -> &str {
        let value = self.file.metadata.get("general.architecture");
        value.and_then(|value| value.to_string().ok()).map_or("", String::as_str)
    }

    fn get(&self, key: &str) -> Option<(String, &Value)> {
        let key = format!("{}.{key}", self.architecture());
        self.file.metadata.get(&key).map(|value| (key, value))
    }

    /// A whole number that may be there.
    pub(super) fn optional(&self, key: &str) -> Result<Option<usize>, String> {
        let Some((key, value)) = self.get(key) else { return Ok(None) };
        let number = match value {
            // Keys of one number a layer: where all are the same, that is the number.
            Value::Array(all) => match all.first() {
                Some(first) if all.iter().all(|other| same(first, other)) => first.to_u64().ok(),
                _ => return Err(format!("{key} differs from layer to layer, which is not read")),
            },
            Value::I32(number) => u64::try_from(*number).ok(),
            Value::I64(number) => u64::try_from(*number).ok(),
            _ => value.to_u64().ok(),
        };
        let number = number.ok_or_else(|| format!("{key} is no whole number"))?;
        usize::try_from(number).map(Some).map_err(|_| format!("{key} is {number}"))
    }

    /// A whole number that must be there.
    pub(super) fn number(&self, key: &str) -> Result<usize, String> {
        let missing = || format!("{}.{key} is missing", self.architecture());
        self.optional(key)?.ok_or_else(missing)
    }

    /// A number that may be there, whole or not.
    pub(super) fn real(&self, key: &str) -> Result<Option<f32>, String> {
        let Some((key, value)) = self.get(key) else { return Ok(None) };
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_precision_loss,
            reason = "engines compute in f32"
        )]
        let real = match value {
            Value::F64(real) => Some(*real as f32),
            Value::F32(real) => Some(*real),
            _ => number(value).map(|whole| whole as f32),
        };
        let real = real.filter(|real| real.is_finite());
        real.map(Some).ok_or_else(|| format!("{key} is no number"))
    }

    pub(super) fn flag(&self, key: &str) -> Option<bool> {
        self.get(key).and_then(|(_, value)| value.to_bool().ok())
    }

    /// Whether the file has a tensor.
    pub(super) fn has(&self, name: &str) -> bool {
        self.file.tensors.contains_key(name)
    }

    /// The numbers of a small tensor in f32, if it is there.
    fn numbers(&self, name: &str) -> Result<Option<Vec<f32>>, String> {
        let Some((dtype, shape)) = self.file.info(name) else { return Ok(None) };
        let count: usize = shape.iter().product();
        if dtype != GgmlDType::F32 || count > LONGEST_TABLE {
            return Err(format!("the tensor {name} is no short table in f32"));
        }
        let mut bytes = vec![0; 4 * count];
        self.file.read(name, 0, &mut bytes).map_err(|error| error.to_string())?;
        Ok(Some(bytes.as_chunks().0.iter().map(|four| f32::from_le_bytes(*four)).collect()))
    }

    /// The shape, with everything that keys of every family say.
    pub(super) fn base(&self, family: &str) -> Result<ModelSpec, String> {
        let mut spec = ModelSpec::llama(family);
        spec.hidden = self.number("embedding_length")?;
        spec.layers = self.number("block_count")?;
        if spec.layers > MOST_LAYERS {
            return Err(format!("{}.block_count is {}", self.architecture(), spec.layers));
        }
        // Layers at the end that only drafting uses.
        spec.layers -= self.optional("nextn_predict_layers")?.unwrap_or(0).min(spec.layers);
        spec.heads = self.number("attention.head_count")?;
        spec.kv_heads = self.optional("attention.head_count_kv")?.unwrap_or(spec.heads);
        spec.context = self.number("context_length")?;
        spec.intermediate = self.optional("feed_forward_length")?.unwrap_or(0);
        spec.head_dim = match self.optional("attention.key_length")? {
            Some(width) => width,
            None if spec.heads > 0 && spec.hidden.is_multiple_of(spec.heads) => {
                spec.hidden / spec.heads
            }
            None => {
                let (heads, hidden) = (spec.heads, spec.hidden);
                return Err(format!("{heads} heads do not divide a hidden size of {hidden}"));
            }
        };
        let embedding = self.file.info("token_embd.weight");
        let (_, shape) = embedding.ok_or("the tensor token_embd.weight is missing")?;
        spec.vocab = shape.first().copied().unwrap_or(0);
        spec.tied_embeddings = !self.has("output.weight");
        let key = "attention.layer_norm_rms_epsilon";
        let epsilon = self.real(key)?;
        spec.norm_eps =
            f64::from(epsilon.ok_or_else(|| format!("{}.{key} is missing", self.architecture()))?);
        spec.qkv_bias = self.has("blk.0.attn_q.bias") || self.has("blk.0.attn_qkv.bias");
        spec.output_bias = self.has("blk.0.attn_output.bias");
        spec.sinks = self.has("blk.0.attn_sinks.weight");
        if self.has("blk.0.attn_q_norm.weight") {
            spec.qk_norm = QkNorm::Heads;
        }
        self.windows_and_scales(&mut spec)?;
        spec.experts = self.experts()?;
        if let (0, Some(experts)) = (spec.intermediate, &spec.experts) {
            spec.intermediate = experts.intermediate;
        }
        spec.latent = self.latent(&mut spec)?;
        spec.rope = self.rope(spec.rope.width.max(spec.head_dim), spec.context)?;
        if let Some(latent) = spec.latent {
            spec.head_dim = latent.still.saturating_add(spec.rope.width);
        }
        Ok(spec)
    }

    fn windows_and_scales(&self, spec: &mut ModelSpec) -> Result<(), String> {
        if self.get("rope.dimension_sections").is_some() {
            return Err("its rotary positions have several senses, which are not read".into());
        }
        let window = self.optional("attention.sliding_window")?;
        spec.window = window.filter(|window| *window > 0);
        if spec.window.is_some() {
            spec.windowed = LayerSet::All;
        }
        spec.attention_scale = self.real("attention.scale")?.filter(|scale| *scale != 0.0);
        spec.attention_softcap = self.real("attn_logit_softcapping")?;
        spec.logit_softcap = self.real("final_logit_softcapping")?;
        Ok(())
    }

    fn experts(&self) -> Result<Option<Experts>, String> {
        let count = self.optional("expert_count")?.unwrap_or(0);
        if count == 0 {
            return Ok(None);
        }
        let own = self.optional("expert_feed_forward_length")?;
        let intermediate = match own {
            Some(width) => width,
            None => self.number("feed_forward_length")?,
        };
        let shared = self.optional("expert_shared_feed_forward_length")?;
        let shared_count = self.optional("expert_shared_count")?.unwrap_or(0);
        let groups = self.optional("expert_group_count")?.filter(|count| *count > 1);
        let scores = match self.optional("expert_gating_func")? {
            None | Some(0 | 1) => Scores::Softmax,
            Some(2) => Scores::Sigmoid,
            Some(other) => {
                return Err(format!("experts are chosen in a way that is not read: {other}"));
            }
        };
        Ok(Some(Experts {
            count,
            active: self.number("expert_used_count")?,
            intermediate,
            shared_intermediate: shared.unwrap_or(shared_count.saturating_mul(intermediate)),
            dense_layers: self.optional("leading_dense_block_count")?.unwrap_or(0),
            scores,
            corrected: self.file.tensors.keys().any(|name| name.contains("exp_probs_b")),
            normalised: self.flag("expert_weights_norm").unwrap_or(true),
            scale: self.real("expert_weights_scale")?.filter(|scale| *scale != 0.0).unwrap_or(1.0),
            groups: match groups {
                None => None,
                Some(count) => Some(Groups {
                    count,
                    kept: self.number("expert_group_used_count")?,
                    by_best_two: scores == Scores::Sigmoid,
                }),
            },
            biases: self.file.tensors.keys().any(|name| name.ends_with("exps.bias")),
        }))
    }

    /// Latent attention; says in `spec` how many columns turn and how many heads there really are.
    fn latent(&self, spec: &mut ModelSpec) -> Result<Option<Latent>, String> {
        let Some(rank) = self.optional("attention.kv_lora_rank")? else { return Ok(None) };
        let turning = self.number("rope.dimension_count")?;
        // Since 2025 key_length speaks of the shortened vectors, and these of the heads.
        let head = match self.optional("attention.key_length_mla")? {
            Some(width) => width,
            None => self.number("attention.key_length")?,
        };
        let value = match self.optional("attention.value_length_mla")? {
            Some(width) => width,
            None => self.number("attention.value_length")?,
        };
        if head <= turning {
            return Err(format!("{turning} of {head} columns of a head turn"));
        }
        spec.kv_heads = spec.heads;
        spec.rope.width = turning;
        let query_rank = self.optional("attention.q_lora_rank")?.filter(|rank| *rank > 0);
        Ok(Some(Latent { query_rank, rank, still: head - turning, value }))
    }

    fn rope(&self, head_dim: usize, context: usize) -> Result<Rope, String> {
        let theta = self.real("rope.freq_base")?.unwrap_or(10_000.0);
        let width = self.optional("rope.dimension_count")?.unwrap_or(head_dim);
        Ok(Rope { theta, width, scaling: self.rope_scaling(context)? })
    }

    fn rope_scaling(&self, context: usize) -> Result<Option<RopeScaling>, String> {
        if let Some(divisors) = self.numbers("rope_freqs.weight")? {
            return Ok(Some(RopeScaling::Divisors(divisors)));
        }
        let original = self.optional("rope.scaling.original_context_length")?;
        let short = self.numbers("rope_factors_short.weight")?;
        let long = self.numbers("rope_factors_long.weight")?;
        if let (Some(short), Some(long), Some(original_context)) = (short, long, original) {
            let given = self.real("rope.scaling.attn_factor")?;
            let magnitude = given.unwrap_or_else(|| long_rope_magnitude(context, original_context));
            return Ok(Some(RopeScaling::LongRope { short, long, original_context, magnitude }));
        }
        let kind = self.get("rope.scaling.type").and_then(|(_, kind)| kind.to_string().ok());
        // Files of 2023 have a key of their own, or no type.
        let old = self.real("rope.scale_linear")?;
        let factor = self.real("rope.scaling.factor")?.or(old).filter(|factor| *factor > 0.0);
        let stretched = factor.is_some_and(|factor| (factor - 1.0).abs() > f32::EPSILON);
        match (kind.map(String::as_str), factor) {
            (Some("none"), _) => Ok(None),
            (None, _) if !stretched => Ok(None),
            (None | Some("linear"), Some(factor)) => Ok(Some(RopeScaling::Linear { factor })),
            (Some("yarn"), Some(factor)) => Ok(Some(RopeScaling::Yarn {
                factor,
                original_context: original.unwrap_or(context),
                beta_fast: self.real("rope.scaling.yarn_beta_fast")?.unwrap_or(32.0),
                beta_slow: self.real("rope.scaling.yarn_beta_slow")?.unwrap_or(1.0),
                truncate: true,
                magnitude: yarn_magnitude(factor, 1.0),
            })),
            (kind, _) => Err(format!(
                "its rotary positions are scaled in the way {kind:?}, which is not read"
            )),
        }
    }
}

fn same(a: &Value, b: &Value) -> bool {
    matches!((number(a), number(b)), (Some(a), Some(b)) if a == b)
}

fn number(value: &Value) -> Option<i64> {
    match value {
        Value::I32(number) => Some(i64::from(*number)),
        Value::I64(number) => Some(*number),
        _ => value.to_u64().ok().and_then(|number| i64::try_from(number).ok()),
    }
}
