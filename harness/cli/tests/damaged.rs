//! Damaged and contradictory checkpoints: each is bad input, said in one sentence, and leaves nothing
//! behind.

#![expect(clippy::unwrap_used, reason = "helpers of tests stop where a test would")]

use assert_cmd::Command;
use serde_json::{Value, json};
use std::path::Path;

/// A tensor of a shard: name, data type, sizes.
type Tensor = (&'static str, &'static str, Vec<usize>);

fn config() -> Value {
    json!({
        "architectures": ["LlamaForCausalLM"], "hidden_size": 64, "intermediate_size": 32,
        "vocab_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2,
        "num_key_value_heads": 1, "max_position_embeddings": 64, "rms_norm_eps": 1e-5,
        "tie_word_embeddings": true
    })
}

fn tensors() -> Vec<Tensor> {
    vec![
        ("model.embed_tokens.weight", "F32", vec![8, 64]),
        ("model.layers.0.input_layernorm.weight", "F32", vec![64]),
        ("model.layers.0.mlp.down_proj.weight", "F32", vec![64, 32]),
        ("model.layers.0.mlp.gate_proj.weight", "F32", vec![32, 64]),
        ("model.layers.0.mlp.up_proj.weight", "F32", vec![32, 64]),
        ("model.layers.0.post_attention_layernorm.weight", "F32", vec![64]),
        ("model.layers.0.self_attn.k_proj.weight", "F32", vec![32, 64]),
        ("model.layers.0.self_attn.o_proj.weight", "F32", vec![64, 64]),
        ("model.layers.0.self_attn.q_proj.weight", "F32", vec![64, 64]),
        ("model.layers.0.self_attn.v_proj.weight", "F32", vec![32, 64]),
        ("model.norm.weight", "F32", vec![64]),
    ]
}

fn element_bytes(dtype: &str) -> usize {
    match dtype {
        "F8_E4M3" => 1,
        "BF16" => 2,
        "I64" => 8,
        _ => 4,
    }
}

/// The bytes of a shard: the length of its header, the header, zeros.
fn shard(tensors: &[Tensor]) -> Vec<u8> {
    let (mut header, mut end) = (serde_json::Map::new(), 0);
    for (name, dtype, shape) in tensors {
        let begin = end;
        end += shape.iter().product::<usize>() * element_bytes(dtype);
        let entry = json!({ "dtype": dtype, "shape": shape, "data_offsets": [begin, end] });
        header.insert((*name).into(), entry);
    }
    with_header(&Value::Object(header), end)
}

fn with_header(header: &Value, data: usize) -> Vec<u8> {
    let text = header.to_string();
    let mut bytes = (text.len() as u64).to_le_bytes().to_vec();
    bytes.extend(text.as_bytes());
    bytes.resize(bytes.len() + data, 0);
    bytes
}

/// A folder of a model with its weights in two shards.
struct Model {
    folder: tempfile::TempDir,
}

impl Model {
    fn new() -> Self {
        let model = Self { folder: tempfile::tempdir().unwrap() };
        model.write("config.json", config().to_string().as_bytes());
        let all = tensors();
        model.write("model-00001-of-00002.safetensors", &shard(&all[..5]));
        model.write("model-00002-of-00002.safetensors", &shard(&all[5..]));
        model
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        std::fs::write(self.path().join(name), bytes).unwrap();
    }

    /// The second shard with other bytes.
    fn second(&self, bytes: &[u8]) -> &Self {
        self.write("model-00002-of-00002.safetensors", bytes);
        self
    }

    /// The second shard with one tensor changed.
    fn with_tensor(&self, name: &str, dtype: &'static str, shape: &[usize]) -> &Self {
        let mut all = tensors();
        let changed = all.iter_mut().find(|tensor| tensor.0 == name).unwrap();
        (changed.1, changed.2) = (dtype, shape.to_vec());
        self.second(&shard(&all[5..]))
    }

    fn with_config(&self, key: &str, value: Value) -> &Self {
        let mut config = config();
        config[key] = value;
        self.write("config.json", config.to_string().as_bytes());
        self
    }

    fn bench(&self) -> Command {
        let mut command = Command::cargo_bin("freeweights").unwrap();
        command.current_dir(self.path()).args(["bench", "."]);
        command.args(["--isl", "4", "--osl", "2", "--batch", "1", "--max-time", "0.1"]);
        command.args(["--no-ceilings", "--repetitions", "1"]);
        command
    }

    /// What standard error says of it, without the folder.
    #[track_caller]
    fn refused(&self, expected: &str) {
        let output = self.bench().output().unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{text}");
        assert_eq!(text, format!("error: ./{expected}\n"));
        assert!(output.stdout.is_empty());
        assert!(!self.path().join("freeweights-results").exists());
    }
}

const AGAIN: &str = "; fetch the model again, or point at a complete folder";

#[test]
fn the_whole_model_runs() {
    Model::new().bench().assert().code(0);
}

#[test]
fn a_shard_that_is_cut_short_is_named() {
    let whole = shard(&tensors()[5..]);
    let second = |bytes: &[u8], reason: &str| {
        let model = Model::new();
        model.second(bytes);
        model.refused(&format!("model-00002-of-00002.safetensors: {reason}{AGAIN}"));
    };
    second(&[], "its 0 bytes are too few for a safetensors file");
    second(&whole[..7], "its 7 bytes are too few for a safetensors file");
    let header = u64::from_le_bytes(whole[..8].try_into().unwrap());
    second(
        &whole[..100],
        &format!(
            "its header of {header} bytes is longer than the 92 that follow: it is cut short, or no \
             safetensors file"
        ),
    );
    // 64 + 32 * 64 + 64 * 64 + 64 * 64 + 32 * 64 + 64 numbers of four bytes
    let data = 4 * (64 + 2_048 + 4_096 + 4_096 + 2_048 + 64);
    second(
        &whole[..whole.len() - 1],
        &format!("it is cut short: its header tells of {data} bytes of data, it has {}", data - 1),
    );
}

#[test]
fn a_header_that_nobody_should_believe_is_refused() {
    let second = |bytes: &[u8], reason: &str| {
        let model = Model::new();
        model.second(bytes);
        model.refused(&format!("model-00002-of-00002.safetensors: {reason}{AGAIN}"));
    };
    second(
        &[0xff; 64],
        "its header of 18446744073709551615 bytes is longer than the 56 that follow: it is cut \
         short, or no safetensors file",
    );
    let entry = |dtype: &str, shape: &Value, offsets: &Value| {
        with_header(&json!({ "w": { "dtype": dtype, "shape": shape, "data_offsets": offsets } }), 8)
    };
    for (bytes, reason) in [
        (with_header(&json!({ "w": 1 }), 0), "the tensor w: it has no data type"),
        (entry("Q4", &json!([2]), &json!([0, 8])), "the tensor w: its data type Q4 is unknown"),
        (
            entry("F32", &json!([1_u64 << 62, 1_u64 << 62]), &json!([0, 8])),
            "the tensor w: its shape is beyond all memory",
        ),
        (
            entry("F32", &json!([3]), &json!([0, 8])),
            "the tensor w: its shape takes 12 bytes of F32, its offsets hold 8",
        ),
        (entry("F32", &json!([2]), &json!([8, 0])), "the tensor w: it ends before it begins"),
        (
            entry("F32", &json!([1]), &json!([4, 8])),
            "the tensor w leaves a gap before it at byte 4 of the data",
        ),
        (
            entry("F32", &json!([1]), &json!([0, 4])),
            "4 bytes behind its last tensor belong to none",
        ),
        (with_header(&json!({}), 3), "3 bytes behind its last tensor belong to none"),
    ] {
        second(&bytes, reason);
    }
}

#[test]
fn weights_that_contradict_the_config_are_refused() {
    let model = Model::new();
    model.with_tensor("model.layers.0.self_attn.q_proj.weight", "F32", &[64, 32]);
    model.refused(&format!(
        "model-00002-of-00002.safetensors: the tensor model.layers.0.self_attn.q_proj.weight has \
         shape [64, 32], config.json makes it [64, 64]{AGAIN}"
    ));
    let model = Model::new();
    model.second(&shard(&tensors()[6..]));
    model.refused(&format!(
        "model-00001-of-00002.safetensors: the tensor \
         model.layers.0.post_attention_layernorm.weight is missing{AGAIN}"
    ));
    let model = Model::new();
    model.with_config("vocab_size", json!(16));
    model.refused(&format!(
        "model-00001-of-00002.safetensors: the tensor model.embed_tokens.weight has shape [8, 64], \
         config.json makes it [16, 64]{AGAIN}"
    ));
    let mut all = tensors();
    all[9].0 = "model.layers.4.self_attn.v_proj.weight";
    let model = Model::new();
    model.second(&shard(&all[5..]));
    model.refused(&format!("config.json: it tells of 1 layers, the weights have 5{AGAIN}"));
}

#[test]
fn types_that_are_not_read_end_in_their_own_advice() {
    let norm = "model.norm.weight";
    let model = Model::new();
    model.with_tensor(norm, "I64", &[64]).refused(
        "model-00002-of-00002.safetensors cannot be read: the tensor model.norm.weight is stored in \
         I64, and weights are read in F32, F16 or BF16; use the model's bf16 checkpoint, or a GGUF \
         of it",
    );
    model.with_tensor(norm, "F8_E4M3", &[64]).refused(
        "model-00002-of-00002.safetensors cannot be read: the tensor model.norm.weight is stored in \
         F8_E4M3, whose scales are not read; use the model's bf16 checkpoint, or a GGUF of it in q8_0",
    );
    let model = Model::new();
    model.with_config("quantization_config", json!({ "quant_method": "awq" })).refused(
        "config.json cannot be read: its weights are quantised by awq, which is not read; use the \
         model's bf16 checkpoint, or a GGUF of it in q4_k_m or q8_0",
    );
    // Types that are read may be mixed.
    let model = Model::new();
    model.with_tensor(norm, "BF16", &[64]).bench().assert().code(0);
}

#[test]
fn an_index_that_names_an_absent_shard_is_refused() {
    let model = Model::new();
    let index = "model.safetensors.index.json";
    let map = |shard: &str| json!({ "weight_map": { "model.norm.weight": shard } }).to_string();
    model.write(index, map("model-00003-of-00003.safetensors").as_bytes());
    model
        .refused(&format!("{index}: the shard model-00003-of-00003.safetensors is missing{AGAIN}"));
    model.write(index, map("../elsewhere.safetensors").as_bytes());
    model.refused(&format!(
        "{index}: it names the shard \"../elsewhere.safetensors\", which is no plain file name{AGAIN}"
    ));
    model.write(index, b"[]");
    model.refused(&format!("{index}: it has no weight_map{AGAIN}"));
}
