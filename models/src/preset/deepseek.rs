//! `DeepSeek`, and the models it distilled from R1 into others' shapes.

use super::Preset;
use super::llama::{LLAMA3_1, OWN_8B, OWN_70B};

const V2: Preset = Preset {
    licence: "DeepSeek",
    architecture: "DeepseekV2ForCausalLM",
    shared: r#"{"vocab_size": 102400, "max_position_embeddings": 163840, "rms_norm_eps": 1e-6,
        "rope_theta": 10000, "kv_lora_rank": 512, "qk_nope_head_dim": 128, "qk_rope_head_dim": 64,
        "v_head_dim": 128, "n_shared_experts": 2, "num_experts_per_tok": 6, "moe_layer_freq": 1,
        "first_k_dense_replace": 1, "norm_topk_prob": false, "scoring_func": "softmax",
        "tie_word_embeddings": false}"#,
    ..Preset::NONE
};

const V3: Preset = Preset {
    name: "deepseek-v3",
    source: "deepseek-ai/DeepSeek-V3",
    licence: "DeepSeek",
    released: "2024-12-26",
    architecture: "DeepseekV3ForCausalLM",
    own: r#"{"hidden_size": 7168, "intermediate_size": 18432, "num_hidden_layers": 61,
        "num_attention_heads": 128, "vocab_size": 129280, "max_position_embeddings": 163840,
        "rms_norm_eps": 1e-6, "rope_theta": 10000, "q_lora_rank": 1536, "kv_lora_rank": 512,
        "qk_nope_head_dim": 128, "qk_rope_head_dim": 64, "v_head_dim": 128,
        "moe_intermediate_size": 2048, "n_routed_experts": 256, "n_shared_experts": 1,
        "num_experts_per_tok": 8, "moe_layer_freq": 1, "first_k_dense_replace": 3, "n_group": 8,
        "topk_group": 4, "topk_method": "noaux_tc", "scoring_func": "sigmoid",
        "norm_topk_prob": true, "routed_scaling_factor": 2.5, "tie_word_embeddings": false,
        "rope_scaling": {"type": "yarn", "factor": 40, "beta_fast": 32, "beta_slow": 1,
            "mscale": 1.0, "mscale_all_dim": 1.0, "original_max_position_embeddings": 4096}}"#,
    ..Preset::NONE
};

/// R1 distilled into Qwen2.5, of Qwen2.5-Math the two smaller ones.
const INTO_QWEN: Preset = Preset {
    licence: "MIT",
    released: "2025-01-20",
    architecture: "Qwen2ForCausalLM",
    shared: r#"{"max_position_embeddings": 131072, "rms_norm_eps": 1e-6, "rope_theta": 10000,
        "vocab_size": 152064, "tie_word_embeddings": false, "use_sliding_window": false}"#,
    ..Preset::NONE
};

/// R1 distilled into Llama 3.
const INTO_LLAMA: Preset = Preset { released: "2025-01-20", ..LLAMA3_1 };

pub(super) const MODELS: &[Preset] = &[
    Preset {
        name: "deepseek-v2-lite",
        source: "deepseek-ai/DeepSeek-V2-Lite",
        released: "2024-05-16",
        own: r#"{"hidden_size": 2048, "intermediate_size": 10944, "num_hidden_layers": 27,
            "num_attention_heads": 16, "q_lora_rank": null, "moe_intermediate_size": 1408,
            "n_routed_experts": 64, "n_group": 1, "topk_group": 1, "topk_method": "greedy",
            "routed_scaling_factor": 1.0,
            "rope_scaling": {"type": "yarn", "factor": 40, "beta_fast": 32, "beta_slow": 1,
                "mscale": 0.707, "mscale_all_dim": 0.707,
                "original_max_position_embeddings": 4096}}"#,
        ..V2
    },
    Preset {
        name: "deepseek-v2",
        source: "deepseek-ai/DeepSeek-V2",
        released: "2024-05-06",
        own: r#"{"hidden_size": 5120, "intermediate_size": 12288, "num_hidden_layers": 60,
            "num_attention_heads": 128, "q_lora_rank": 1536, "moe_intermediate_size": 1536,
            "n_routed_experts": 160, "n_group": 8, "topk_group": 3,
            "topk_method": "group_limited_greedy", "routed_scaling_factor": 16.0,
            "rope_scaling": {"type": "yarn", "factor": 40, "beta_fast": 32, "beta_slow": 1,
                "mscale": 1.0, "mscale_all_dim": 1.0,
                "original_max_position_embeddings": 4096}}"#,
        ..V2
    },
    V3,
    Preset {
        name: "deepseek-v3.1",
        source: "deepseek-ai/DeepSeek-V3.1",
        licence: "MIT",
        released: "2025-08-21",
        ..V3
    },
    Preset {
        name: "deepseek-r1",
        source: "deepseek-ai/DeepSeek-R1",
        licence: "MIT",
        released: "2025-01-20",
        ..V3
    },
    Preset {
        name: "deepseek-r1-distill-qwen-1.5b",
        source: "deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B",
        own: r#"{"hidden_size": 1536, "intermediate_size": 8960, "num_hidden_layers": 28,
            "num_attention_heads": 12, "num_key_value_heads": 2, "vocab_size": 151936}"#,
        ..INTO_QWEN
    },
    Preset {
        name: "deepseek-r1-distill-qwen-7b",
        source: "deepseek-ai/DeepSeek-R1-Distill-Qwen-7B",
        own: r#"{"hidden_size": 3584, "intermediate_size": 18944, "num_hidden_layers": 28,
            "num_attention_heads": 28, "num_key_value_heads": 4}"#,
        ..INTO_QWEN
    },
    Preset {
        name: "deepseek-r1-distill-llama-8b",
        source: "deepseek-ai/DeepSeek-R1-Distill-Llama-8B",
        licence: "MIT and Llama 3.1 Community",
        own: OWN_8B,
        ..INTO_LLAMA
    },
    Preset {
        name: "deepseek-r1-distill-qwen-14b",
        source: "deepseek-ai/DeepSeek-R1-Distill-Qwen-14B",
        own: r#"{"hidden_size": 5120, "intermediate_size": 13824, "num_hidden_layers": 48,
            "num_attention_heads": 40, "num_key_value_heads": 8, "rms_norm_eps": 1e-5,
            "rope_theta": 1000000}"#,
        ..INTO_QWEN
    },
    Preset {
        name: "deepseek-r1-distill-qwen-32b",
        source: "deepseek-ai/DeepSeek-R1-Distill-Qwen-32B",
        own: r#"{"hidden_size": 5120, "intermediate_size": 27648, "num_hidden_layers": 64,
            "num_attention_heads": 40, "num_key_value_heads": 8, "rms_norm_eps": 1e-5,
            "rope_theta": 1000000}"#,
        ..INTO_QWEN
    },
    Preset {
        name: "deepseek-r1-distill-llama-70b",
        source: "deepseek-ai/DeepSeek-R1-Distill-Llama-70B",
        licence: "MIT and Llama 3.3 Community",
        own: OWN_70B,
        ..INTO_LLAMA
    },
];
