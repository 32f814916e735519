//! GGUF files: the header read and believed only as far as the file's length bears it out.

use crate::error::{ModelError, first_line};
use crate::families::{self, Family};
use crate::quant::Quant;
use crate::source::dummy::MARK;
use crate::spec::ModelSpec;
use candle_core::quantized::GgmlDType;
use candle_core::quantized::gguf_file::Content;
use std::collections::HashMap;
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// An opened GGUF: header read, tensors not.
pub(crate) struct Gguf {
    pub(crate) path: PathBuf,
    pub(crate) content: Content,
    pub(crate) reader: BufReader<File>,
    pub(crate) family: &'static dyn Family,
    pub(crate) spec: ModelSpec,
    /// `q4_1`, or the commonest tensor type where the file names none we know.
    pub(crate) quant: String,
}

/// Opens a GGUF and checks that its header and its length agree.
///
/// # Errors
/// [`ModelError::BadGguf`] with the reason, [`ModelError::UnsupportedArchitecture`].
pub(crate) fn open(path: &Path) -> Result<Gguf, ModelError> {
    let io = |source| ModelError::Io { path: path.to_path_buf(), source };
    let bad = |reason: String| ModelError::BadGguf { path: path.to_path_buf(), reason };
    let mut file = File::open(path).map_err(io)?;
    let length = file.metadata().map_err(io)?.len();
    let mut magic = [0; 4];
    if length < 24 || file.read_exact(&mut magic).is_err() || &magic != b"GGUF" {
        return Err(bad("it does not begin as one does".into()));
    }
    file.seek(SeekFrom::Start(0)).map_err(io)?;
    let mut reader = BufReader::new(file);
    let content = Content::read(&mut reader).map_err(|error| {
        bad(format!("its header breaks off or is damaged ({})", first_line(&error)))
    })?;

    let architecture = content
        .metadata
        .get("general.architecture")
        .and_then(|value| value.to_string().ok())
        .ok_or_else(|| bad("general.architecture is missing".into()))?;
    let family = families::by_name(architecture)?;
    let spec = family.spec_from_gguf(&content.metadata, &content).map_err(bad)?;
    spec.validate()?;
    check_tensors(&content, family, &spec, length).map_err(bad)?;
    Ok(Gguf {
        path: path.to_path_buf(),
        quant: quant_name(&content),
        family,
        spec,
        content,
        reader,
    })
}

/// Every tensor the family needs is there, in its shape, inside the file.
fn check_tensors(
    content: &Content,
    family: &dyn Family,
    spec: &ModelSpec,
    length: u64,
) -> Result<(), String> {
    for wanted in family.tensors(spec) {
        let name = wanted.role.gguf_name();
        let info = content
            .tensor_infos
            .get(&name)
            .ok_or_else(|| format!("the tensor {name} is missing"))?;
        if info.shape.dims() != wanted.shape {
            return Err(format!(
                "the tensor {name} has shape {:?}, the header's sizes make it {:?}",
                info.shape.dims(),
                wanted.shape
            ));
        }
        if !wanted.row().is_multiple_of(info.ggml_dtype.block_size()) {
            return Err(format!(
                "the rows of {name} do not divide into {:?} blocks",
                info.ggml_dtype
            ));
        }
    }
    // Every tensor counts, known or not: one past the end means that the file was cut short.
    let end = content
        .tensor_infos
        .values()
        .map(|info| {
            let blocks = info.shape.elem_count() / info.ggml_dtype.block_size();
            let bytes = (blocks as u64).saturating_mul(info.ggml_dtype.type_size() as u64);
            content.tensor_data_offset.saturating_add(info.offset).saturating_add(bytes)
        })
        .max()
        .unwrap_or(0);
    if end > length {
        return Err(format!(
            "it is cut short: its header tells of {end} bytes, the file has {length}"
        ));
    }
    Ok(())
}

fn quant_name(content: &Content) -> String {
    let declared = content
        .metadata
        .get("general.file_type")
        .and_then(|value| value.to_u32().ok())
        .and_then(Quant::from_file_type);
    if let Some(quant) = declared {
        return quant.to_string();
    }
    let mut elements: HashMap<GgmlDType, usize> = HashMap::new();
    for info in content.tensor_infos.values() {
        *elements.entry(info.ggml_dtype).or_default() += info.shape.elem_count();
    }
    let commonest = elements.into_iter().max_by_key(|&(_, count)| count).map(|(dtype, _)| dtype);
    commonest.map_or_else(|| "unknown".into(), |dtype| format!("{dtype:?}").to_lowercase())
}

impl Gguf {
    /// Whether its weights were made up by this crate.
    pub(crate) fn made_up(&self) -> bool {
        let mark = self.content.metadata.get(MARK.0).and_then(|value| value.to_string().ok());
        mark.is_some_and(|mark| mark == MARK.1)
    }

    /// Bytes of the tensors the family uses: all, and those that a decode step reads whole.
    pub(crate) fn weight_bytes(&self) -> (u64, u64) {
        let (mut all, mut per_step) = (0, 0);
        for tensor in self.family.tensors(&self.spec) {
            let Some(info) = self.content.tensor_infos.get(&tensor.role.gguf_name()) else {
                continue;
            };
            let blocks = info.shape.elem_count() / info.ggml_dtype.block_size();
            let bytes = (blocks * info.ggml_dtype.type_size()) as u64;
            all += bytes;
            if self.spec.tied_embeddings || tensor.role != crate::Role::Embedding {
                per_step += bytes;
            }
        }
        (all, per_step)
    }
}
