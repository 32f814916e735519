//! Measuring: cases, engines, the runner, and the probes of the machine.
//!
//! [`run`] takes an [`Engine`] through the cases of a [`Grid`] and hands each sample out as it
//! ends. Money is not known here, and nothing is printed.

mod case;
mod ceilings;
mod engine;
mod host;
mod load;
mod local;
mod memory;
mod record_of;
mod runner;
mod scripted;
mod steady;

pub use case::{Case, Grid};
pub use ceilings::{CeilingOptions, measure_ceilings};
pub use engine::{Engine, EngineError, EngineInfo, ModelFacts, Timing};
pub use host::{HostProbe, available_memory, capture_host, resident_memory};
pub use load::{LoadRequest, Ready, load_candle};
pub use local::{LocalEngine, Prompt};
pub use memory::RssSampler;
pub use record_of::{BuildInfo, RunContext, case_id, record_of};
pub use runner::{CaseFacts, CaseResult, Observer, RunOptions, run};
pub use scripted::ScriptedEngine;
