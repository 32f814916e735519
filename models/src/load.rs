//! From a [`ModelId`] to a decoder in memory.

use crate::cuda::CudaDecoder;
use crate::decoder::Decoder;
use crate::error::ModelError;
use crate::families::{self, Family};
use crate::fused::{FusedDecoder, FusedOptions};
use crate::model_id::ModelId;
use crate::plain::{Matrices, PlainDecoder};
use crate::preset::Preset;
use crate::quant::Quant;
use crate::source::dummy::DummyTensors;
use crate::source::hub::{self, Progress};
use crate::source::{checkpoint, gguf};
use crate::spec::ModelSpec;
use crate::stored::{Quantised, StoredTensors, float_of};
use crate::tensors::{Part, Role, tensors_of};
use crate::tokenizer::TextTokenizer;
use candle_core::quantized::GgmlDType;
use candle_core::{DType, Device};
use freeweights_kernels::cuda::Gpu;
use sha2::{Digest, Sha256};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// How the names of files end that are pickles, which run code when they are read.
pub(crate) const PICKLES: [&str; 5] = ["bin", "pt", "pth", "ckpt", "pkl"];

/// Where weights come from, and whether they were ever trained.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Files of a published model, in the order in which they are hashed.
    Files(Vec<PathBuf>),
    /// Seeded random numbers.
    Dummy,
    /// Seeded random numbers in files.
    DummyFiles(Vec<PathBuf>),
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

/// A model ready to be read by an engine.
pub(crate) struct Ready {
    pub(crate) info: ModelInfo,
    pub(crate) stored: Box<dyn StoredTensors>,
    pub(crate) tokenizer: Result<TextTokenizer, ModelError>,
}

/// Finds a model (downloading it from the hub where it is not in the cache) and reads what can be
/// known without its weights.
///
/// # Errors
/// [`ModelError`]; the message ends in the next action.
pub fn inspect(id: &ModelId, progress: &dyn Progress) -> Result<ModelInfo, ModelError> {
    find(id, progress).map(|(info, _)| info)
}

/// Loads a model into the plain engine, its matrices quantised to `quant` on the way where one is
/// given.
///
/// # Errors
/// [`ModelError`]; the message ends in the next action. [`ModelError::Quantised`] for a quantisation
/// of what is quantised.
pub fn load(
    id: &ModelId,
    quant: Option<Quant>,
    device: &Device,
    progress: &dyn Progress,
) -> Result<Loaded, ModelError> {
    let Ready { mut info, stored, tokenizer } = ready(id, quant, progress)?;
    let dtype = compute_dtype(stored.as_ref(), device);
    if !is_quantised(stored.as_ref()) {
        info.quant = dtype.as_str().into();
    }
    let spec = &info.spec;
    let decoder = PlainDecoder::load(spec, stored.as_ref(), Matrices::AsStored, dtype, device)?;
    Ok(Loaded { decoder: Box::new(decoder), info, tokenizer })
}

/// Loads a model into the fused engine, its matrices quantised to `quant` on the way where one is
/// given.
///
/// # Errors
/// [`ModelError`]; the message ends in the next action. [`ModelError::NotFused`] if the kernels have
/// no code for the model, [`ModelError::Quantised`] for a quantisation of what is quantised.
pub fn load_fused(
    id: &ModelId,
    quant: Option<Quant>,
    options: FusedOptions,
    progress: &dyn Progress,
) -> Result<Loaded, ModelError> {
    let Ready { info, stored, tokenizer } = ready(id, quant, progress)?;
    let decoder = FusedDecoder::load(&info.spec, stored.as_ref(), options)?;
    Ok(Loaded { decoder: Box::new(decoder), info, tokenizer })
}

/// Loads a model into the fused engine on a GPU, its matrices quantised to `quant` on the way where
/// one is given. With `made` the weights of a dummy are made up on the GPU, in seconds whatever their
/// size; they are then other numbers than those that every other engine has under that name.
///
/// # Errors
/// As [`load_fused`]; [`ModelError::GpuMemory`] if the weights do not fit.
pub fn load_cuda(
    id: &ModelId,
    quant: Option<Quant>,
    gpu: Arc<dyn Gpu>,
    made: bool,
    progress: &dyn Progress,
) -> Result<Loaded, ModelError> {
    let Ready { mut info, stored, tokenizer } = ready(id, quant, progress)?;
    if !is_quantised(stored.as_ref()) {
        info.quant = DType::BF16.as_str().into();
    }
    let made = made && info.origin == Origin::Dummy;
    let decoder = CudaDecoder::load(&info.spec, stored.as_ref(), gpu, made)?;
    Ok(Loaded { decoder: Box::new(decoder), info, tokenizer })
}

/// Finds a model and opens its weights.
pub(crate) fn ready(
    id: &ModelId,
    quant: Option<Quant>,
    progress: &dyn Progress,
) -> Result<Ready, ModelError> {
    let (mut info, found) = find(id, progress)?;
    let no_text = || ModelError::Tokenizer { reason: "dummy weights write no text".into() };
    let (stored, tokenizer): (Box<dyn StoredTensors>, _) = match found {
        Found::Gguf(gguf) => {
            let tokenizer = TextTokenizer::from_gguf(&gguf.file.metadata);
            (gguf, tokenizer)
        }
        Found::Checkpoint { checkpoint, folder } => {
            (checkpoint, TextTokenizer::from_file(&folder.join("tokenizer.json")))
        }
        Found::Dummy { family, quant: own } => {
            let quant = quant.unwrap_or(own);
            info.quant = quant.to_string();
            let stored = Box::new(DummyTensors::new(family, &info.spec, quant));
            return Ok(Ready { info, stored, tokenizer: Err(no_text()) });
        }
    };
    let stored = match quant {
        None => stored,
        Some(quant) => {
            let refused = |reason| ModelError::Quantised {
                id: id.to_string(),
                reason,
                quant: quant.to_string(),
            };
            info.quant = quant.to_string();
            let tensors = tensors_of(&info.spec);
            Box::new(Quantised::new(stored, &tensors, quant).map_err(refused)?)
        }
    };
    Ok(Ready { info, stored, tokenizer })
}

/// Whether the first layer's matrices are in blocks.
fn is_quantised(stored: &dyn StoredTensors) -> bool {
    let query = stored.dtype(Role::Layer(0, Part::Query));
    query.is_some_and(|dtype| float_of(dtype).is_none())
}

/// What candle computes in: on a CPU it has no 16-bit matrix product, and would widen every weight
/// again at every token; with quantised weights its kernels want f32.
fn compute_dtype(stored: &dyn StoredTensors, device: &Device) -> DType {
    match stored.dtype(Role::Layer(0, Part::Query)) {
        Some(GgmlDType::F16) if !device.is_cpu() => DType::F16,
        Some(GgmlDType::BF16) if !device.is_cpu() => DType::BF16,
        _ => DType::F32,
    }
}

pub(crate) fn find(
    id: &ModelId,
    progress: &dyn Progress,
) -> Result<(ModelInfo, Found), ModelError> {
    match id {
        ModelId::Path(path) => find_path(path),
        ModelId::Hub { repo, revision, file } => {
            let options = hub::HubOptions::from_env();
            let (revision, file_named) = (revision.as_deref(), file.as_deref());
            let fetched = hub::fetch(repo, revision, file_named, &options, progress)?;
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
            quant: gguf::type_name(checkpoint.stored).into(),
        };
        let folder = path.to_path_buf();
        return Ok((info, Found::Checkpoint { checkpoint: Box::new(checkpoint), folder }));
    }
    let ending = path.extension().map(|e| e.to_string_lossy().to_lowercase()).unwrap_or_default();
    if PICKLES.contains(&ending.as_str()) {
        return Err(ModelError::Pickle { path: path.to_path_buf() });
    }
    if ending == "safetensors" || ending == "json" {
        let lacks = "one file of a model; name its folder instead".into();
        return Err(ModelError::NotAModelFolder { path: path.to_path_buf(), lacks });
    }
    let file = gguf::open(path)?;
    let info = ModelInfo {
        // The name that a file carries inside is often that of a training run.
        name: file.file.name(),
        source: file.file.file_name(),
        revision: None,
        origin: if file.made_up() {
            Origin::DummyFiles(file.file.files())
        } else {
            Origin::Files(file.file.files())
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
        Origin::Files(files) | Origin::DummyFiles(files) => files,
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
