//! Granite of IBM.

use super::Preset;

const GRANITE3_3: Preset = Preset {
    licence: "Apache-2.0",
    released: "2025-04-16",
    architecture: "GraniteForCausalLM",
    shared: r#"{"vocab_size": 49159, "max_position_embeddings": 131072, "rms_norm_eps": 1e-5,
        "rope_theta": 10000000, "num_hidden_layers": 40, "num_attention_heads": 32,
        "num_key_value_heads": 8, "embedding_multiplier": 12.0, "residual_multiplier": 0.22,
        "attention_bias": false, "tie_word_embeddings": true}"#,
    ..Preset::NONE
};

pub(super) const MODELS: &[Preset] = &[
    Preset {
        name: "granite-3.3-2b",
        source: "ibm-granite/granite-3.3-2b-instruct",
        own: r#"{"hidden_size": 2048, "intermediate_size": 8192,
            "attention_multiplier": 0.015625, "logits_scaling": 8.0}"#,
        ..GRANITE3_3
    },
    Preset {
        name: "granite-3.3-8b",
        source: "ibm-granite/granite-3.3-8b-instruct",
        own: r#"{"hidden_size": 4096, "intermediate_size": 12800,
            "attention_multiplier": 0.0078125, "logits_scaling": 16.0}"#,
        ..GRANITE3_3
    },
];
