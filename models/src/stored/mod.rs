//! Stored tensors as loaders read them: by role, some bytes at a time, by several threads at once,
//! whatever the file calls them and however it has put them together.
//!
//! Not here: what the bytes mean, and where they go.

mod checkpoint;
mod gguf;
mod place;
mod quantised;
mod resolve;
mod rotary;

pub use place::Place;
pub(crate) use place::{
    each_expert, gguf_name, in_checkpoint, in_gguf, joined_attention, joined_feed_forward,
    joined_in_gguf, usual_in_checkpoint, usual_in_gguf,
};
pub(crate) use quantised::{Quantised, float_of};
pub(crate) use resolve::{Located, StoredShape, resolve};
pub(crate) use rotary::Turning;

use crate::tensors::Role;
use candle_core::DType;
use candle_core::quantized::GgmlDType;
use std::io::{Error, ErrorKind, Result};

/// Kinds of files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// GGUF.
    Gguf,
    /// Safetensors as the transformers library writes them.
    Checkpoint,
}

/// How rotary pairs lie in the rows of query and key matrices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pairs {
    /// `(0, 1), (2, 3), ..`
    Adjacent,
    /// `(0, w/2), (1, w/2 + 1), ..` of the `w` columns that turn: what engines rotate.
    Halves,
}

/// Where the bytes of tensors come from.
pub(crate) trait StoredTensors: Sync {
    /// The type a tensor is stored in; `None` if there is no such tensor.
    fn dtype(&self, role: Role) -> Option<GgmlDType>;

    /// How rotary pairs lie.
    fn pairs(&self) -> Pairs;

    /// What is to be added to every number of a tensor (to Gemma's norms in checkpoints: 1).
    fn offset(&self, _role: Role) -> f32 {
        0.0
    }

    /// Whether rows and columns of each of its matrices have changed places.
    fn transposed(&self, _role: Role) -> bool {
        false
    }

    /// A reader for one thread.
    ///
    /// # Errors
    /// Errors of the system.
    fn open(&self) -> Result<Box<dyn TensorReader + '_>>;
}

/// Reads parts of tensors.
pub(crate) trait TensorReader {
    /// Fills `out` from byte `at` of a tensor on.
    ///
    /// # Errors
    /// Errors of the system.
    fn read(&mut self, role: Role, at: u64, out: &mut [u8]) -> Result<()>;
}

/// The type of a tensor of a checkpoint; `None` for those that are not read.
pub(crate) fn float_dtype(dtype: DType) -> Option<GgmlDType> {
    match dtype {
        DType::F32 => Some(GgmlDType::F32),
        DType::F16 => Some(GgmlDType::F16),
        DType::BF16 => Some(GgmlDType::BF16),
        _ => None,
    }
}

/// The error of asking for what is not there.
fn missing(role: Role) -> Error {
    Error::new(ErrorKind::NotFound, format!("there is no tensor {role:?}"))
}
