//! Text to token ids and back, from a tokenizer.json or from inside a GGUF.
//!
//! Chat templates are not applied: a prompt is continued as it stands.

use crate::error::ModelError;
use candle_core::quantized::gguf_file::Content;
use candle_core::quantized::tokenizer::TokenizerFromGguf;
use std::path::Path;
use tokenizers::Tokenizer;
use tokenizers::pre_tokenizers::PreTokenizerWrapper;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::digits::Digits;
use tokenizers::pre_tokenizers::sequence::Sequence;

/// A model's tokenizer.
#[derive(Debug, Clone)]
pub struct TextTokenizer(Tokenizer);

impl TextTokenizer {
    /// From a tokenizer.json.
    ///
    /// # Errors
    /// [`ModelError::Tokenizer`] where the file is absent or damaged.
    pub fn from_file(path: &Path) -> Result<Self, ModelError> {
        Tokenizer::from_file(path).map(Self).map_err(|error| ModelError::Tokenizer {
            reason: format!("{}: {error}", path.display()),
        })
    }

    /// From the metadata of a GGUF.
    ///
    /// # Errors
    /// [`ModelError::Tokenizer`] where it has none, or of a kind that is not byte-pair encoding.
    pub fn from_gguf(content: &Content) -> Result<Self, ModelError> {
        let mut tokenizer = Tokenizer::from_gguf(content)
            .map_err(|error| ModelError::Tokenizer { reason: crate::error::first_line(&error) })?;
        let kind = content.metadata.get("tokenizer.ggml.pre").and_then(|v| v.to_string().ok());
        if kind.is_some_and(|kind| kind == "smollm") {
            // candle takes this for plain GPT-2, which puts a space in front and keeps numbers whole.
            let steps: Vec<PreTokenizerWrapper> =
                vec![Digits::new(true).into(), ByteLevel::new(false, true, true).into()];
            tokenizer.with_pre_tokenizer(Some(Sequence::new(steps)));
        }
        Ok(Self(tokenizer))
    }

    /// Token ids of a text, special tokens added as the model was trained with them.
    ///
    /// # Errors
    /// [`ModelError::Tokenizer`] for text it cannot encode.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, ModelError> {
        let encoding = self
            .0
            .encode(text, true)
            .map_err(|error| ModelError::Tokenizer { reason: error.to_string() })?;
        Ok(encoding.get_ids().to_vec())
    }

    /// The text of token ids, special tokens left out.
    ///
    /// # Errors
    /// [`ModelError::Tokenizer`] for ids beyond the vocabulary.
    pub fn decode(&self, ids: &[u32]) -> Result<String, ModelError> {
        self.0
            .decode(ids, true)
            .map_err(|error| ModelError::Tokenizer { reason: error.to_string() })
    }
}
