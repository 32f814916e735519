//! The machine a run was made on: `host.json`.

use crate::units::{Bytes, BytesPerSecond, FlopsPerSecond};
use serde::{Deserialize, Serialize};

/// What is known of the machine. What could not be found out is `None`.
///
/// An allow-list: no environment variable, path, user or host name is in it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Host {
    /// Operating system, with its version.
    pub os: Option<String>,
    /// Kernel release.
    pub kernel: Option<String>,
    /// CPU model name.
    pub cpu_model: Option<String>,
    /// Logical CPUs the process may use.
    pub cpu_cores: Option<u32>,
    /// Extensions found at run time.
    pub cpu_features: Vec<String>,
    /// Size of the last-level cache.
    pub last_level_cache_bytes: Option<Bytes>,
    /// Physical memory.
    pub memory_total_bytes: Option<Bytes>,
    /// Memory that was free for use when the run began.
    pub memory_available_bytes: Option<Bytes>,
    /// Frequency governor.
    pub governor: Option<String>,
    /// Transparent huge pages: the chosen setting.
    pub transparent_huge_pages: Option<String>,
    /// Whether the machine is a virtual one.
    pub virtualised: Option<bool>,
    /// Load average over one minute when the run began.
    pub load_average_1m: Option<f64>,
    /// What the machine was measured to be able to do.
    pub ceilings: Option<Ceilings>,
}

/// Ceilings measured on this machine in this run: the best of several passes, all threads.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Ceilings {
    /// Threads the ceilings were measured with.
    pub threads: u32,
    /// Streaming read over a buffer far larger than the cache.
    pub read_bytes_per_s: BytesPerSecond,
    /// Multiply-adds in f32, two operations each.
    pub f32_flops_per_s: FlopsPerSecond,
    /// Dot products in bf16; `None` where the CPU has no such instruction.
    pub bf16_flops_per_s: Option<FlopsPerSecond>,
    /// Dot products in int8, operations per second; `None` where the CPU has no such instruction.
    pub int8_ops_per_s: Option<FlopsPerSecond>,
}
