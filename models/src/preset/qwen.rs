//! Qwen of Alibaba.

use super::Preset;

/// As the instructed models have it: their config.json names the context without `YaRN`.
const QWEN2_5: Preset = Preset {
    licence: "Apache-2.0",
    released: "2024-09-19",
    architecture: "Qwen2ForCausalLM",
    shared: r#"{"vocab_size": 152064, "max_position_embeddings": 32768, "rms_norm_eps": 1e-6,
        "rope_theta": 1000000, "use_sliding_window": false, "tie_word_embeddings": false}"#,
    ..Preset::NONE
};

const QWEN3: Preset = Preset {
    licence: "Apache-2.0",
    released: "2025-04-29",
    architecture: "Qwen3ForCausalLM",
    shared: r#"{"vocab_size": 151936, "max_position_embeddings": 40960, "rms_norm_eps": 1e-6,
        "rope_theta": 1000000, "head_dim": 128, "attention_bias": false,
        "use_sliding_window": false, "tie_word_embeddings": false}"#,
    ..Preset::NONE
};

const QWEN3_MOE: Preset = Preset {
    architecture: "Qwen3MoeForCausalLM",
    shared: r#"{"vocab_size": 151936, "max_position_embeddings": 40960, "rms_norm_eps": 1e-6,
        "rope_theta": 1000000, "head_dim": 128, "num_key_value_heads": 4, "num_experts": 128,
        "num_experts_per_tok": 8, "norm_topk_prob": true, "decoder_sparse_step": 1,
        "mlp_only_layers": [], "attention_bias": false, "use_sliding_window": false,
        "tie_word_embeddings": false}"#,
    ..QWEN3
};

pub(super) const MODELS: &[Preset] = &[
    Preset {
        name: "qwen2.5-0.5b",
        source: "Qwen/Qwen2.5-0.5B-Instruct",
        own: r#"{"hidden_size": 896, "intermediate_size": 4864, "num_hidden_layers": 24,
            "num_attention_heads": 14, "num_key_value_heads": 2, "vocab_size": 151936,
            "tie_word_embeddings": true}"#,
        ..QWEN2_5
    },
    Preset {
        name: "qwen2.5-1.5b",
        source: "Qwen/Qwen2.5-1.5B-Instruct",
        own: r#"{"hidden_size": 1536, "intermediate_size": 8960, "num_hidden_layers": 28,
            "num_attention_heads": 12, "num_key_value_heads": 2, "vocab_size": 151936,
            "tie_word_embeddings": true}"#,
        ..QWEN2_5
    },
    Preset {
        name: "qwen2.5-3b",
        source: "Qwen/Qwen2.5-3B-Instruct",
        licence: "Qwen Research",
        own: r#"{"hidden_size": 2048, "intermediate_size": 11008, "num_hidden_layers": 36,
            "num_attention_heads": 16, "num_key_value_heads": 2, "vocab_size": 151936,
            "tie_word_embeddings": true}"#,
        ..QWEN2_5
    },
    Preset {
        name: "qwen2.5-7b",
        source: "Qwen/Qwen2.5-7B-Instruct",
        own: r#"{"hidden_size": 3584, "intermediate_size": 18944, "num_hidden_layers": 28,
            "num_attention_heads": 28, "num_key_value_heads": 4}"#,
        ..QWEN2_5
    },
    Preset {
        name: "qwen2.5-14b",
        source: "Qwen/Qwen2.5-14B-Instruct",
        own: r#"{"hidden_size": 5120, "intermediate_size": 13824, "num_hidden_layers": 48,
            "num_attention_heads": 40, "num_key_value_heads": 8}"#,
        ..QWEN2_5
    },
    Preset {
        name: "qwen2.5-32b",
        source: "Qwen/Qwen2.5-32B-Instruct",
        own: r#"{"hidden_size": 5120, "intermediate_size": 27648, "num_hidden_layers": 64,
            "num_attention_heads": 40, "num_key_value_heads": 8}"#,
        ..QWEN2_5
    },
    Preset {
        name: "qwen2.5-72b",
        source: "Qwen/Qwen2.5-72B-Instruct",
        licence: "Qwen",
        own: r#"{"hidden_size": 8192, "intermediate_size": 29568, "num_hidden_layers": 80,
            "num_attention_heads": 64, "num_key_value_heads": 8}"#,
        ..QWEN2_5
    },
    Preset {
        name: "qwen3-0.6b",
        source: "Qwen/Qwen3-0.6B",
        own: r#"{"hidden_size": 1024, "intermediate_size": 3072, "num_hidden_layers": 28,
            "num_attention_heads": 16, "num_key_value_heads": 8, "tie_word_embeddings": true}"#,
        ..QWEN3
    },
    Preset {
        name: "qwen3-1.7b",
        source: "Qwen/Qwen3-1.7B",
        own: r#"{"hidden_size": 2048, "intermediate_size": 6144, "num_hidden_layers": 28,
            "num_attention_heads": 16, "num_key_value_heads": 8, "tie_word_embeddings": true}"#,
        ..QWEN3
    },
    Preset {
        name: "qwen3-4b",
        source: "Qwen/Qwen3-4B",
        own: r#"{"hidden_size": 2560, "intermediate_size": 9728, "num_hidden_layers": 36,
            "num_attention_heads": 32, "num_key_value_heads": 8, "tie_word_embeddings": true}"#,
        ..QWEN3
    },
    Preset {
        name: "qwen3-8b",
        source: "Qwen/Qwen3-8B",
        own: r#"{"hidden_size": 4096, "intermediate_size": 12288, "num_hidden_layers": 36,
            "num_attention_heads": 32, "num_key_value_heads": 8}"#,
        ..QWEN3
    },
    Preset {
        name: "qwen3-14b",
        source: "Qwen/Qwen3-14B",
        own: r#"{"hidden_size": 5120, "intermediate_size": 17408, "num_hidden_layers": 40,
            "num_attention_heads": 40, "num_key_value_heads": 8}"#,
        ..QWEN3
    },
    Preset {
        name: "qwen3-32b",
        source: "Qwen/Qwen3-32B",
        own: r#"{"hidden_size": 5120, "intermediate_size": 25600, "num_hidden_layers": 64,
            "num_attention_heads": 64, "num_key_value_heads": 8}"#,
        ..QWEN3
    },
    Preset {
        name: "qwen3-30b-a3b",
        source: "Qwen/Qwen3-30B-A3B",
        own: r#"{"hidden_size": 2048, "intermediate_size": 6144, "moe_intermediate_size": 768,
            "num_hidden_layers": 48, "num_attention_heads": 32}"#,
        ..QWEN3_MOE
    },
    Preset {
        name: "qwen3-235b-a22b",
        source: "Qwen/Qwen3-235B-A22B",
        own: r#"{"hidden_size": 4096, "intermediate_size": 12288, "moe_intermediate_size": 1536,
            "num_hidden_layers": 94, "num_attention_heads": 64}"#,
        ..QWEN3_MOE
    },
];
