//! Vocabularies of GGUF files against the ids that Hugging Face's tokenizers make of them:
//! two small ones (models/tests/tokenizers, made by `scripts/reference.d/vocabularies.py`), and,
//! where `LLAMA_CPP` names a source tree of llama.cpp, the real ones that it keeps for its tests.

#![expect(clippy::unwrap_used, reason = "helpers of tests stop where a test would")]
#![expect(clippy::print_stderr, reason = "a skipped test says so")]

use candle_core::quantized::gguf_file::{Content, Value};
use freeweights_models::TextTokenizer;
use serde_json::Value as Json;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

fn read(name: &str) -> Json {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tokenizers");
    serde_json::from_slice(&std::fs::read(folder.join(name)).unwrap()).unwrap()
}

fn list(json: &Json, element: impl Fn(&Json) -> Value) -> Value {
    Value::Array(json.as_array().unwrap().iter().map(element).collect())
}

fn strings(json: &Json) -> Value {
    list(json, |text| Value::String(text.as_str().unwrap().to_owned()))
}

fn key(name: &str) -> String {
    format!("tokenizer.ggml.{name}")
}

/// The lists of a fixture as a GGUF has them, no token added before a text.
fn metadata(fixture: &Json, model: &str) -> HashMap<String, Value> {
    let kind = |json: &Json| Value::I32(i32::try_from(json.as_i64().unwrap()).unwrap());
    HashMap::from([
        (key("model"), Value::String(model.into())),
        (key("tokens"), strings(&fixture["tokens"])),
        (key("token_type"), list(&fixture["token_type"], kind)),
        (key("add_bos_token"), Value::Bool(false)),
    ])
}

/// Asserts that every text of the fixture has the ids of `set`, and that those `comes_back` takes
/// come back out of them.
fn agrees(
    fixture: &Json,
    set: &str,
    metadata: &HashMap<String, Value>,
    comes_back: impl Fn(&str) -> bool,
) {
    let tokenizer = TextTokenizer::from_gguf(metadata).unwrap();
    let texts = fixture["texts"].as_array().unwrap();
    let expected = fixture["ids"][set].as_array().unwrap();
    assert_eq!(texts.len(), expected.len());
    for (text, expected) in texts.iter().zip(expected) {
        let text = text.as_str().unwrap();
        let expected: Vec<u32> = serde_json::from_value(expected.clone()).unwrap();
        assert_eq!(tokenizer.encode(text).unwrap(), expected, "{set}: {text:?}");
        if comes_back(text) {
            assert_eq!(tokenizer.decode(&expected).unwrap(), text, "{set}");
        }
    }
}

/// Whether it has tokens that write nothing.
fn has_control(text: &str) -> bool {
    ["<s>", "</s>", "<|user|>"].iter().any(|token| text.contains(token))
}

#[test]
fn byte_level_bpe_says_what_hugging_face_says() {
    let fixture = read("byte_level.json");
    let mut metadata = metadata(&fixture, "gpt2");
    metadata.insert(key("merges"), strings(&fixture["merges"]));
    let sets = fixture["ids"].as_object().unwrap();
    assert!(sets.len() > 12);
    for set in sets.keys() {
        metadata.insert(key("pre"), Value::String(set.clone()));
        let composes = ["olmo", "command-r", "qwen2"].contains(&set.as_str());
        let comes_back = |text: &str| !(has_control(text) || composes && text.contains('\u{301}'));
        agrees(&fixture, set, &metadata, comes_back);
    }
}

#[test]
fn sentence_piece_says_what_hugging_face_says() {
    let fixture = read("sentence_piece.json");
    let mut metadata = metadata(&fixture, "llama");
    #[expect(clippy::cast_possible_truncation, reason = "whole numbers")]
    let score = |json: &Json| Value::F32(json.as_f64().unwrap() as f32);
    metadata.insert(key("scores"), list(&fixture["scores"], score));
    // A written "▁" reads as a space.
    let comes_back = |text: &str| !has_control(text) && !text.contains('▁');
    // Three spaces are a token of their own, and what is behind one gets another prefix: so it is
    // with Hugging Face.
    let with_prefix = |text: &str| comes_back(text) && !text.contains("   ");
    // What is not said is that there is a prefix.
    agrees(&fixture, "prefix", &metadata, with_prefix);
    metadata.insert(key("add_space_prefix"), Value::Bool(true));
    agrees(&fixture, "prefix", &metadata, with_prefix);
    metadata.insert(key("add_space_prefix"), Value::Bool(false));
    agrees(&fixture, "no prefix", &metadata, comes_back);
}

#[test]
fn a_first_and_a_last_token_are_added_where_a_file_says_so() {
    let fixture = read("byte_level.json");
    let mut metadata = metadata(&fixture, "gpt2");
    metadata.insert(key("merges"), strings(&fixture["merges"]));
    metadata.insert(key("bos_token_id"), Value::U32(701));
    metadata.insert(key("eos_token_id"), Value::U32(702));
    let mut ends = |pre: &str, bos: Option<bool>, eos: bool| {
        metadata.insert(key("pre"), Value::String(pre.into()));
        metadata.remove(&key("add_bos_token"));
        bos.map(|bos| metadata.insert(key("add_bos_token"), Value::Bool(bos)));
        metadata.insert(key("add_eos_token"), Value::Bool(eos));
        let tokenizer = TextTokenizer::from_gguf(&metadata).unwrap();
        let ids = tokenizer.encode("Hello").unwrap();
        assert_eq!(tokenizer.decode(&ids).unwrap(), "Hello");
        (ids[0] == 701, ids[ids.len() - 1] == 702)
    };
    assert_eq!(ends("gpt-2", None, false), (false, false));
    assert_eq!(ends("gpt-2", Some(true), true), (true, true));
    // Names of models that were trained with one, whatever their files leave unsaid.
    assert_eq!(ends("llama-bpe", None, false), (true, false));
    assert_eq!(ends("tekken", None, false), (true, false));
    assert_eq!(ends("llama-bpe", Some(false), false), (false, false));
}

/// Vocabularies in llama.cpp's models/, with texts and the ids of the publisher's tokenizer.
const OF_LLAMA_CPP: [&str; 12] = [
    "command-r",
    "deepseek-coder",
    "deepseek-llm",
    "falcon",
    "gpt-2",
    "llama-bpe",
    "llama-spm",
    "mpt",
    "phi-3",
    "qwen2",
    "refact",
    "starcoder",
];

#[test]
fn the_vocabularies_that_llama_cpp_keeps_give_the_ids_it_keeps() {
    let Some(folder) = std::env::var_os("LLAMA_CPP").map(|at| PathBuf::from(at).join("models"))
    else {
        eprintln!("skipped: LLAMA_CPP names no source tree of llama.cpp");
        return;
    };
    for name in OF_LLAMA_CPP {
        let path = folder.join(format!("ggml-vocab-{name}.gguf"));
        let content = Content::read(&mut std::fs::File::open(&path).unwrap()).unwrap();
        let mut metadata = content.metadata;
        metadata.insert(key("add_bos_token"), Value::Bool(false));
        let tokenizer = TextTokenizer::from_gguf(&metadata).unwrap();
        let beside = |ending: &str| path.with_extension(format!("gguf.{ending}"));
        let texts = std::fs::read_to_string(beside("inp")).unwrap();
        let texts: Vec<&str> = texts.split("\n__ggml_vocab_test__\n").collect();
        let expected = std::fs::read_to_string(beside("out")).unwrap();
        let expected: Vec<Vec<u32>> = expected
            .lines()
            .map(|line| line.split_whitespace().map(|id| id.parse().unwrap()).collect())
            .collect();
        assert!(expected.len() > 40 && texts.len() >= expected.len(), "{name}");
        for (text, expected) in texts.iter().zip(expected) {
            assert_eq!(tokenizer.encode(text).unwrap(), expected, "{name}: {text:?}");
        }
    }
}
