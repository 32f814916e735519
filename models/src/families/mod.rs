//! Model families. A new one is a file here and a line in [`FAMILIES`].

mod llama;

use crate::error::ModelError;
use crate::plain::PlainModel;
use crate::spec::ModelSpec;
use crate::tensors::TensorSpec;
use candle_core::quantized::gguf_file::{Content, Value};
use candle_core::{DType, Device};
use candle_nn::VarBuilder;
use std::collections::HashMap;
use std::io::{Read, Seek};

/// A seekable source of bytes: a file, or dummy weights made up as they are read.
pub trait Source: Read + Seek {}
impl<T: Read + Seek> Source for T {}

/// What differs from one family of models to the next.
pub trait Family: Sync {
    /// Name, as GGUF has it in `general.architecture`.
    fn name(&self) -> &'static str;

    /// Names, as config.json has them in `architectures`.
    fn checkpoint_names(&self) -> &'static [&'static str];

    /// The shape, from the metadata of a GGUF.
    ///
    /// # Errors
    /// A sentence naming the key that is absent or contradicts the rest.
    fn spec_from_gguf(
        &self,
        metadata: &HashMap<String, Value>,
        content: &Content,
    ) -> Result<ModelSpec, String>;

    /// The shape, from a config.json.
    ///
    /// # Errors
    /// A sentence naming the key that is absent or contradicts the rest.
    fn spec_from_config(&self, config: &serde_json::Value) -> Result<ModelSpec, String>;

    /// The tensors a model of this shape has.
    fn tensors(&self, spec: &ModelSpec) -> Vec<TensorSpec>;

    /// The quantised model as candle-transformers has it.
    ///
    /// # Errors
    /// Errors of candle.
    fn open_gguf(
        &self,
        spec: &ModelSpec,
        content: &Content,
        source: &mut dyn Source,
        device: &Device,
    ) -> Result<Box<dyn PlainModel>, ModelError>;

    /// The same with every matrix dequantised to f32, for faster engines to be held against.
    ///
    /// # Errors
    /// Errors of candle.
    fn open_dequantised(
        &self,
        spec: &ModelSpec,
        content: &Content,
        source: &mut dyn Source,
        device: &Device,
    ) -> Result<Box<dyn PlainModel>, ModelError>;

    /// The floating-point model as candle-transformers has it.
    ///
    /// # Errors
    /// Errors of candle.
    fn open_dense(
        &self,
        spec: &ModelSpec,
        weights: VarBuilder<'_>,
        dtype: DType,
        device: &Device,
    ) -> Result<Box<dyn PlainModel>, ModelError>;
}

/// Every family there is.
pub static FAMILIES: &[&dyn Family] = &[&llama::Llama];

/// The family by its GGUF name.
///
/// # Errors
/// [`ModelError::UnsupportedArchitecture`] with the supported ones.
pub fn by_name(name: &str) -> Result<&'static dyn Family, ModelError> {
    FAMILIES.iter().find(|family| family.name() == name).copied().ok_or_else(|| unsupported(name))
}

/// The family by its name in config.json.
///
/// # Errors
/// [`ModelError::UnsupportedArchitecture`] with the supported ones.
pub fn by_checkpoint_name(name: &str) -> Result<&'static dyn Family, ModelError> {
    FAMILIES
        .iter()
        .find(|family| family.checkpoint_names().contains(&name))
        .copied()
        .ok_or_else(|| unsupported(name))
}

fn unsupported(found: &str) -> ModelError {
    let names = FAMILIES
        .iter()
        .map(|family| format!("{} ({})", family.name(), family.checkpoint_names().join(", ")))
        .collect::<Vec<_>>();
    ModelError::UnsupportedArchitecture { found: found.to_owned(), supported: names.join(", ") }
}
