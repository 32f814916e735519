//! The rotary positions of a config.json: `rope_theta` and `rope_scaling`, or since transformers 5
//! `rope_parameters`, which may differ by the type of layer.

use super::Config;
use crate::spec::{Rope, RopeScaling, long_rope_magnitude, yarn_magnitude};
use serde_json::Value;

/// Reads the rotary positions.
pub(super) fn read(
    config: &Config<'_>,
    head_dim: usize,
    context: usize,
    layer_type: Option<&str>,
) -> Result<Rope, String> {
    let parameters = config.get("rope_parameters").map(|all| {
        // By the type of layer, or one for all.
        layer_type
            .and_then(|kind| all.get(kind))
            .or_else(|| all.get("full_attention"))
            .unwrap_or(all)
    });
    let scaling = parameters.or_else(|| config.get("rope_scaling"));
    let scaling = scaling.map(|json| Scaling { json, config, context });
    let own = |key: &str| scaling.as_ref().and_then(|scaling| scaling.real(key).transpose());
    let theta = match own("rope_theta") {
        Some(theta) => theta?,
        None => config.single("rope_theta")?.unwrap_or(10_000.0),
    };
    let partial = match own("partial_rotary_factor") {
        Some(factor) => Some(factor?),
        None => config.single("partial_rotary_factor")?,
    };
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share of a small number of columns"
    )]
    let width = partial.map_or(head_dim, |factor| (head_dim as f32 * factor) as usize);
    let scaling = scaling.map(|scaling| scaling.read()).transpose()?.flatten();
    Ok(Rope { theta, width, scaling })
}

/// A `rope_scaling` or `rope_parameters`.
struct Scaling<'a> {
    json: &'a Value,
    config: &'a Config<'a>,
    context: usize,
}

impl Scaling<'_> {
    fn real(&self, key: &str) -> Result<Option<f32>, String> {
        let Some(value) = self.json.get(key).filter(|value| !value.is_null()) else {
            return Ok(None);
        };
        #[expect(clippy::cast_possible_truncation, reason = "tables are in f32")]
        let number = value.as_f64().map(|number| number as f32);
        let number = number.filter(|number| number.is_finite());
        number.map(Some).ok_or_else(|| format!("config.json: {key} of its rope is {value}"))
    }

    fn needed(&self, key: &str) -> Result<f32, String> {
        self.real(key)?.ok_or_else(|| {
            let kind = self.kind().unwrap_or_default();
            format!("config.json: rope_scaling lacks {key}, which rope_type {kind} needs")
        })
    }

    /// Its kind, by the name of today or of before 2024.
    fn kind(&self) -> Option<&str> {
        self.json.get("rope_type").or_else(|| self.json.get("type"))?.as_str()
    }

    /// The context of training: here, beside, or that of the model.
    fn original(&self) -> Result<usize, String> {
        let key = "original_max_position_embeddings";
        let own = self.json.get(key).and_then(Value::as_u64).and_then(|n| usize::try_from(n).ok());
        let original = own.or(self.config.optional(key)?).unwrap_or(self.context);
        if original < 2 {
            return Err(format!("config.json: {key} is {original}"));
        }
        Ok(original)
    }

    fn numbers(&self, key: &str) -> Result<Vec<f32>, String> {
        #[expect(clippy::cast_possible_truncation, reason = "tables are in f32")]
        let one = |value: &Value| value.as_f64().map(|number| number as f32);
        let list = self.json.get(key).and_then(Value::as_array);
        list.and_then(|list| list.iter().map(one).collect())
            .ok_or_else(|| format!("config.json: {key} of its rope is no list of numbers"))
    }

    fn read(&self) -> Result<Option<RopeScaling>, String> {
        if self.real("llama_4_scaling_beta")?.is_some_and(|beta| beta != 0.0) {
            return Err("config.json: queries grow with their position (llama_4_scaling_beta), which is not read".into());
        }
        let scaling = match self.kind() {
            None | Some("default") => return Ok(None),
            Some("linear") => RopeScaling::Linear { factor: self.needed("factor")? },
            Some("llama3") => RopeScaling::Llama3 {
                factor: self.needed("factor")?,
                low_freq_factor: self.needed("low_freq_factor")?,
                high_freq_factor: self.needed("high_freq_factor")?,
                original_context: self.original()?,
            },
            Some("yarn") => self.yarn()?,
            Some("longrope" | "su") => {
                let original_context = self.original()?;
                RopeScaling::LongRope {
                    short: self.numbers("short_factor")?,
                    long: self.numbers("long_factor")?,
                    original_context,
                    magnitude: match self.real("attention_factor")? {
                        Some(given) => given,
                        None => long_rope_magnitude(self.context, original_context),
                    },
                }
            }
            Some(other) => {
                return Err(format!("config.json: rope_type {other:?} is not supported"));
            }
        };
        Ok(Some(scaling))
    }

    fn yarn(&self) -> Result<RopeScaling, String> {
        let factor = self.needed("factor")?;
        let magnitude = match (self.real("attention_factor")?, self.mscales()?) {
            (Some(given), _) => given,
            (None, Some((one, all))) => yarn_magnitude(factor, one) / yarn_magnitude(factor, all),
            (None, None) => yarn_magnitude(factor, 1.0),
        };
        Ok(RopeScaling::Yarn {
            factor,
            original_context: self.original()?,
            beta_fast: self.real("beta_fast")?.unwrap_or(32.0),
            beta_slow: self.real("beta_slow")?.unwrap_or(1.0),
            truncate: self.json.get("truncate").and_then(Value::as_bool).unwrap_or(true),
            magnitude,
        })
    }

    /// `mscale` and `mscale_all_dim`, where both are given and not zero.
    fn mscales(&self) -> Result<Option<(f32, f32)>, String> {
        let given = |number: Option<f32>| number.filter(|number| *number != 0.0);
        let (one, all) = (given(self.real("mscale")?), given(self.real("mscale_all_dim")?));
        Ok(one.zip(all))
    }
}

/// What `DeepSeek` multiplies scores by beside one over the root of the head's width:
/// `yarn_magnitude(factor, mscale_all_dim)^2`.
pub(super) fn deepseek_score_factor(config: &Config<'_>) -> Result<f32, String> {
    let json = config.get("rope_parameters").or_else(|| config.get("rope_scaling"));
    let Some(json) = json else { return Ok(1.0) };
    let scaling = Scaling { json, config, context: 0 };
    match (scaling.kind(), scaling.real("factor")?, scaling.real("mscale_all_dim")?) {
        (Some("yarn"), Some(factor), Some(all)) if all != 0.0 => {
            Ok(yarn_magnitude(factor, all).powi(2))
        }
        _ => Ok(1.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rope(json: &Value) -> Result<Rope, String> {
        Config::new(json).rope(64, 8_192, None)
    }

    #[test]
    fn a_scaling_by_its_old_name_is_not_overlooked() {
        let old = serde_json::json!({"rope_scaling": {"type": "linear", "factor": 4.0}});
        assert_eq!(rope(&old).unwrap().scaling, Some(RopeScaling::Linear { factor: 4.0 }));
        let unknown = serde_json::json!({"rope_scaling": {"type": "dynamic", "factor": 4.0}});
        assert_eq!(
            rope(&unknown).unwrap_err(),
            "config.json: rope_type \"dynamic\" is not supported"
        );
        let lacking = serde_json::json!({"rope_scaling": {"rope_type": "llama3", "factor": 8.0}});
        assert_eq!(
            rope(&lacking).unwrap_err(),
            "config.json: rope_scaling lacks low_freq_factor, which rope_type llama3 needs"
        );
    }

    #[test]
    fn both_ways_of_writing_it_say_the_same() {
        let old = serde_json::json!({"rope_theta": 5e5, "partial_rotary_factor": 0.5});
        let new = serde_json::json!({"rope_parameters":
            {"rope_type": "default", "rope_theta": 5e5, "partial_rotary_factor": 0.5}});
        assert_eq!(rope(&old), rope(&new));
        assert_eq!(rope(&old).unwrap().width, 32);
    }
}
