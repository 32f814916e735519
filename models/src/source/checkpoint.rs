//! Folders of the transformers library: config.json and one or more safetensors files.

mod shard;

use crate::error::{ModelError, first_line, without_backtrace};
use crate::families::{self, Config, Family};
use crate::source::regular::{self, CONFIG_BYTES, INDEX_BYTES};
use crate::spec::ModelSpec;
use crate::stored::{Format, Located, StoredShape, float_dtype, resolve};
use crate::tensors::Role;
use candle_core::DType;
use candle_core::quantized::GgmlDType;
use candle_core::safetensors::MmapedSafetensors;
use std::collections::HashMap;
use std::io::{Error, ErrorKind};
use std::path::{Path, PathBuf};

/// A checkpoint whose config is read and whose shards are mapped and checked.
pub(crate) struct Checkpoint {
    pub(crate) family: &'static dyn Family,
    pub(crate) spec: ModelSpec,
    /// Shards in the order of their names.
    pub(crate) shards: Vec<PathBuf>,
    /// Their lengths when they were mapped.
    lengths: Vec<u64>,
    /// Data type of the embedding as stored.
    pub(crate) stored: GgmlDType,
    pub(crate) tensors: MmapedSafetensors,
    pub(crate) prefix: Prefix,
    pub(crate) found: HashMap<Role, Located>,
}

/// Reads the spec of a config.json.
///
/// # Errors
/// [`ModelError::BadCheckpoint`] or [`ModelError::UnsupportedArchitecture`].
pub(crate) fn read_config(path: &Path) -> Result<(&'static dyn Family, ModelSpec), ModelError> {
    let bad = |reason: String| ModelError::BadCheckpoint { path: path.to_path_buf(), reason };
    let text = regular::text(path, CONFIG_BYTES)?;
    let config: serde_json::Value =
        serde_json::from_str(&text).map_err(|error| bad(format!("it is no JSON: {error}")))?;
    let name = config["architectures"][0]
        .as_str()
        .ok_or_else(|| bad("it names no architecture under \"architectures\"".into()))?;
    let family = families::by_checkpoint_name(name)?;
    let spec = family.spec_from_config(&Config::new(&config)).map_err(bad)?;
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
    if let Some(reason) = family.unread(Format::Checkpoint) {
        return Err(ModelError::UnreadCheckpoint { path: config, reason: reason.into() });
    }
    let shards = shards(folder)?;
    let Some(first) = shards.first() else {
        return Err(match pickle_in(folder) {
            Some(path) => ModelError::Pickle { path },
            None => lacks("no .safetensors file"),
        });
    };
    let bad = |reason: String| ModelError::BadCheckpoint { path: first.clone(), reason };
    let (shard_of, lengths) = shard::check(&shards)?;
    shard::check_config(&config, spec.layers, &shard_of)?;
    // SAFETY: the files are mapped read-only; that nobody writes to them while they are mapped is
    // the contract of every reader that maps weights. A file that is cut short meanwhile ends the
    // process where it is read (`SIGBUS`); `unchanged` refuses what was cut before that.
    let tensors = unsafe { MmapedSafetensors::multi(&shards) }.map_err(|error| {
        let error = without_backtrace(error);
        bad(format!("damaged or cut short ({})", first_line(&error)))
    })?;
    let (stored, unread) = shapes(&tensors);
    let prefix = Prefix::of(stored.keys());
    let stored: HashMap<String, StoredShape> =
        stored.into_iter().map(|(name, lying)| (prefix.published(&name), lying)).collect();
    // A checkpoint may carry its tied head twice or leave it out, whatever its config says.
    if !spec.tied_embeddings && !stored.contains_key("lm_head.weight") {
        spec.tied_embeddings = true;
    }
    let found = resolve(family, &spec, Format::Checkpoint, &stored).map_err(|reason| {
        let path = shard_named(&reason, &shard_of).unwrap_or(first).clone();
        // What is in a type that is not read is missing among those that are.
        match unread.into_iter().find(|(name, _)| reason.contains(name)) {
            Some((_, reason)) => ModelError::UnreadCheckpoint { path, reason },
            None => ModelError::BadCheckpoint { path, reason },
        }
    })?;
    let dtype = found[&Role::Embedding].dtype;
    Ok(Checkpoint { family, spec, shards, lengths, stored: dtype, tensors, prefix, found })
}

impl Checkpoint {
    /// Sees that the shards are as long as they were when they were mapped.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidData`] naming the one that is not, and errors of the system.
    pub(crate) fn unchanged(&self) -> std::io::Result<()> {
        for (path, length) in self.shards.iter().zip(&self.lengths) {
            let now = std::fs::metadata(path)?.len();
            if now != *length {
                let reason = format!(
                    "{} had {length} bytes and now has {now}: something writes to it",
                    path.display()
                );
                return Err(Error::new(ErrorKind::InvalidData, reason));
            }
        }
        Ok(())
    }
}

/// The shard of the tensor that a sentence names.
fn shard_named<'a>(sentence: &str, shard_of: &'a HashMap<String, PathBuf>) -> Option<&'a PathBuf> {
    let named = shard_of.iter().filter(|(name, _)| sentence.contains(*name));
    named.max_by_key(|(name, _)| name.len()).map(|(_, path)| path)
}

/// The tensors by name, and what to say of those whose type is not read.
fn shapes(tensors: &MmapedSafetensors) -> (HashMap<String, StoredShape>, Vec<(String, String)>) {
    let (mut stored, mut unread) = (HashMap::new(), Vec::new());
    for (name, view) in tensors.tensors() {
        let dtype = DType::try_from(view.dtype()).ok().and_then(float_dtype);
        if let Some(dtype) = dtype {
            stored.insert(name, StoredShape { dtype, shape: view.shape().to_vec() });
            continue;
        }
        let kind = format!("{:?}", view.dtype());
        let advice = if kind.starts_with("F8") {
            "whose scales are not read; use the model's bf16 checkpoint, or a GGUF of it in q8_0"
        } else {
            "and weights are read in F32, F16 or BF16; use the model's bf16 checkpoint, or a GGUF of it"
        };
        let reason = format!("the tensor {name} is stored in {kind}, {advice}");
        unread.push((name, reason));
    }
    (stored, unread)
}

/// What stands before the names of a language model that is part of a larger one.
pub(crate) struct Prefix {
    /// In place of `model.`, as in `language_model.model.`.
    model: String,
    /// Before `lm_head`.
    head: String,
}

impl Prefix {
    fn of<'a>(names: impl Iterator<Item = &'a String>) -> Self {
        let embedding = names
            .filter_map(|name| name.strip_suffix("embed_tokens.weight"))
            .min_by_key(|prefix| !prefix.ends_with("model."));
        let model = embedding.unwrap_or("model.").to_owned();
        let head = model.strip_suffix("model.").unwrap_or_default().to_owned();
        Self { model, head }
    }

    /// The name that the model alone would have it under.
    fn published(&self, stored: &str) -> String {
        if let Some(rest) = stored.strip_prefix(&self.model) {
            return format!("model.{rest}");
        }
        stored.strip_prefix(&self.head).unwrap_or(stored).to_owned()
    }

    /// The name in the file.
    pub(crate) fn stored(&self, published: &str) -> String {
        match published.strip_prefix("model.") {
            Some(rest) => format!("{}{rest}", self.model),
            None => format!("{}{published}", self.head),
        }
    }
}

/// The safetensors of a folder: those that the index names, or the one called model, or all. Some
/// publishers put the same weights in another layout beside them.
fn shards(folder: &Path) -> Result<Vec<PathBuf>, ModelError> {
    let index = folder.join("model.safetensors.index.json");
    let single = folder.join("model.safetensors");
    if !index.exists() && single.exists() {
        return Ok(vec![single]);
    }
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
    let text = regular::text(&index, INDEX_BYTES)?;
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
            if name.is_empty() || name.contains(['/', '\\']) || name.starts_with('.') {
                return Err(bad(format!(
                    "it names the shard {name:?}, which is no plain file name"
                )));
            }
            let path = folder.join(name);
            let ending = path.extension().unwrap_or_default();
            if crate::load::PICKLES.iter().any(|known| ending.eq_ignore_ascii_case(known)) {
                return Err(ModelError::Pickle { path });
            }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stored::StoredTensors as _;

    #[test]
    fn shards_that_change_after_they_were_mapped_are_not_read() {
        let fixture = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/llama3.2");
        let folder = tempfile::tempdir().unwrap();
        for name in ["config.json", "model.safetensors"] {
            std::fs::copy(format!("{fixture}/{name}"), folder.path().join(name)).unwrap();
        }
        let checkpoint = open(folder.path()).unwrap();
        assert!(checkpoint.open().is_ok());
        let shard = folder.path().join("model.safetensors");
        std::fs::File::options().write(true).open(&shard).unwrap().set_len(1_000).unwrap();
        let error = checkpoint.open().map(drop).unwrap_err().to_string();
        assert!(
            error.ends_with("had 43312 bytes and now has 1000: something writes to it"),
            "{error}"
        );
    }
}
