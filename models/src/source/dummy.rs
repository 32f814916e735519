//! Seeded random weights in a model's true shape: the same bytes and operations, nothing downloaded.
//!
//! Quantised dummies are a GGUF that exists only as it is read: the header is built from the spec,
//! and each tensor's blocks are made up when candle asks for them, so a large model never stands in
//! memory twice. Block scales are set so that weights spread by about 0.02, as trained ones do;
//! activations stay finite and every code value occurs.

use crate::families::Family;
use crate::quant::Quant;
use crate::spec::ModelSpec;
use crate::tensors::TensorSpec;
use candle_core::quantized::GgmlDType;
use candle_core::quantized::gguf_file::{Content, TensorInfo, Value, VersionedMagic};
use candle_core::{DType, Device, Shape, Tensor};
use candle_nn::VarBuilder;
use candle_nn::var_builder::SimpleBackend;
use half::{bf16, f16};
use rand::rngs::SmallRng;
use rand::{Rng, RngCore, SeedableRng};
use std::collections::HashMap;
use std::io::{Error, ErrorKind, Read, Result as IoResult, Seek, SeekFrom};

/// Standard deviation of the made-up weights.
const SPREAD: f32 = 0.02;

/// Seed of every dummy model: the same name is the same model everywhere.
const SEED: u64 = 0xF4EE;

/// A GGUF of a spec, and what reads as its bytes.
pub(crate) fn gguf(family: &dyn Family, spec: &ModelSpec, quant: Quant) -> (Content, DummyReader) {
    let mut tensor_infos = HashMap::new();
    let mut spans = Vec::new();
    let mut offset = 0;
    for (index, tensor) in family.tensors(spec).iter().enumerate() {
        let (dtype, bytes) = (quant.tensor_dtype(tensor), tensor.bytes(quant));
        let shape = Shape::from(tensor.shape.clone());
        tensor_infos
            .insert(tensor.role.gguf_name(), TensorInfo { ggml_dtype: dtype, shape, offset });
        spans.push(Span {
            start: offset,
            bytes,
            fill: fill(tensor, dtype),
            seed: SEED ^ index as u64,
        });
        offset = (offset + bytes).next_multiple_of(32);
    }
    let content = Content {
        magic: VersionedMagic::GgufV3,
        metadata: metadata(spec),
        tensor_infos,
        tensor_data_offset: 0,
    };
    (content, DummyReader { spans, length: offset, position: 0 })
}

fn metadata(spec: &ModelSpec) -> HashMap<String, Value> {
    let count = |n: usize| Value::U32(u32::try_from(n).unwrap_or(u32::MAX));
    let arch = &spec.architecture;
    #[expect(clippy::cast_possible_truncation, reason = "GGUF keeps the epsilon in f32")]
    let epsilon = spec.norm_eps as f32;
    HashMap::from([
        ("general.architecture".into(), Value::String(arch.clone())),
        (format!("{arch}.block_count"), count(spec.layers)),
        (format!("{arch}.embedding_length"), count(spec.hidden)),
        (format!("{arch}.feed_forward_length"), count(spec.intermediate)),
        (format!("{arch}.context_length"), count(spec.context)),
        (format!("{arch}.attention.head_count"), count(spec.heads)),
        (format!("{arch}.attention.head_count_kv"), count(spec.kv_heads)),
        (format!("{arch}.rope.dimension_count"), count(spec.head_dim)),
        (format!("{arch}.rope.freq_base"), Value::F32(spec.rope_theta)),
        (format!("{arch}.attention.layer_norm_rms_epsilon"), Value::F32(epsilon)),
    ])
}

/// How the bytes of a tensor are made up.
#[derive(Debug, Clone, Copy)]
enum Fill {
    /// Norms: every number is one.
    Ones(GgmlDType),
    /// Matrices in floating point.
    Floats(GgmlDType),
    /// Matrices in blocks.
    Blocks(BlockLayout),
}

/// Where the scales of a block stand and what they must be for a spread of [`SPREAD`].
#[derive(Debug, Clone, Copy)]
struct BlockLayout {
    bytes: usize,
    /// Offset of the f16 scale, and the standard deviation of what it multiplies.
    scale: (usize, f32),
    /// Offset of the f16 minimum, and its size relative to the scale.
    minimum: Option<(usize, f32)>,
}

fn fill(tensor: &TensorSpec, dtype: GgmlDType) -> Fill {
    let layout =
        |scale, minimum| Fill::Blocks(BlockLayout { bytes: dtype.type_size(), scale, minimum });
    match dtype {
        _ if !tensor.role.is_matrix() => Fill::Ones(dtype),
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

impl Fill {
    /// Makes up the bytes of whole numbers or blocks.
    fn write(self, rng: &mut SmallRng, out: &mut [u8]) {
        match self {
            Self::Ones(dtype) => write_floats(dtype, out, || 1.0),
            Self::Floats(dtype) => write_floats(dtype, out, || uniform(rng)),
            Self::Blocks(layout) => {
                rng.fill_bytes(out);
                let scale = SPREAD / layout.scale.1;
                let scale_bytes = f16::from_f32(scale).to_le_bytes();
                let minimum = layout
                    .minimum
                    .map(|(at, ratio)| (at, f16::from_f32(scale * ratio).to_le_bytes()));
                for block in out.chunks_exact_mut(layout.bytes) {
                    block[layout.scale.0..layout.scale.0 + 2].copy_from_slice(&scale_bytes);
                    if let Some((at, bytes)) = minimum {
                        block[at..at + 2].copy_from_slice(&bytes);
                    }
                }
            }
        }
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

struct Span {
    start: u64,
    bytes: u64,
    fill: Fill,
    seed: u64,
}

/// Reads as the data of a GGUF, whole tensors at a time.
pub(crate) struct DummyReader {
    spans: Vec<Span>,
    length: u64,
    position: u64,
}

impl Read for DummyReader {
    fn read(&mut self, out: &mut [u8]) -> IoResult<usize> {
        let span = self.spans.iter().find(|span| span.start == self.position);
        let Some(span) = span.filter(|span| span.bytes == out.len() as u64) else {
            return Err(Error::new(ErrorKind::InvalidInput, "dummy tensors are read whole"));
        };
        span.fill.write(&mut SmallRng::seed_from_u64(span.seed), out);
        self.position += span.bytes;
        Ok(out.len())
    }
}

impl Seek for DummyReader {
    fn seek(&mut self, to: SeekFrom) -> IoResult<u64> {
        let target = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.length.checked_add_signed(by),
            SeekFrom::Current(by) => self.position.checked_add_signed(by),
        };
        self.position = target
            .ok_or_else(|| Error::new(ErrorKind::InvalidInput, "seek before the beginning"))?;
        Ok(self.position)
    }
}

/// Floating-point dummy weights as candle asks for them.
pub(crate) fn weights(dtype: DType, device: &Device) -> VarBuilder<'static> {
    VarBuilder::from_backend(Box::new(MadeUp), dtype, device.clone())
}

struct MadeUp;

impl SimpleBackend for MadeUp {
    fn get(
        &self,
        shape: Shape,
        name: &str,
        _: candle_nn::Init,
        dtype: DType,
        device: &Device,
    ) -> candle_core::Result<Tensor> {
        if shape.rank() == 1 {
            return Tensor::ones(shape, dtype, device);
        }
        // The name seeds the tensor, so the order of asking does not matter.
        let seed = name
            .bytes()
            .fold(SEED, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        let mut rng = SmallRng::seed_from_u64(seed);
        let numbers: Vec<f32> = (0..shape.elem_count()).map(|_| uniform(&mut rng)).collect();
        Tensor::from_vec(numbers, shape, device)?.to_dtype(dtype)
    }

    fn get_unchecked(&self, name: &str, _: DType, _: &Device) -> candle_core::Result<Tensor> {
        candle_core::bail!("dummy weights need the shape of {name}")
    }

    fn contains_tensor(&self, name: &str) -> bool {
        name != "lm_head.weight"
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::families;
    use crate::tensors::Role;

    /// A shape whose rows every block type divides.
    fn spec() -> ModelSpec {
        let mut spec = crate::Preset::find("smollm2-135m").unwrap().spec();
        (spec.hidden, spec.layers, spec.heads, spec.kv_heads) = (256, 9, 4, 2);
        (spec.head_dim, spec.intermediate, spec.vocab) = (64, 512, 320);
        spec
    }

    #[test]
    fn every_quantisation_spreads_like_trained_weights() {
        let family = families::by_name("llama").unwrap();
        for quant in Quant::ALL {
            let (content, mut reader) = gguf(family, &spec(), quant);
            for role in [Role::Query(4), Role::Down(4), Role::Value(8), Role::Embedding] {
                let tensor = content.tensor(&mut reader, &role.gguf_name(), &Device::Cpu).unwrap();
                let numbers = tensor.dequantize(&Device::Cpu).unwrap();
                let numbers: Vec<f32> = numbers.flatten_all().unwrap().to_vec1().unwrap();
                let n = numbers.len() as f32;
                let mean = numbers.iter().sum::<f32>() / n;
                let spread = (numbers.iter().map(|x| (x - mean).powi(2)).sum::<f32>() / n).sqrt();
                let dtype = tensor.dtype();
                // Codes of an even number of values have no middle: the mean is half a step off.
                assert!(mean.abs() < 0.003, "{quant} {role:?} {dtype:?}: mean {mean}");
                assert!((0.016..0.024).contains(&spread), "{quant} {role:?} {dtype:?}: {spread}");
            }
        }
    }

    #[test]
    fn norms_are_one_and_the_same_name_is_the_same_model() {
        let family = families::by_name("llama").unwrap();
        let read = |role: Role| {
            let (content, mut reader) = gguf(family, &spec(), Quant::Q4_0);
            let tensor = content.tensor(&mut reader, &role.gguf_name(), &Device::Cpu).unwrap();
            tensor.data().unwrap().into_owned()
        };
        assert!(read(Role::OutputNorm).chunks(4).all(|cell| cell == 1f32.to_le_bytes()));
        assert_eq!(read(Role::Up(2)), read(Role::Up(2)));
        assert_ne!(read(Role::Up(2)), read(Role::Up(3)));
    }
}
