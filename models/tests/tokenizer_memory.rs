//! What a tokenizer leaves behind: a test of its own, because it measures the whole process.

#![expect(clippy::unwrap_used, reason = "helpers of tests stop where a test would")]
#![expect(clippy::print_stderr, reason = "a skipped test says so")]

use candle_core::quantized::gguf_file::Value;
use freeweights_models::TextTokenizer;
use std::collections::HashMap;
use std::path::Path;

/// Tokenizers of a long run over many models.
const TOKENIZERS: usize = 60;
/// Words that each of them reads, no two alike: as many as one would remember.
const WORDS: usize = 10_000;

/// Memory of this process that is in use: `VmRSS`, in bytes.
fn resident() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.trim().strip_suffix(" kB")?.parse::<u64>().ok()? * 1024)
}

/// One of a GGUF that knows digits, and words by the spaces between them.
fn of_a_gguf() -> TextTokenizer {
    let texts =
        |texts: &mut dyn Iterator<Item = String>| Value::Array(texts.map(Value::String).collect());
    let key = |name: &str| format!("tokenizer.ggml.{name}");
    let tokens = ('0'..='9').map(String::from).chain(["\u{120}".into(), "12".into()]);
    let metadata = HashMap::from([
        (key("model"), Value::String("gpt2".into())),
        (key("pre"), Value::String("gpt-2".into())),
        (key("tokens"), texts(&mut tokens.into_iter())),
        (key("token_type"), Value::Array(vec![Value::I32(1); 12])),
        (key("merges"), texts(&mut ["1 2".to_owned()].into_iter())),
    ]);
    TextTokenizer::from_gguf(&metadata).unwrap()
}

/// The like of a tokenizer.json.
fn of_a_file(path: &Path) -> TextTokenizer {
    let vocab: HashMap<String, u32> = (0..10).map(|digit| (digit.to_string(), digit)).collect();
    let json = serde_json::json!({
        "version": "1.0", "added_tokens": [], "pre_tokenizer": {"type": "WhitespaceSplit"},
        "model": {"type": "BPE", "vocab": vocab, "merges": []}
    });
    std::fs::write(path, json.to_string()).unwrap();
    TextTokenizer::from_file(path).unwrap()
}

#[test]
fn a_tokenizer_that_is_dropped_keeps_no_words() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokenizer.json");
    let makers: [&dyn Fn() -> TextTokenizer; 2] = [&of_a_gguf, &|| of_a_file(&path)];
    for make in makers {
        let words: Vec<String> = (0..WORDS).map(|n| (1_000_000 + n).to_string()).collect();
        let text = words.join(" ");
        // What is made once, and what the allocator holds ready.
        let read = || assert!(make().encode(&text).unwrap().len() >= 6 * WORDS);
        read();
        read();
        let Some(before) = resident() else {
            return eprintln!("skipped: this system does not tell how much memory is in use");
        };
        (0..TOKENIZERS).for_each(|_| read());
        let grown = resident().unwrap().saturating_sub(before);
        // Each would leave 10,000 words behind, of a hundred bytes and more.
        assert!(grown < 20 << 20, "{grown} bytes more after {TOKENIZERS} tokenizers");
    }
}
