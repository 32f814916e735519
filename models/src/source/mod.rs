//! Where weights come from: GGUF files, checkpoints of the transformers library, made-up numbers,
//! and the hub, which leads to one of the first two.

pub(crate) mod checkpoint;
pub(crate) mod dummy;
pub(crate) mod gguf;
pub(crate) mod gguf_write;
pub(crate) mod hub;
pub(crate) mod regular;
