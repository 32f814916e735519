//! Energy: counters, power meters, and what a window of time took.
//!
//! | source | where | covers | by |
//! |-|-|-|-|
//! | [`Rapl`] | Linux, Intel and AMD | CPU packages and memory | counter |
//! | [`GpuCounter`] | `NVIDIA` since Volta | one board | counter |
//! | [`GpuPower`] | `NVIDIA` | one board | integral of power |
//!
//! # The seam
//! A further kind of machine is one file here with one type that is an [`EnergySource`], and one line
//! in `meters` of the command line that opens it:
//! - **macOS**: `IOReport`'s group "Energy Model" counts nanojoules of CPU, GPU, ANE and DRAM without
//!   root (`powermetrics` tells the same as power, with root). [`EnergySource::read`] gives
//!   [`Reading::Energy`], [`EnergySource::update`] 100 ms, [`EnergySource::name`] `ioreport:cpu+gpu+dram`.
//! - **Jetson**: the INA3221 on I2C shows rails as `in*_input` (mV) and `curr*_input` (mA) under
//!   `/sys/bus/i2c/drivers/ina3221/*/hwmon/hwmon*`; `VDD_IN` holds the others (`tegrastats` reads the
//!   same). [`EnergySource::read`] gives [`Reading::Power`] of `VDD_IN` alone.
//! - **A meter in the socket** gives [`Reading::Power`] too, and is a part of its own with no device.
//!
//! Not here: which part of a run a window is (`instruments`), and money.

mod counter;
mod gpu;
mod meter;
mod nvml;
mod rapl;

#[cfg(test)]
pub(crate) use gpu::tests;
pub use gpu::{GpuCounter, GpuPower, Gpus, choose_gpu, throttle_reasons};
pub(crate) use meter::Meter;
pub use meter::Part;
pub use nvml::{Nvml, NvmlError};
pub use rapl::{Rapl, RaplError};

use freeweights_record::units::{Joules, Seconds, Watts};

/// Something that tells energy or power.
pub trait EnergySource: Send {
    /// What it covers, and how: `rapl:package+dram`, `nvml:counter`.
    fn name(&self) -> String;

    /// How often the hardware renews what it tells: of less time it cannot tell anything.
    fn update(&self) -> Seconds;

    /// Reads it. `now` is the clock of the sampler; a counter that wraps needs it. `None` where
    /// there was nothing to be read this time.
    fn read(&mut self, now: Seconds) -> Option<Reading>;
}

/// What a source tells.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Reading {
    /// Energy since the source was opened, unwrapped.
    Energy(Joules),
    /// A counter that cannot be followed: it was reset, or may have wrapped more than once. Its
    /// next reading is the first of a new count.
    Lost,
    /// Power now, or over the last moments.
    Power(Watts),
}
