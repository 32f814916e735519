//! Measuring: cases, engines, the runner, and the probes of the machine.
//!
//! [`run`] takes an [`Engine`] through the cases of a [`Grid`] and hands each sample out as it
//! ends. Money is not known here, and nothing is printed.

mod begun;
mod case;
mod case_run;
mod ceilings;
mod cgroup;
pub mod condition;
pub mod energy;
mod engine;
mod estimate;
mod fit;
mod gpu_in_use;
mod host;
mod instruments;
mod ladder;
mod limits;
mod load;
mod local;
mod memory;
mod observer;
mod prefixes;
mod reading;
mod record_of;
mod roofline;
mod runner;
mod sampler;
mod scripted;
mod series;
mod steady;
mod timer;
mod tree;
pub mod verify;

pub use begun::{Begun, end_of};
pub use case::{Case, Grid, Prompts};
pub use case_run::{CaseFacts, CaseResult};
pub use ceilings::{CeilingOptions, OfDevice, measure_ceilings, measure_device_ceilings};
pub use engine::{Check, Engine, EngineError, EngineInfo, ModelFacts, Timing};
pub use estimate::{Estimate, Speeds};
pub use fit::{DoesNotFit, Footprint, fit};
pub use gpu_in_use::GpuInUse;
pub use host::{HostProbe, available_memory, capture_host, resident_memory};
pub use instruments::{HostInstruments, Instruments, Unwatched};
pub use ladder::{Ladder, Rung};
pub use load::{InProcess, LoadRequest, Ready, load_decoder, load_engine};
pub use local::{LocalEngine, random_tokens};
pub use memory::{HighWater, Resident};
pub use observer::{Observer, Silent, Told};
pub use reading::Reading;
pub use record_of::{BuildInfo, RunContext, case_id, doubts, record_of};
pub use roofline::{Arithmetic, Roofline};
pub use runner::{RunOptions, Work, resume, run};
pub use sampler::{Clock, Sampler, idle_differs};
pub use scripted::{Fault, ScriptedEngine};
pub use timer::{MOST_TIMER_SHARE, measure_timer, timer_share};
pub use tree::Tree;
