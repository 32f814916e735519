//! Llama of Meta, and `TinyLlama`, which is built like Llama 2.

use super::Preset;

const LLAMA2: Preset = Preset {
    licence: "Llama 2 Community",
    released: "2023-07-18",
    architecture: "LlamaForCausalLM",
    shared: r#"{"vocab_size": 32000, "max_position_embeddings": 4096, "rms_norm_eps": 1e-5,
        "rope_theta": 10000, "tie_word_embeddings": false}"#,
    ..Preset::NONE
};

const LLAMA3: Preset = Preset {
    licence: "Llama 3 Community",
    released: "2024-04-18",
    shared: r#"{"vocab_size": 128256, "max_position_embeddings": 8192, "rms_norm_eps": 1e-5,
        "rope_theta": 500000, "num_key_value_heads": 8, "tie_word_embeddings": false}"#,
    ..LLAMA2
};

/// Llama 3.1, and what is distilled into it.
pub(super) const LLAMA3_1: Preset = Preset {
    licence: "Llama 3.1 Community",
    released: "2024-07-23",
    shared: r#"{"vocab_size": 128256, "max_position_embeddings": 131072, "rms_norm_eps": 1e-5,
        "rope_theta": 500000, "num_key_value_heads": 8, "tie_word_embeddings": false,
        "rope_scaling": {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0,
            "high_freq_factor": 4.0, "original_max_position_embeddings": 8192}}"#,
    ..LLAMA2
};

const LLAMA3_2: Preset = Preset {
    licence: "Llama 3.2 Community",
    released: "2024-09-25",
    shared: r#"{"vocab_size": 128256, "max_position_embeddings": 131072, "rms_norm_eps": 1e-5,
        "rope_theta": 500000, "num_key_value_heads": 8, "tie_word_embeddings": true,
        "rope_scaling": {"rope_type": "llama3", "factor": 32.0, "low_freq_factor": 1.0,
            "high_freq_factor": 4.0, "original_max_position_embeddings": 8192}}"#,
    ..LLAMA2
};

pub(super) const OWN_8B: &str = r#"{"hidden_size": 4096, "intermediate_size": 14336,
    "num_hidden_layers": 32, "num_attention_heads": 32}"#;

pub(super) const OWN_70B: &str = r#"{"hidden_size": 8192, "intermediate_size": 28672,
    "num_hidden_layers": 80, "num_attention_heads": 64}"#;

pub(super) const MODELS: &[Preset] = &[
    Preset {
        name: "tinyllama-1.1b",
        aliases: &["tinyllama"],
        source: "TinyLlama/TinyLlama-1.1B-Chat-v1.0",
        licence: "Apache-2.0",
        released: "2023-12",
        own: r#"{"hidden_size": 2048, "intermediate_size": 5632, "num_hidden_layers": 22,
            "num_attention_heads": 32, "num_key_value_heads": 4,
            "max_position_embeddings": 2048}"#,
        ..LLAMA2
    },
    Preset {
        name: "llama-2-7b",
        aliases: &["llama2-7b"],
        source: "meta-llama/Llama-2-7b-hf",
        own: r#"{"hidden_size": 4096, "intermediate_size": 11008, "num_hidden_layers": 32,
            "num_attention_heads": 32, "num_key_value_heads": 32}"#,
        ..LLAMA2
    },
    Preset {
        name: "llama-2-13b",
        aliases: &["llama2-13b"],
        source: "meta-llama/Llama-2-13b-hf",
        own: r#"{"hidden_size": 5120, "intermediate_size": 13824, "num_hidden_layers": 40,
            "num_attention_heads": 40, "num_key_value_heads": 40}"#,
        ..LLAMA2
    },
    Preset {
        name: "llama-2-70b",
        aliases: &["llama2-70b"],
        source: "meta-llama/Llama-2-70b-hf",
        own: r#"{"hidden_size": 8192, "intermediate_size": 28672, "num_hidden_layers": 80,
            "num_attention_heads": 64, "num_key_value_heads": 8}"#,
        ..LLAMA2
    },
    Preset {
        name: "llama-3-8b",
        aliases: &["llama3-8b"],
        source: "meta-llama/Meta-Llama-3-8B",
        own: OWN_8B,
        ..LLAMA3
    },
    Preset {
        name: "llama-3-70b",
        aliases: &["llama3-70b"],
        source: "meta-llama/Meta-Llama-3-70B",
        own: OWN_70B,
        ..LLAMA3
    },
    Preset {
        name: "llama-3.1-8b",
        aliases: &["llama3.1-8b", "llama-3.1-8b-instruct", "meta-llama-3.1-8b"],
        source: "meta-llama/Llama-3.1-8B",
        own: OWN_8B,
        ..LLAMA3_1
    },
    Preset {
        name: "llama-3.1-70b",
        aliases: &["llama3.1-70b", "llama-3.1-70b-instruct", "meta-llama-3.1-70b"],
        source: "meta-llama/Llama-3.1-70B",
        own: OWN_70B,
        ..LLAMA3_1
    },
    Preset {
        name: "llama-3.1-405b",
        aliases: &["llama3.1-405b", "llama-3.1-405b-instruct", "meta-llama-3.1-405b"],
        source: "meta-llama/Llama-3.1-405B",
        own: r#"{"hidden_size": 16384, "intermediate_size": 53248, "num_hidden_layers": 126,
            "num_attention_heads": 128}"#,
        ..LLAMA3_1
    },
    Preset {
        name: "llama-3.2-1b",
        aliases: &["llama3.2-1b", "llama-3.2-1b-instruct"],
        source: "meta-llama/Llama-3.2-1B",
        own: r#"{"hidden_size": 2048, "intermediate_size": 8192, "num_hidden_layers": 16,
            "num_attention_heads": 32, "head_dim": 64}"#,
        ..LLAMA3_2
    },
    Preset {
        name: "llama-3.2-3b",
        aliases: &["llama3.2-3b", "llama-3.2-3b-instruct"],
        source: "meta-llama/Llama-3.2-3B",
        own: r#"{"hidden_size": 3072, "intermediate_size": 8192, "num_hidden_layers": 28,
            "num_attention_heads": 24, "head_dim": 128}"#,
        ..LLAMA3_2
    },
    Preset {
        name: "llama-3.3-70b",
        aliases: &["llama3.3-70b"],
        source: "meta-llama/Llama-3.3-70B-Instruct",
        licence: "Llama 3.3 Community",
        released: "2024-12-06",
        own: OWN_70B,
        ..LLAMA3_1
    },
];
