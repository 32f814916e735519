//! An engine without a model or a clock, for tests: what its script says is how long it took.

use crate::case::Case;
use crate::engine::{Check, Engine, EngineError, EngineInfo, ModelFacts, Timing};
use freeweights_record::Weights;
use freeweights_record::units::{Bytes, Flops, Seconds};
use std::collections::VecDeque;
use std::time::Duration;

type Script = Box<dyn FnMut(&Case, u64) -> Result<Timing, EngineError>>;

/// Plays back timings. Its clock advances by what it plays.
pub struct ScriptedEngine {
    info: EngineInfo,
    script: Script,
    clock: Seconds,
    refusal: Option<String>,
    /// How long a second that it plays takes; 0 where nobody waits.
    pace: f64,
}

/// What can happen to an engine that is no matter of its cases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Every further case fails.
    DeviceLost,
    /// The engine panics.
    Panic,
    /// Memory is asked for until there is no more.
    OutOfMemory,
}

impl Fault {
    fn strike(self) -> EngineError {
        match self {
            Self::DeviceLost => {}
            Self::Panic => panic!("a script said so"),
            Self::OutOfMemory => hoard(),
        }
        EngineError::Scripted("the device is lost: a script said so".into())
    }
}

/// Takes all address space that a limit leaves; without one it would be taken without end.
fn hoard() {
    let piece = 64 << 20;
    let mut all: Vec<Vec<u8>> = Vec::new();
    while all.len() < 1 << 20 {
        all.push(Vec::with_capacity(piece));
    }
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
        Self { info, script: Box::new(script), clock: Seconds::new(0.0), refusal: None, pace: 0.0 }
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

    /// Its clock begins there, and not at 0.
    #[must_use]
    pub fn starting_at(self, clock: Seconds) -> Self {
        Self { clock, ..self }
    }

    /// Takes `pace` seconds for each second that it plays, so that there is something to interrupt.
    #[must_use]
    pub fn paced(self, pace: f64) -> Self {
        Self { pace, ..self }
    }

    /// Strikes at every sample behind the first `after`.
    #[must_use]
    pub fn with_fault(self, after: u32, fault: Fault) -> Self {
        let (mut script, mut left) = (self.script, after);
        let script: Script = Box::new(move |case, seed| {
            let Some(fewer) = left.checked_sub(1) else { return Err(fault.strike()) };
            left = fewer;
            script(case, seed)
        });
        Self { script, ..self }
    }

    /// A machine of constant speed: `prefill_tps` and `decode_tps` tokens a second per sequence. It
    /// has memory for 64 of them.
    #[must_use]
    pub fn steady(prefill_tps: f64, decode_tps: f64) -> Self {
        Self::new(move |case, seed| match case.batch {
            0..=MOST_SEQUENCES => Ok(constant(case, prefill_tps, decode_tps, seed)),
            _ => Err(EngineError::Scripted("not enough memory for so many sequences".into())),
        })
    }
}

/// Sequences that a machine of constant speed has memory for.
const MOST_SEQUENCES: u32 = 64;

/// A timing at constant speed, with a jitter of up to half a percent that the seed decides.
fn constant(case: &Case, prefill_tps: f64, decode_tps: f64, seed: u64) -> Timing {
    let jitter = 1.0 + 0.01 * ((seed % 101) as f64 / 100.0 - 0.5);
    let prefill = Seconds::new(f64::from(case.isl) / prefill_tps * jitter);
    Timing {
        // The engine's clock says when.
        started: Seconds::new(0.0),
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
        let timing = Timing { started: self.clock, ..(self.script)(case, seed)? };
        let played: Seconds = timing.ttft + timing.gaps.iter().copied().sum();
        self.clock = self.clock + played;
        if self.pace > 0.0 {
            std::thread::sleep(Duration::from_secs_f64(self.pace * played.get()));
        }
        Ok(timing)
    }

    fn check(&self, _: &Case) -> Check {
        Check { against: "none", error: None }
    }

    fn kv_bytes(&self, case: &Case) -> Option<Bytes> {
        Some(Bytes::new(64) * case.tokens_held() * u64::from(case.batch))
    }

    fn workspace_bytes(&self) -> Option<Bytes> {
        None
    }

    fn decode_bytes_per_step(&self, _: &Case) -> Option<Bytes> {
        Some(Bytes::new(4_000_000))
    }

    fn prefill_flops(&self, case: &Case) -> Option<Flops> {
        Some(Flops::new(2e6 * f64::from(case.isl) * f64::from(case.batch)))
    }
}
