//! Seeded random weights in a model's true shape: the same bytes and operations, nothing downloaded.
//!
//! A dummy is a GGUF that exists only as it is read: the header is built from the spec, and each
//! tensor is made up when it is asked for, so a large model never stands in memory twice. Block
//! scales are set so that weights spread by about 0.02, as trained ones do; activations stay finite
//! and every code value occurs.
//!
//! Not here: the file on disk ([`super::gguf_write`]), and which tensors it has ([`stored`]).

mod fill;
mod stored;
mod tensors;

pub(crate) use fill::scales;
pub(crate) use tensors::DummyTensors;

use crate::families::{self, Family};
use crate::quant::Quant;
use crate::source::gguf_write::ALIGNMENT;
use crate::spec::{ModelSpec, Rope, RopeScaling};
use candle_core::Shape;
use candle_core::quantized::GgmlDType;
use candle_core::quantized::gguf_file::{Content, TensorInfo, Value, VersionedMagic};
use fill::Fill;
use std::collections::HashMap;
use std::io::{Error, ErrorKind, Read, Result as IoResult, Seek, SeekFrom};
use stored::{Piece, Stored, stored};

/// Seed of every dummy model: the same name is the same model everywhere.
const SEED: u64 = 0xF4EE;

/// Says in a GGUF's metadata that its weights were made up: `freeweights.weights = "dummy"`.
pub(crate) const MARK: (&str, &str) = ("freeweights.weights", "dummy");

/// A GGUF of a spec, and what reads as its bytes.
pub(crate) fn gguf(family: &dyn Family, spec: &ModelSpec, quant: Quant) -> (Content, DummyReader) {
    let mut layout = Layout::default();
    for Stored { name, shape, dtype, parts, .. } in stored(family, spec, quant) {
        let pieces = parts.into_iter().map(|(_, piece)| piece).collect();
        layout.push(name, shape, dtype, pieces);
    }
    for (name, divisors) in tables(&spec.rope) {
        let shape = vec![divisors.len()];
        let bytes = size_of_val(divisors.as_slice());
        let piece = Piece { bytes, fill: Fill::Given(divisors), seed: SEED };
        layout.push(name.into(), shape, GgmlDType::F32, vec![piece]);
    }
    let content = Content {
        magic: VersionedMagic::GgufV3,
        metadata: metadata(family, spec, quant),
        tensor_infos: layout.infos,
        tensor_data_offset: 0,
    };
    (content, DummyReader { spans: layout.spans, length: layout.end, position: 0 })
}

/// The divisors of rotary frequencies that a GGUF keeps in tensors.
fn tables(rope: &Rope) -> Vec<(&'static str, Vec<f32>)> {
    match &rope.scaling {
        Some(RopeScaling::Llama3 { .. } | RopeScaling::Divisors(_)) => {
            #[expect(clippy::cast_possible_truncation, reason = "GGUF keeps them in f32")]
            let divisors = rope.divisors(false).into_iter().map(|divisor| divisor as f32);
            vec![("rope_freqs.weight", divisors.collect())]
        }
        Some(RopeScaling::LongRope { short, long, .. }) => vec![
            ("rope_factors_short.weight", short.clone()),
            ("rope_factors_long.weight", long.clone()),
        ],
        _ => Vec::new(),
    }
}

/// Tensors one behind the other, each aligned.
#[derive(Default)]
struct Layout {
    infos: HashMap<String, TensorInfo>,
    spans: Vec<Span>,
    end: u64,
}

impl Layout {
    fn push(&mut self, name: String, shape: Vec<usize>, dtype: GgmlDType, pieces: Vec<Piece>) {
        let start = self.end.next_multiple_of(u64::from(ALIGNMENT));
        let span = Span { start, pieces };
        self.end = start + span.bytes();
        let shape = Shape::from(shape);
        self.infos.insert(name, TensorInfo { ggml_dtype: dtype, shape, offset: start });
        self.spans.push(span);
    }
}

/// What readers of GGUF, llama.cpp among them, ask a header for. There is no vocabulary but its size.
fn metadata(family: &dyn Family, spec: &ModelSpec, quant: Quant) -> HashMap<String, Value> {
    let text = |text: &str| Value::String(text.into());
    let mut all = families::metadata(family, spec);
    all.extend([
        ("general.architecture".into(), text(family.gguf_name())),
        ("general.type".into(), text("model")),
        ("general.file_type".into(), Value::U32(quant.file_type())),
        // The layout of the blocks as it has been since 2023.
        ("general.quantization_version".into(), Value::U32(2)),
        ("general.alignment".into(), Value::U32(ALIGNMENT)),
        (MARK.0.into(), text(MARK.1)),
        ("tokenizer.ggml.model".into(), text("no_vocab")),
    ]);
    all
}

/// The bytes of one stored tensor.
struct Span {
    start: u64,
    pieces: Vec<Piece>,
}

impl Span {
    fn bytes(&self) -> u64 {
        self.pieces.iter().map(|piece| piece.bytes as u64).sum()
    }
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
        let Some(span) = span.filter(|span| span.bytes() == out.len() as u64) else {
            return Err(Error::new(ErrorKind::InvalidInput, "dummy tensors are read whole"));
        };
        let mut rest = &mut *out;
        for Piece { bytes, fill, seed } in &span.pieces {
            let (piece, behind) = rest.split_at_mut(*bytes);
            fill.write(*seed, 0, piece);
            rest = behind;
        }
        self.position += out.len() as u64;
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
    use crate::stored::gguf_name;
    use crate::tensors::{Part, Role};
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
            for role in [
                Role::Layer(4, Part::Query),
                Role::Layer(4, Part::Down),
                Role::Layer(8, Part::Value),
                Role::Embedding,
            ] {
                let tensor = content.tensor(&mut reader, &gguf_name(role), &Device::Cpu).unwrap();
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
            let tensor = content.tensor(&mut reader, &gguf_name(role), &Device::Cpu).unwrap();
            tensor.data().unwrap().into_owned()
        };
        assert!(read(Role::OutputNorm).chunks(4).all(|cell| cell == 1f32.to_le_bytes()));
        assert_eq!(read(Role::Layer(2, Part::Up)), read(Role::Layer(2, Part::Up)));
        assert_ne!(read(Role::Layer(2, Part::Up)), read(Role::Layer(3, Part::Up)));
    }
}
