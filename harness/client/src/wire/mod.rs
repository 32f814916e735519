//! The bytes of the interface: lines of server-sent events, the chunk in an event, the body of a
//! request.

mod body;
mod chunk;
mod sse;

pub(crate) use body::body;
pub use chunk::Usage;
pub(crate) use chunk::{Event, read_event};
pub(crate) use sse::{Lines, MOST_OF_A_LINE};
