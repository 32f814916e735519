//! GGUF files: a header that a family understands, and the tensors that it needs.

mod cursor;
mod fault;
mod file;
mod header;
mod split;
mod tensor_type;

pub(crate) use file::GgufFile;
pub(crate) use split::PartName;
pub(crate) use tensor_type::type_name;

use crate::error::ModelError;
use crate::families::{self, Family, Header};
use crate::quant::Quant;
use crate::source::dummy::MARK;
use crate::spec::ModelSpec;
use crate::stored::{Format, Located, StoredShape, resolve};
use crate::tensors::Role;
use candle_core::quantized::GgmlDType;
use candle_core::quantized::gguf_file::Value;
use fault::{Fault, shown};
use std::collections::HashMap;
use std::path::Path;

/// An opened GGUF: header read, tensors not.
pub(crate) struct Gguf {
    pub(crate) file: GgufFile,
    pub(crate) family: &'static dyn Family,
    pub(crate) spec: ModelSpec,
    /// `q4_1`, or the commonest tensor type where the file names none we know.
    pub(crate) quant: String,
    /// Where each tensor of the model lies.
    pub(crate) found: HashMap<Role, Located>,
}

/// Opens a GGUF, or with one part of a split one all of it, and checks that a family can run it.
///
/// # Errors
/// Those of [`GgufFile::open`]; [`ModelError::BadGguf`] where the header contradicts itself,
/// [`ModelError::UnsupportedArchitecture`].
pub(crate) fn open(path: &Path) -> Result<Gguf, ModelError> {
    let bad = |reason: String| Fault::Damaged(reason).of(path);
    let file = GgufFile::open(path)?;
    let architecture = match file.metadata.get("general.architecture") {
        Some(Value::String(name)) => name,
        Some(_) => return Err(bad("general.architecture is no text".into())),
        None => return Err(bad("general.architecture is missing".into())),
    };
    let family = families::by_gguf_name(shown(architecture).trim_matches('"'))?;
    let spec = family.spec_from_gguf(&Header { file: &file }).map_err(bad)?;
    spec.validate()?;
    // Before a list of the tensors of that many layers is made.
    if spec.layers > file.tensors.len() {
        let (layers, tensors) = (spec.layers, file.tensors.len());
        return Err(bad(format!("its header tells of {layers} layers, and has {tensors} tensors")));
    }
    let stored = file.tensors.iter().map(|(name, tensor)| {
        let shape = tensor.shape.dims().to_vec();
        (name.clone(), StoredShape { dtype: tensor.dtype, shape })
    });
    let found = resolve(family, &spec, Format::Gguf, &stored.collect()).map_err(bad)?;
    Ok(Gguf { quant: quant_name(&file), family, spec, file, found })
}

fn quant_name(file: &GgufFile) -> String {
    let declared = file.metadata.get("general.file_type").and_then(header::integer);
    let declared = declared.and_then(|number| u32::try_from(number).ok());
    if let Some(quant) = declared.and_then(Quant::from_file_type) {
        return quant.to_string();
    }
    let mut elements: HashMap<GgmlDType, usize> = HashMap::new();
    for tensor in file.tensors.values() {
        *elements.entry(tensor.dtype).or_default() += tensor.shape.elem_count();
    }
    let commonest = elements.into_iter().max_by_key(|&(_, count)| count).map(|(dtype, _)| dtype);
    commonest.map_or("unknown", type_name).to_owned()
}

impl Gguf {
    /// Whether its weights were made up by this crate.
    pub(crate) fn made_up(&self) -> bool {
        matches!(self.file.metadata.get(MARK.0), Some(Value::String(mark)) if mark == MARK.1)
    }
}
