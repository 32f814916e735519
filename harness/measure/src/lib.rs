//! Measuring: cases, engines, the runner, and the probes of the machine.
//!
//! [`run`] takes an [`Engine`] through the cases of a [`Grid`] and hands each sample out as it
//! ends. Money is not known here, and nothing is printed.

mod case;
mod ceilings;
mod cgroup;
mod engine;
mod fit;
mod host;
mod load;
mod local;
mod memory;
mod record_of;
mod roofline;
mod runner;
mod scripted;
mod steady;
pub mod verify;

pub use case::{Case, Grid};
pub use ceilings::{CeilingOptions, measure_ceilings};
pub use engine::{Check, Engine, EngineError, EngineInfo, ModelFacts, Timing};
pub use fit::{DoesNotFit, Footprint, fit};
pub use host::{HostProbe, available_memory, capture_host, resident_memory};
pub use load::{InProcess, LoadRequest, Ready, load_decoder, load_engine};
pub use local::{LocalEngine, Prompt, random_tokens};
pub use memory::RssSampler;
pub use record_of::{BuildInfo, RunContext, case_id, record_of};
pub use roofline::{Arithmetic, Roofline};
pub use runner::{CaseFacts, CaseResult, Observer, RunOptions, run};
pub use scripted::ScriptedEngine;
