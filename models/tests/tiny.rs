//! A tiny llama in both file formats, holding the same weights: what loads from one must speak like
//! what loads from the other, and a damaged file must be refused with one sentence.

#![expect(clippy::unwrap_used, reason = "helpers of tests stop where a test would")]

use candle_core::quantized::gguf_file::{self, Value};
use candle_core::quantized::{GgmlDType, QTensor};
use candle_core::{Device, Tensor};
use freeweights_models::{
    Decoder, Loaded, ModelError, ModelId, ModelSpec, Origin, Part, Quiet, Role, inspect, load,
    load_reference, sha256_of, tensors_of,
};
use std::collections::HashMap;
use std::path::Path;

fn spec() -> ModelSpec {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.json");
    std::fs::write(&path, config("LlamaForCausalLM")).unwrap();
    let id: ModelId = format!("dummy:{}:f32", path.display()).parse().unwrap();
    inspect(&id, &Quiet).unwrap().spec
}

/// What a checkpoint and a GGUF call a tensor.
fn names(role: Role) -> (String, String) {
    let (n, part) = match role {
        Role::Embedding => return ("model.embed_tokens.weight".into(), "token_embd.weight".into()),
        Role::Output => return ("lm_head.weight".into(), "output.weight".into()),
        Role::OutputNorm => return ("model.norm.weight".into(), "output_norm.weight".into()),
        Role::Layer(n, part) => (n, part),
    };
    let (checkpoint, gguf) = match part {
        Part::AttentionNorm => ("input_layernorm", "attn_norm"),
        Part::Query => ("self_attn.q_proj", "attn_q"),
        Part::Key => ("self_attn.k_proj", "attn_k"),
        Part::Value => ("self_attn.v_proj", "attn_v"),
        Part::AttentionOutput => ("self_attn.o_proj", "attn_output"),
        Part::FeedForwardNorm => ("post_attention_layernorm", "ffn_norm"),
        Part::Gate => ("mlp.gate_proj", "ffn_gate"),
        Part::Up => ("mlp.up_proj", "ffn_up"),
        Part::Down => ("mlp.down_proj", "ffn_down"),
        other => panic!("{other:?} is no part of a llama"),
    };
    (format!("model.layers.{n}.{checkpoint}.weight"), format!("blk.{n}.{gguf}.weight"))
}

fn config(architecture: &str) -> String {
    serde_json::json!({
        "architectures": [architecture], "hidden_size": 32, "intermediate_size": 48,
        "vocab_size": 40, "num_hidden_layers": 2, "num_attention_heads": 4,
        "num_key_value_heads": 2, "max_position_embeddings": 64, "rms_norm_eps": 1e-5,
        "rope_theta": 10000.0, "tie_word_embeddings": true
    })
    .to_string()
}

fn weights() -> Vec<(Role, Tensor)> {
    let mut state = 1u32;
    let mut next = move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        f32::from(i16::try_from(state >> 16 & 0x7fff).unwrap()) / 32_768.0 - 0.5
    };
    tensors_of(&spec())
        .into_iter()
        .map(|tensor| {
            let count = usize::try_from(tensor.elements()).unwrap();
            let numbers: Vec<f32> = (0..count)
                .map(|_| if tensor.role.is_matrix() { next() } else { 1.0 + 0.1 * next() })
                .collect();
            (tensor.role, Tensor::from_vec(numbers, tensor.shape, &Device::Cpu).unwrap())
        })
        .collect()
}

fn write_checkpoint(folder: &Path, leave_out: Option<Role>) {
    std::fs::write(folder.join("config.json"), config("LlamaForCausalLM")).unwrap();
    let tensors: HashMap<String, Tensor> = weights()
        .into_iter()
        .filter(|(role, _)| Some(*role) != leave_out)
        .map(|(role, tensor)| (names(role).0, tensor))
        .collect();
    candle_core::safetensors::save(&tensors, folder.join("model.safetensors")).unwrap();
}

/// GGUF keeps rotary pairs side by side, checkpoints keep them half a head apart.
fn interleave_rows(tensor: &Tensor, heads: usize) -> Tensor {
    let (rows, columns) = tensor.dims2().unwrap();
    tensor
        .reshape((heads, 2, rows / heads / 2, columns))
        .unwrap()
        .transpose(1, 2)
        .unwrap()
        .reshape((rows, columns))
        .unwrap()
}

fn write_gguf(path: &Path, architecture: &str, heads: u32) {
    let metadata: Vec<(String, Value)> = [
        ("general.architecture", Value::String(architecture.into())),
        ("llama.block_count", Value::U32(2)),
        ("llama.embedding_length", Value::U32(32)),
        ("llama.feed_forward_length", Value::U32(48)),
        ("llama.context_length", Value::U32(64)),
        ("llama.attention.head_count", Value::U32(heads)),
        ("llama.attention.head_count_kv", Value::U32(2)),
        ("llama.rope.dimension_count", Value::U32(32 / heads.max(1))),
        ("llama.attention.layer_norm_rms_epsilon", Value::F32(1e-5)),
    ]
    .map(|(key, value)| (key.to_owned(), value))
    .to_vec();
    let tensors: Vec<(String, QTensor)> = weights()
        .into_iter()
        .map(|(role, tensor)| {
            let tensor = match role {
                Role::Layer(_, Part::Query) => interleave_rows(&tensor, 4),
                Role::Layer(_, Part::Key) => interleave_rows(&tensor, 2),
                _ => tensor,
            };
            (names(role).1, QTensor::quantize(&tensor, GgmlDType::F32).unwrap())
        })
        .collect();
    let metadata: Vec<_> = metadata.iter().map(|(key, value)| (key.as_str(), value)).collect();
    let tensors: Vec<_> = tensors.iter().map(|(name, tensor)| (name.as_str(), tensor)).collect();
    let mut file = std::fs::File::create(path).unwrap();
    gguf_file::write(&mut file, &metadata, &tensors).unwrap();
}

fn open(path: &Path) -> Box<dyn Decoder> {
    load(&ModelId::Path(path.into()), None, &Device::Cpu, &Quiet).unwrap().decoder
}

fn refused(path: &Path) -> String {
    match inspect(&ModelId::Path(path.into()), &Quiet) {
        Ok(_) => panic!("{} was accepted", path.display()),
        Err(error) => {
            let text = error.to_string();
            assert!(!text.contains('\n'), "one sentence only: {text}");
            text
        }
    }
}

fn assert_close(a: &[Vec<f32>], b: &[Vec<f32>]) {
    for (a, b) in a.iter().flatten().zip(b.iter().flatten()) {
        assert!((a - b).abs() < 1e-4 * (1.0 + a.abs()), "{a} is not {b}");
    }
}

#[test]
fn both_formats_and_both_ways_of_reading_a_prompt_give_the_same_logits() {
    let folder = tempfile::tempdir().unwrap();
    write_checkpoint(folder.path(), None);
    let file = folder.path().join("tiny.gguf");
    write_gguf(&file, "llama", 4);
    let (mut dense, mut quantised) = (open(folder.path()), open(&file));
    let prompts: [&[u32]; 2] = [&[1, 5, 9, 2, 33], &[7, 7, 0, 39, 12]];

    dense.prefill(&prompts).unwrap();
    quantised.prefill(&prompts).unwrap();
    let whole = dense.logits().unwrap();
    assert_eq!((whole.len(), whole[0].len()), (2, 40));
    assert_close(&whole, &quantised.logits().unwrap());

    // In two pieces and token by token, the last position sees the same past.
    for decoder in [&mut dense, &mut quantised] {
        decoder.reset().unwrap();
        decoder.prefill(&[&prompts[0][..2], &prompts[1][..2]]).unwrap();
        decoder.prefill(&[&prompts[0][2..4], &prompts[1][2..4]]).unwrap();
        decoder.step(&[prompts[0][4], prompts[1][4]]).unwrap();
        assert_close(&whole, &decoder.logits().unwrap());
        assert_eq!(decoder.depth(), 5);
    }
    let mut picked = Vec::new();
    dense.greedy(&mut picked).unwrap();
    let likeliest =
        |row: &[f32]| (0..row.len()).max_by(|&a, &b| row[a].total_cmp(&row[b])).unwrap();
    assert_eq!(
        picked,
        whole.iter().map(|row| u32::try_from(likeliest(row)).unwrap()).collect::<Vec<_>>()
    );
}

#[test]
fn scoring_gives_every_position_what_a_prompt_up_to_it_gives() {
    let folder = tempfile::tempdir().unwrap();
    write_checkpoint(folder.path(), None);
    let file = folder.path().join("tiny.gguf");
    write_gguf(&file, "llama", 4);
    let tokens: Vec<u32> = (0..12).map(|n| (n * 7 + 3) % 40).collect();
    for path in [folder.path(), file.as_path()] {
        let mut decoder = open(path);
        // What was there before counts for nothing.
        decoder.prefill(&[&[1, 2, 3], &[4, 5, 6]]).unwrap();
        let mut rows = Vec::new();
        decoder
            .score(&tokens, &mut |position, row| {
                assert_eq!(position, rows.len());
                rows.push(row.to_vec());
            })
            .unwrap();
        assert_eq!((rows.len(), decoder.depth()), (12, 12));
        assert_close(&rows[11..], &decoder.logits().unwrap());
        for (position, row) in rows.iter().enumerate() {
            decoder.reset().unwrap();
            decoder.prefill(&[&tokens[..=position]]).unwrap();
            assert_close(std::slice::from_ref(row), &decoder.logits().unwrap());
        }
        let error = decoder.score(&[0; 65], &mut |_, _| ()).unwrap_err();
        assert!(matches!(error, ModelError::BeyondContext { .. }), "{error}");
    }
}

#[test]
fn the_reference_multiplies_what_the_blocks_mean() {
    let folder = tempfile::tempdir().unwrap();
    let shape = folder.path().join("config.json");
    std::fs::write(&shape, config("LlamaForCausalLM")).unwrap();
    let tokens: Vec<u32> = (0..12).map(|n| (n * 7 + 3) % 40).collect();
    let logits = |loaded: Loaded| {
        let (mut decoder, mut all) = (loaded.decoder, Vec::new());
        decoder.score(&tokens, &mut |_, row| all.extend_from_slice(row)).unwrap();
        all
    };
    for (quant, least, most) in [("q8_0", 1e-8, 1e-3), ("f32", 0.0, 1e-10)] {
        let id: ModelId = format!("dummy:{}:{quant}", shape.display()).parse().unwrap();
        let reference = logits(load_reference(&id, None, &Device::Cpu, &Quiet).unwrap());
        let engine = logits(load(&id, None, &Device::Cpu, &Quiet).unwrap());
        let square = |x: f32| f64::from(x) * f64::from(x);
        let difference: f64 = engine.iter().zip(&reference).map(|(a, b)| square(a - b)).sum();
        let nmse = difference / reference.iter().map(|&x| square(x)).sum::<f64>();
        // Blocks of eight bits round activations by 1/254 at most, and they do round.
        assert!((least..most).contains(&nmse), "{quant}: {nmse}");
    }
}

#[test]
fn memory_is_counted_as_the_shape_says() {
    let folder = tempfile::tempdir().unwrap();
    write_checkpoint(folder.path(), None);
    let mut decoder = open(folder.path());
    assert_eq!(decoder.memory().weights, 4 * spec().params());
    assert_eq!(decoder.memory().kv_cache, 0);
    decoder.prefill(&[&[1, 2, 3], &[4, 5, 6]]).unwrap();
    // 2 sequences * 3 tokens * 2 (keys, values) * 2 layers * 2 heads * 8 wide * 4 bytes
    assert_eq!(decoder.memory().kv_cache, 2 * 3 * 2 * 2 * 2 * 8 * 4);
}

#[test]
fn calls_a_decoder_cannot_take_are_errors_not_panics() {
    let folder = tempfile::tempdir().unwrap();
    write_checkpoint(folder.path(), None);
    let mut decoder = open(folder.path());
    assert!(decoder.logits().is_err());
    assert!(decoder.greedy(&mut Vec::new()).is_err());
    assert!(decoder.prefill(&[]).is_err());
    assert!(decoder.prefill(&[&[1, 2], &[3]]).is_err());
    assert!(decoder.step(&[1]).is_err());
    let long = vec![0; 65];
    let error = decoder.prefill(&[&long]).unwrap_err().to_string();
    assert_eq!(
        error,
        "65 tokens are more than the 64 that the model holds; lower --isl, --osl or --depth"
    );
}

#[test]
fn a_gguf_cut_anywhere_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let whole = folder.path().join("whole.gguf");
    write_gguf(&whole, "llama", 4);
    let bytes = std::fs::read(&whole).unwrap();
    let cut = folder.path().join("cut.gguf");
    for at in [0, 3, 10, 23, 24, 100, 500, 1_000, bytes.len() / 2, bytes.len() - 100] {
        std::fs::write(&cut, &bytes[..at]).unwrap();
        let text = refused(&cut);
        assert!(text.contains("is no readable GGUF file"), "{at}: {text}");
        assert!(text.contains("fetch the file again"), "{at}: {text}");
    }
    std::fs::write(&cut, b"this is text, and long enough to be a header").unwrap();
    assert!(refused(&cut).contains("it does not begin as one does"));
}

#[test]
fn a_gguf_that_contradicts_itself_or_is_of_another_family_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("odd.gguf");
    write_gguf(&file, "mamba", 4);
    assert!(
        refused(&file).starts_with(
            "the architecture \"mamba\" is not supported; supported: llama (LlamaForCausalLM), "
        ),
        "{}",
        refused(&file)
    );
    write_gguf(&file, "llama", 8);
    assert!(
        refused(&file).contains("blk.0.attn_k.weight has shape [16, 32]"),
        "{}",
        refused(&file)
    );
    write_gguf(&file, "llama", 0);
    assert!(refused(&file).contains("0 heads do not divide"), "{}", refused(&file));
}

#[test]
fn an_incomplete_folder_names_what_it_lacks() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    assert!(refused(path).contains("holds no config.json"));
    std::fs::write(path.join("config.json"), config("LlamaForCausalLM")).unwrap();
    assert!(refused(path).contains("holds no .safetensors file"));
    std::fs::write(path.join("pytorch_model.bin"), b"x").unwrap();
    assert!(refused(path).contains("is a pickle file, which can run any code"));
    write_checkpoint(path, Some(Role::Layer(1, Part::Up)));
    assert!(refused(path).contains("the tensor model.layers.1.mlp.up_proj.weight is missing"));
    std::fs::write(path.join("model.safetensors"), b"not much").unwrap();
    assert!(refused(path).contains("it is cut short, or no safetensors file"));
    std::fs::write(path.join("config.json"), config("MambaForCausalLM")).unwrap();
    assert!(refused(path).contains("\"MambaForCausalLM\" is not supported; supported: llama"));
    std::fs::write(path.join("config.json"), "{").unwrap();
    assert!(refused(path).contains("it is no JSON"));
    assert!(refused(&path.join("absent.gguf")).contains("does not exist"));
}

#[test]
fn a_shard_name_cannot_climb_out_of_its_folder() {
    let folder = tempfile::tempdir().unwrap();
    write_checkpoint(folder.path(), None);
    let index = folder.path().join("model.safetensors.index.json");
    std::fs::write(&index, r#"{"weight_map": {"a": "../secret.safetensors"}}"#).unwrap();
    assert!(refused(folder.path()).contains("is no plain file name"));
    std::fs::write(&index, r#"{"weight_map": {"a": "model-00002.safetensors"}}"#).unwrap();
    assert!(refused(folder.path()).contains("the shard model-00002.safetensors is missing"));
}

#[test]
fn dummy_weights_run_at_every_kind_of_quantisation() {
    let folder = tempfile::tempdir().unwrap();
    let shape = folder.path().join("config.json");
    std::fs::write(&shape, config("LlamaForCausalLM")).unwrap();
    for quant in ["f32", "bf16", "q8_0", "q4_0", "q5_1"] {
        let id: ModelId = format!("dummy:{}:{quant}", shape.display()).parse().unwrap();
        // Rows of 48 do not divide into blocks of 32 and stay f16.
        let mut loaded = load(&id, None, &Device::Cpu, &Quiet).unwrap();
        assert_eq!(loaded.info.origin, Origin::Dummy);
        assert_eq!(sha256_of(&loaded.info.origin).unwrap(), None);
        assert!(matches!(loaded.tokenizer, Err(ModelError::Tokenizer { .. })));
        loaded.decoder.prefill(&[&[1, 2, 3]]).unwrap();
        loaded.decoder.step(&[4]).unwrap();
        let logits = loaded.decoder.logits().unwrap();
        assert!(logits[0].iter().all(|x| x.is_finite()), "{quant}");
        assert!(logits[0].iter().any(|x| x.abs() > 1e-3), "{quant}");
    }
}

#[test]
fn a_hash_is_of_the_file_or_of_the_list_of_its_shards() {
    let folder = tempfile::tempdir().unwrap();
    let (a, b) = (folder.path().join("a"), folder.path().join("b"));
    std::fs::write(&a, "abc").unwrap();
    std::fs::write(&b, "").unwrap();
    // FIPS 180-2, appendix B.1
    let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert_eq!(sha256_of(&Origin::Files(vec![a.clone()])).unwrap().unwrap(), abc);
    let both = sha256_of(&Origin::Files(vec![a, b])).unwrap().unwrap();
    assert_ne!(both, abc);
    assert_eq!(both.len(), 64);
}
