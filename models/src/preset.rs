//! Known models by name: their true shapes, for sizing and for dummy weights.

use crate::error::{ModelError, nearest};
use crate::spec::{ModelSpec, RopeScaling};

/// A named model's shape. Llama-shaped; other families bring their own file.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Preset {
    /// Name, as in `dummy:NAME`.
    pub name: &'static str,
    /// Repository the shape was read from.
    pub source: &'static str,
    /// Licence of the weights.
    pub licence: &'static str,
    hidden: usize,
    layers: usize,
    heads: usize,
    kv_heads: usize,
    intermediate: usize,
    vocab: usize,
    context: usize,
    tied: bool,
    rope_theta: f32,
    /// Factor of Llama 3's rope scaling; 0 without.
    rope_factor: f32,
    norm_eps: f64,
}

const SMOLLM2: Preset = Preset {
    name: "",
    source: "",
    licence: "Apache-2.0",
    hidden: 0,
    layers: 0,
    heads: 0,
    kv_heads: 0,
    intermediate: 0,
    vocab: 49_152,
    context: 8_192,
    tied: true,
    rope_theta: 100_000.0,
    rope_factor: 0.0,
    norm_eps: 1e-5,
};

const LLAMA3: Preset = Preset {
    licence: "Llama 3 Community",
    vocab: 128_256,
    context: 131_072,
    tied: false,
    rope_theta: 500_000.0,
    rope_factor: 8.0,
    kv_heads: 8,
    ..SMOLLM2
};

/// Every preset, smallest first.
pub const PRESETS: &[Preset] = &[
    Preset {
        name: "smollm2-135m",
        source: "HuggingFaceTB/SmolLM2-135M",
        hidden: 576,
        layers: 30,
        heads: 9,
        kv_heads: 3,
        intermediate: 1_536,
        ..SMOLLM2
    },
    Preset {
        name: "smollm2-360m",
        source: "HuggingFaceTB/SmolLM2-360M",
        hidden: 960,
        layers: 32,
        heads: 15,
        kv_heads: 5,
        intermediate: 2_560,
        ..SMOLLM2
    },
    Preset {
        name: "llama-3.2-1b",
        source: "meta-llama/Llama-3.2-1B",
        hidden: 2_048,
        layers: 16,
        heads: 32,
        intermediate: 8_192,
        tied: true,
        rope_factor: 32.0,
        ..LLAMA3
    },
    Preset {
        name: "smollm2-1.7b",
        source: "HuggingFaceTB/SmolLM2-1.7B",
        hidden: 2_048,
        layers: 24,
        heads: 32,
        kv_heads: 32,
        intermediate: 8_192,
        rope_theta: 130_000.0,
        ..SMOLLM2
    },
    Preset {
        name: "llama-3.2-3b",
        source: "meta-llama/Llama-3.2-3B",
        hidden: 3_072,
        layers: 28,
        heads: 24,
        intermediate: 8_192,
        tied: true,
        rope_factor: 32.0,
        ..LLAMA3
    },
    Preset {
        name: "llama-3.1-8b",
        source: "meta-llama/Llama-3.1-8B",
        hidden: 4_096,
        layers: 32,
        heads: 32,
        intermediate: 14_336,
        ..LLAMA3
    },
    Preset {
        name: "llama-3.1-70b",
        source: "meta-llama/Llama-3.1-70B",
        hidden: 8_192,
        layers: 80,
        heads: 64,
        intermediate: 28_672,
        ..LLAMA3
    },
];

impl Preset {
    /// The preset of that name, in any case.
    ///
    /// # Errors
    /// [`ModelError::UnknownPreset`] with the nearest names.
    pub fn find(name: &str) -> Result<Self, ModelError> {
        let lower = name.to_ascii_lowercase();
        PRESETS.iter().find(|preset| preset.name == lower).copied().ok_or_else(|| {
            ModelError::UnknownPreset {
                name: name.to_owned(),
                nearest: nearest(&lower, PRESETS.iter().map(|preset| preset.name)),
            }
        })
    }

    /// Its shape.
    #[must_use]
    pub fn spec(&self) -> ModelSpec {
        ModelSpec {
            architecture: "llama".into(),
            hidden: self.hidden,
            layers: self.layers,
            heads: self.heads,
            kv_heads: self.kv_heads,
            head_dim: self.hidden / self.heads,
            intermediate: self.intermediate,
            vocab: self.vocab,
            context: self.context,
            tied_embeddings: self.tied,
            rope_theta: self.rope_theta,
            rope_scaling: (self.rope_factor > 0.0).then_some(RopeScaling {
                factor: self.rope_factor,
                low_freq_factor: 1.0,
                high_freq_factor: 4.0,
                original_context: 8_192,
            }),
            norm_eps: self.norm_eps,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typo_is_answered_with_the_nearest_names() {
        let error = Preset::find("smolm2-135").unwrap_err().to_string();
        assert!(error.contains("nearest: smollm2-135m"), "{error}");
    }

    #[test]
    fn every_preset_makes_sense() {
        for preset in PRESETS {
            preset.spec().validate().unwrap();
            assert_eq!(preset.spec().head_dim * preset.heads, preset.hidden, "{}", preset.name);
        }
    }
}
