//! The first layer in plain arithmetic on the CPU, and what the GPU makes of it.
//!
//! The weights are read back from the GPU's memory, so that what went wrong on the way there shows
//! only in a comparison of whole models (`freeweights verify`), and made-up weights can be checked too.

use super::decoder::CudaDecoder;
use super::pass::activation;
use super::read::Kind;
use super::weights::{Layer, Matrix};
use crate::error::ModelError;
use crate::nmse::nmse;
use freeweights_kernels::cuda::Buffer;
use freeweights_kernels::gate::gate_multiply;
use freeweights_kernels::isa::Isa;
use freeweights_kernels::matrix::dequantise;
use freeweights_kernels::norm::rms_norm;
use freeweights_kernels::rope::RopeTable;

/// Norms every row of `x` by a weight.
trait Norm: Fn(&[f32], &[f32]) -> Vec<f32> {}

impl<F: Fn(&[f32], &[f32]) -> Vec<f32>> Norm for F {}

/// Rows that the slow arithmetic is asked for.
const PAIR: usize = 2;

/// Rows of the prompt that kernels are checked with: more than two matrix tiles, and no whole one.
const CHECKED_PROMPT: usize = 37;

/// Steps that are checked: in the last of them several warps share the keys of a head.
const CHECKED_STEPS: usize = 136;

impl CudaDecoder {
    pub(super) fn check_kernels(&mut self, batch: usize) -> Result<f64, ModelError> {
        let most = self.spec.context;
        let few = |rows: usize| rows.min(most);
        let mut error = if let Some(error) = self.checked {
            error
        } else {
            let slow = self.slow_layer(few(PAIR))?;
            let fast = self.first_layer(few(PAIR), PAIR)?;
            let together = self.first_layer(few(CHECKED_STEPS), CHECKED_STEPS)?;
            let steps = self.first_layer(few(CHECKED_STEPS), 1)?;
            worse(nmse(&fast, &slow), nmse(&together, &steps))
        };
        self.checked = Some(error);
        for rows in [few(batch.max(1)), few(CHECKED_PROMPT)] {
            let pairs = self.first_layer(rows, PAIR)?;
            let together = self.first_layer(rows, rows)?;
            error = worse(error, nmse(&together, &pairs));
        }
        Ok(error)
    }

    /// The residual behind the first layer in f32, of the first tokens of one sequence.
    ///
    /// # Shapes
    /// Result: `(rows, hidden)`
    fn slow_layer(&self, rows: usize) -> Result<Vec<f32>, ModelError> {
        let (spec, layer) = (&self.spec, &self.weights.layers[0]);
        let (hidden, width) = (spec.hidden, spec.head_dim);
        #[expect(clippy::cast_possible_truncation, reason = "kernels take f32")]
        let eps = spec.norm_eps as f32;
        let norm = |x: &[f32], weight: &[f32]| {
            let mut out = vec![0.0; x.len()];
            let rows = x.chunks_exact(weight.len()).zip(out.chunks_exact_mut(weight.len()));
            rows.for_each(|(x, out)| rms_norm(Isa::Reference, x, weight, eps, out));
            out
        };
        let mut residual = Vec::new();
        for at in 0..rows {
            let mut row = vec![0; 2 * hidden];
            let token = self.checked_token(at) as usize;
            self.weights.embedding.read(token * 2 * hidden, &mut row)?;
            residual.extend(widened(&row).iter().map(|x| x * spec.embedding_scale));
        }
        let normed = norm(&residual, &floats(&layer.attention_norm)?);
        let mut qkv = slow_product(&layer.qkv, &normed)?;
        self.turn(layer, &mut qkv, &norm)?;
        let attended = self.slow_attention(&qkv, rows, width);
        let scale = spec.residual_scale;
        let add = |residual: &mut [f32], added: &[f32]| {
            residual.iter_mut().zip(added).for_each(|(x, plus)| *x += scale * plus);
        };
        add(&mut residual, &slow_product(&layer.attention_output, &attended)?);
        let normed = norm(&residual, &floats(&layer.feed_forward_norm)?);
        let both = slow_product(&layer.gate_up, &normed)?;
        let mut gated = vec![0.0; rows * spec.intermediate];
        let pairs = both.chunks_exact(2 * spec.intermediate);
        for (both, out) in pairs.zip(gated.chunks_exact_mut(spec.intermediate)) {
            let (gate, up) = both.split_at(spec.intermediate);
            gate_multiply(Isa::Reference, activation(spec), gate, up, out);
        }
        add(&mut residual, &slow_product(&layer.down, &gated)?);
        Ok(residual)
    }

    /// Biases, norms of heads, rotation.
    fn turn(&self, layer: &Layer, qkv: &mut [f32], norm: &dyn Norm) -> Result<(), ModelError> {
        let (spec, width) = (&self.spec, self.spec.head_dim);
        let (bias, norms) =
            (floats(&layer.qkv_bias)?, [floats(&layer.query_norm)?, floats(&layer.key_norm)?]);
        let row = (spec.heads + 2 * spec.kv_heads) * width;
        let frequencies = spec.rope.inverse_frequencies(false);
        let rows = qkv.len() / row;
        let table = RopeTable::with_magnitude(width, &frequencies, spec.rope.magnitude(), rows);
        for (position, row) in qkv.chunks_exact_mut(row).enumerate() {
            row.iter_mut().zip(&bias).for_each(|(x, bias)| *x += bias);
            let turning = (spec.heads + spec.kv_heads) * width;
            for (head, x) in row[..turning].chunks_exact_mut(width).enumerate() {
                let norms = &norms[usize::from(head >= spec.heads)];
                if !norms.is_empty() {
                    x.copy_from_slice(&norm(x, norms));
                }
                if spec.rope_of(0).is_some() {
                    table.rotate(Isa::Reference, position, x);
                }
            }
        }
        Ok(())
    }

    /// Attention of each row over the rows up to it.
    fn slow_attention(&self, qkv: &[f32], rows: usize, width: usize) -> Vec<f32> {
        let spec = &self.spec;
        let row = (spec.heads + 2 * spec.kv_heads) * width;
        let head = |position: usize, head: usize| &qkv[position * row + head * width..][..width];
        let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
        let mut out = Vec::with_capacity(rows * spec.query_width());
        for position in 0..rows {
            let first = spec.window_of(0).map_or(0, |window| (position + 1).saturating_sub(window));
            for query in 0..spec.heads {
                let of_keys = spec.heads + query / (spec.heads / spec.kv_heads);
                let score =
                    |key| spec.score_scale() * dot(head(position, query), head(key, of_keys));
                let scores: Vec<f32> = (first..=position).map(score).collect();
                let most = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                let weights: Vec<f32> = scores.iter().map(|score| (score - most).exp()).collect();
                let sum: f32 = weights.iter().sum();
                let value = |key: usize, column: usize| head(key, of_keys + spec.kv_heads)[column];
                out.extend((0..width).map(|column| {
                    let weighted =
                        weights.iter().zip(first..).map(|(w, key)| w * value(key, column));
                    weighted.sum::<f32>() / sum
                }));
            }
        }
        out
    }
}

/// A product in f32, with the weights as the GPU has them.
fn slow_product(matrix: &Matrix, x: &[f32]) -> Result<Vec<f32>, ModelError> {
    let (inputs, outputs) = (matrix.inputs, matrix.outputs);
    let rows = x.len() / inputs;
    let (mut out, mut first) = (vec![0.0; rows * outputs], 0);
    for piece in &matrix.pieces {
        let row_bytes = match piece.kind {
            Kind::Bf16 => 2 * inputs,
            Kind::Blocks(format) => inputs / format.block_weights() * format.block_bytes(),
        };
        let mut bytes = vec![0; piece.outputs * row_bytes];
        piece.buffer().read(0, &mut bytes)?;
        for (output, bytes) in bytes.chunks_exact(row_bytes).enumerate() {
            let weight = match piece.kind {
                Kind::Bf16 => widened(bytes),
                Kind::Blocks(format) => dequantise(format, bytes),
            };
            for (row, x) in x.chunks_exact(inputs).enumerate() {
                let sum = x.iter().zip(&weight).map(|(x, w)| x * w).sum();
                out[row * outputs + first + output] = sum;
            }
        }
        first += piece.outputs;
    }
    Ok(out)
}

fn widened(bytes: &[u8]) -> Vec<f32> {
    let number = |pair: &[u8; 2]| f32::from_bits(u32::from_le_bytes([0, 0, pair[0], pair[1]]));
    bytes.as_chunks::<2>().0.iter().map(number).collect()
}

fn floats(buffer: &Buffer) -> Result<Vec<f32>, ModelError> {
    let mut bytes = vec![0; buffer.bytes()];
    buffer.read(0, &mut bytes)?;
    Ok(bytes.as_chunks::<4>().0.iter().map(|number| f32::from_le_bytes(*number)).collect())
}

/// The larger error. What is no number is worse than any: `f64::max` would lose it.
fn worse(a: f64, b: f64) -> f64 {
    if a.is_nan() || b.is_nan() { f64::NAN } else { a.max(b) }
}
