//! What a client saw of a server: one row a request, and the figures of a case made from them.
//!
//! Everything here can be computed from `raw.csv` and `itl.csv` alone, in one pass and in flat
//! memory, so that files of several client processes can be joined and give the same figures.
//!
//! Not here: how requests are sent and timed.

mod distribution;
mod flow;
mod objective;
mod request;
mod totals;

pub use distribution::{Distribution, EXACT_UP_TO};
pub use flow::Flow;
pub use objective::{Bound, BoundedMetric, Objective, UnknownBound};
pub use request::{Phase, RequestOf, RequestSample};
pub use totals::{RequestTotals, SLICES};
