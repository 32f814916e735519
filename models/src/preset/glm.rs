//! GLM of Z.ai (formerly THUDM).

use super::Preset;

const GLM4: Preset = Preset {
    licence: "MIT",
    released: "2025-04-14",
    architecture: "Glm4ForCausalLM",
    shared: r#"{"vocab_size": 151552, "max_position_embeddings": 32768, "rms_norm_eps": 1e-5,
        "rope_theta": 10000, "partial_rotary_factor": 0.5, "num_key_value_heads": 2,
        "head_dim": 128, "tie_word_embeddings": false}"#,
    ..Preset::NONE
};

pub(super) const MODELS: &[Preset] = &[
    Preset {
        name: "glm-4-9b",
        source: "zai-org/glm-4-9b-hf",
        licence: "GLM-4",
        released: "2024-06-05",
        architecture: "GlmForCausalLM",
        own: r#"{"hidden_size": 4096, "intermediate_size": 13696, "num_hidden_layers": 40,
            "num_attention_heads": 32, "attention_bias": true, "rms_norm_eps": 1.5625e-7,
            "max_position_embeddings": 8192}"#,
        ..GLM4
    },
    Preset {
        name: "glm-4-9b-0414",
        source: "zai-org/GLM-4-9B-0414",
        own: r#"{"hidden_size": 4096, "intermediate_size": 13696, "num_hidden_layers": 40,
            "num_attention_heads": 32, "attention_bias": true}"#,
        ..GLM4
    },
    Preset {
        name: "glm-4-32b-0414",
        aliases: &["glm-4-32b"],
        source: "zai-org/GLM-4-32B-0414",
        own: r#"{"hidden_size": 6144, "intermediate_size": 23040, "num_hidden_layers": 61,
            "num_attention_heads": 48, "attention_bias": false}"#,
        ..GLM4
    },
];
