//! The vocabulary in a GGUF, made of the bytes of an input: what a header's own guards would let
//! no mutation reach.

use crate::{bounded, parted};
use candle_core::quantized::gguf_file::Value;
use freeweights_models::TextTokenizer;
use std::collections::HashMap;

/// Kinds of vocabularies, and how text is split.
const MODELS: [(&str, &str); 5] = [
    ("llama", "default"),
    ("gpt2", "gpt-2"),
    ("gpt2", "llama-bpe"),
    ("gpt2", "qwen2"),
    ("gpt2", "smollm"),
];

fn lines(part: &[u8]) -> Vec<String> {
    part.split(|byte| *byte == b'\n').map(|line| String::from_utf8_lossy(line).into()).collect()
}

/// Four settings, tokens by line, a zero byte, merges by line, a zero byte, and a text.
pub fn vocabulary(data: &[u8]) {
    let Some((&[model, bytes, bos, flags], rest)) = data.split_first_chunk::<4>() else { return };
    let (tokens, rest) = parted(rest);
    let (merges, text) = parted(rest);
    let mut all: Vec<String> = Vec::new();
    if bytes % 2 == 0 {
        all.extend((0..=255).map(|byte: u8| format!("<0x{byte:02X}>")));
    }
    all.extend(lines(tokens));
    let count = all.len();
    let (model, pre) = MODELS[usize::from(model) % MODELS.len()];
    let of = |at: usize| text.get(at % text.len().max(1)).copied().unwrap_or(1);
    let list = |value: &dyn Fn(usize) -> Value| Value::Array((0..count).map(value).collect());
    let mut metadata = HashMap::from([
        ("model", Value::String(model.into())),
        ("pre", Value::String(pre.into())),
        ("tokens", list(&|at| Value::String(all[at].clone()))),
        ("scores", list(&|at| Value::F32(f32::from_bits(u32::from(of(at)) << 23)))),
        ("token_type", list(&|at| Value::I32(i32::from(of(at) % 7)))),
        ("merges", Value::Array(lines(merges).into_iter().map(Value::String).collect())),
        ("bos_token_id", Value::U32(bos.into())),
        ("add_bos_token", Value::Bool(flags & 1 > 0)),
        ("add_space_prefix", Value::Bool(flags & 2 > 0)),
    ]);
    if flags & 4 > 0 {
        metadata.remove("token_type");
    }
    let named = |(key, value): (&str, Value)| (format!("tokenizer.ggml.{key}"), value);
    let metadata = metadata.into_iter().map(named).collect();
    // Values of a list, each of 32 bytes, stand beside what is made of them.
    let room = vec![0; data.len() + 16 * 300];
    bounded(&room, || {
        let Ok(tokenizer) = TextTokenizer::from_gguf(&metadata) else { return };
        if let Ok(ids) = tokenizer.encode(&String::from_utf8_lossy(text)) {
            let _ = tokenizer.decode(&ids);
        }
    });
}
