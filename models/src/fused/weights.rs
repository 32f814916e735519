//! The weights of a fused model: every matrix packed for the kernels, made once at load.
//!
//! Stored bytes are read in pieces by all threads, each into a buffer of its own, and packed at once:
//! beside the packed weights only these buffers stand in memory.
//!
//! Not here: the order in which they are used.

use super::source::{Pairs, StoredTensors, TensorReader, inverse_frequencies};
use crate::error::ModelError;
use crate::spec::ModelSpec;
use crate::tensors::Role;
use candle_core::quantized::GgmlDType;
use freeweights_kernels::dense::Float;
use freeweights_kernels::matrix::{Format, PANEL};
use freeweights_kernels::weights::{Matrix, PanelMut, Stored};
use std::io;
use std::num::NonZeroUsize;
use std::sync::Mutex;

/// About how many stored bytes a thread takes at a time.
const PIECE: usize = 4 << 20;

/// One transformer block.
pub(super) struct Layer {
    /// `(hidden)`
    pub(super) attention_norm: Vec<f32>,
    /// `(heads * head_dim, hidden)`, rotary pairs in halves.
    pub(super) query: Matrix,
    /// `(kv_heads * head_dim, hidden)`, rotary pairs in halves.
    pub(super) key: Matrix,
    /// `(kv_heads * head_dim, hidden)`
    pub(super) value: Matrix,
    /// `(hidden, heads * head_dim)`
    pub(super) attention_output: Matrix,
    /// `(hidden)`
    pub(super) feed_forward_norm: Vec<f32>,
    /// `(intermediate, hidden)`
    pub(super) gate: Matrix,
    /// `(intermediate, hidden)`
    pub(super) up: Matrix,
    /// `(hidden, intermediate)`
    pub(super) down: Matrix,
}

/// All weights.
pub(super) struct FusedWeights {
    /// `(vocab, hidden)`: the embedding, and the output head where there is no other.
    pub(super) embedding: Matrix,
    pub(super) layers: Vec<Layer>,
    /// `(hidden)`
    pub(super) output_norm: Vec<f32>,
    /// `(vocab, hidden)`
    pub(super) output: Option<Matrix>,
    /// `(head_dim / 2)`: angle of each rotary pair at position 1.
    pub(super) inverse_frequencies: Vec<f32>,
}

impl FusedWeights {
    /// Reads and packs everything.
    ///
    /// # Errors
    /// [`ModelError::NotFused`] for a shape or a type the kernels have not, [`ModelError::Weights`]
    /// if a tensor cannot be read.
    pub(super) fn load(
        spec: &ModelSpec,
        stored: &dyn StoredTensors,
        threads: NonZeroUsize,
    ) -> Result<Self, ModelError> {
        check_shape(spec)?;
        let mut weights = Self::zeroed(spec, stored)?;
        let mut reader = stored.open().map_err(unreadable)?;
        weights.read_norms(spec, stored, reader.as_mut())?;
        drop(reader);
        let factors = stored.rope_factors().map_err(unreadable)?;
        weights.inverse_frequencies = inverse_frequencies(spec, factors.as_deref());
        weights.read_matrices(spec, stored, threads)?;
        Ok(weights)
    }

    fn zeroed(spec: &ModelSpec, stored: &dyn StoredTensors) -> Result<Self, ModelError> {
        let (hidden, inner, vocab) = (spec.hidden, spec.intermediate, spec.vocab);
        let (q, kv) = (spec.heads * spec.head_dim, spec.kv_heads * spec.head_dim);
        let matrix = |role: Role, rows: usize, columns: usize| {
            Matrix::zeroed(stored_as(stored, role)?, rows, columns)
                .map_err(|error| not_fused(format!("{}: {error}", role.gguf_name())))
        };
        let layer = |n: usize| {
            Ok(Layer {
                attention_norm: Vec::new(),
                query: matrix(Role::Query(n), q, hidden)?,
                key: matrix(Role::Key(n), kv, hidden)?,
                value: matrix(Role::Value(n), kv, hidden)?,
                attention_output: matrix(Role::AttentionOutput(n), hidden, q)?,
                feed_forward_norm: Vec::new(),
                gate: matrix(Role::Gate(n), inner, hidden)?,
                up: matrix(Role::Up(n), inner, hidden)?,
                down: matrix(Role::Down(n), hidden, inner)?,
            })
        };
        let output =
            if spec.tied_embeddings { None } else { Some(matrix(Role::Output, vocab, hidden)?) };
        Ok(Self {
            embedding: matrix(Role::Embedding, vocab, hidden)?,
            layers: (0..spec.layers).map(layer).collect::<Result<_, ModelError>>()?,
            output_norm: Vec::new(),
            output,
            inverse_frequencies: Vec::new(),
        })
    }

    fn read_norms(
        &mut self,
        spec: &ModelSpec,
        stored: &dyn StoredTensors,
        reader: &mut dyn TensorReader,
    ) -> Result<(), ModelError> {
        let mut norm = |role: Role| {
            let float = match stored_as(stored, role)? {
                Stored::Float(float) => float,
                Stored::Blocks(format) => {
                    return Err(not_fused(format!("{} is in {format}", role.gguf_name())));
                }
            };
            let mut bytes = vec![0; spec.hidden * float.bytes()];
            reader.read(role, 0, &mut bytes).map_err(unreadable)?;
            let mut numbers = vec![0.0; spec.hidden];
            float.widen(&bytes, &mut numbers);
            Ok(numbers)
        };
        for (n, layer) in self.layers.iter_mut().enumerate() {
            layer.attention_norm = norm(Role::AttentionNorm(n))?;
            layer.feed_forward_norm = norm(Role::FeedForwardNorm(n))?;
        }
        self.output_norm = norm(Role::OutputNorm)?;
        Ok(())
    }

    fn read_matrices(
        &mut self,
        spec: &ModelSpec,
        stored: &dyn StoredTensors,
        threads: NonZeroUsize,
    ) -> Result<(), ModelError> {
        let adjacent = stored.pairs() == Pairs::Adjacent;
        let permuted = |role: Role| {
            let rotary = matches!(role, Role::Query(_) | Role::Key(_));
            (rotary && adjacent).then_some(spec.head_dim)
        };
        let mut pieces = Vec::new();
        for (role, matrix) in self.matrices_mut() {
            pieces.extend(Piece::of(role, matrix, permuted(role)));
        }
        // From the end: the first pieces are the embedding's, the largest.
        pieces.reverse();
        let pieces = Mutex::new(pieces);
        let next = || pieces.lock().map_or(None, |mut pieces| pieces.pop());
        let work = || -> io::Result<()> {
            let (mut reader, mut bytes) = (stored.open()?, Vec::new());
            while let Some(piece) = next() {
                piece.read(reader.as_mut(), &mut bytes)?;
            }
            Ok(())
        };
        std::thread::scope(|scope| {
            let others: Vec<_> = (1..threads.get()).map(|_| scope.spawn(work)).collect();
            let mut done = work();
            for other in others {
                done = done.and(other.join().expect("invariant: reading does not panic"));
            }
            done.map_err(unreadable)
        })
    }

    fn matrices_mut(&mut self) -> Vec<(Role, &mut Matrix)> {
        let mut matrices = vec![(Role::Embedding, &mut self.embedding)];
        for (n, layer) in self.layers.iter_mut().enumerate() {
            matrices.extend([
                (Role::Query(n), &mut layer.query),
                (Role::Key(n), &mut layer.key),
                (Role::Value(n), &mut layer.value),
                (Role::AttentionOutput(n), &mut layer.attention_output),
                (Role::Gate(n), &mut layer.gate),
                (Role::Up(n), &mut layer.up),
                (Role::Down(n), &mut layer.down),
            ]);
        }
        matrices.extend(self.output.as_mut().map(|output| (Role::Output, output)));
        matrices
    }

    /// The output head.
    pub(super) fn head(&self) -> &Matrix {
        self.output.as_ref().unwrap_or(&self.embedding)
    }

    /// Bytes of all weights as packed, and of those that a decode step reads whole.
    pub(super) fn bytes(&self) -> (u64, u64) {
        let norms = (2 * self.layers.len() + 1) * self.output_norm.len() * size_of::<f32>();
        let layers: usize = self.layers.iter().map(Layer::bytes).sum();
        let step = norms + layers + self.head().bytes();
        let unread = if self.output.is_some() { self.embedding.bytes() } else { 0 };
        ((step + unread) as u64, step as u64)
    }
}

impl Layer {
    /// The matrices, in the order of their use.
    pub(super) fn matrices(&self) -> [&Matrix; 7] {
        let Self { query, key, value, attention_output, gate, up, down, .. } = self;
        [query, key, value, attention_output, gate, up, down]
    }

    fn bytes(&self) -> usize {
        self.matrices().into_iter().map(Matrix::bytes).sum()
    }
}

/// Some neighbouring panels of one matrix, to be read by one thread.
struct Piece<'a> {
    role: Role,
    panels: Vec<PanelMut<'a>>,
    /// The first row of the first panel.
    first_row: usize,
    row_bytes: usize,
    /// The width of heads whose rotary pairs are to be brought from neighbours to halves.
    permuted: Option<usize>,
}

impl<'a> Piece<'a> {
    /// The pieces of a matrix. Where rows change places the matrix is one piece: none of those is
    /// large.
    fn of(role: Role, matrix: &'a mut Matrix, permuted: Option<usize>) -> Vec<Self> {
        let row_bytes = matrix.stored_row_bytes();
        let panels_at_once = match permuted {
            Some(_) => usize::MAX,
            None => (PIECE / (PANEL * row_bytes)).max(1),
        };
        let mut pieces: Vec<Self> = Vec::new();
        for (at, panel) in matrix.panels_mut().into_iter().enumerate() {
            match pieces.last_mut().filter(|piece| piece.panels.len() < panels_at_once) {
                Some(piece) => piece.panels.push(panel),
                None => pieces.push(Self {
                    role,
                    panels: vec![panel],
                    first_row: at * PANEL,
                    row_bytes,
                    permuted,
                }),
            }
        }
        pieces
    }

    fn read(mut self, reader: &mut dyn TensorReader, bytes: &mut Vec<u8>) -> io::Result<()> {
        let rows: usize = self.panels.iter().map(PanelMut::rows).sum();
        bytes.resize(rows * self.row_bytes, 0);
        reader.read(self.role, (self.first_row * self.row_bytes) as u64, bytes)?;
        let stored = |row: usize| {
            let row = self.permuted.map_or(row, |head_dim| stored_row(row, head_dim));
            &bytes[row * self.row_bytes..][..self.row_bytes]
        };
        let mut first = 0;
        for panel in &mut self.panels {
            let mut rows: [&[u8]; PANEL] = [&[]; PANEL];
            for (i, row) in rows[..panel.rows()].iter_mut().enumerate() {
                *row = stored(first + i);
            }
            panel.fill(&rows[..panel.rows()]).map_err(io::Error::other)?;
            first += panel.rows();
        }
        Ok(())
    }
}

/// Where a row of a matrix with halves lies in one with adjacent pairs.
const fn stored_row(row: usize, head_dim: usize) -> usize {
    let (head, at, half) = (row / head_dim * head_dim, row % head_dim, head_dim / 2);
    if at < half { head + 2 * at } else { head + 2 * (at - half) + 1 }
}

fn check_shape(spec: &ModelSpec) -> Result<(), ModelError> {
    for (name, size) in [
        ("hidden size", spec.hidden),
        ("feed-forward size", spec.intermediate),
        ("head size", spec.head_dim),
        ("width of all heads", spec.heads * spec.head_dim),
    ] {
        if !size.is_multiple_of(32) {
            return Err(not_fused(format!("its {name} of {size} is no multiple of 32")));
        }
    }
    Ok(())
}

fn stored_as(stored: &dyn StoredTensors, role: Role) -> Result<Stored, ModelError> {
    let dtype = stored
        .dtype(role)
        .ok_or_else(|| not_fused(format!("the tensor {} is missing", role.gguf_name())))?;
    Ok(match dtype {
        GgmlDType::F32 => Stored::Float(Float::F32),
        GgmlDType::F16 => Stored::Float(Float::F16),
        GgmlDType::BF16 => Stored::Float(Float::Bf16),
        GgmlDType::Q4_0 => Stored::Blocks(Format::Q4_0),
        GgmlDType::Q4_1 => Stored::Blocks(Format::Q4_1),
        GgmlDType::Q5_0 => Stored::Blocks(Format::Q5_0),
        GgmlDType::Q5_1 => Stored::Blocks(Format::Q5_1),
        GgmlDType::Q8_0 => Stored::Blocks(Format::Q8_0),
        GgmlDType::Q4K => Stored::Blocks(Format::Q4_K),
        GgmlDType::Q5K => Stored::Blocks(Format::Q5_K),
        GgmlDType::Q6K => Stored::Blocks(Format::Q6_K),
        other => {
            return Err(not_fused(format!(
                "{} is in {other:?}, for which there is no kernel",
                role.gguf_name()
            )));
        }
    })
}

fn not_fused(reason: String) -> ModelError {
    ModelError::NotFused { reason }
}

#[expect(clippy::needless_pass_by_value, reason = "the shape map_err wants")]
fn unreadable(error: io::Error) -> ModelError {
    ModelError::Weights { reason: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_change_places_within_their_head() {
        // Two heads of four: halves (0, 2), (1, 3) come from neighbours (0, 1), (2, 3).
        let rows: Vec<usize> = (0..8).map(|row| stored_row(row, 4)).collect();
        assert_eq!(rows, [0, 2, 1, 3, 4, 6, 5, 7]);
    }
}
