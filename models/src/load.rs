//! From a [`ModelId`] to a decoder in memory.

use crate::decoder::Decoder;
use crate::error::ModelError;
use crate::families::{self, Family};
use crate::fused::source::GgufTensors;
use crate::fused::{FusedDecoder, FusedOptions};
use crate::model_id::ModelId;
use crate::plain::PlainDecoder;
use crate::preset::Preset;
use crate::quant::Quant;
use crate::source::{checkpoint, dummy, gguf, hub};
use crate::spec::ModelSpec;
use crate::tokenizer::TextTokenizer;
use candle_core::{DType, Device};
use sha2::{Digest, Sha256};
use std::io::Read;
use std::path::{Path, PathBuf};

/// Where weights come from, and whether they were ever trained.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Files of a published model, in the order in which they are hashed.
    Files(Vec<PathBuf>),
    /// Seeded random numbers.
    Dummy,
    /// Seeded random numbers in a file.
    DummyFile(PathBuf),
}

/// What is known of a model without its weights in memory.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelInfo {
    /// Its name: the file's, the repository's or the preset's.
    pub name: String,
    /// Where it came from, without folders of this machine.
    pub source: String,
    /// Exact commit on the hub.
    pub revision: Option<String>,
    /// Files or made-up numbers.
    pub origin: Origin,
    /// Its shape.
    pub spec: ModelSpec,
    /// Quantisation or data type of the matrices, as stored.
    pub quant: String,
}

/// A model in memory.
pub struct Loaded {
    /// What runs it.
    pub decoder: Box<dyn Decoder>,
    /// What is known of it.
    pub info: ModelInfo,
    /// Its tokenizer, or why there is none.
    pub tokenizer: Result<TextTokenizer, ModelError>,
}

/// A model found and checked, its weights not read yet.
pub(crate) enum Found {
    Gguf(Box<gguf::Gguf>),
    Checkpoint { checkpoint: Box<checkpoint::Checkpoint>, folder: PathBuf },
    Dummy { family: &'static dyn Family, quant: Quant },
}

/// Finds a model (downloading it from the hub where it is not in the cache) and reads what can be
/// known without its weights.
///
/// # Errors
/// [`ModelError`]; the message ends in the next action.
pub fn inspect(id: &ModelId, progress: bool) -> Result<ModelInfo, ModelError> {
    find(id, progress).map(|(info, _)| info)
}

/// Loads a model into the plain engine.
///
/// # Errors
/// [`ModelError`]; the message ends in the next action.
pub fn load(id: &ModelId, device: &Device, progress: bool) -> Result<Loaded, ModelError> {
    let (mut info, found) = find(id, progress)?;
    let no_text = || ModelError::Tokenizer { reason: "dummy weights write no text".into() };
    let spec = info.spec.clone();
    let wrap = |model, weights, per_step| -> Box<dyn Decoder> {
        Box::new(PlainDecoder::new(model, spec.clone(), device.clone(), weights, per_step))
    };
    let (decoder, tokenizer) = match found {
        Found::Gguf(mut file) => {
            let (weights, per_step) = file.weight_bytes();
            let tokenizer = TextTokenizer::from_gguf(&file.content);
            let model =
                file.family.open_gguf(&file.spec, &file.content, &mut file.reader, device)?;
            (wrap(model, weights, per_step), tokenizer)
        }
        Found::Checkpoint { checkpoint, folder } => {
            let dtype = compute_dtype(checkpoint.stored, device);
            let (weights, per_step) = float_bytes(&info.spec, dtype);
            let family = checkpoint.family;
            let weights_of = checkpoint.into_weights(dtype, device);
            let model = family.open_dense(&info.spec, weights_of, dtype, device)?;
            info.quant = dtype.as_str().into();
            (
                wrap(model, weights, per_step),
                TextTokenizer::from_file(&folder.join("tokenizer.json")),
            )
        }
        Found::Dummy { family, quant } if quant.is_float() => {
            let dtype = compute_dtype(float_dtype(quant), device);
            let (weights, per_step) = float_bytes(&info.spec, dtype);
            let weights_of = dummy::weights(family, &info.spec, quant, dtype, device);
            let model = family.open_dense(&info.spec, weights_of, dtype, device)?;
            info.quant = dtype.as_str().into();
            (wrap(model, weights, per_step), Err(no_text()))
        }
        Found::Dummy { family, quant } => {
            let (content, mut reader) = dummy::gguf(family, &info.spec, quant);
            let model = family.open_gguf(&info.spec, &content, &mut reader, device)?;
            let (weights, per_step) =
                (info.spec.weight_bytes(quant), info.spec.weight_bytes_per_step(quant));
            (wrap(model, weights, per_step), Err(no_text()))
        }
    };
    Ok(Loaded { decoder, info, tokenizer })
}

/// Loads a model into the fused engine.
///
/// # Errors
/// [`ModelError`]; the message ends in the next action. [`ModelError::NotFused`] if the kernels have
/// no code for the model.
pub fn load_fused(
    id: &ModelId,
    options: FusedOptions,
    progress: bool,
) -> Result<Loaded, ModelError> {
    let (info, found) = find(id, progress)?;
    let no_text = || ModelError::Tokenizer { reason: "dummy weights write no text".into() };
    let (decoder, tokenizer) = match found {
        Found::Gguf(file) => {
            let tokenizer = TextTokenizer::from_gguf(&file.content);
            let tensors = GgufTensors { path: file.path, content: file.content };
            (FusedDecoder::load(&info.spec, &tensors, options)?, tokenizer)
        }
        Found::Checkpoint { checkpoint, folder } => {
            let tokenizer = TextTokenizer::from_file(&folder.join("tokenizer.json"));
            (FusedDecoder::load(&info.spec, checkpoint.as_ref(), options)?, tokenizer)
        }
        Found::Dummy { family, quant } => {
            let tensors = dummy::DummyTensors::new(family, &info.spec, quant);
            (FusedDecoder::load(&info.spec, &tensors, options)?, Err(no_text()))
        }
    };
    Ok(Loaded { decoder: Box::new(decoder), info, tokenizer })
}

/// What candle computes in: on a CPU it has no 16-bit matrix product, and would widen every weight
/// again at every token.
fn compute_dtype(stored: DType, device: &Device) -> DType {
    if device.is_cpu() { DType::F32 } else { stored }
}

fn float_dtype(quant: Quant) -> DType {
    match quant {
        Quant::F16 => DType::F16,
        Quant::Bf16 => DType::BF16,
        _ => DType::F32,
    }
}

fn float_bytes(spec: &ModelSpec, dtype: DType) -> (u64, u64) {
    let quant = match dtype {
        DType::F16 => Quant::F16,
        DType::BF16 => Quant::Bf16,
        _ => Quant::F32,
    };
    (spec.weight_bytes(quant), spec.weight_bytes_per_step(quant))
}

pub(crate) fn find(id: &ModelId, progress: bool) -> Result<(ModelInfo, Found), ModelError> {
    match id {
        ModelId::Path(path) => find_path(path),
        ModelId::Hub { repo, revision, file } => {
            let options = hub::HubOptions::from_env(progress);
            let fetched = hub::fetch(repo, revision.as_deref(), file.as_deref(), &options)?;
            let (mut info, found) = find_path(&fetched.path)?;
            info.source = id.to_string();
            info.revision = fetched.revision;
            if file.is_none() {
                info.name.clone_from(repo);
            }
            Ok((info, found))
        }
        ModelId::Dummy { shape, quant } => {
            let (family, spec) = dummy_shape(shape)?;
            let name = Path::new(shape)
                .file_name()
                .map_or_else(|| shape.clone(), |name| name.to_string_lossy().into_owned());
            let info = ModelInfo {
                source: format!("dummy:{name}"),
                name,
                revision: None,
                origin: Origin::Dummy,
                spec,
                quant: quant.to_string(),
            };
            Ok((info, Found::Dummy { family, quant: *quant }))
        }
    }
}

/// The shape behind a dummy's name: a preset's, or that of a config.json.
pub(crate) fn dummy_shape(shape: &str) -> Result<(&'static dyn Family, ModelSpec), ModelError> {
    if Path::new(shape).extension().is_some_and(|ending| ending == "json") {
        return checkpoint::read_config(Path::new(shape));
    }
    let spec = Preset::find(shape)?.spec();
    Ok((families::by_name(&spec.architecture)?, spec))
}

fn find_path(path: &Path) -> Result<(ModelInfo, Found), ModelError> {
    if !path.exists() {
        return Err(ModelError::Missing { path: path.to_path_buf() });
    }
    // The name alone: a published row does not tell how somebody's folders are called.
    let name = path
        .file_name()
        .map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned());
    if path.is_dir() {
        let checkpoint = checkpoint::open(path)?;
        let info = ModelInfo {
            source: name.clone(),
            name,
            revision: None,
            origin: Origin::Files(checkpoint.shards.clone()),
            spec: checkpoint.spec.clone(),
            quant: checkpoint.stored.as_str().into(),
        };
        let folder = path.to_path_buf();
        return Ok((info, Found::Checkpoint { checkpoint: Box::new(checkpoint), folder }));
    }
    let ending = path.extension().map(|e| e.to_string_lossy().to_lowercase()).unwrap_or_default();
    if ["bin", "pt", "pth", "ckpt", "pkl"].contains(&ending.as_str()) {
        return Err(ModelError::Pickle { path: path.to_path_buf() });
    }
    if ending == "safetensors" || ending == "json" {
        let lacks = "one file of a model; name its folder instead".into();
        return Err(ModelError::NotAModelFolder { path: path.to_path_buf(), lacks });
    }
    let file = gguf::open(path)?;
    let info = ModelInfo {
        // The name that a file carries inside is often that of a training run.
        name: name.strip_suffix(".gguf").unwrap_or(&name).to_owned(),
        source: name,
        revision: None,
        origin: if file.made_up() {
            Origin::DummyFile(path.to_path_buf())
        } else {
            Origin::Files(vec![path.to_path_buf()])
        },
        spec: file.spec.clone(),
        quant: file.quant.clone(),
    };
    Ok((info, Found::Gguf(Box::new(file))))
}

/// SHA-256 of a model's files in lower-case hex: of the file, or of the list of its shards' hashes,
/// one a line. `None` where there is no file.
///
/// # Errors
/// [`ModelError::Io`].
pub fn sha256_of(origin: &Origin) -> Result<Option<String>, ModelError> {
    let files = match origin {
        Origin::Files(files) => files.as_slice(),
        Origin::DummyFile(file) => std::slice::from_ref(file),
        Origin::Dummy => return Ok(None),
    };
    let hashes = files.iter().map(|path| sha256_of_file(path)).collect::<Result<Vec<_>, _>>()?;
    if let [only] = hashes.as_slice() {
        return Ok(Some(only.clone()));
    }
    let list = hashes.join("\n") + "\n";
    Ok(Some(hex(&Sha256::digest(list.as_bytes()))))
}

fn sha256_of_file(path: &Path) -> Result<String, ModelError> {
    let io = |source| ModelError::Io { path: path.to_path_buf(), source };
    let mut file = std::fs::File::open(path).map_err(io)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        let read = file.read(&mut buffer).map_err(io)?;
        if read == 0 {
            return Ok(hex(&hasher.finalize()));
        }
        hasher.update(&buffer[..read]);
    }
}

fn hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or('?');
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}
