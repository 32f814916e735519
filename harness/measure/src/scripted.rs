//! An engine without a model or a clock, for tests: what its script says is how long it took.

use crate::case::Case;
use crate::engine::{Check, Engine, EngineError, EngineInfo, ModelFacts, Timing};
use freeweights_record::Weights;
use freeweights_record::units::{Bytes, Flops, Seconds};
use std::collections::VecDeque;

type Script = Box<dyn FnMut(&Case, u64) -> Result<Timing, EngineError>>;

/// Plays back timings. Its clock advances by what it plays.
pub struct ScriptedEngine {
    info: EngineInfo,
    script: Script,
    clock: Seconds,
    refusal: Option<String>,
}

impl ScriptedEngine {
    /// Calls `script` for every sample.
    pub fn new(script: impl FnMut(&Case, u64) -> Result<Timing, EngineError> + 'static) -> Self {
        let info = EngineInfo {
            engine: "scripted".into(),
            engine_version: None,
            device: "cpu".into(),
            threads: Some(1),
            model: ModelFacts {
                name: "scripted-1m".into(),
                weights: Some(Weights::Dummy),
                architecture: Some("llama".into()),
                params_total: Some(1_000_000),
                params_active: Some(1_000_000),
                quant: Some("f32".into()),
                weights_bytes: Some(Bytes::new(4_000_000)),
                ..ModelFacts::default()
            },
        };
        Self { info, script: Box::new(script), clock: Seconds::new(0.0), refusal: None }
    }

    /// Plays the given timings in order, whatever the case, then fails.
    #[must_use]
    pub fn playing(timings: Vec<Timing>) -> Self {
        let mut left = VecDeque::from(timings);
        Self::new(move |_, _| {
            left.pop_front().ok_or_else(|| EngineError::Scripted("the script has ended".into()))
        })
    }

    /// Stands in for an engine that could not be had: refuses every case with the reason.
    #[must_use]
    pub fn refusing(info: EngineInfo, reason: String) -> Self {
        Self { info, refusal: Some(reason), ..Self::playing(Vec::new()) }
    }

    /// A machine of constant speed: `prefill_tps` and `decode_tps` tokens a second per sequence.
    #[must_use]
    pub fn steady(prefill_tps: f64, decode_tps: f64) -> Self {
        Self::new(move |case, seed| Ok(constant(case, prefill_tps, decode_tps, seed)))
    }
}

/// A timing at constant speed, with a jitter of up to half a percent that the seed decides.
fn constant(case: &Case, prefill_tps: f64, decode_tps: f64, seed: u64) -> Timing {
    let jitter = 1.0 + 0.01 * ((seed % 101) as f64 / 100.0 - 0.5);
    let prefill = Seconds::new(f64::from(case.isl) / prefill_tps * jitter);
    Timing {
        prefill,
        ttft: prefill,
        gaps: vec![Seconds::new(jitter / decode_tps); case.osl.saturating_sub(1) as usize],
    }
}

impl Engine for ScriptedEngine {
    fn info(&self) -> &EngineInfo {
        &self.info
    }

    fn now(&self) -> Seconds {
        self.clock
    }

    fn admit(&mut self, case: &Case) -> Result<(), EngineError> {
        if let Some(reason) = &self.refusal {
            return Err(EngineError::Scripted(reason.clone()));
        }
        if case.tokens_held() > 4_096 {
            return Err(EngineError::Scripted("beyond 4096 tokens".into()));
        }
        Ok(())
    }

    fn sample(&mut self, case: &Case, seed: u64) -> Result<Timing, EngineError> {
        let timing = (self.script)(case, seed)?;
        self.clock = self.clock + timing.ttft + timing.gaps.iter().copied().sum();
        Ok(timing)
    }

    fn check(&self, _: &Case) -> Check {
        Check { against: "none", error: None }
    }

    fn kv_bytes(&self, case: &Case) -> Option<Bytes> {
        Some(Bytes::new(64) * case.tokens_held() * u64::from(case.batch))
    }

    fn decode_bytes_per_step(&self, _: &Case) -> Option<Bytes> {
        Some(Bytes::new(4_000_000))
    }

    fn prefill_flops(&self, case: &Case) -> Option<Flops> {
        Some(Flops::new(2e6 * f64::from(case.isl) * f64::from(case.batch)))
    }
}
