//! Mistral and Mixtral of Mistral AI.

use super::Preset;

const MISTRAL: Preset = Preset {
    licence: "Apache-2.0",
    architecture: "MistralForCausalLM",
    shared: r#"{"rms_norm_eps": 1e-5, "num_key_value_heads": 8, "head_dim": 128,
        "sliding_window": null, "tie_word_embeddings": false}"#,
    ..Preset::NONE
};

const MIXTRAL: Preset = Preset {
    architecture: "MixtralForCausalLM",
    shared: r#"{"vocab_size": 32000, "rms_norm_eps": 1e-5, "rope_theta": 1000000,
        "num_key_value_heads": 8, "num_local_experts": 8, "num_experts_per_tok": 2,
        "sliding_window": null, "tie_word_embeddings": false}"#,
    ..MISTRAL
};

pub(super) const MODELS: &[Preset] = &[
    Preset {
        name: "mistral-7b-v0.1",
        source: "mistralai/Mistral-7B-v0.1",
        released: "2023-09-27",
        own: r#"{"hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 32,
            "num_attention_heads": 32, "vocab_size": 32000, "max_position_embeddings": 32768,
            "rope_theta": 10000, "sliding_window": 4096}"#,
        ..MISTRAL
    },
    Preset {
        name: "mistral-7b-v0.3",
        aliases: &["mistral-7b", "mistral-7b-instruct-v0.3"],
        source: "mistralai/Mistral-7B-v0.3",
        released: "2024-05-22",
        own: r#"{"hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 32,
            "num_attention_heads": 32, "vocab_size": 32768, "max_position_embeddings": 32768,
            "rope_theta": 1000000}"#,
        ..MISTRAL
    },
    Preset {
        name: "mistral-nemo-12b",
        aliases: &["mistral-nemo"],
        source: "mistralai/Mistral-Nemo-Instruct-2407",
        released: "2024-07-18",
        own: r#"{"hidden_size": 5120, "intermediate_size": 14336, "num_hidden_layers": 40,
            "num_attention_heads": 32, "vocab_size": 131072, "max_position_embeddings": 131072,
            "rope_theta": 1000000}"#,
        ..MISTRAL
    },
    // The part that reads text: its config.json has it in `text_config`.
    Preset {
        name: "mistral-small-3.1-24b",
        aliases: &["mistral-small-3.1"],
        source: "mistralai/Mistral-Small-3.1-24B-Instruct-2503",
        released: "2025-03-17",
        architecture: "Mistral3ForConditionalGeneration",
        own: r#"{"hidden_size": 5120, "intermediate_size": 32768, "num_hidden_layers": 40,
            "num_attention_heads": 32, "vocab_size": 131072, "max_position_embeddings": 131072,
            "rope_theta": 1000000000}"#,
        ..MISTRAL
    },
    Preset {
        name: "mixtral-8x7b",
        source: "mistralai/Mixtral-8x7B-v0.1",
        released: "2023-12-11",
        own: r#"{"hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 32,
            "num_attention_heads": 32, "max_position_embeddings": 32768}"#,
        ..MIXTRAL
    },
    Preset {
        name: "mixtral-8x22b",
        source: "mistralai/Mixtral-8x22B-v0.1",
        released: "2024-04-17",
        own: r#"{"hidden_size": 6144, "intermediate_size": 16384, "num_hidden_layers": 56,
            "num_attention_heads": 48, "max_position_embeddings": 65536}"#,
        ..MIXTRAL
    },
];
