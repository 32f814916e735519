//! What can go wrong between an id and a decoder. Each message ends in the next action.

use freeweights_kernels::cuda::GpuError;
use std::borrow::Cow;
use std::path::PathBuf;
use thiserror::Error;

/// Why a model could not be found, read or run.
#[derive(Debug, Error)]
pub enum ModelError {
    /// No preset of that name.
    #[error(
        "no preset is called {name:?}; nearest: {nearest}. `freeweights models` lists them all"
    )]
    UnknownPreset {
        /// What was asked for.
        name: String,
        /// Names like it.
        nearest: String,
    },
    /// No quantisation of that name.
    #[error("no quantisation is called {name:?}; known: {known}")]
    UnknownQuant {
        /// What was asked for.
        name: String,
        /// All of them.
        known: String,
    },
    /// The id is of no known form.
    #[error(
        "{id:?} is no model: give a .gguf file, a folder with config.json and .safetensors, hf:ORG/NAME, or dummy:PRESET{hint}"
    )]
    BadId {
        /// What was given.
        id: String,
        /// A guess at what was meant, empty or starting with a comma.
        hint: String,
    },
    /// The file or folder is not there.
    #[error("{path} does not exist; check the path, or run scripts/fetch-model smollm2-135m for a small real model", path = path.display())]
    Missing {
        /// What was looked for.
        path: PathBuf,
    },
    /// Something that is no plain file.
    #[error("{path} is a folder, a pipe or a device, and no file; name the file of the model itself", path = path.display())]
    NotAFile {
        /// What was named.
        path: PathBuf,
    },
    /// A folder that holds no model.
    #[error("{path} holds {lacks}; a model folder has config.json and *.safetensors, tokenizer.json if text is wanted", path = path.display())]
    NotAModelFolder {
        /// The folder.
        path: PathBuf,
        /// What it lacks, as in "no config.json".
        lacks: String,
    },
    /// Not a GGUF file, or a damaged one.
    #[error("{path} is no readable GGUF file: {reason}; fetch the file again and compare its size and SHA-256 with the publisher's", path = path.display(), reason = in_one_line(reason))]
    BadGguf {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A GGUF file that may be sound, but that nothing here reads.
    #[error("{path} cannot be read: {reason}", path = path.display(), reason = in_one_line(reason))]
    UnreadGguf {
        /// The file.
        path: PathBuf,
        /// What it is, and what to use in its place.
        reason: String,
    },
    /// A model in several files, not all of which are there.
    #[error("{path} is one of {count} parts of a model, and {missing} is not beside it; fetch all {count} into one folder under the names they were published with", path = path.display(), missing = in_one_line(missing))]
    MissingPart {
        /// The part that was named.
        path: PathBuf,
        /// The file that is not there.
        missing: String,
        /// How many parts there are.
        count: u64,
    },
    /// Safetensors or their config are damaged or contradict each other.
    #[error("{path}: {reason}; fetch the model again, or point at a complete folder", path = path.display(), reason = in_one_line(reason))]
    BadCheckpoint {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A checkpoint that may be sound, but whose weights nothing here reads.
    #[error("{path} cannot be read: {reason}", path = path.display(), reason = in_one_line(reason))]
    UnreadCheckpoint {
        /// The file.
        path: PathBuf,
        /// What it has, and what to use in its place.
        reason: String,
    },
    /// Pickle files run code when they are read.
    #[error("{path} is a pickle file, which can run any code when it is read; use the safetensors or GGUF of the same model", path = path.display())]
    Pickle {
        /// The file.
        path: PathBuf,
    },
    /// A family this crate cannot run.
    #[error("the architecture {found:?} is not supported; supported: {supported}")]
    UnsupportedArchitecture {
        /// What the model says it is.
        found: String,
        /// The known families.
        supported: String,
    },
    /// Shapes that no model can have.
    #[error(
        "the model's shape makes no sense: {reason}; the file is damaged or not a language model", reason = in_one_line(reason))]
    BadShape {
        /// What contradicts what.
        reason: String,
    },
    /// A GPU has too little memory.
    #[error("the GPU is out of memory{}; use a smaller batch, depth or model", asked(*wanted, *free))]
    GpuMemory {
        /// Bytes that were asked for, where that is known.
        wanted: Option<usize>,
        /// Bytes that were free then.
        free: Option<usize>,
    },
    /// A GPU, its driver or its libraries failed.
    #[error(
        "the GPU failed: {reason}; `freeweights verify --kernels` says whether it runs the kernels", reason = in_one_line(reason))]
    Gpu {
        /// What was done, and what came of it.
        reason: String,
    },
    /// A model for which the kernels have no code.
    #[error("the fused engine cannot run this model: {reason}; run it with --engine candle", reason = in_one_line(reason))]
    NotFused {
        /// What it would need.
        reason: String,
    },
    /// Weights that cannot be read after all.
    #[error(
        "the weights cannot be read: {reason}; fetch the model again, and see that the disk is well", reason = in_one_line(reason))]
    Weights {
        /// What the system said.
        reason: String,
    },
    /// Weights that are quantised already, or of which no quantisation can be made.
    #[error(
        "{id} cannot be quantised to {quant}: {reason}; leave --quant out, or give a model in bf16, f16 or f32", reason = in_one_line(reason))]
    Quantised {
        /// The model.
        id: String,
        /// What was asked for.
        quant: String,
        /// What is in the way.
        reason: String,
    },
    /// More tokens than the model or the engine can hold.
    #[error(
        "{wanted} tokens are more than the {limit} that {whose} holds; lower --isl, --osl or --depth"
    )]
    BeyondContext {
        /// Tokens asked for: depth, input and output together.
        wanted: usize,
        /// Tokens there is room for.
        limit: usize,
        /// `the model` or the engine whose limit it is.
        whose: String,
    },
    /// The decoder was called with shapes it cannot take.
    #[error("the engine cannot do that: {reason}", reason = in_one_line(reason))]
    BadCall {
        /// What was asked.
        reason: String,
    },
    /// The device is not there.
    #[error("device {device:?} cannot be used: {reason}", reason = in_one_line(reason))]
    Device {
        /// What was asked for.
        device: String,
        /// Why not, and what to do.
        reason: String,
    },
    /// The hub could not be reached or refused.
    #[error("cannot get {what} from the hub: {reason}", reason = in_one_line(reason))]
    Hub {
        /// Repository or file.
        what: String,
        /// Why, and what to do.
        reason: String,
    },
    /// The tokenizer is absent or unreadable.
    #[error(
        "no usable tokenizer: {reason}; leave out --prompt or --text to measure with random token ids", reason = in_one_line(reason))]
    Tokenizer {
        /// What is wrong with it.
        reason: String,
    },
    /// The system could not read a file.
    #[error("cannot read {path}: {source}", path = path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file that would be lost.
    #[error("{path} exists already; name another file, or give --force to replace it", path = path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// The system could not write a file.
    #[error("cannot write {path}: {source}; the whole file takes {bytes} bytes, name a place that has them", path = path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Its length once it is whole.
        bytes: u64,
        /// What the system said.
        source: std::io::Error,
    },
    /// Only made-up weights are written.
    #[error("{id} has weights of its own; only dummy:PRESET[:QUANT] can be written")]
    NotADummy {
        /// What was asked for.
        id: String,
    },
    /// The caller stopped it.
    #[error("interrupted; nothing was kept")]
    Interrupted,
    /// The inference library failed.
    #[error("candle: {}", first_line(.0))]
    Candle(#[source] candle_core::Error),
}

/// What was asked for and what there was, as far as either is known.
fn asked(wanted: Option<usize>, free: Option<usize>) -> String {
    let amount = |bytes: usize| format!("{:.1} MB", bytes as f64 / 1e6);
    match (wanted, free) {
        (None, _) => String::new(),
        (Some(wanted), None) => format!(": {} asked for", amount(wanted)),
        (Some(wanted), Some(free)) => {
            format!(": {} asked for, {} free", amount(wanted), amount(free))
        }
    }
}

/// A text that may quote a file, on one line: control characters are shown, none is obeyed.
fn in_one_line(text: &str) -> Cow<'_, str> {
    if !text.contains(char::is_control) {
        return Cow::Borrowed(text);
    }
    let shown = |character: char| -> String {
        if character.is_control() { character.escape_debug().collect() } else { character.into() }
    };
    Cow::Owned(text.chars().map(shown).collect())
}

/// An error of candle without the backtraces that candle adds where `RUST_BACKTRACE` is set: each
/// time one is shown it costs up to seconds and hundreds of megabytes.
pub(crate) fn without_backtrace(error: candle_core::Error) -> candle_core::Error {
    use candle_core::Error;
    let bare = |inner: Box<Error>| Box::new(without_backtrace(*inner));
    match error {
        Error::WithBacktrace { inner, .. } => without_backtrace(*inner),
        Error::WithPath { inner, path } => Error::WithPath { inner: bare(inner), path },
        Error::Context { inner, context } => Error::Context { inner: bare(inner), context },
        plain => plain,
    }
}

/// The first line of an error of candle.
pub(crate) fn first_line(error: &candle_core::Error) -> String {
    let text = error.to_string();
    in_one_line(text.lines().next().unwrap_or_default()).into_owned()
}

/// The up to three of `known` that are most like `name`, joined for a message.
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let mut scored: Vec<(f64, &str)> = known
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(name, candidate), candidate))
        .collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0));
    scored.iter().take(3).map(|(_, name)| *name).collect::<Vec<_>>().join(", ")
}

/// The error of a GPU, for users.
impl From<GpuError> for ModelError {
    fn from(error: GpuError) -> Self {
        match error {
            GpuError::OutOfMemory { wanted, free } => {
                Self::GpuMemory { wanted: Some(wanted), free }
            }
            GpuError::Failed { .. } => Self::Gpu { reason: error.to_string() },
        }
    }
}

/// candle tells that a GPU is full in words only.
impl From<candle_core::Error> for ModelError {
    fn from(error: candle_core::Error) -> Self {
        let error = without_backtrace(error);
        let text = error.to_string();
        let full = ["CUDA_ERROR_OUT_OF_MEMORY", "CUBLAS_STATUS_ALLOC_FAILED"];
        if full.iter().any(|sign| text.contains(sign)) {
            return Self::GpuMemory { wanted: None, free: None };
        }
        Self::Candle(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_backtrace_is_looked_up_for_an_error_of_candle() {
        use candle_core::Error;
        // Captured whether `RUST_BACKTRACE` is set or not.
        let backtrace = || Box::new(std::backtrace::Backtrace::force_capture());
        let traced = |inner: Error| {
            let inner = Box::new(inner);
            Error::WithBacktrace { inner, backtrace: backtrace() }
        };
        let told = |error: Error| without_backtrace(error).to_string();
        assert_eq!(told(traced(traced(Error::Msg("a".into())))), "a");
        let path = traced(Error::Msg("a".into())).with_path("p");
        assert_eq!(told(traced(path)), "path: \"p\" a");
        assert_eq!(told(traced(Error::Msg("a".into())).context("c")), "c\na");
        let ours = ModelError::from(traced(Error::Msg("a".into())));
        let source = std::error::Error::source(&ours).expect("candle's own");
        assert_eq!((ours.to_string().as_str(), source.to_string().as_str()), ("candle: a", "a"));
    }

    #[test]
    fn a_full_gpu_is_told_from_other_failures_whoever_notices_it() {
        let of_candle = |text: &str| {
            let text = text.to_owned();
            ModelError::from(candle_core::Error::Cuda(text.into())).to_string()
        };
        // As cudarc's errors come through candle.
        let full = r#"DriverError(CUDA_ERROR_OUT_OF_MEMORY, "out of memory")"#;
        let advice = "use a smaller batch, depth or model";
        assert_eq!(of_candle(full), format!("the GPU is out of memory; {advice}"));
        let lost = r#"DriverError(CUDA_ERROR_ILLEGAL_ADDRESS, "an illegal memory access")"#;
        assert!(of_candle(lost).starts_with("candle: "), "{}", of_candle(lost));
        let ours = GpuError::OutOfMemory { wanted: 2_500_000, free: Some(1_000_000) };
        assert_eq!(
            ModelError::from(ours).to_string(),
            format!("the GPU is out of memory: 2.5 MB asked for, 1.0 MB free; {advice}")
        );
    }
}
