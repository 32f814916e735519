//! Dummy tensors read in parts, by several threads at once: the same bytes as read whole.

use super::fill::{Fill, fill};
use super::{SEED, stored_dtype};
use crate::families::Family;
use crate::fused::source::TensorReader;
use crate::quant::Quant;
use crate::spec::ModelSpec;
use crate::tensors::Role;
use candle_core::quantized::GgmlDType;
use rand::SeedableRng;
use rand::rngs::SmallRng;
use std::collections::HashMap;
use std::io::{Error, ErrorKind, Result};

/// The tensors of a dummy model.
pub(crate) struct DummyTensors {
    tensors: HashMap<Role, DummyTensor>,
}

/// How one tensor is made up.
pub(crate) struct DummyTensor {
    pub(crate) dtype: GgmlDType,
    fill: Fill,
    seed: u64,
}

impl DummyTensors {
    /// The tensors of a shape at a quantisation.
    pub(crate) fn new(family: &dyn Family, spec: &ModelSpec, quant: Quant) -> Self {
        let tensors = family.tensors(spec).into_iter().enumerate().map(|(index, tensor)| {
            let dtype = stored_dtype(quant, &tensor);
            let fill = fill(&tensor, dtype);
            (tensor.role, DummyTensor { dtype, fill, seed: SEED ^ index as u64 })
        });
        Self { tensors: tensors.collect() }
    }

    pub(crate) fn find(&self, role: Role) -> Option<&DummyTensor> {
        self.tensors.get(&role)
    }

    pub(crate) fn reader(&self) -> DummyTensorReader<'_> {
        DummyTensorReader { tensors: self, at: None, rng: SmallRng::seed_from_u64(0) }
    }
}

/// Makes up the bytes of one tensor after the other.
pub(crate) struct DummyTensorReader<'a> {
    tensors: &'a DummyTensors,
    /// The tensor and the byte that come next.
    at: Option<(Role, u64)>,
    rng: SmallRng,
}

impl TensorReader for DummyTensorReader<'_> {
    /// Going on where the last read ended is cheap; elsewhere all bytes before are made up again.
    fn read(&mut self, role: Role, at: u64, out: &mut [u8]) -> Result<()> {
        let unknown = || Error::new(ErrorKind::NotFound, format!("no tensor {role:?}"));
        let tensor = self.tensors.find(role).ok_or_else(unknown)?;
        if self.at != Some((role, at)) {
            self.rng = SmallRng::seed_from_u64(tensor.seed);
            let mut before = vec![0; usize::try_from(at).map_err(Error::other)?];
            tensor.fill.write(&mut self.rng, &mut before);
        }
        tensor.fill.write(&mut self.rng, out);
        self.at = Some((role, at + out.len() as u64));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::families;
    use crate::source::dummy::tests::spec;
    use candle_core::Device;

    #[test]
    fn parts_make_the_whole() {
        let family = families::by_name("llama").unwrap();
        for quant in Quant::ALL {
            let (content, mut whole) = super::super::gguf(family, &spec(), quant);
            let tensors = DummyTensors::new(family, &spec(), quant);
            let mut reader = tensors.reader();
            for role in [Role::Embedding, Role::Query(3), Role::OutputNorm, Role::Down(8)] {
                let name = role.gguf_name();
                let expected = content.tensor(&mut whole, &name, &Device::Cpu).unwrap();
                let expected = expected.data().unwrap().into_owned();
                let mut parts = vec![0; expected.len()];
                // Whole rows, as the loader reads them; the second half first.
                let rows = content.tensor_infos[&name].shape.dims()[0];
                let middle = rows / 2 * (expected.len() / rows);
                reader.read(role, middle as u64, &mut parts[middle..]).unwrap();
                reader.read(role, 0, &mut parts[..middle]).unwrap();
                assert_eq!(parts, expected, "{quant} {role:?}");
                // In order, where the second read goes on with the first.
                parts.fill(0);
                reader.read(role, 0, &mut parts[..middle]).unwrap();
                reader.read(role, middle as u64, &mut parts[middle..]).unwrap();
                assert_eq!(parts, expected, "{quant} {role:?}");
            }
        }
    }
}
