//! Which tensors the GGUF of a dummy has: those that files of the family have, where several
//! tensors of the model may be stored as one.
//!
//! Not here: where they lie in the file ([`super::gguf`]).

use super::SEED;
use super::fill::{Fill, fill};
use crate::families::Family;
use crate::quant::{Quant, quantised};
use crate::spec::ModelSpec;
use crate::stored::{Format, Place, gguf_name};
use crate::tensors::{Role, TensorSpec, tensors_of};
use candle_core::quantized::GgmlDType;

/// A tensor as the GGUF has it.
pub(super) struct Stored {
    pub(super) name: String,
    pub(super) shape: Vec<usize>,
    pub(super) dtype: GgmlDType,
    /// Whether rows and columns have changed places.
    pub(super) transposed: bool,
    /// The tensors of the model that it holds, one behind the other.
    pub(super) parts: Vec<(Role, Piece)>,
}

/// Bytes that are made up in one go.
#[derive(Debug, Clone)]
pub(super) struct Piece {
    pub(super) bytes: usize,
    pub(super) fill: Fill,
    pub(super) seed: u64,
}

/// The stored tensors of a shape, each in the first place that the family knows for it. Tensors
/// stored as one have the type of the first of them.
pub(super) fn stored(family: &dyn Family, spec: &ModelSpec, quant: Quant) -> Vec<Stored> {
    let mut all: Vec<Stored> = Vec::new();
    for (index, tensor) in tensors_of(spec).into_iter().enumerate() {
        let seed = SEED ^ index as u64;
        let place = family.places(spec, Format::Gguf, tensor.role).into_iter().next();
        match (place, all.last_mut()) {
            (Some(Place::Rows(name, rows)), Some(joint)) if joint.name == name => {
                assert_eq!(rows.start, joint.shape[0], "invariant: parts lie in the model's order");
                joint.shape[0] = rows.end;
                joint.parts.push((tensor.role, piece(&tensor, joint.dtype, seed)));
            }
            (place, _) => all.push(first_of(tensor, place, quant, seed)),
        }
    }
    all
}

/// A stored tensor that holds one of the model's so far.
fn first_of(mut tensor: TensorSpec, place: Option<Place>, quant: Quant, seed: u64) -> Stored {
    let transposed = matches!(place, Some(Place::Transposed(_)));
    if let (true, [.., rows, columns]) = (transposed, tensor.shape.as_mut_slice()) {
        std::mem::swap(rows, columns);
    }
    let name = place.and_then(|place| place.names().first().map(|name| (*name).into()));
    let name = name.unwrap_or_else(|| gguf_name(tensor.role));
    let dtype = stored_dtype(quant, &tensor);
    let parts = vec![(tensor.role, piece(&tensor, dtype, seed))];
    Stored { name, shape: tensor.shape, dtype, transposed, parts }
}

fn piece(tensor: &TensorSpec, dtype: GgmlDType, seed: u64) -> Piece {
    let numbers: usize = tensor.shape.iter().product();
    let bytes = numbers / dtype.block_size() * dtype.type_size();
    Piece { bytes, fill: fill(tensor, dtype), seed }
}

/// llama.cpp wants norms in f32, whatever the matrices are in.
fn stored_dtype(quant: Quant, tensor: &TensorSpec) -> GgmlDType {
    if quantised(tensor.role) { quant.tensor_dtype(tensor) } else { GgmlDType::F32 }
}
