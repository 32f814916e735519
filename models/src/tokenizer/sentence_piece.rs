//! BPE of `SentencePiece`: spaces are written as `▁`, what has no token becomes bytes, and pairs are
//! joined in the order of the scores of what they make.
//!
//! Not here: `SentencePiece`'s unigram models, which a GGUF calls `t5`.

use super::vocabulary::{self, Kind, Vocabulary};
use super::{TextTokenizer, finish};
use candle_core::quantized::gguf_file::Value;
use std::collections::HashMap;
use tokenizers::Tokenizer;
use tokenizers::decoders::DecoderWrapper;
use tokenizers::decoders::byte_fallback::ByteFallback;
use tokenizers::decoders::fuse::Fuse;
use tokenizers::decoders::sequence::Sequence as Decoders;
use tokenizers::decoders::strip::Strip;
use tokenizers::models::bpe::{BPE, Vocab};
use tokenizers::normalizers::{NormalizerWrapper, Prepend, Replace, Sequence};

/// What a space is written as.
const SPACE: char = '\u{2581}';

/// Phi-3's tokens that leave the white space behind them alone; all its others take it in.
///
/// # Source
/// llama.cpp, src/llama-vocab.cpp, "set attributes by model/tokenizer/architecture name".
const PHI3_LEAVES: [&str; 3] = ["<unk>", "<s>", "<|endoftext|>"];

/// # Errors
/// A sentence on what is absent or contradictory.
pub(super) fn build(
    vocabulary: &Vocabulary<'_>,
    metadata: &HashMap<String, Value>,
) -> Result<TextTokenizer, String> {
    every_byte_has_a_token(vocabulary)?;
    let prefix = vocabulary::truth(metadata, "add_space_prefix")?.unwrap_or(true);
    let merges = merges(vocabulary, &vocabulary.scores(metadata)?);
    let model = BPE::builder()
        .vocab_and_merges(ids(vocabulary)?, merges)
        .byte_fallback(true)
        .cache_capacity(super::WORDS_KEPT)
        .build()
        .map_err(|error| error.to_string())?;
    let mut tokenizer = Tokenizer::new(model);
    tokenizer.with_normalizer(Some(spaces_out(prefix)?)).map_err(|error| error.to_string())?;
    tokenizer.with_decoder(Some(spaces_in(prefix)?));
    let architecture = metadata.get("general.architecture").and_then(|v| v.to_string().ok());
    let phi3 = architecture.is_some_and(|name| name == "phi3");
    let strips = |token: &str| phi3 && !PHI3_LEAVES.contains(&token);
    finish(tokenizer, vocabulary, true, seen_in_text, strips)
}

/// A token as it looks in a text.
fn seen_in_text(token: &str) -> String {
    token.replace(SPACE, " ")
}

fn ids(vocabulary: &Vocabulary<'_>) -> Result<Vocab, String> {
    let mut ids = Vocab::with_capacity(vocabulary.each().count());
    for (id, (token, kind)) in (0..).zip(vocabulary.each()) {
        // These are looked for in the text itself, before spaces are written another way.
        let own = matches!(kind, Kind::Control | Kind::Unknown | Kind::UserDefined);
        let token = if own { seen_in_text(token) } else { token.to_owned() };
        if let Some(first) = ids.insert(token, id).filter(|_| own) {
            return Err(format!("its tokens {first} and {id} look the same in a text"));
        }
    }
    Ok(ids)
}

/// Every byte must have a token, or a character of its own: text may hold any.
fn every_byte_has_a_token(vocabulary: &Vocabulary<'_>) -> Result<(), String> {
    let has = |byte: u8| {
        let itself = char::from(byte).to_string();
        vocabulary.id(&format!("<0x{byte:02X}>")).is_some()
            || byte.is_ascii() && vocabulary.id(&itself).is_some()
    };
    match (0..=u8::MAX).find(|&byte| !has(byte)) {
        None => Ok(()),
        Some(byte) => Err(format!("its vocabulary has no token for the byte {byte:#04x}")),
    }
}

/// Every way to make a token of two others; the token with the highest score first, of two with one
/// score the one with the longer halves, of two that are alike in this too the first in the
/// vocabulary.
///
/// # Source
/// `generate_merges` in transformers' `tokenization_utils_base.py`, which made the tokenizer.json
/// of these models.
fn merges(vocabulary: &Vocabulary<'_>, scores: &[f32]) -> Vec<(String, String)> {
    let normal: Vec<bool> = vocabulary.each().map(|(_, kind)| kind == Kind::Normal).collect();
    let is_part = |text: &str| vocabulary.id(text).is_some_and(|id| normal[id as usize]);
    let mut found = Vec::new();
    for (id, (token, _)) in vocabulary.each().enumerate().filter(|(id, _)| normal[*id]) {
        let characters = token.chars().count();
        for (before, (at, _)) in token.char_indices().enumerate().skip(1) {
            let (left, right) = token.split_at(at);
            if is_part(left) && is_part(right) {
                found.push((scores[id], (before, characters - before), (left, right)));
            }
        }
    }
    found.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| b.1.cmp(&a.1)));
    found.into_iter().map(|(_, _, (left, right))| (left.to_owned(), right.to_owned())).collect()
}

fn spaces_out(prefix: bool) -> Result<Sequence, String> {
    let space = SPACE.to_string();
    let replace = Replace::new(" ", space.clone()).map_err(|error| error.to_string())?;
    let mut steps: Vec<NormalizerWrapper> = Vec::new();
    if prefix {
        steps.push(Prepend::new(space).into());
    }
    steps.push(replace.into());
    Ok(Sequence::new(steps))
}

fn spaces_in(prefix: bool) -> Result<Decoders, String> {
    let replace = Replace::new(SPACE.to_string(), " ").map_err(|error| error.to_string())?;
    let mut steps: Vec<DecoderWrapper> =
        vec![replace.into(), ByteFallback::new().into(), Fuse::new().into()];
    if prefix {
        steps.push(Strip::new(' ', 1, 0).into());
    }
    Ok(Decoders::new(steps))
}
