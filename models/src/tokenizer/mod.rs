//! Text to token ids and back, from a tokenizer.json or from inside a GGUF.
//!
//! Chat templates are not applied: a prompt is continued as it stands. Not here either: word-piece
//! and unigram vocabularies, which no family of this crate has.

mod byte_level;
mod sentence_piece;
mod split;
#[cfg(test)]
mod tests;
mod vocabulary;

use crate::error::ModelError;
use crate::model_id::ModelId;
use crate::source::hub::Quiet;
use crate::source::regular::{self, TOKENIZER_BYTES};
use candle_core::quantized::gguf_file::Value;
use std::collections::HashMap;
use std::path::Path;
use tokenizers::models::ModelWrapper;
use tokenizers::{AddedToken, Tokenizer};
use vocabulary::{Kind, Vocabulary};

/// Words of which BPE keeps the tokens for the next time: none. It keeps them by thread and by
/// tokenizer, and goes on keeping them when the tokenizer is no more (tokenizers 0.23.2,
/// src/models/bpe/model.rs, `BPE_LOCAL_CACHE`).
const WORDS_KEPT: usize = 0;

/// A model's tokenizer.
#[derive(Debug, Clone)]
pub struct TextTokenizer {
    tokenizer: Tokenizer,
    /// What a model was trained to see before every text, where the tokenizer does not add it.
    before: Option<u32>,
    /// As `before`, behind it.
    after: Option<u32>,
}

impl TextTokenizer {
    /// From a file: a tokenizer.json, a folder that holds one, or a GGUF.
    ///
    /// # Errors
    /// [`ModelError`] where there is none.
    pub fn open(path: &Path) -> Result<Self, ModelError> {
        if path.extension().is_some_and(|kind| kind == "gguf") {
            let id = ModelId::Path(path.to_path_buf());
            return crate::load::ready(&id, None, &Quiet)?.tokenizer;
        }
        if path.is_dir() {
            Self::from_file(&path.join("tokenizer.json"))
        } else {
            Self::from_file(path)
        }
    }

    /// From a tokenizer.json.
    ///
    /// # Errors
    /// [`ModelError::Tokenizer`] where the file is absent or damaged.
    pub fn from_file(path: &Path) -> Result<Self, ModelError> {
        match std::fs::metadata(path) {
            Ok(file) if !file.is_file() || file.len() > TOKENIZER_BYTES => {
                regular::check(path, TOKENIZER_BYTES)?;
            }
            // That it is not there is told below.
            _ => {}
        }
        match Tokenizer::from_file(path) {
            Ok(mut tokenizer) => {
                if let ModelWrapper::BPE(model) = tokenizer.get_model() {
                    let mut model = model.clone();
                    model.resize_cache(WORDS_KEPT);
                    tokenizer.with_model(model);
                }
                Ok(Self { tokenizer, before: None, after: None })
            }
            Err(error) => {
                Err(ModelError::Tokenizer { reason: format!("{}: {error}", path.display()) })
            }
        }
    }

    /// From the metadata of a GGUF: byte-level BPE (`gpt2`) or `SentencePiece` BPE (`llama`).
    ///
    /// # Errors
    /// [`ModelError::Tokenizer`] where it has none, where it contradicts itself, and where it is of
    /// a kind, or splits text in a way, that is not known here: another split gives other token
    /// counts, and nothing would show it.
    ///
    /// # Source
    /// The keys: ggml/docs/gguf.md. What they leave unsaid: llama.cpp, src/llama-vocab.cpp.
    pub fn from_gguf(metadata: &HashMap<String, Value>) -> Result<Self, ModelError> {
        build(metadata).map_err(|reason| ModelError::Tokenizer { reason })
    }

    /// Token ids of a text, special tokens added as the model was trained with them.
    ///
    /// # Errors
    /// [`ModelError::Tokenizer`] for text it cannot encode.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, ModelError> {
        let encoding = self
            .tokenizer
            .encode(text, true)
            .map_err(|error| ModelError::Tokenizer { reason: error.to_string() })?;
        Ok(self.before.iter().chain(encoding.get_ids()).chain(&self.after).copied().collect())
    }

    /// The text of token ids, special tokens left out.
    ///
    /// # Errors
    /// [`ModelError::Tokenizer`] for ids beyond the vocabulary.
    pub fn decode(&self, ids: &[u32]) -> Result<String, ModelError> {
        self.tokenizer
            .decode(ids, true)
            .map_err(|error| ModelError::Tokenizer { reason: error.to_string() })
    }
}

fn build(metadata: &HashMap<String, Value>) -> Result<TextTokenizer, String> {
    let model = vocabulary::text(metadata, "model")?
        .ok_or("the file does not say of what kind its vocabulary is (tokenizer.ggml.model)")?;
    match model {
        "gpt2" => byte_level::build(&Vocabulary::read(metadata)?, metadata),
        "llama" => sentence_piece::build(&Vocabulary::read(metadata)?, metadata),
        "no_vocab" | "none" => Err("the file has no vocabulary".into()),
        other => Err(format!(
            "its vocabulary is of the kind {other:?}, and \"gpt2\" and \"llama\" are read"
        )),
    }
}

/// Puts the model's special tokens into a tokenizer and says what comes before and behind a text.
///
/// They are found in a text before anything else is done to it. `content` is how a token looks
/// there, `strips` whether white space behind one belongs to it.
fn finish(
    mut tokenizer: Tokenizer,
    vocabulary: &Vocabulary<'_>,
    bos_unless_said: bool,
    content: impl Fn(&str) -> String,
    strips: impl Fn(&str) -> bool,
) -> Result<TextTokenizer, String> {
    let added: Vec<AddedToken> = vocabulary
        .each()
        .filter_map(|(token, kind)| {
            let special = match kind {
                Kind::Control | Kind::Unknown => true,
                Kind::UserDefined => false,
                Kind::Normal | Kind::Byte => return None,
            };
            let content = content(token);
            let strips = strips(&content);
            Some(AddedToken::from(content, special).normalized(false).rstrip(strips))
        })
        .collect();
    tokenizer.add_tokens(added).map_err(|error| error.to_string())?;
    let before = vocabulary.before(bos_unless_said)?;
    Ok(TextTokenizer { tokenizer, before, after: vocabulary.after()? })
}
