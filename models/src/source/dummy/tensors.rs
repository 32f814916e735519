//! Dummy tensors read in parts, by several threads at once: the same bytes as read whole.

use super::stored::{Piece, stored};
use crate::families::Family;
use crate::quant::Quant;
use crate::spec::ModelSpec;
use crate::stored::{Format, Pairs, StoredTensors, TensorReader};
use crate::tensors::Role;
use candle_core::quantized::GgmlDType;
use std::collections::HashMap;
use std::io::{Error, ErrorKind, Result};

/// The tensors of a dummy model.
pub(crate) struct DummyTensors {
    pairs: Pairs,
    tensors: HashMap<Role, DummyTensor>,
}

/// How one tensor is made up.
struct DummyTensor {
    dtype: GgmlDType,
    transposed: bool,
    piece: Piece,
}

impl DummyTensors {
    /// The tensors of a shape at a quantisation.
    pub(crate) fn new(family: &dyn Family, spec: &ModelSpec, quant: Quant) -> Self {
        let tensors = stored(family, spec, quant).into_iter().flat_map(|stored| {
            let (dtype, transposed) = (stored.dtype, stored.transposed);
            let parts = stored.parts.into_iter();
            parts.map(move |(role, piece)| (role, DummyTensor { dtype, transposed, piece }))
        });
        Self { pairs: family.pairs(Format::Gguf), tensors: tensors.collect() }
    }

    fn find(&self, role: Role) -> Option<&DummyTensor> {
        self.tensors.get(&role)
    }
}

impl StoredTensors for DummyTensors {
    fn dtype(&self, role: Role) -> Option<GgmlDType> {
        self.find(role).map(|tensor| tensor.dtype)
    }

    fn pairs(&self) -> Pairs {
        self.pairs
    }

    fn transposed(&self, role: Role) -> bool {
        self.find(role).is_some_and(|tensor| tensor.transposed)
    }

    fn open(&self) -> Result<Box<dyn TensorReader + '_>> {
        Ok(Box::new(DummyTensorReader(self)))
    }
}

/// Makes up the bytes that are asked for.
struct DummyTensorReader<'a>(&'a DummyTensors);

impl TensorReader for DummyTensorReader<'_> {
    fn read(&mut self, role: Role, at: u64, out: &mut [u8]) -> Result<()> {
        let unknown = || Error::new(ErrorKind::NotFound, format!("no tensor {role:?}"));
        let Piece { fill, seed, .. } = &self.0.find(role).ok_or_else(unknown)?.piece;
        fill.write(*seed, at, out);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::families;
    use crate::source::dummy::tests::spec;
    use crate::stored::gguf_name;
    use crate::tensors::Part;
    use candle_core::Device;

    #[test]
    fn parts_make_the_whole() {
        let family = families::by_name("llama").unwrap();
        // Rows of 288 in q4_0 take 162 bytes, which eights do not divide.
        let mut odd = spec();
        (odd.hidden, odd.layers) = (288, 9);
        for (spec, quant) in Quant::ALL.map(|q| (spec(), q)).into_iter().chain([(odd, Quant::Q4_0)])
        {
            let (content, mut whole) = super::super::gguf(family, &spec, quant);
            let tensors = DummyTensors::new(family, &spec, quant);
            let mut reader = tensors.open().unwrap();
            for role in [
                Role::Embedding,
                Role::Layer(3, Part::Query),
                Role::OutputNorm,
                Role::Layer(8, Part::Down),
            ] {
                let name = gguf_name(role);
                let expected = content.tensor(&mut whole, &name, &Device::Cpu).unwrap();
                let expected = expected.data().unwrap().into_owned();
                let mut parts = vec![0; expected.len()];
                // Whole rows, as the loader reads them, some at a time and not in order.
                let rows = content.tensor_infos[&name].shape.dims()[0];
                let row = expected.len() / rows;
                let mut firsts: Vec<usize> = (0..rows).step_by(7).collect();
                firsts.sort_by_key(|first| first % 5);
                for first in firsts {
                    let bytes = first * row..rows.min(first + 7) * row;
                    reader.read(role, bytes.start as u64, &mut parts[bytes]).unwrap();
                }
                assert_eq!(parts, expected, "{quant} {role:?}");
            }
        }
    }

    #[test]
    fn parts_of_a_joint_tensor_lie_in_it_one_behind_the_other() {
        let family = families::by_name("phi3").unwrap();
        let mut spec = spec();
        spec.architecture = "phi3".into();
        for quant in Quant::ALL {
            let (content, mut whole) = super::super::gguf(family, &spec, quant);
            let tensors = DummyTensors::new(family, &spec, quant);
            let mut reader = tensors.open().unwrap();
            // Of layer 8 the values alone would get more bits in the mixtures.
            for (name, rows, parts) in [
                ("attn_qkv", 512, &[Part::Query, Part::Key, Part::Value][..]),
                ("ffn_up", 1024, &[Part::Gate, Part::Up]),
            ] {
                let name = format!("blk.8.{name}.weight");
                let expected = content.tensor(&mut whole, &name, &Device::Cpu).unwrap();
                assert_eq!(expected.shape().dims(), [rows, 256]);
                let (expected, dtype) = (expected.data().unwrap(), expected.dtype());
                let row = expected.len() / rows;
                let mut at = 0;
                for part in parts {
                    let role = Role::Layer(8, *part);
                    assert_eq!(tensors.dtype(role), Some(dtype), "{quant} {role:?}");
                    let rows = match part {
                        Part::Query => 256,
                        Part::Key | Part::Value => 128,
                        _ => 512,
                    };
                    let mut bytes = vec![0; rows * row];
                    reader.read(role, 0, &mut bytes).unwrap();
                    assert!(bytes == expected[at..at + bytes.len()], "{quant} {role:?}");
                    at += bytes.len();
                }
                assert_eq!(at, expected.len());
            }
            assert!(!content.tensor_infos.keys().any(|name| name.ends_with("ffn_gate.weight")));
        }
    }
}
