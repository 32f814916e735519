//! Each figure of an inference benchmark: one small function, its formula, its unit, its source.

mod ceiling;
mod energy;
mod latency;
mod throughput;

pub use ceiling::{decode_bytes_per_step, decode_mbu, prefill_mfu};
pub use energy::{energy_above_idle, energy_per_token, mean_power};
pub use latency::{e2e, tpot};
pub use throughput::{decode_throughput, prefill_throughput, total_throughput};
