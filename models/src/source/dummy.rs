//! Seeded random weights in a model's true shape: the same bytes and operations, nothing downloaded.
//!
//! A dummy is a GGUF that exists only as it is read: the header is built from the spec, and each
//! tensor is made up when it is asked for, so a large model never stands in memory twice. Block
//! scales are set so that weights spread by about 0.02, as trained ones do; activations stay finite
//! and every code value occurs.
//!
//! Not here: the file on disk ([`super::gguf_write`]).

mod dense;
mod fill;

pub(crate) use dense::weights;

mod tensors;

pub(crate) use tensors::DummyTensors;

use crate::families::Family;
use crate::quant::Quant;
use crate::source::gguf_write::ALIGNMENT;
use crate::spec::ModelSpec;
use crate::tensors::TensorSpec;
use candle_core::Shape;
use candle_core::quantized::GgmlDType;
use candle_core::quantized::gguf_file::{Content, TensorInfo, Value, VersionedMagic};
use fill::{Fill, fill};
use rand::SeedableRng;
use rand::rngs::SmallRng;
use std::collections::HashMap;
use std::io::{Error, ErrorKind, Read, Result as IoResult, Seek, SeekFrom};

/// Seed of every dummy model: the same name is the same model everywhere.
const SEED: u64 = 0xF4EE;

/// Name of the frequency factors of Llama 3 in a GGUF.
const ROPE_FACTORS: &str = "rope_freqs.weight";

/// Says in a GGUF's metadata that its weights were made up: `freeweights.weights = "dummy"`.
pub(crate) const MARK: (&str, &str) = ("freeweights.weights", "dummy");

/// A GGUF of a spec, and what reads as its bytes.
pub(crate) fn gguf(family: &dyn Family, spec: &ModelSpec, quant: Quant) -> (Content, DummyReader) {
    let mut layout = Layout::default();
    for (index, tensor) in family.tensors(spec).iter().enumerate() {
        let dtype = stored_dtype(quant, tensor);
        let seed = SEED ^ index as u64;
        layout.push(tensor.role.gguf_name(), &tensor.shape, dtype, fill(tensor, dtype), seed);
    }
    if let Some(scaling) = spec.rope_scaling {
        let factors = scaling.factors(spec.rope_theta, spec.head_dim);
        let shape = [factors.len()];
        layout.push(ROPE_FACTORS.into(), &shape, GgmlDType::F32, Fill::Given(factors), SEED);
    }
    let content = Content {
        magic: VersionedMagic::GgufV3,
        metadata: metadata(spec, quant),
        tensor_infos: layout.infos,
        tensor_data_offset: 0,
    };
    (content, DummyReader { spans: layout.spans, length: layout.end, position: 0 })
}

/// llama.cpp wants norms in f32, whatever the matrices are in.
fn stored_dtype(quant: Quant, tensor: &TensorSpec) -> GgmlDType {
    if tensor.role.is_matrix() { quant.tensor_dtype(tensor) } else { GgmlDType::F32 }
}

/// Tensors one behind the other, each aligned.
#[derive(Default)]
struct Layout {
    infos: HashMap<String, TensorInfo>,
    spans: Vec<Span>,
    end: u64,
}

impl Layout {
    fn push(&mut self, name: String, shape: &[usize], dtype: GgmlDType, fill: Fill, seed: u64) {
        let shape = Shape::from(shape.to_vec());
        let bytes = (shape.elem_count() / dtype.block_size() * dtype.type_size()) as u64;
        let start = self.end.next_multiple_of(u64::from(ALIGNMENT));
        self.infos.insert(name, TensorInfo { ggml_dtype: dtype, shape, offset: start });
        self.spans.push(Span { start, bytes, fill, seed });
        self.end = start + bytes;
    }
}

/// What readers of GGUF, llama.cpp among them, ask a header for. There is no vocabulary but its size.
fn metadata(spec: &ModelSpec, quant: Quant) -> HashMap<String, Value> {
    let count = |n: usize| Value::U32(u32::try_from(n).unwrap_or(u32::MAX));
    let text = |text: &str| Value::String(text.into());
    let arch = &spec.architecture;
    #[expect(clippy::cast_possible_truncation, reason = "GGUF keeps the epsilon in f32")]
    let epsilon = spec.norm_eps as f32;
    HashMap::from([
        ("general.architecture".into(), text(arch)),
        ("general.type".into(), text("model")),
        ("general.file_type".into(), Value::U32(quant.file_type())),
        // The layout of the blocks as it has been since 2023.
        ("general.quantization_version".into(), Value::U32(2)),
        ("general.alignment".into(), Value::U32(ALIGNMENT)),
        (MARK.0.into(), text(MARK.1)),
        (format!("{arch}.vocab_size"), count(spec.vocab)),
        (format!("{arch}.block_count"), count(spec.layers)),
        (format!("{arch}.embedding_length"), count(spec.hidden)),
        (format!("{arch}.feed_forward_length"), count(spec.intermediate)),
        (format!("{arch}.context_length"), count(spec.context)),
        (format!("{arch}.attention.head_count"), count(spec.heads)),
        (format!("{arch}.attention.head_count_kv"), count(spec.kv_heads)),
        (format!("{arch}.rope.dimension_count"), count(spec.head_dim)),
        (format!("{arch}.rope.freq_base"), Value::F32(spec.rope_theta)),
        (format!("{arch}.attention.layer_norm_rms_epsilon"), Value::F32(epsilon)),
        ("tokenizer.ggml.model".into(), text("no_vocab")),
    ])
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

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::families;
    use crate::tensors::Role;
    use candle_core::Device;

    /// A shape whose rows every block type divides.
    pub(crate) fn spec() -> ModelSpec {
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
