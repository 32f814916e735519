//! A model by name becomes an engine, with the cost of loading it on record.

use crate::engine::{EngineInfo, ModelFacts};
use crate::host::resident_memory;
use crate::local::{LocalEngine, Prompt};
use freeweights_models::{
    CANDLE_VERSION, ModelError, ModelId, Origin, TextTokenizer, inspect, load, open_device,
    sha256_of,
};
use freeweights_record::Weights;
use freeweights_record::units::{Bytes, Seconds};
use std::time::Instant;

/// What to load, where, and what it shall read.
#[derive(Debug, Clone)]
pub struct LoadRequest {
    /// The model.
    pub model: ModelId,
    /// `cpu`, `cuda:0`.
    pub device: String,
    /// Threads candle may use, for the record.
    pub threads: Option<u32>,
    /// Text to continue in place of random token ids.
    pub prompt: Option<String>,
    /// Whether a download draws a progress bar.
    pub progress: bool,
}

/// An engine ready to measure.
pub struct Ready {
    /// The engine.
    pub engine: LocalEngine,
    /// The model's tokenizer, or why there is none.
    pub tokenizer: Result<TextTokenizer, ModelError>,
    /// Token ids of the prompt, where one was given.
    pub prompt_tokens: Option<u32>,
}

/// Loads a model into the `candle` engine.
///
/// Finding, downloading and hashing happen before the clock starts; `load` is reading and converting.
///
/// # Errors
/// [`ModelError`]; the message ends in the next action.
pub fn load_candle(request: &LoadRequest) -> Result<Ready, ModelError> {
    let device = open_device(&request.device)?;
    let found = inspect(&request.model, request.progress)?;
    let sha256 = sha256_of(&found.origin)?;

    let (before, started) = (resident_memory(), Instant::now());
    let loaded = load(&request.model, &device, false)?;
    let took = Seconds::from_duration(started.elapsed());
    let rss_weights = resident_memory()
        .zip(before)
        .map(|(after, before)| Bytes::new(after.get().saturating_sub(before.get())));

    let (info, decoder) = (loaded.info, loaded.decoder);
    let memory = decoder.memory();
    let facts = ModelFacts {
        name: info.name,
        source: Some(info.source),
        revision: info.revision,
        sha256,
        weights: Some(match info.origin {
            Origin::Dummy => Weights::Dummy,
            Origin::Files(_) => Weights::Trained,
        }),
        architecture: Some(info.spec.architecture.clone()),
        params_total: Some(info.spec.params()),
        params_active: Some(info.spec.params()),
        quant: Some(info.quant),
        weights_bytes: Some(Bytes::new(memory.weights)),
        kv_dtype: Some(decoder.kv_dtype().into()),
        load: Some(took),
        rss_weights,
    };
    let engine_info = EngineInfo {
        engine: "candle".into(),
        engine_version: Some(CANDLE_VERSION.into()),
        device: request.device.clone(),
        threads: request.threads,
        model: facts,
    };
    let ids = match (&request.prompt, &loaded.tokenizer) {
        (None, _) => None,
        (Some(text), Ok(tokenizer)) => Some(tokenizer.encode(text)?),
        (Some(_), Err(error)) => return Err(ModelError::Tokenizer { reason: error.to_string() }),
    };
    if ids.as_ref().is_some_and(Vec::is_empty) {
        return Err(ModelError::Tokenizer { reason: "the prompt has no tokens".into() });
    }
    let prompt_tokens = ids.as_ref().and_then(|ids| u32::try_from(ids.len()).ok());
    let prompt = ids.map_or(Prompt::Random, Prompt::Fixed);
    Ok(Ready {
        engine: LocalEngine::new(decoder, engine_info, prompt),
        tokenizer: loaded.tokenizer,
        prompt_tokens,
    })
}
