//! The bytes of one made-up tensor: ones, random numbers, or blocks of random codes.

use crate::tensors::{Role, TensorSpec};
use candle_core::quantized::GgmlDType;
use half::{bf16, f16};
use rand::rngs::SmallRng;
use rand::{Rng, RngCore, SeedableRng};

/// Standard deviation of the made-up weights.
const SPREAD: f32 = 0.02;

/// How the bytes of a tensor are made up.
#[derive(Debug, Clone)]
pub(super) enum Fill {
    /// Norms: every number is one.
    Ones(GgmlDType),
    /// Biases: every number is zero.
    Zeros,
    /// Matrices in floating point.
    Floats(GgmlDType),
    /// Matrices in blocks.
    Blocks(BlockLayout),
    /// These numbers, in f32.
    Given(Vec<f32>),
}

/// Where the scales of a block stand and what they must be for a spread of [`SPREAD`].
#[derive(Debug, Clone, Copy)]
pub(super) struct BlockLayout {
    bytes: usize,
    /// Offset of the f16 scale, and the standard deviation of what it multiplies.
    scale: (usize, f32),
    /// Offset of the f16 minimum, and its size relative to the scale.
    minimum: Option<(usize, f32)>,
}

/// How `tensor` is made up when it is stored as `dtype`.
pub(super) fn fill(tensor: &TensorSpec, dtype: GgmlDType) -> Fill {
    let layout =
        |scale, minimum| Fill::Blocks(BlockLayout { bytes: dtype.type_size(), scale, minimum });
    match dtype {
        _ if tensor.role.is_norm() => Fill::Ones(dtype),
        _ if !tensor.role.is_matrix() => Fill::Zeros,
        // Codes are uniform; in brackets what the scale multiplies.
        GgmlDType::Q4_0 => layout((0, 4.61), None), // 0..=15, less 8
        GgmlDType::Q4_1 => layout((0, 4.61), Some((2, -7.5))), // 0..=15, plus the minimum
        GgmlDType::Q5_0 => layout((0, 9.23), None), // 0..=31, less 16
        GgmlDType::Q5_1 => layout((0, 9.23), Some((2, -15.5))), // 0..=31, plus the minimum
        GgmlDType::Q8_0 => layout((0, 73.9), None), // -128..=127
        // Six- and four-bit sub-scales multiply the codes, sub-minima the minimum.
        GgmlDType::Q2K => layout((80, 13.9), Some((82, 1.5))),
        GgmlDType::Q3K => layout((108, 43.4), None),
        GgmlDType::Q4K => layout((0, 256.7), Some((2, 7.5))),
        GgmlDType::Q5K => layout((0, 530.0), Some((2, 15.5))),
        GgmlDType::Q6K => layout((208, 1366.0), None),
        _ => Fill::Floats(dtype),
    }
}

/// Two bytes of a block and the bits of the f16 there.
pub(crate) type Scale = (usize, u16);

/// The scale and the minimum of every block of a type; `None` for what has no blocks.
pub(crate) fn scales(dtype: GgmlDType) -> Option<(Scale, Option<Scale>)> {
    let role = Role::Embedding;
    let tensor = TensorSpec { role, shape: Vec::new(), layers: 1, tied: false };
    let Fill::Blocks(layout) = fill(&tensor, dtype) else { return None };
    let scale = SPREAD / layout.scale.1;
    let bits = |number| f16::from_f32(number).to_bits();
    let minimum = layout.minimum.map(|(at, ratio)| (at, bits(scale * ratio)));
    Some(((layout.scale.0, bits(scale)), minimum))
}

impl Fill {
    /// Makes up bytes `at..` of a tensor, whole numbers or blocks.
    ///
    /// Random ones come in runs of [`RUN`] numbers or blocks, each with a seed of its own: whoever
    /// reads a part makes up no more than a run beside it, and gets what all of it would have there.
    pub(super) fn write(&self, seed: u64, at: u64, out: &mut [u8]) {
        match self {
            Self::Ones(dtype) => write_floats(*dtype, out, || 1.0),
            Self::Zeros => out.fill(0),
            Self::Given(numbers) => {
                let behind = numbers.iter().skip(usize::try_from(at / 4).unwrap_or(usize::MAX));
                for (cell, number) in out.chunks_exact_mut(4).zip(behind) {
                    cell.copy_from_slice(&number.to_le_bytes());
                }
            }
            Self::Floats(dtype) => in_runs(seed, at, dtype.type_size(), out, |rng, run| {
                write_floats(*dtype, run, || uniform(rng));
            }),
            Self::Blocks(layout) => {
                in_runs(seed, at, layout.bytes, out, |rng, run| layout.write(rng, run));
            }
        }
    }
}

impl BlockLayout {
    /// Random codes under scales that give the spread.
    fn write(&self, rng: &mut SmallRng, out: &mut [u8]) {
        let scale = SPREAD / self.scale.1;
        let scale_bytes = f16::from_f32(scale).to_le_bytes();
        let minimum =
            self.minimum.map(|(at, ratio)| (at, f16::from_f32(scale * ratio).to_le_bytes()));
        for block in out.chunks_exact_mut(self.bytes) {
            // Block by block: the last bytes of a fill depend on its length.
            rng.fill_bytes(block);
            block[self.scale.0..self.scale.0 + 2].copy_from_slice(&scale_bytes);
            if let Some((at, bytes)) = minimum {
                block[at..at + 2].copy_from_slice(&bytes);
            }
        }
    }
}

/// Numbers or blocks of a run.
const RUN: usize = 1024;

/// Makes up bytes `at..` run by run; `write` makes up a run from its beginning.
fn in_runs(
    seed: u64,
    at: u64,
    unit: usize,
    mut out: &mut [u8],
    mut write: impl FnMut(&mut SmallRng, &mut [u8]),
) {
    let bytes = RUN * unit;
    let mut run = at / bytes as u64;
    #[expect(clippy::cast_possible_truncation, reason = "less than the bytes of a run")]
    let mut before = (at % bytes as u64) as usize;
    while !out.is_empty() {
        let (part, behind) = out.split_at_mut(out.len().min(bytes - before));
        // An odd factor: no two runs of a tensor have one seed.
        let mut rng = SmallRng::seed_from_u64(seed ^ run.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        if before == 0 {
            write(&mut rng, part);
        } else {
            let mut whole = vec![0; before + part.len()];
            write(&mut rng, &mut whole);
            part.copy_from_slice(&whole[before..]);
        }
        (out, run, before) = (behind, run + 1, 0);
    }
}

/// Uniform with standard deviation [`SPREAD`]: half the width is `SPREAD * sqrt(3)`.
fn uniform(rng: &mut SmallRng) -> f32 {
    (rng.random::<f32>() - 0.5) * 2.0 * 3f32.sqrt() * SPREAD
}

fn write_floats(dtype: GgmlDType, out: &mut [u8], mut next: impl FnMut() -> f32) {
    match dtype {
        GgmlDType::F16 => out
            .chunks_exact_mut(2)
            .for_each(|cell| cell.copy_from_slice(&f16::from_f32(next()).to_le_bytes())),
        GgmlDType::BF16 => out
            .chunks_exact_mut(2)
            .for_each(|cell| cell.copy_from_slice(&bf16::from_f32(next()).to_le_bytes())),
        _ => out.chunks_exact_mut(4).for_each(|cell| cell.copy_from_slice(&next().to_le_bytes())),
    }
}
