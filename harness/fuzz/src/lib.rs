//! What each fuzz target does with its bytes. No input may panic, hang, or take more memory than a
//! multiple of its length; what is read well must come back as it was where it can be written.
//!
//! Not here: any check of what a parser makes of a sound file, which is what tests are for.

mod bounded;
pub mod costs;
mod folder;
#[cfg(feature = "models")]
#[path = "../../cli/src/lists.rs"]
mod lists;
#[cfg(feature = "models")]
pub mod models;
#[cfg(feature = "models")]
pub mod plans;
pub mod records;
#[cfg(feature = "models")]
#[expect(dead_code, reason = "plans are read by one function of three")]
#[path = "../../cli/src/texts.rs"]
mod texts;
#[cfg(feature = "models")]
pub mod vocabulary;
pub mod wire;

use bounded::bounded;

/// An input as the text that a file's bytes are, or nothing where they are none.
fn text(data: &[u8]) -> Option<&str> {
    std::str::from_utf8(data).ok()
}

/// The part before the first zero byte, and the one behind.
fn parted(data: &[u8]) -> (&[u8], &[u8]) {
    match data.iter().position(|byte| *byte == 0) {
        Some(at) => (&data[..at], &data[at + 1..]),
        None => (data, &[]),
    }
}
