//! When requests are sent, and the loop that sends them.

mod arrivals;
mod driver;
mod lengths;
mod schedule;

pub use arrivals::{Arrivals, Rate};
pub use driver::{CaseEnd, LoadCase, Sink, WhyEnded, Written, drive};
pub use lengths::{Lengths, Spread};
pub use schedule::{Replay, ReplayRequest, Schedule, Shard};
