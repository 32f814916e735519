//! gpt-oss of `OpenAI`.

use super::Preset;

const GPT_OSS: Preset = Preset {
    licence: "Apache-2.0",
    released: "2025-08-05",
    architecture: "GptOssForCausalLM",
    shared: r#"{"vocab_size": 201088, "max_position_embeddings": 131072, "rms_norm_eps": 1e-5,
        "hidden_size": 2880, "intermediate_size": 2880, "num_attention_heads": 64,
        "num_key_value_heads": 8, "head_dim": 64, "num_experts_per_tok": 4,
        "sliding_window": 128, "attention_bias": true, "tie_word_embeddings": false,
        "rope_theta": 150000,
        "rope_scaling": {"rope_type": "yarn", "factor": 32.0, "beta_fast": 32.0, "beta_slow": 1.0,
            "original_max_position_embeddings": 4096, "truncate": false}}"#,
    ..Preset::NONE
};

pub(super) const MODELS: &[Preset] = &[
    Preset {
        name: "gpt-oss-20b",
        source: "openai/gpt-oss-20b",
        own: r#"{"num_hidden_layers": 24, "num_local_experts": 32}"#,
        ..GPT_OSS
    },
    Preset {
        name: "gpt-oss-120b",
        source: "openai/gpt-oss-120b",
        own: r#"{"num_hidden_layers": 36, "num_local_experts": 128}"#,
        ..GPT_OSS
    },
];
