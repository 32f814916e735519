//! The tables, one a file. Each is a [`crate::Grid`], so each comes in every format.

mod assumptions;
mod bill;
mod cost;
mod host;
mod measurements;
mod prices;
mod words;

pub use assumptions::assumptions;
pub use bill::bill;
pub use cost::cost;
pub use host::host;
pub use measurements::measurements;
pub use prices::prices;
