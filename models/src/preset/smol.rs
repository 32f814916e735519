//! `SmolLM` of Hugging Face.

use super::Preset;

const SMOLLM2: Preset = Preset {
    licence: "Apache-2.0",
    released: "2024-11-01",
    architecture: "LlamaForCausalLM",
    shared: r#"{"vocab_size": 49152, "max_position_embeddings": 8192, "rms_norm_eps": 1e-5,
        "rope_theta": 100000, "tie_word_embeddings": true}"#,
    ..Preset::NONE
};

pub(super) const MODELS: &[Preset] = &[
    Preset {
        name: "smollm2-135m",
        source: "HuggingFaceTB/SmolLM2-135M",
        own: r#"{"hidden_size": 576, "intermediate_size": 1536, "num_hidden_layers": 30,
            "num_attention_heads": 9, "num_key_value_heads": 3}"#,
        ..SMOLLM2
    },
    Preset {
        name: "smollm2-360m",
        source: "HuggingFaceTB/SmolLM2-360M",
        own: r#"{"hidden_size": 960, "intermediate_size": 2560, "num_hidden_layers": 32,
            "num_attention_heads": 15, "num_key_value_heads": 5}"#,
        ..SMOLLM2
    },
    Preset {
        name: "smollm2-1.7b",
        source: "HuggingFaceTB/SmolLM2-1.7B",
        own: r#"{"hidden_size": 2048, "intermediate_size": 8192, "num_hidden_layers": 24,
            "num_attention_heads": 32, "num_key_value_heads": 32, "rope_theta": 130000}"#,
        ..SMOLLM2
    },
    Preset {
        name: "smollm3-3b",
        aliases: &["smollm3"],
        source: "HuggingFaceTB/SmolLM3-3B",
        licence: "Apache-2.0",
        released: "2025-07-08",
        architecture: "SmolLM3ForCausalLM",
        own: r#"{"hidden_size": 2048, "intermediate_size": 11008, "num_hidden_layers": 36,
            "num_attention_heads": 16, "num_key_value_heads": 4, "vocab_size": 128256,
            "max_position_embeddings": 65536, "rms_norm_eps": 1e-6, "rope_theta": 5000000,
            "tie_word_embeddings": true, "no_rope_layer_interval": 4}"#,
        ..Preset::NONE
    },
];
