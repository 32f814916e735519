//! From a model id to a [`Decoder`]: sources, families, quantisations, tokenizers.
//!
//! A [`ModelId`] says where the weights are; [`load`] brings them into memory as a decoder that
//! takes token ids and gives logits. [`ModelSpec`] does the arithmetic of a shape without any
//! weights, so that a model can be sized before it is downloaded.
//!
//! Not here: timing, prompts as benchmarks see them, chat templates, sampling beyond the greedy
//! pick.

mod cuda;
mod decoder;
mod device;
mod error;
mod families;
mod fused;
mod kv_state;
mod load;
mod model_id;
mod nmse;
mod plain;
mod preset;
mod quant;
mod reference;
mod routing;
mod source;
mod spec;
mod stored;
mod tensors;
mod tokenizer;
mod write;

pub use candle_core::{Device, DeviceLocation};
pub use cuda::CudaDecoder;
pub use decoder::{Decoder, MemoryUse};
pub use device::{EMULATED, open_device, open_gpu};
pub use error::{ModelError, nearest};
pub use fused::{FusedDecoder, FusedOptions};
pub use kv_state::KvState;
pub use load::{Loaded, ModelInfo, Origin, inspect, load, load_cuda, load_fused, sha256_of};
pub use model_id::ModelId;
pub use nmse::{nmse, squares};
pub use preset::{PRESETS, Preset};
pub use quant::Quant;
pub use reference::load_reference;
pub use source::hub::{Download, Progress, Quiet};
pub use spec::{
    Activation, Experts, Groups, Latent, LayerSet, ModelSpec, Norms, QkNorm, Rope, RopeScaling,
    Scores,
};
pub use tensors::{Part, Role, TensorSpec, tensors_of};
pub use tokenizer::TextTokenizer;
pub use write::write_dummy;

/// Version of candle this crate was built against, for the record.
pub const CANDLE_VERSION: &str = "0.11.1";
