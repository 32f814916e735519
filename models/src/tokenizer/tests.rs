//! What is refused, and in which words. That what is read is right: models/tests/vocabularies.rs.

use super::TextTokenizer;
use candle_core::quantized::gguf_file::Value;
use std::collections::HashMap;

type Metadata = HashMap<String, Value>;

fn texts<const N: usize>(texts: [&str; N]) -> Value {
    Value::Array(texts.iter().map(|text| Value::String((*text).into())).collect())
}

fn with(mut metadata: Metadata, key: &str, value: Value) -> Metadata {
    metadata.insert(format!("tokenizer.ggml.{key}"), value);
    metadata
}

fn without(mut metadata: Metadata, key: &str) -> Metadata {
    metadata.remove(&format!("tokenizer.ggml.{key}")).expect("a key that is there");
    metadata
}

fn gpt2() -> Metadata {
    let metadata = with(Metadata::new(), "model", Value::String("gpt2".into()));
    let metadata = with(metadata, "pre", Value::String("gpt-2".into()));
    let metadata = with(metadata, "tokens", texts(["a", "b", "ab", "<s>"]));
    let metadata = with(metadata, "merges", texts(["a b"]));
    let kinds = [1, 1, 1, 3].map(Value::I32).to_vec();
    with(metadata, "token_type", Value::Array(kinds))
}

/// All bytes, then `▁`, `a` and `▁a`.
fn llama() -> Metadata {
    let mut tokens: Vec<Value> =
        (0..=u8::MAX).map(|byte| Value::String(format!("<0x{byte:02X}>"))).collect();
    tokens.extend(["▁", "a", "▁a"].map(|token| Value::String(token.into())));
    let scores = (0..259_u16).map(|n| Value::F32(f32::from(n))).collect();
    let kinds = (0..259).map(|n| Value::I32(if n < 256 { 6 } else { 1 })).collect();
    let metadata = with(Metadata::new(), "model", Value::String("llama".into()));
    let metadata = with(metadata, "bos_token_id", Value::U32(257));
    let metadata = with(metadata, "tokens", Value::Array(tokens));
    let metadata = with(metadata, "scores", Value::Array(scores));
    with(metadata, "token_type", Value::Array(kinds))
}

fn refusal(metadata: &Metadata) -> String {
    let Err(error) = TextTokenizer::from_gguf(metadata) else { panic!("it was taken") };
    let text = error.to_string();
    assert!(!text.contains('\n') && text.contains("--prompt"), "{text}");
    text
}

#[test]
fn sound_ones_are_taken() {
    let tokenizer = TextTokenizer::from_gguf(&gpt2()).unwrap();
    assert_eq!(tokenizer.encode("ab<s>ba").unwrap(), [2, 3, 1, 0]);
    assert_eq!(tokenizer.decode(&[2, 3, 1]).unwrap(), "abb");
    let tokenizer = TextTokenizer::from_gguf(&llama()).unwrap();
    assert_eq!(tokenizer.encode("a é").unwrap(), [257, 258, 256, 0xc3, 0xa9]);
    assert_eq!(tokenizer.decode(&[258, 256, 0xc3, 0xa9]).unwrap(), "a é");
}

#[test]
fn lists_that_contradict_each_other_are_refused_in_one_sentence() {
    let numbers = |numbers: &[i32]| Value::Array(numbers.iter().copied().map(Value::I32).collect());
    let long = "a".repeat(5000);
    for (metadata, says) in [
        (without(gpt2(), "tokens"), "no list of tokens"),
        (with(gpt2(), "tokens", Value::U32(4)), "tokens is no list"),
        (with(gpt2(), "tokens", numbers(&[1])), "tokens is no list of strings: see entry 0"),
        (with(gpt2(), "tokens", texts(["a", "b", "ab", "a"])), "tokens 0 and 3 are both \"a\""),
        (with(gpt2(), "tokens", texts(["a", "b", "ab", &long])), "token 3 has 5000 bytes"),
        (with(gpt2(), "token_type", numbers(&[1, 1])), "token_type has 2 entries for 4 tokens"),
        (with(gpt2(), "token_type", numbers(&[1, 1, 1, 7])), "0 to 6: see entry 3"),
        (without(gpt2(), "merges"), "no merges"),
        (with(gpt2(), "merges", texts(["ab"])), "merge 0, \"ab\", is of one token alone"),
        (with(gpt2(), "merges", texts(["a b", "a é"])), "merge 1 has \"é\", which is no token"),
        (with(gpt2(), "merges", texts(["ab b"])), "merge 0 has \"abb\", which is no token"),
        (with(gpt2(), "bos_token_id", Value::U32(4)), "bos_token_id is 4, and there are 4 tokens"),
        (with(gpt2(), "eos_token_id", Value::I32(-1)), "eos_token_id is no token id"),
        (with(gpt2(), "add_eos_token", Value::Bool(true)), "eos_token_id does not say which"),
        (with(gpt2(), "add_bos_token", Value::U32(1)), "add_bos_token is no truth value"),
        (without(llama(), "scores"), "no scores"),
        (with(llama(), "scores", texts(["a"])), "scores is no list of numbers"),
        (with(llama(), "scores", Value::Array(vec![Value::F32(f32::NAN)])), "no list of numbers"),
        (with(llama(), "scores", Value::Array(vec![Value::F32(0.0)])), "1 entries for 259 tokens"),
        (without(llama(), "bos_token_id"), "bos_token_id does not say which"),
    ] {
        let text = refusal(&metadata);
        assert!(text.contains(says), "{text}");
    }
    let mut metadata = llama();
    if let Some(Value::Array(tokens)) = metadata.get_mut("tokenizer.ggml.tokens") {
        tokens[0xc3] = Value::String("x".into());
    }
    assert!(refusal(&metadata).contains("no token for the byte 0xc3"));
}

#[test]
fn other_kinds_are_refused_by_name() {
    let model = |name: &str| with(gpt2(), "model", Value::String(name.into()));
    assert!(refusal(&model("no_vocab")).contains("the file has no vocabulary"));
    assert!(refusal(&model("t5")).contains("of the kind \"t5\""));
    assert!(refusal(&Metadata::new()).contains("tokenizer.ggml.model"));
}

#[test]
fn a_split_that_is_not_known_is_refused_by_name() {
    let text = refusal(&with(gpt2(), "pre", Value::String("qwen9".into())));
    assert!(text.contains("\"qwen9\"") && text.contains("qwen2"), "{text}");
    assert!(refusal(&without(gpt2(), "pre")).contains("tokenizer.ggml.pre"));
}

#[test]
fn every_pattern_is_one() {
    for split in super::split::SPLITS {
        super::byte_level::pieces(split).unwrap();
    }
}
