//! A checkpoint folder out of a GGUF of the llama family: its numbers in f32, under the names and in
//! the order of rows that checkpoints have.

use candle_core::quantized::gguf_file::{Content, Value};
use candle_core::{Device, Tensor, safetensors};
use std::collections::HashMap;
use std::fs::File;
use std::path::Path;

/// Writes config.json and model.safetensors into `folder`.
pub fn write(gguf: &Path, folder: &Path) {
    let mut file = File::open(gguf).unwrap();
    let content = Content::read(&mut file).unwrap();
    let number = |key: &str| content.metadata[&format!("llama.{key}")].to_u32().unwrap();
    let (heads, kv_heads) = (number("attention.head_count"), number("attention.head_count_kv"));
    let tied = !content.tensor_infos.contains_key("output.weight");
    let config = serde_json::json!({
        "architectures": ["LlamaForCausalLM"], "hidden_size": number("embedding_length"),
        "intermediate_size": number("feed_forward_length"), "vocab_size": number("vocab_size"),
        "num_hidden_layers": number("block_count"), "num_attention_heads": heads,
        "num_key_value_heads": kv_heads, "max_position_embeddings": number("context_length"),
        "rms_norm_eps": float(&content.metadata["llama.attention.layer_norm_rms_epsilon"]),
        "rope_theta": float(&content.metadata["llama.rope.freq_base"]), "tie_word_embeddings": tied
    });
    std::fs::write(folder.join("config.json"), config.to_string()).unwrap();

    let mut tensors = HashMap::new();
    for name in content.tensor_infos.keys() {
        let stored = content.tensor(&mut file, name, &Device::Cpu).unwrap();
        let tensor = stored.dequantize(&Device::Cpu).unwrap();
        let tensor = match name {
            _ if name.ends_with("attn_q.weight") => halves(&tensor, heads as usize),
            _ if name.ends_with("attn_k.weight") => halves(&tensor, kv_heads as usize),
            _ => tensor,
        };
        tensors.insert(checkpoint_name(name), tensor);
    }
    safetensors::save(&tensors, folder.join("model.safetensors")).unwrap();
}

fn float(value: &Value) -> f32 {
    value.to_f32().unwrap()
}

/// Rows of pairs side by side, head by head, into first halves and then second ones.
fn halves(tensor: &Tensor, heads: usize) -> Tensor {
    let (rows, columns) = tensor.dims2().unwrap();
    let pairs = tensor.reshape((heads, rows / heads / 2, 2, columns)).unwrap();
    pairs.transpose(1, 2).unwrap().contiguous().unwrap().reshape((rows, columns)).unwrap()
}

fn checkpoint_name(name: &str) -> String {
    let Some((layer, part)) = name.strip_prefix("blk.").and_then(|name| name.split_once('.'))
    else {
        return match name {
            "token_embd.weight" => "model.embed_tokens.weight".into(),
            "output_norm.weight" => "model.norm.weight".into(),
            other => panic!("{other} in a llama"),
        };
    };
    let part = match part {
        "attn_norm.weight" => "input_layernorm",
        "attn_q.weight" => "self_attn.q_proj",
        "attn_k.weight" => "self_attn.k_proj",
        "attn_v.weight" => "self_attn.v_proj",
        "attn_output.weight" => "self_attn.o_proj",
        "ffn_norm.weight" => "post_attention_layernorm",
        "ffn_gate.weight" => "mlp.gate_proj",
        "ffn_up.weight" => "mlp.up_proj",
        "ffn_down.weight" => "mlp.down_proj",
        other => panic!("{other} in a llama"),
    };
    format!("model.layers.{layer}.{part}.weight")
}
