//! Stored tensors as the loader reads them: some bytes of one tensor, by several threads at once.
//!
//! Not here: what the bytes mean, and where they go.

use crate::source::checkpoint::Checkpoint;
use crate::source::dummy::DummyTensors;
use crate::spec::ModelSpec;
use crate::tensors::Role;
use candle_core::DType;
use candle_core::quantized::GgmlDType;
use candle_core::quantized::gguf_file::Content;
use std::fs::File;
use std::io::{Error, ErrorKind, Read, Result, Seek, SeekFrom};
use std::path::PathBuf;

/// How rotary pairs lie in the rows of query and key matrices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pairs {
    /// `(0, 1), (2, 3), ..`: GGUF files of the llama family.
    Adjacent,
    /// `(0, d/2), (1, d/2 + 1), ..`: checkpoints, and what the kernels rotate.
    Halves,
}

/// Where the bytes of tensors come from.
pub(crate) trait StoredTensors: Sync {
    /// The type a tensor is stored in; `None` if there is no such tensor.
    fn dtype(&self, role: Role) -> Option<GgmlDType>;

    /// How rotary pairs lie.
    fn pairs(&self) -> Pairs;

    /// What the rotary frequencies are divided by, where the file says so.
    ///
    /// # Errors
    /// Errors of the system.
    fn rope_factors(&self) -> Result<Option<Vec<f32>>>;

    /// A reader for one thread.
    ///
    /// # Errors
    /// Errors of the system.
    fn open(&self) -> Result<Box<dyn TensorReader + '_>>;
}

/// Reads parts of tensors.
pub(crate) trait TensorReader {
    /// Fills `out` from byte `at` of a tensor on.
    ///
    /// # Errors
    /// Errors of the system.
    fn read(&mut self, role: Role, at: u64, out: &mut [u8]) -> Result<()>;
}

fn missing(role: Role) -> Error {
    Error::new(ErrorKind::NotFound, format!("there is no tensor {}", role.gguf_name()))
}

/// The tensors of a GGUF file.
pub(crate) struct GgufTensors {
    pub(crate) path: PathBuf,
    pub(crate) content: Content,
}

/// The name of the tensor with the divisors of the rotary frequencies.
pub(crate) const ROPE_FACTORS: &str = "rope_freqs.weight";

impl GgufTensors {
    fn start(&self, name: &str) -> Option<u64> {
        let info = self.content.tensor_infos.get(name)?;
        Some(self.content.tensor_data_offset + info.offset)
    }
}

impl StoredTensors for GgufTensors {
    fn dtype(&self, role: Role) -> Option<GgmlDType> {
        self.content.tensor_infos.get(&role.gguf_name()).map(|info| info.ggml_dtype)
    }

    fn pairs(&self) -> Pairs {
        Pairs::Adjacent
    }

    fn rope_factors(&self) -> Result<Option<Vec<f32>>> {
        let Some(start) = self.start(ROPE_FACTORS) else { return Ok(None) };
        let info = &self.content.tensor_infos[ROPE_FACTORS];
        if info.ggml_dtype != GgmlDType::F32 {
            return Err(Error::new(ErrorKind::InvalidData, "rope_freqs.weight is not in f32"));
        }
        let mut bytes = vec![0; 4 * info.shape.elem_count()];
        let mut file = File::open(&self.path)?;
        file.seek(SeekFrom::Start(start))?;
        file.read_exact(&mut bytes)?;
        Ok(Some(bytes.as_chunks().0.iter().map(|four| f32::from_le_bytes(*four)).collect()))
    }

    fn open(&self) -> Result<Box<dyn TensorReader + '_>> {
        Ok(Box::new(GgufReader { tensors: self, file: File::open(&self.path)? }))
    }
}

struct GgufReader<'a> {
    tensors: &'a GgufTensors,
    file: File,
}

impl TensorReader for GgufReader<'_> {
    fn read(&mut self, role: Role, at: u64, out: &mut [u8]) -> Result<()> {
        let start = self.tensors.start(&role.gguf_name()).ok_or_else(|| missing(role))?;
        self.file.seek(SeekFrom::Start(start + at))?;
        self.file.read_exact(out)
    }
}

impl StoredTensors for Checkpoint {
    fn dtype(&self, role: Role) -> Option<GgmlDType> {
        let view = self.tensors.get(&role.checkpoint_name()).ok()?;
        match DType::try_from(view.dtype()).ok()? {
            DType::F32 => Some(GgmlDType::F32),
            DType::F16 => Some(GgmlDType::F16),
            DType::BF16 => Some(GgmlDType::BF16),
            _ => None,
        }
    }

    fn pairs(&self) -> Pairs {
        Pairs::Halves
    }

    fn rope_factors(&self) -> Result<Option<Vec<f32>>> {
        Ok(None)
    }

    fn open(&self) -> Result<Box<dyn TensorReader + '_>> {
        Ok(Box::new(CheckpointReader(self)))
    }
}

/// Copies from the mapped shards.
struct CheckpointReader<'a>(&'a Checkpoint);

impl TensorReader for CheckpointReader<'_> {
    fn read(&mut self, role: Role, at: u64, out: &mut [u8]) -> Result<()> {
        let view = self.0.tensors.get(&role.checkpoint_name()).map_err(|_| missing(role))?;
        let stored =
            usize::try_from(at).ok().and_then(|at| view.data().get(at..)?.get(..out.len()));
        let stored = stored.ok_or_else(|| Error::from(ErrorKind::UnexpectedEof))?;
        out.copy_from_slice(stored);
        Ok(())
    }
}

impl StoredTensors for DummyTensors {
    fn dtype(&self, role: Role) -> Option<GgmlDType> {
        self.find(role).map(|span| span.dtype)
    }

    fn pairs(&self) -> Pairs {
        Pairs::Adjacent
    }

    fn rope_factors(&self) -> Result<Option<Vec<f32>>> {
        // As the config says.
        Ok(None)
    }

    fn open(&self) -> Result<Box<dyn TensorReader + '_>> {
        Ok(Box::new(self.reader()))
    }
}

/// What the frequency of each rotary pair is at position 1: `theta^(-2i / head_dim)`, divided by the
/// file's factor, or stretched as the config says.
pub(crate) fn inverse_frequencies(spec: &ModelSpec, factors: Option<&[f32]>) -> Vec<f32> {
    let stretched =
        spec.rope_scaling.map(|scaling| scaling.factors(spec.rope_theta, spec.head_dim));
    let factors = factors.or(stretched.as_deref());
    (0..spec.head_dim / 2)
        .map(|pair| {
            let exponent = (2 * pair) as f64 / spec.head_dim as f64;
            let frequency = f64::from(spec.rope_theta).powf(-exponent);
            let factor =
                factors.and_then(|factors| factors.get(pair)).map_or(1.0, |f| f64::from(*f));
            #[expect(clippy::cast_possible_truncation, reason = "tables are in f32")]
            let frequency = (frequency / factor) as f32;
            frequency
        })
        .collect()
}
