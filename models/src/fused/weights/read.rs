//! Stored bytes into packed matrices, by several threads, and into numbers.

use super::layer::Vector;
use super::shape::{not_fused, stored_as};
use crate::error::ModelError;
use crate::spec::ModelSpec;
use crate::stored::{Pairs, StoredTensors, TensorReader, Turning, gguf_name};
use crate::tensors::{Role, TensorSpec, tensors_of};
use freeweights_kernels::dense::Float;
use freeweights_kernels::matrix::PANEL;
use freeweights_kernels::weights::{Matrix, PanelMut, Stored};
use std::io;
use std::num::NonZeroUsize;
use std::sync::Mutex;

/// About how many stored bytes a thread takes at a time.
const PIECE: usize = 4 << 20;

/// Reads small tensors as numbers.
pub(super) struct Numbers<'a> {
    pub(super) spec: &'a ModelSpec,
    pub(super) stored: &'a dyn StoredTensors,
    pub(super) reader: &'a mut dyn TensorReader,
}

impl Numbers<'_> {
    /// A tensor of one row, what is to be added to it added.
    pub(super) fn vector(&mut self, role: Role) -> Result<Vec<f32>, ModelError> {
        let specs = tensors_of(self.spec);
        let elements = specs.iter().find(|tensor| tensor.role == role).map(TensorSpec::elements);
        let count = elements.and_then(|count| usize::try_from(count).ok()).unwrap_or(0);
        let mut numbers = self.numbers(role, count)?;
        let offset = self.stored.offset(role);
        for number in &mut numbers {
            *number += offset;
        }
        let turning = Turning::of(self.spec, role);
        let turning = turning.filter(|_| self.stored.pairs() == Pairs::Adjacent);
        Ok(match turning {
            Some(turning) => (0..count).map(|at| numbers[turning.stored_row(at)]).collect(),
            None => numbers,
        })
    }

    /// A tensor of one row that only some models have.
    pub(super) fn optional(&mut self, role: Role) -> Result<Vector, ModelError> {
        let has = self.stored.dtype(role).is_some();
        if has { self.vector(role).map(Some) } else { Ok(None) }
    }

    /// A small matrix in f32, whatever it is stored in.
    pub(super) fn matrix(
        &mut self,
        role: Role,
        rows: usize,
        columns: usize,
    ) -> Result<Matrix, ModelError> {
        let refused = |error| not_fused(format!("{}: {error}", gguf_name(role)));
        let mut matrix =
            Matrix::zeroed(Stored::Float(Float::F32), rows, columns).map_err(refused)?;
        let numbers = self.numbers(role, rows * columns)?;
        let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
        let mut left = bytes.chunks_exact(4 * columns);
        for panel in &mut matrix.panels_mut() {
            let rows: Vec<&[u8]> = left.by_ref().take(panel.rows()).collect();
            panel.fill(&rows).map_err(refused)?;
        }
        Ok(matrix)
    }

    fn numbers(&mut self, role: Role, count: usize) -> Result<Vec<f32>, ModelError> {
        let float = match stored_as(self.stored, role)? {
            Stored::Float(float) => float,
            Stored::Blocks(format) => {
                return Err(not_fused(format!("{} is in {format}", gguf_name(role))));
            }
        };
        let mut bytes = vec![0; count * float.bytes()];
        self.reader.read(role, 0, &mut bytes).map_err(unreadable)?;
        let mut numbers = vec![0.0; count];
        float.widen(&bytes, &mut numbers);
        Ok(numbers)
    }
}

/// Some neighbouring panels of one matrix, to be read by one thread.
pub(super) struct Piece<'a> {
    role: Role,
    panels: Vec<PanelMut<'a>>,
    /// The first row of the first panel in the stored tensor.
    first_row: usize,
    row_bytes: usize,
    /// How rows change places where rotary pairs are to be brought from neighbours to halves.
    permuted: Option<Turning>,
}

impl<'a> Piece<'a> {
    /// The pieces of a matrix that begins at `first_row` of a tensor. Where rows change places the
    /// matrix is one piece: none of those is large.
    pub(super) fn of(
        spec: &ModelSpec,
        stored: &dyn StoredTensors,
        role: Role,
        first_row: usize,
        matrix: &'a mut Matrix,
    ) -> Vec<Self> {
        let adjacent = stored.pairs() == Pairs::Adjacent;
        let permuted = Turning::of(spec, role).filter(|_| adjacent);
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
                    first_row: first_row + at * PANEL,
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
            let row = self.permuted.map_or(row, |turning| turning.stored_row(row));
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

/// Reads all pieces, by several threads.
pub(super) fn all(
    stored: &dyn StoredTensors,
    mut pieces: Vec<Piece<'_>>,
    threads: NonZeroUsize,
) -> Result<(), ModelError> {
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

/// The error of a tensor that cannot be read.
#[expect(clippy::needless_pass_by_value, reason = "the shape map_err wants")]
pub(super) fn unreadable(error: io::Error) -> ModelError {
    ModelError::Weights { reason: error.to_string() }
}
