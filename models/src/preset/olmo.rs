//! `OLMo` 2 of the Allen Institute for AI.

use super::Preset;

const OLMO2: Preset = Preset {
    licence: "Apache-2.0",
    released: "2024-11-26",
    architecture: "Olmo2ForCausalLM",
    shared: r#"{"vocab_size": 100352, "max_position_embeddings": 4096, "rms_norm_eps": 1e-6,
        "rope_theta": 500000, "tie_word_embeddings": false}"#,
    ..Preset::NONE
};

pub(super) const MODELS: &[Preset] = &[
    Preset {
        name: "olmo-2-1b",
        aliases: &["olmo2-1b"],
        source: "allenai/OLMo-2-0425-1B",
        released: "2025-05",
        own: r#"{"hidden_size": 2048, "intermediate_size": 8192, "num_hidden_layers": 16,
            "num_attention_heads": 16, "num_key_value_heads": 16}"#,
        ..OLMO2
    },
    Preset {
        name: "olmo-2-7b",
        aliases: &["olmo2-7b"],
        source: "allenai/OLMo-2-1124-7B",
        own: r#"{"hidden_size": 4096, "intermediate_size": 11008, "num_hidden_layers": 32,
            "num_attention_heads": 32, "num_key_value_heads": 32}"#,
        ..OLMO2
    },
    Preset {
        name: "olmo-2-13b",
        aliases: &["olmo2-13b"],
        source: "allenai/OLMo-2-1124-13B",
        own: r#"{"hidden_size": 5120, "intermediate_size": 13824, "num_hidden_layers": 40,
            "num_attention_heads": 40, "num_key_value_heads": 40}"#,
        ..OLMO2
    },
    Preset {
        name: "olmo-2-32b",
        aliases: &["olmo2-32b"],
        source: "allenai/OLMo-2-0325-32B",
        released: "2025-03-13",
        own: r#"{"hidden_size": 5120, "intermediate_size": 27648, "num_hidden_layers": 64,
            "num_attention_heads": 40, "num_key_value_heads": 8}"#,
        ..OLMO2
    },
];
