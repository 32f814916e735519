//! What runs a case, and what it tells of itself.

use crate::case::Case;
use freeweights_models::ModelError;
use freeweights_record::Weights;
use freeweights_record::units::{Bytes, Flops, Fraction, Seconds};
use thiserror::Error;

/// Why a case could not be run. It becomes a row; the sweep goes on.
#[derive(Debug, Error)]
pub enum EngineError {
    /// The model or its device failed.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The output is no number: its time is not worth having.
    #[error("the output diverged: the logits hold NaN or infinity")]
    Diverged,
    /// Fast kernels and slow ones disagree: what is fast and wrong is not worth timing.
    #[error(
        "the kernels fail their check: normalised mean squared error {error:.1e} to the reference, at most {most:.0e} is right; try --isa reference and report this CPU"
    )]
    Wrong {
        /// What was found.
        error: f64,
        /// What would be right.
        most: f64,
    },
    /// It would not fit.
    #[error(
        "not enough memory: the KV cache of this case takes {needed}, {available} are free; {advice}"
    )]
    OutOfMemory {
        /// What the case needs, for people.
        needed: String,
        /// What there is.
        available: String,
        /// What would fit.
        advice: String,
    },
    /// There is less text than a case reads in a row.
    #[error(
        "the text has {there} tokens, and this case needs {wanted} in a row; give a longer text with --text, or lower --isl or --depth"
    )]
    ShortText {
        /// Tokens of the text.
        there: usize,
        /// Tokens of a prompt, or of what stands in front of it.
        wanted: u32,
    },
    /// Told to fail by a test's script.
    #[error("{0}")]
    Scripted(String),
}

/// What the output of a case was checked against.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Check {
    /// `finite` (the logits are numbers), `reference` (and slow kernels say the same), `none`.
    pub against: &'static str,
    /// Normalised mean squared error to the reference.
    pub error: Option<f64>,
}

/// The stopwatch's reading of one repetition.
#[derive(Debug, Clone, PartialEq)]
pub struct Timing {
    /// Start of the timed region, on the engine's own clock.
    pub started: Seconds,
    /// Prompt in, logits of the last position out, device synchronised.
    pub prefill: Seconds,
    /// Start to first token picked.
    pub ttft: Seconds,
    /// Each gap between output tokens.
    pub gaps: Vec<Seconds>,
}

/// What an engine says of itself and its model.
#[derive(Debug, Clone, PartialEq)]
pub struct EngineInfo {
    /// `candle`, `fused`, `server`.
    pub engine: String,
    /// Its version.
    pub engine_version: Option<String>,
    /// `cpu`, `cuda:0`.
    pub device: String,
    /// Threads it may use.
    pub threads: Option<u32>,
    /// Its model.
    pub model: ModelFacts,
}

/// What is known of the model an engine runs.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ModelFacts {
    /// Name.
    pub name: String,
    /// Where it came from.
    pub source: Option<String>,
    /// Revision at its source.
    pub revision: Option<String>,
    /// SHA-256 of its files.
    pub sha256: Option<String>,
    /// Trained or random.
    pub weights: Option<Weights>,
    /// Family.
    pub architecture: Option<String>,
    /// All parameters.
    pub params_total: Option<u64>,
    /// Parameters that take part in a token.
    pub params_active: Option<u64>,
    /// Quantisation or data type.
    pub quant: Option<String>,
    /// Bytes of all weights.
    pub weights_bytes: Option<Bytes>,
    /// Data type of the KV cache.
    pub kv_dtype: Option<String>,
    /// Time to load.
    pub load: Option<Seconds>,
    /// Growth of resident memory while loading.
    pub rss_weights: Option<Bytes>,
    /// Highest resident memory while loading.
    pub rss_load_peak: Option<Bytes>,
    /// Resident pages of mapped files after loading.
    pub rss_file: Option<Bytes>,
}

/// Something that runs a model and times it.
///
/// The engine holds the stopwatch, so that a scripted one can run without a clock.
pub trait Engine {
    /// What it says of itself.
    fn info(&self) -> &EngineInfo;

    /// Time since the run began, on the engine's own clock.
    fn now(&self) -> Seconds;

    /// Refuses a case that cannot be run or whose kernels fail their check, before any time is spent
    /// on it.
    ///
    /// # Errors
    /// [`EngineError`] that becomes the row of the case.
    fn admit(&mut self, case: &Case) -> Result<(), EngineError>;

    /// Runs a case once.
    ///
    /// # Errors
    /// [`EngineError`] that becomes the row of the case.
    fn sample(&mut self, case: &Case, seed: u64) -> Result<Timing, EngineError>;

    /// What the output of a case was checked against before its time is believed.
    fn check(&self, case: &Case) -> Check;

    /// Bytes of the KV cache when the case ends.
    fn kv_bytes(&self, case: &Case) -> Option<Bytes>;

    /// Bytes of the buffers that it keeps now beside weights and KV cache; `None` where it allocates
    /// them as it goes.
    fn workspace_bytes(&self) -> Option<Bytes>;

    /// Bytes one decode step in the middle of the case must read.
    fn decode_bytes_per_step(&self, case: &Case) -> Option<Bytes>;

    /// The share of a layer's experts that a decode step of the case read, mean over layers and
    /// steps of all its samples; `None` without experts, or where nobody counts.
    fn experts_read(&self, _case: &Case) -> Option<Fraction> {
        None
    }

    /// Operations of the whole batch's prefill.
    fn prefill_flops(&self, case: &Case) -> Option<Flops>;
}
