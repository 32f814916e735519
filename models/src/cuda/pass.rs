//! One pass of some rows through the model.

use super::cache::KvCache;
use super::read::Kind;
use super::weights::{Layer, Matrix, Weights};
use super::workspace::{Lists, SPLIT_ROWS, Workspace};
use crate::spec::{Activation, ModelSpec};
use freeweights_kernels::cuda::steps::{
    self, AddNorm, Attend, MATVEC_ROWS, Matvec, NO_WINDOW, RopeAppend, Rows, Sums,
};
use freeweights_kernels::cuda::{BlockProduct, Buffer, Gpu, GpuError, NumberType, Place, Product};
use freeweights_kernels::gate;

/// Cosines and sines of all positions: `(2, positions, width / 2)` f32.
pub(super) struct Angles {
    pub(super) table: Buffer,
    pub(super) positions: usize,
}

/// What a pass works with. It borrows all of it, so nothing moves while it runs.
pub(super) struct Pass<'a> {
    pub(super) gpu: &'a dyn Gpu,
    pub(super) spec: &'a ModelSpec,
    pub(super) weights: &'a Weights,
    pub(super) cache: &'a KvCache,
    pub(super) angles: &'a Angles,
    pub(super) memory: &'a Workspace,
    pub(super) lists: &'a Lists,
    pub(super) rows: Rows,
}

impl Pass<'_> {
    /// Through the first `layers` layers; of `heads` chosen rows, what the output head takes goes to
    /// row `first_head` on of [`Workspace::head_in`].
    pub(super) fn run(
        &self,
        layers: usize,
        first_head: usize,
        heads: usize,
    ) -> Result<(), GpuError> {
        let (spec, memory) = (self.spec, self.memory);
        let places =
            [self.weights.embedding.place(), self.lists.tokens.place(), memory.residual.place()];
        // SAFETY: here and below, buffers are of the shapes that the workspace says, the lists were
        // filled for these rows, and tokens were found to be in the vocabulary.
        unsafe {
            steps::embed(self.gpu, places, self.rows.rows, spec.hidden, spec.embedding_scale)?;
        }
        let mut added = Place::NONE;
        for (n, layer) in self.weights.layers[..layers].iter().enumerate() {
            self.norm(added, &layer.attention_norm)?;
            self.attention(n, layer)?;
            self.norm(memory.added.place(), &layer.feed_forward_norm)?;
            self.feed_forward(layer)?;
            added = memory.added.place();
        }
        if heads == 0 {
            return Ok(());
        }
        let step = AddNorm {
            chosen: self.lists.chosen.place(),
            rows: heads,
            out: memory.head_in.place().plus(2 * spec.hidden * first_head),
            ..self.add_norm(added, &self.weights.output_norm)
        };
        // SAFETY: as above.
        unsafe { steps::add_norm(self.gpu, step) }
    }

    /// Logits of so many rows of [`Workspace::head_in`].
    pub(super) fn logits(&self, heads: usize) -> Result<(), GpuError> {
        let (x, out) = (self.memory.head_in.place(), self.memory.logits.place());
        self.multiply(&self.weights.head, x, out, NumberType::F32, heads)
    }

    fn add_norm(&self, added: Place, weight: &Buffer) -> AddNorm {
        AddNorm {
            residual: self.memory.residual.place(),
            added,
            weight: weight.place(),
            out: self.memory.normed.place(),
            chosen: Place::NONE,
            rows: self.rows.rows,
            hidden: self.spec.hidden,
            scale: self.spec.residual_scale,
            #[expect(clippy::cast_possible_truncation, reason = "kernels take f32")]
            eps: self.spec.norm_eps as f32,
        }
    }

    fn norm(&self, added: Place, weight: &Buffer) -> Result<(), GpuError> {
        // SAFETY: as in `run`.
        unsafe { steps::add_norm(self.gpu, self.add_norm(added, weight)) }
    }

    fn attention(&self, n: usize, layer: &Layer) -> Result<(), GpuError> {
        let (spec, memory) = (self.spec, self.memory);
        let cache = self.cache.layer(spec, n);
        let qkv = memory.qkv.place();
        self.multiply(&layer.qkv, memory.normed.place(), qkv, NumberType::Bf16, self.rows.rows)?;
        let turns = spec.rope_of(n).is_some();
        let half = 4 * self.angles.positions * (spec.rope.width / 2);
        let angles = self.angles.table.place();
        let rope = RopeAppend {
            qkv,
            bias: layer.qkv_bias.place(),
            query_norm: layer.query_norm.place(),
            key_norm: layer.key_norm.place(),
            cosines: if turns { angles } else { Place::NONE },
            sines: if turns { angles.plus(half) } else { Place::NONE },
            queries: memory.queries.place(),
            #[expect(clippy::cast_possible_truncation, reason = "kernels take f32")]
            eps: spec.norm_eps as f32,
            width: spec.rope.width,
            cache,
            rows: self.rows,
        };
        let splits = if self.rows.rows <= SPLIT_ROWS {
            steps::splits(self.gpu, &cache, &self.rows)
        } else {
            1
        };
        let attend = Attend {
            queries: memory.queries.place(),
            out: memory.attended.place(),
            parts: memory.parts.place(),
            splits,
            scale: spec.score_scale(),
            window: spec.window_of(n).unwrap_or(NO_WINDOW),
            cache,
            rows: self.rows,
        };
        // SAFETY: as in `run`; the cache and the angles have room for the last position.
        unsafe {
            steps::rope_append(self.gpu, rope)?;
            steps::attend(self.gpu, attend)?;
        }
        let (x, out) = (memory.attended.place(), memory.added.place());
        self.multiply(&layer.attention_output, x, out, NumberType::Bf16, self.rows.rows)
    }

    fn feed_forward(&self, layer: &Layer) -> Result<(), GpuError> {
        let (spec, memory, rows) = (self.spec, self.memory, self.rows.rows);
        let (normed, gated) = (memory.normed.place(), memory.gated.place());
        let activation = activation(spec);
        if let Some(piece) = layer.gate_up.numbers().filter(|_| rows <= MATVEC_ROWS) {
            let step = Matvec {
                weight: piece.place(),
                x: normed,
                out: gated,
                sums: Sums::Gated(activation),
                rows,
                outputs: spec.intermediate,
                inputs: spec.hidden,
            };
            // SAFETY: as in `run`.
            unsafe { steps::matvec(self.gpu, step)? };
        } else {
            let both = memory.both.place();
            self.multiply(&layer.gate_up, normed, both, NumberType::Bf16, rows)?;
            let inner = spec.intermediate;
            // SAFETY: as in `run`.
            unsafe {
                steps::gate_multiply(self.gpu, [both, gated], rows, inner, activation)?;
            }
        }
        self.multiply(&layer.down, gated, memory.added.place(), NumberType::Bf16, rows)
    }

    /// A product by whatever is fastest for so many rows of such weights.
    fn multiply(
        &self,
        matrix: &Matrix,
        x: Place,
        out: Place,
        out_type: NumberType,
        rows: usize,
    ) -> Result<(), GpuError> {
        let Matrix { outputs, inputs, .. } = *matrix;
        let Some(piece) = matrix.numbers() else {
            return self.multiply_blocks(matrix, x, out, out_type, rows);
        };
        let weight = piece.place();
        if rows <= MATVEC_ROWS {
            let sums = if out_type == NumberType::F32 { Sums::F32 } else { Sums::Bf16 };
            let step = Matvec { weight, x, out, sums, rows, outputs, inputs };
            // SAFETY: as in `run`.
            return unsafe { steps::matvec(self.gpu, step) };
        }
        // SAFETY: as in `run`.
        unsafe { self.gpu.multiply(Product { x, weight, out, out_type, rows, outputs, inputs }) }
    }

    fn multiply_blocks(
        &self,
        matrix: &Matrix,
        x: Place,
        out: Place,
        out_type: NumberType,
        rows: usize,
    ) -> Result<(), GpuError> {
        let (outputs, inputs) = (matrix.outputs, matrix.inputs);
        let wide = self.memory.wide_in.place();
        let few = rows <= BlockProduct::FEW;
        // Many rows come in and go out in f32.
        let narrow = !few && out_type == NumberType::Bf16;
        let (to, to_type) =
            if narrow { (self.memory.wide_out.place(), NumberType::F32) } else { (out, out_type) };
        if !few {
            // SAFETY: as in `run`.
            unsafe { steps::widen(self.gpu, [x, wide], rows * inputs)? };
        }
        let bytes = if to_type == NumberType::F32 { 4 } else { 2 };
        let mut first = 0;
        for piece in &matrix.pieces {
            let Kind::Blocks(format) = piece.kind else { continue };
            let product = BlockProduct {
                format,
                weight: piece.place(),
                x,
                x_wide: wide,
                out: to.plus(bytes * first),
                out_type: to_type,
                stride: outputs,
                scratch: self.memory.scratch.place(),
                rows,
                outputs: piece.outputs,
                inputs,
            };
            // SAFETY: as in `run`.
            unsafe { self.gpu.multiply_blocks(product)? };
            first += piece.outputs;
        }
        if narrow {
            // SAFETY: as in `run`.
            unsafe { steps::narrow(self.gpu, [to, out], rows * outputs)? };
        }
        Ok(())
    }
}

/// The activation as kernels know it.
pub(super) fn activation(spec: &ModelSpec) -> gate::Activation {
    match spec.activation {
        Activation::GeluTanh => gate::Activation::GeluTanh,
        Activation::Silu | Activation::ClampedSwiglu => gate::Activation::Silu,
    }
}
