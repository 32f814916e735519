//! A model by name becomes an engine, with the cost of loading it on record.

use crate::engine::{EngineInfo, ModelFacts};
use crate::host::resident_memory;
use crate::local::LocalEngine;
use crate::memory::{HighWater, Resident};
use crate::reading::Reading;
use freeweights_kernels::attention::KvType;
use freeweights_kernels::isa::Isa;
use freeweights_models::{
    CANDLE_VERSION, Device, DeviceLocation, FusedOptions, Loaded, ModelError, ModelId, Origin,
    Progress, Quant, Quiet, TextTokenizer, inspect, load, load_cuda, load_fused, open_device,
    open_gpu, sha256_of,
};
use freeweights_record::Weights;
use freeweights_record::units::{Bytes, Seconds};
use std::num::NonZeroUsize;
use std::time::Instant;

/// What runs a model in this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InProcess {
    /// Kernels of our own, on the CPU or on an NVIDIA GPU.
    Fused {
        /// Instructions to use; the best of this CPU without it. A GPU has its own.
        isa: Option<Isa>,
        /// Data type of the KV cache.
        kv: KvType,
        /// Whether threads stay on one CPU each.
        pinned: bool,
    },
    /// candle as it comes.
    Candle,
}

/// What to load, where, and what it shall read.
#[derive(Debug, Clone)]
pub struct LoadRequest {
    /// What runs it.
    pub engine: InProcess,
    /// The model.
    pub model: ModelId,
    /// `cpu`, `cuda:0`.
    pub device: String,
    /// Threads it may use. candle has pools of its own, which were told before.
    pub threads: NonZeroUsize,
    /// What its matrices are quantised to as they are loaded.
    pub quant: Option<Quant>,
    /// Text to continue in place of random token ids.
    pub prompt: Option<String>,
    /// Text that prompts are cut from.
    pub text: Option<String>,
    /// Seed of what stands in the KV cache in front of prompts.
    pub seed: u64,
    /// SHA-256 of its files, where it is known already.
    pub sha256: Option<String>,
}

impl InProcess {
    /// As in the column `engine`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fused { .. } => "fused",
            Self::Candle => "candle",
        }
    }

    /// As [`Self::version`], on a device: what is not a CPU has no such instructions.
    #[must_use]
    pub fn version_on(self, device: &str) -> String {
        match (self, device.split(':').next()) {
            (Self::Fused { .. }, Some(kind)) if kind != "cpu" => {
                format!("{} {kind}", env!("CARGO_PKG_VERSION"))
            }
            _ => self.version(),
        }
    }

    /// As in the column `engine_version`; with the instructions that the kernels use.
    #[must_use]
    pub fn version(self) -> String {
        match self {
            Self::Fused { isa, .. } => {
                format!("{} {}", env!("CARGO_PKG_VERSION"), isa.unwrap_or_else(Isa::best))
            }
            Self::Candle => CANDLE_VERSION.into(),
        }
    }
}

/// Loads a model to run it without a stopwatch.
///
/// # Errors
/// As [`load_engine`].
pub fn load_decoder(
    engine: InProcess,
    model: &ModelId,
    quant: Option<Quant>,
    device: &Device,
    threads: NonZeroUsize,
) -> Result<Loaded, ModelError> {
    match engine {
        InProcess::Candle => load(model, quant, device, &Quiet),
        // A check is made over the weights that other engines have under that name.
        InProcess::Fused { .. } if device.is_cuda() => {
            load_cuda(model, quant, open_gpu(&name_of(device))?, false, &Quiet)
        }
        InProcess::Fused { .. } if !device.is_cpu() => Err(not_on_this_device(device)),
        InProcess::Fused { isa, kv, pinned } => {
            let isa = isa.unwrap_or_else(Isa::best);
            load_fused(model, quant, FusedOptions { threads, isa, kv, pinned }, &Quiet)
        }
    }
}

fn not_on_this_device(device: &Device) -> ModelError {
    let reason =
        "the fused engine runs on CPUs and NVIDIA GPUs; give --engine candle for this device"
            .into();
    ModelError::Device { device: name_of(device), reason }
}

/// As users write it.
fn name_of(device: &Device) -> String {
    match device.location() {
        DeviceLocation::Cpu => "cpu".into(),
        DeviceLocation::Cuda { gpu_id } => format!("cuda:{gpu_id}"),
        DeviceLocation::Metal { gpu_id } => format!("metal:{gpu_id}"),
    }
}

/// Loads a model to time it: a dummy's weights are made up where they are used.
fn load_timed(request: &LoadRequest) -> Result<Loaded, ModelError> {
    if request.device.starts_with("cuda") && request.engine.name() == "fused" {
        let gpu = open_gpu(&request.device)?;
        return load_cuda(&request.model, request.quant, gpu, true, &Quiet);
    }
    let device = open_device(&request.device)?;
    load_decoder(request.engine, &request.model, request.quant, &device, request.threads)
}

/// An engine ready to measure.
pub struct Ready {
    /// The engine.
    pub engine: LocalEngine,
    /// The model's tokenizer, or why there is none.
    pub tokenizer: Result<TextTokenizer, ModelError>,
    /// Token ids of the prompt, where one was given.
    pub prompt_tokens: Option<u32>,
    /// Token ids of the text, where one was given.
    pub text_tokens: Option<usize>,
}

/// Loads a model into an engine.
///
/// Finding, downloading and hashing happen before the clock starts; `load` is reading and converting.
/// `progress` is told of downloads.
///
/// # Errors
/// [`ModelError`]; the message ends in the next action.
pub fn load_engine(request: &LoadRequest, progress: &dyn Progress) -> Result<Ready, ModelError> {
    let found = inspect(&request.model, progress)?;
    let sha256 = match &request.sha256 {
        Some(known) => Some(known.clone()),
        None => sha256_of(&found.origin)?,
    };

    let (before, mark, started) = (resident_memory(), HighWater::begin(), Instant::now());
    let loaded = load_timed(request)?;
    let took = Seconds::from_duration(started.elapsed());
    let rss_weights = resident_memory()
        .zip(before)
        .map(|(after, before)| Bytes::new(after.get().saturating_sub(before.get())));
    let (rss_load_peak, resident) = (mark.peak(), Resident::now());

    let (info, decoder) = (loaded.info, loaded.decoder);
    let memory = decoder.memory();
    let facts = ModelFacts {
        name: info.name,
        source: Some(info.source),
        revision: info.revision,
        sha256,
        weights: Some(match info.origin {
            Origin::Dummy | Origin::DummyFiles(_) => Weights::Dummy,
            Origin::Files(_) => Weights::Trained,
        }),
        architecture: Some(info.spec.architecture.clone()),
        params_total: Some(info.spec.params()),
        params_active: Some(info.spec.active_params()),
        quant: Some(info.quant),
        weights_bytes: Some(Bytes::new(memory.weights)),
        kv_dtype: Some(decoder.kv_dtype().into()),
        load: Some(took),
        rss_weights,
        rss_load_peak,
        rss_file: resident.map(|resident| resident.of_files),
    };
    let engine_info = EngineInfo {
        engine: request.engine.name().into(),
        engine_version: Some(request.engine.version_on(&request.device)),
        device: request.device.clone(),
        threads: u32::try_from(request.threads.get()).ok(),
        model: facts,
    };
    let encode = |text: &Option<String>| match (text, &loaded.tokenizer) {
        (None, _) => Ok(None),
        (Some(text), Ok(tokenizer)) => tokenizer.encode(text).map(Some),
        (Some(_), Err(ModelError::Tokenizer { reason })) => {
            Err(ModelError::Tokenizer { reason: reason.clone() })
        }
        (Some(_), Err(error)) => Err(ModelError::Tokenizer { reason: error.to_string() }),
    };
    let (fixed, text) = (encode(&request.prompt)?, encode(&request.text)?);
    for (ids, what) in [(&fixed, "prompt"), (&text, "text")] {
        if ids.as_ref().is_some_and(Vec::is_empty) {
            return Err(ModelError::Tokenizer { reason: format!("the {what} has no tokens") });
        }
    }
    let prompt_tokens = fixed.as_ref().and_then(|ids| u32::try_from(ids.len()).ok());
    let text_tokens = text.as_ref().map(Vec::len);
    let reading = Reading { seed: request.seed, fixed, text };
    Ok(Ready {
        engine: LocalEngine::new(decoder, engine_info, reading),
        tokenizer: loaded.tokenizer,
        prompt_tokens,
        text_tokens,
    })
}
