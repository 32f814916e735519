//! Gemma of Google; of Gemma 3 the part that reads text, which the larger ones have in
//! `text_config`.

use super::Preset;

const GEMMA2: Preset = Preset {
    licence: "Gemma",
    released: "2024-06-27",
    architecture: "Gemma2ForCausalLM",
    shared: r#"{"vocab_size": 256000, "max_position_embeddings": 8192, "rms_norm_eps": 1e-6,
        "rope_theta": 10000, "sliding_window": 4096, "attn_logit_softcapping": 50.0,
        "final_logit_softcapping": 30.0, "tie_word_embeddings": true}"#,
    ..Preset::NONE
};

const GEMMA3: Preset = Preset {
    licence: "Gemma",
    released: "2025-03-12",
    architecture: "Gemma3ForConditionalGeneration",
    shared: r#"{"vocab_size": 262208, "max_position_embeddings": 131072, "rms_norm_eps": 1e-6,
        "rope_theta": 1000000, "rope_local_base_freq": 10000, "sliding_window": 1024,
        "sliding_window_pattern": 6, "tie_word_embeddings": true,
        "rope_scaling": {"rope_type": "linear", "factor": 8.0}}"#,
    ..Preset::NONE
};

/// Those that read text alone.
const GEMMA3_TEXT: Preset = Preset {
    architecture: "Gemma3ForCausalLM",
    shared: r#"{"vocab_size": 262144, "max_position_embeddings": 32768, "rms_norm_eps": 1e-6,
        "rope_theta": 1000000, "rope_local_base_freq": 10000, "sliding_window": 512,
        "sliding_window_pattern": 6, "tie_word_embeddings": true}"#,
    ..GEMMA3
};

pub(super) const MODELS: &[Preset] = &[
    Preset {
        name: "gemma-2-2b",
        aliases: &["gemma2-2b", "gemma-2-2b-it"],
        source: "google/gemma-2-2b",
        released: "2024-07-31",
        own: r#"{"hidden_size": 2304, "intermediate_size": 9216, "num_hidden_layers": 26,
            "num_attention_heads": 8, "num_key_value_heads": 4, "head_dim": 256,
            "query_pre_attn_scalar": 256}"#,
        ..GEMMA2
    },
    Preset {
        name: "gemma-2-9b",
        aliases: &["gemma2-9b", "gemma-2-9b-it"],
        source: "google/gemma-2-9b",
        own: r#"{"hidden_size": 3584, "intermediate_size": 14336, "num_hidden_layers": 42,
            "num_attention_heads": 16, "num_key_value_heads": 8, "head_dim": 256,
            "query_pre_attn_scalar": 256}"#,
        ..GEMMA2
    },
    Preset {
        name: "gemma-2-27b",
        aliases: &["gemma2-27b", "gemma-2-27b-it"],
        source: "google/gemma-2-27b",
        own: r#"{"hidden_size": 4608, "intermediate_size": 36864, "num_hidden_layers": 46,
            "num_attention_heads": 32, "num_key_value_heads": 16, "head_dim": 128,
            "query_pre_attn_scalar": 144}"#,
        ..GEMMA2
    },
    Preset {
        name: "gemma-3-270m",
        aliases: &["gemma3-270m", "gemma-3-270m-it"],
        source: "google/gemma-3-270m",
        released: "2025-08-14",
        own: r#"{"hidden_size": 640, "intermediate_size": 2048, "num_hidden_layers": 18,
            "num_attention_heads": 4, "num_key_value_heads": 1, "head_dim": 256,
            "query_pre_attn_scalar": 256}"#,
        ..GEMMA3_TEXT
    },
    Preset {
        name: "gemma-3-1b",
        aliases: &["gemma3-1b"],
        source: "google/gemma-3-1b-it",
        own: r#"{"hidden_size": 1152, "intermediate_size": 6912, "num_hidden_layers": 26,
            "num_attention_heads": 4, "num_key_value_heads": 1, "head_dim": 256,
            "query_pre_attn_scalar": 256}"#,
        ..GEMMA3_TEXT
    },
    Preset {
        name: "gemma-3-4b",
        aliases: &["gemma3-4b"],
        source: "google/gemma-3-4b-it",
        own: r#"{"hidden_size": 2560, "intermediate_size": 10240, "num_hidden_layers": 34,
            "num_attention_heads": 8, "num_key_value_heads": 4, "head_dim": 256,
            "query_pre_attn_scalar": 256}"#,
        ..GEMMA3
    },
    Preset {
        name: "gemma-3-12b",
        aliases: &["gemma3-12b"],
        source: "google/gemma-3-12b-it",
        own: r#"{"hidden_size": 3840, "intermediate_size": 15360, "num_hidden_layers": 48,
            "num_attention_heads": 16, "num_key_value_heads": 8, "head_dim": 256,
            "query_pre_attn_scalar": 256}"#,
        ..GEMMA3
    },
    Preset {
        name: "gemma-3-27b",
        aliases: &["gemma3-27b"],
        source: "google/gemma-3-27b-it",
        own: r#"{"hidden_size": 5376, "intermediate_size": 21504, "num_hidden_layers": 62,
            "num_attention_heads": 32, "num_key_value_heads": 16, "head_dim": 128,
            "query_pre_attn_scalar": 168}"#,
        ..GEMMA3
    },
];
