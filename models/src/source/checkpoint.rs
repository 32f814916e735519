//! Folders of the transformers library: config.json and one or more safetensors files.

use crate::error::ModelError;
use crate::families::{self, Family};
use crate::spec::ModelSpec;
use candle_core::safetensors::MmapedSafetensors;
use candle_core::{DType, Device, Shape, Tensor};
use candle_nn::VarBuilder;
use candle_nn::var_builder::SimpleBackend;
use std::path::{Path, PathBuf};

/// A checkpoint whose config is read and whose shards are mapped and checked.
pub(crate) struct Checkpoint {
    pub(crate) family: &'static dyn Family,
    pub(crate) spec: ModelSpec,
    /// Shards in the order of their names.
    pub(crate) shards: Vec<PathBuf>,
    /// Data type of the tensors as stored.
    pub(crate) stored: DType,
    pub(crate) tensors: MmapedSafetensors,
}

/// Reads the spec of a config.json.
///
/// # Errors
/// [`ModelError::BadCheckpoint`] or [`ModelError::UnsupportedArchitecture`].
pub(crate) fn read_config(path: &Path) -> Result<(&'static dyn Family, ModelSpec), ModelError> {
    let bad = |reason: String| ModelError::BadCheckpoint { path: path.to_path_buf(), reason };
    let text = std::fs::read_to_string(path)
        .map_err(|source| ModelError::Io { path: path.to_path_buf(), source })?;
    let config: serde_json::Value =
        serde_json::from_str(&text).map_err(|error| bad(format!("it is no JSON: {error}")))?;
    let name = config["architectures"][0]
        .as_str()
        .ok_or_else(|| bad("it names no architecture under \"architectures\"".into()))?;
    let family = families::by_checkpoint_name(name)?;
    let spec = family.spec_from_config(&config).map_err(bad)?;
    spec.validate()?;
    Ok((family, spec))
}

/// Opens a folder and checks that config and shards agree.
///
/// # Errors
/// [`ModelError::NotAModelFolder`], [`ModelError::Pickle`], [`ModelError::BadCheckpoint`].
pub(crate) fn open(folder: &Path) -> Result<Checkpoint, ModelError> {
    let lacks = |what: &str| ModelError::NotAModelFolder {
        path: folder.to_path_buf(),
        lacks: what.to_owned(),
    };
    let config = folder.join("config.json");
    if !config.exists() {
        return Err(lacks("no config.json"));
    }
    let (family, mut spec) = read_config(&config)?;
    let shards = shards(folder)?;
    let Some(first) = shards.first() else {
        return Err(match pickle_in(folder) {
            Some(path) => ModelError::Pickle { path },
            None => lacks("no .safetensors file"),
        });
    };
    let bad = |reason: String| ModelError::BadCheckpoint { path: first.clone(), reason };
    // SAFETY: the files are mapped read-only; that nobody writes to them while they are mapped is
    // the contract of every reader that maps weights.
    let tensors = unsafe { MmapedSafetensors::multi(&shards) }.map_err(|error| {
        bad(format!("damaged or cut short ({})", crate::error::first_line(&error)))
    })?;
    // A checkpoint may carry its tied head twice or leave it out, whatever its config says.
    if !spec.tied_embeddings && tensors.get("lm_head.weight").is_err() {
        spec.tied_embeddings = true;
    }
    check_tensors(&tensors, family, &spec).map_err(bad)?;
    let stored = tensors
        .get("model.embed_tokens.weight")
        .ok()
        .and_then(|view| DType::try_from(view.dtype()).ok())
        .ok_or_else(|| bad("the embedding has a data type that candle does not read".into()))?;
    Ok(Checkpoint { family, spec, shards, stored, tensors })
}

/// The safetensors of a folder: those that the index names, or all.
fn shards(folder: &Path) -> Result<Vec<PathBuf>, ModelError> {
    let index = folder.join("model.safetensors.index.json");
    let io = |source| ModelError::Io { path: folder.to_path_buf(), source };
    if !index.exists() {
        let mut shards = Vec::new();
        for entry in std::fs::read_dir(folder).map_err(io)? {
            let path = entry.map_err(io)?.path();
            if path.extension().is_some_and(|ending| ending == "safetensors") {
                shards.push(path);
            }
        }
        shards.sort();
        return Ok(shards);
    }
    let bad = |reason: String| ModelError::BadCheckpoint { path: index.clone(), reason };
    let text = std::fs::read_to_string(&index).map_err(io)?;
    let parsed: serde_json::Value =
        serde_json::from_str(&text).map_err(|error| bad(format!("it is no JSON: {error}")))?;
    let map = parsed["weight_map"].as_object().ok_or_else(|| bad("it has no weight_map".into()))?;
    let mut names: Vec<&str> = map.values().filter_map(serde_json::Value::as_str).collect();
    names.sort_unstable();
    names.dedup();
    names
        .into_iter()
        .map(|name| {
            // Only plain names: an index from a stranger may not reach outside its folder.
            if name.contains(['/', '\\']) || name.starts_with('.') {
                return Err(bad(format!(
                    "it names the shard {name:?}, which is no plain file name"
                )));
            }
            let path = folder.join(name);
            if path.exists() { Ok(path) } else { Err(bad(format!("the shard {name} is missing"))) }
        })
        .collect()
}

fn pickle_in(folder: &Path) -> Option<PathBuf> {
    ["pytorch_model.bin", "pytorch_model.bin.index.json", "consolidated.00.pth"]
        .iter()
        .map(|name| folder.join(name))
        .find(|path| path.exists())
}

fn check_tensors(
    tensors: &MmapedSafetensors,
    family: &dyn Family,
    spec: &ModelSpec,
) -> Result<(), String> {
    for wanted in family.tensors(spec) {
        let name = wanted.role.checkpoint_name();
        let view = tensors.get(&name).map_err(|_| format!("the tensor {name} is missing"))?;
        if view.shape() != wanted.shape {
            return Err(format!(
                "the tensor {name} has shape {:?}, config.json makes it {:?}",
                view.shape(),
                wanted.shape
            ));
        }
    }
    Ok(())
}

impl Checkpoint {
    /// The weights for candle in `dtype` on `device`.
    pub(crate) fn into_weights(self, dtype: DType, device: &Device) -> VarBuilder<'static> {
        VarBuilder::from_backend(Box::new(Mapped(self.tensors)), dtype, device.clone())
    }
}

/// The mapped shards as candle asks for them.
struct Mapped(MmapedSafetensors);

impl SimpleBackend for Mapped {
    fn get(
        &self,
        shape: Shape,
        name: &str,
        _: candle_nn::Init,
        dtype: DType,
        device: &Device,
    ) -> candle_core::Result<Tensor> {
        let tensor = self.get_unchecked(name, dtype, device)?;
        if tensor.shape() != &shape {
            candle_core::bail!("{name} has shape {:?}, not {shape:?}", tensor.shape());
        }
        Ok(tensor)
    }

    fn get_unchecked(
        &self,
        name: &str,
        dtype: DType,
        device: &Device,
    ) -> candle_core::Result<Tensor> {
        self.0.load(name, device)?.to_dtype(dtype)
    }

    fn contains_tensor(&self, name: &str) -> bool {
        self.0.get(name).is_ok()
    }
}
