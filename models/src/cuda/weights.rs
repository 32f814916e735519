//! The weights of a model in the memory of a GPU.

use super::read::{Kind, Reader};
use crate::error::ModelError;
use crate::spec::ModelSpec;
use crate::stored::StoredTensors;
use crate::tensors::{Part, Role};
use freeweights_kernels::cuda::{Buffer, Gpu, Place};
use std::collections::HashMap;
use std::sync::Arc;

/// One or more matrices that multiply the same input, their outputs one behind the other.
pub(super) struct Matrix {
    pub(super) pieces: Vec<Piece>,
    /// Outputs of all pieces.
    pub(super) outputs: usize,
    pub(super) inputs: usize,
}

/// Some of the outputs, in one piece of memory.
pub(super) struct Piece {
    pub(super) kind: Kind,
    pub(super) outputs: usize,
    weight: Arc<Buffer>,
}

impl Piece {
    pub(super) fn place(&self) -> Place {
        self.weight.place()
    }

    pub(super) fn buffer(&self) -> &Buffer {
        &self.weight
    }
}

impl Matrix {
    /// Numbers go into one piece; blocks, whose types may differ, into one each.
    fn read(reader: &mut Reader<'_>, roles: &[Role]) -> Result<Self, ModelError> {
        let kinds = roles.iter().map(|role| reader.kind(*role)).collect::<Result<Vec<_>, _>>()?;
        let shapes: Vec<_> = roles.iter().map(|role| reader.shape(*role)).collect();
        let outputs = shapes.iter().map(|(rows, _)| rows).sum();
        let inputs = shapes.first().map_or(0, |(_, columns)| *columns);
        let pieces = if kinds.iter().all(|kind| *kind == Kind::Bf16) {
            let weight = Arc::new(reader.joined(roles)?);
            vec![Piece { kind: Kind::Bf16, outputs, weight }]
        } else {
            let mut pieces = Vec::new();
            for ((role, kind), (outputs, _)) in roles.iter().zip(kinds).zip(shapes) {
                let weight = match kind {
                    Kind::Bf16 => reader.joined(&[*role])?,
                    Kind::Blocks(_) => reader.blocks(*role)?,
                };
                pieces.push(Piece { kind, outputs, weight: Arc::new(weight) });
            }
            pieces
        };
        let mixed = pieces.len() > 1 && kinds_of(&pieces).any(|kind| kind == Kind::Bf16);
        if mixed {
            let reason = "some of its matrices for one input are quantised and some are not".into();
            return Err(ModelError::NotFused { reason });
        }
        Ok(Self { pieces, outputs, inputs })
    }

    /// The one piece of numbers, if that is what it is.
    pub(super) fn numbers(&self) -> Option<&Piece> {
        match self.pieces.as_slice() {
            [piece] if piece.kind == Kind::Bf16 => Some(piece),
            _ => None,
        }
    }
}

fn kinds_of(pieces: &[Piece]) -> impl Iterator<Item = Kind> {
    pieces.iter().map(|piece| piece.kind)
}

/// One transformer block.
pub(super) struct Layer {
    /// `(hidden)` f32
    pub(super) attention_norm: Buffer,
    /// Queries, keys and values, rotary pairs in halves.
    pub(super) qkv: Matrix,
    /// As wide as their outputs, f32; empty without biases.
    pub(super) qkv_bias: Buffer,
    /// `(head_dim)` f32; empty without.
    pub(super) query_norm: Buffer,
    pub(super) key_norm: Buffer,
    pub(super) attention_output: Matrix,
    /// `(hidden)` f32
    pub(super) feed_forward_norm: Buffer,
    /// Gates, and up projections behind them.
    pub(super) gate_up: Matrix,
    pub(super) down: Matrix,
}

/// All weights.
pub(super) struct Weights {
    /// `(vocab, hidden)` bf16
    pub(super) embedding: Arc<Buffer>,
    pub(super) layers: Vec<Layer>,
    /// `(hidden)` f32
    pub(super) output_norm: Buffer,
    pub(super) head: Matrix,
    /// Bytes of each tensor as it is held.
    pub(super) held: HashMap<Role, u64>,
}

impl Weights {
    /// Reads everything, or makes it up on the GPU.
    pub(super) fn load(
        gpu: &Arc<dyn Gpu>,
        spec: &ModelSpec,
        stored: &dyn StoredTensors,
        made: bool,
    ) -> Result<Self, ModelError> {
        let mut reader = Reader::new(gpu, spec, stored, made)?;
        let embedding = Arc::new(reader.joined(&[Role::Embedding])?);
        let layers = (0..spec.layers)
            .map(|n| layer(&mut reader, spec, n))
            .collect::<Result<Vec<_>, ModelError>>()?;
        let output_norm = vector(&mut reader, Role::OutputNorm)?;
        let head = if !spec.tied_embeddings {
            Matrix::read(&mut reader, &[Role::Output])?
        } else if reader.kind(Role::Embedding)? == Kind::Bf16 {
            let weight = Arc::clone(&embedding);
            let piece = Piece { kind: Kind::Bf16, outputs: spec.vocab, weight };
            Matrix { pieces: vec![piece], outputs: spec.vocab, inputs: spec.hidden }
        } else {
            // A step reads the blocks, and single rows of the table.
            Matrix::read(&mut reader, &[Role::Embedding])?
        };
        gpu.synchronize()?;
        Ok(Self { embedding, layers, output_norm, head, held: reader.held })
    }

    /// Whether any matrix is in blocks.
    pub(super) fn quantised(&self) -> bool {
        let of_layer = |layer: &Layer| {
            [&layer.qkv, &layer.attention_output, &layer.gate_up, &layer.down]
                .into_iter()
                .any(|matrix| matrix.numbers().is_none())
        };
        self.head.numbers().is_none() || self.layers.iter().any(of_layer)
    }
}

fn layer(reader: &mut Reader<'_>, spec: &ModelSpec, n: usize) -> Result<Layer, ModelError> {
    let role = |part| Role::Layer(n, part);
    let roles = |parts: &[Part]| parts.iter().map(|part| role(*part)).collect::<Vec<_>>();
    let mut bias = Vec::new();
    if spec.qkv_bias {
        for part in [Part::QueryBias, Part::KeyBias, Part::ValueBias] {
            bias.extend(reader.vector(role(part))?.unwrap_or_default());
        }
    }
    Ok(Layer {
        attention_norm: vector(reader, role(Part::AttentionNorm))?,
        qkv: Matrix::read(reader, &roles(&[Part::Query, Part::Key, Part::Value]))?,
        qkv_bias: upload(reader, &bias)?,
        query_norm: vector(reader, role(Part::QueryNorm))?,
        key_norm: vector(reader, role(Part::KeyNorm))?,
        attention_output: Matrix::read(reader, &roles(&[Part::AttentionOutput]))?,
        feed_forward_norm: vector(reader, role(Part::FeedForwardNorm))?,
        gate_up: Matrix::read(reader, &roles(&[Part::Gate, Part::Up]))?,
        down: Matrix::read(reader, &roles(&[Part::Down]))?,
    })
}

/// A vector; an empty buffer where the model has none.
fn vector(reader: &mut Reader<'_>, role: Role) -> Result<Buffer, ModelError> {
    let numbers = reader.vector(role)?.unwrap_or_default();
    upload(reader, &numbers)
}

fn upload(reader: &Reader<'_>, numbers: &[f32]) -> Result<Buffer, ModelError> {
    let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
    Ok(Buffer::of(reader.gpu, &bytes)?)
}
