//! Byte-level BPE: bytes are written as letters, and pairs are joined by a list of merges, within
//! the words that a pattern cuts a text into.
//!
//! Not here: the patterns.

use super::split::Split;
use super::vocabulary::{self, Vocabulary};
use super::{TextTokenizer, finish};
use candle_core::quantized::gguf_file::Value;
use std::collections::HashMap;
use tokenizers::models::bpe::{BPE, Vocab};
use tokenizers::normalizers::unicode::NFC;
use tokenizers::pre_tokenizers::PreTokenizerWrapper;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::sequence::Sequence;
use tokenizers::pre_tokenizers::split::{Split as SplitAt, SplitPattern};
use tokenizers::{SplitDelimiterBehavior, Tokenizer};

/// # Errors
/// A sentence on what is absent, contradictory or not known.
pub(super) fn build(
    vocabulary: &Vocabulary<'_>,
    metadata: &HashMap<String, Value>,
) -> Result<TextTokenizer, String> {
    let name = vocabulary::text(metadata, "pre")?.ok_or(
        "the file is of a time when none said how text is split into words (tokenizer.ggml.pre), and to guess it changes token counts; use a newer file of the model",
    )?;
    let split = Split::by_name(name)?;
    let merges = vocabulary.merges(metadata)?;
    let ids: Vocab =
        (0..).zip(vocabulary.each()).map(|(id, (token, _))| (token.to_owned(), id)).collect();
    let model = BPE::builder()
        .vocab_and_merges(ids, merges)
        .ignore_merges(split.whole_words)
        .cache_capacity(super::WORDS_KEPT)
        .build()
        .map_err(|error| error.to_string())?;
    let mut tokenizer = Tokenizer::new(model);
    let normalizer = split.composes.then_some(NFC);
    tokenizer.with_normalizer(normalizer).map_err(|error| error.to_string())?;
    tokenizer.with_pre_tokenizer(Some(pieces(split)?));
    tokenizer.with_decoder(Some(ByteLevel::new(false, false, false)));
    finish(tokenizer, vocabulary, split.bos, str::to_owned, |_| false)
}

/// Cuts by one pattern after the other, then writes bytes as letters.
pub(super) fn pieces(split: &Split) -> Result<Sequence, String> {
    let mut steps: Vec<PreTokenizerWrapper> = Vec::new();
    for pattern in split.patterns {
        let pattern = SplitPattern::Regex((*pattern).to_owned());
        let step = SplitAt::new(pattern, SplitDelimiterBehavior::Isolated, false);
        steps.push(step.map_err(|error| error.to_string())?.into());
    }
    steps.push(ByteLevel::new(false, false, false).into());
    Ok(Sequence::new(steps))
}
