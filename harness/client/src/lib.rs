//! Drives a server with an OpenAI-compatible interface and times what it answers.
//!
//! - [`Target`]: which server, how it is called, and the key that is never written anywhere.
//! - [`Server`]: something that answers a prepared request; [`OpenAi`] over the network, and
//!   [`Scripted`] in no time at all, for tests.
//! - [`prompt`]: words that make so many tokens, alike or unlike from the first on.
//! - [`load`]: when requests are sent (closed loop, open loop, a trace), and the loop that sends
//!   them, times them and hands them on.
//! - [`find_max`]: the search for the highest load that keeps an objective.
//! - [`metrics_page`]: what a server tells of itself.
//!
//! Not here: how rows are kept and summarised (`freeweights_record::requests`), and any printing.

mod fault;
pub mod find_max;
pub mod load;
pub mod metrics_page;
mod openai;
mod probe;
pub mod prompt;
mod scripted;
mod server;
mod target;
mod wire;

pub use fault::Fault;
pub use openai::OpenAi;
pub use probe::{Probe, ProbeError, probe};
pub use scripted::{Script, Scripted};
pub use server::{Cut, Exchange, Prepared, Server};
pub use target::{Api, Header, Secret, Target, TargetError};
pub use wire::Usage;
