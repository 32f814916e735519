//! What a KV cache held at one moment, to be put back.
//!
//! Not here: when it is worth keeping.

use candle_nn::kv_cache::Cache;
use freeweights_kernels::attention::KvCopy;

/// The KV cache of an engine as it was: [`Decoder::keep`](crate::Decoder::keep) makes it,
/// [`Decoder::restore`](crate::Decoder::restore) puts it back.
#[derive(Debug)]
pub struct KvState {
    pub(crate) content: Content,
    pub(crate) bytes: u64,
}

impl KvState {
    /// Memory it takes beside the cache itself.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }
}

/// Keys and values as their engine has them.
#[derive(Debug)]
pub(crate) enum Content {
    /// A copy, and the tokens of each sequence.
    Fused { copy: KvCopy, lengths: Vec<usize> },
    /// The tensors of each layer, shared with the cache: what is appended behind them lies elsewhere.
    Plain { layers: Vec<Vec<Cache>>, batch: usize, depth: usize },
}
