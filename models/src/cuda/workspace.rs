//! Memory between the steps of a pass, made for as many rows as the largest so far.

use crate::error::ModelError;
use crate::spec::ModelSpec;
use freeweights_kernels::cuda::steps::{MOST_SPLITS, Rows, part_bytes};
use freeweights_kernels::cuda::{BlockProduct, Buffer, Gpu};
use std::sync::Arc;

/// What a pass is made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Extent {
    /// Rows that go through the layers together.
    pub(super) rows: usize,
    /// Rows of which logits are made together.
    pub(super) heads: usize,
    /// Sequences of a batch.
    pub(super) sequences: usize,
}

impl Extent {
    fn covers(self, other: Self) -> bool {
        self.rows >= other.rows && self.heads >= other.heads && self.sequences >= other.sequences
    }

    fn both(self, other: Self) -> Self {
        Self {
            rows: self.rows.max(other.rows),
            heads: self.heads.max(other.heads),
            sequences: self.sequences.max(other.sequences),
        }
    }
}

/// Which row is which token, on the GPU.
pub(super) struct Lists {
    /// `(rows)` u32 each.
    pub(super) tokens: Buffer,
    pub(super) sequences: Buffer,
    pub(super) positions: Buffer,
    /// `(sequences + 1)` u32
    pub(super) first_rows: Buffer,
    /// `(heads)` u32: the rows of which logits are made.
    pub(super) chosen: Buffer,
}

impl Lists {
    fn new(gpu: &Arc<dyn Gpu>, extent: Extent) -> Result<Self, ModelError> {
        let words = |count: usize| Buffer::zeroed(gpu, 4 * count);
        Ok(Self {
            tokens: words(extent.rows)?,
            sequences: words(extent.rows)?,
            positions: words(extent.rows)?,
            first_rows: words(extent.sequences + 1)?,
            chosen: words(extent.heads)?,
        })
    }

    /// As steps take them.
    pub(super) fn rows(&self, rows: usize, count: usize, longest: usize, keys: usize) -> Rows {
        Rows {
            sequences: self.sequences.place(),
            positions: self.positions.place(),
            first_rows: self.first_rows.place(),
            rows,
            count,
            longest,
            keys,
        }
    }
}

/// Buffers of a pass. Shapes are `(rows, ..)`.
pub(super) struct Workspace {
    pub(super) extent: Extent,
    /// Lists of a prompt, and of a step: those of a step stay as they are from step to step.
    pub(super) prompt: Lists,
    pub(super) step: Lists,
    /// `hidden` f32
    pub(super) residual: Buffer,
    /// `hidden` bf16
    pub(super) normed: Buffer,
    /// `(heads + 2 kv_heads) * head_dim` bf16
    pub(super) qkv: Buffer,
    /// `heads * head_dim` bf16, and the same of what attention gives.
    pub(super) queries: Buffer,
    pub(super) attended: Buffer,
    /// Parts of attention.
    pub(super) parts: Buffer,
    /// `hidden` bf16: what is added to the residual next.
    pub(super) added: Buffer,
    /// `2 intermediate` bf16
    pub(super) both: Buffer,
    /// `intermediate` bf16
    pub(super) gated: Buffer,
    /// The input of a product in f32, and its output, where weights are in blocks.
    pub(super) wide_in: Buffer,
    pub(super) wide_out: Buffer,
    pub(super) scratch: Buffer,
    /// `(heads, hidden)` bf16
    pub(super) head_in: Buffer,
    /// `(heads, vocab)` f32
    pub(super) logits: Buffer,
    /// `(heads)` u32
    pub(super) picked: Buffer,
}

impl Workspace {
    pub(super) fn new(
        gpu: &Arc<dyn Gpu>,
        spec: &ModelSpec,
        quantised: bool,
        extent: Extent,
    ) -> Result<Self, ModelError> {
        let Extent { rows, heads, .. } = extent;
        let (hidden, inner, q) = (spec.hidden, spec.intermediate, spec.query_width());
        let qkv = q + 2 * spec.kv_heads * spec.head_dim;
        let room = |rows: usize, bytes: usize| Buffer::zeroed(gpu, rows * bytes);
        let widest_in = hidden.max(q).max(inner);
        let widest_out = qkv.max(2 * inner).max(hidden);
        let wide = if quantised { rows.max(heads) } else { 0 };
        let scratch = if quantised { BlockProduct::scratch_bytes(wide, widest_in) } else { 0 };
        // Keys are split where there are few rows.
        let split_rows = rows.min(SPLIT_ROWS);
        let parts = part_bytes(split_rows, spec.heads, spec.head_dim, MOST_SPLITS);
        Ok(Self {
            extent,
            prompt: Lists::new(gpu, extent)?,
            step: Lists::new(gpu, Extent { rows: extent.sequences, ..extent })?,
            residual: room(rows, 4 * hidden)?,
            normed: room(rows, 2 * hidden)?,
            qkv: room(rows, 2 * qkv)?,
            queries: room(rows, 2 * q)?,
            attended: room(rows, 2 * q)?,
            parts: Buffer::zeroed(gpu, parts)?,
            added: room(rows, 2 * hidden)?,
            both: room(rows, 4 * inner)?,
            gated: room(rows, 2 * inner)?,
            wide_in: room(wide, 4 * widest_in)?,
            wide_out: room(wide, 4 * widest_out)?,
            scratch: Buffer::zeroed(gpu, scratch)?,
            head_in: room(heads, 2 * hidden)?,
            logits: room(heads, 4 * spec.vocab)?,
            picked: room(heads, 4)?,
        })
    }

    /// The same with room for more; what was in it is lost. `None` if there is room enough.
    pub(super) fn grown(&self, extent: Extent) -> Option<Extent> {
        (!self.extent.covers(extent)).then(|| self.extent.both(extent))
    }

    /// Bytes of all of it.
    pub(super) fn bytes(&self) -> usize {
        let lists = |lists: &Lists| {
            let Lists { tokens, sequences, positions, first_rows, chosen } = lists;
            [tokens, sequences, positions, first_rows, chosen]
                .map(Buffer::bytes)
                .iter()
                .sum::<usize>()
        };
        let lists: usize = [&self.prompt, &self.step].map(lists).iter().sum();
        let buffers = [
            &self.residual,
            &self.normed,
            &self.qkv,
            &self.queries,
            &self.attended,
            &self.parts,
            &self.added,
            &self.both,
            &self.gated,
            &self.wide_in,
            &self.wide_out,
            &self.scratch,
            &self.head_in,
            &self.logits,
            &self.picked,
        ];
        lists + buffers.into_iter().map(Buffer::bytes).sum::<usize>()
    }
}

/// Most rows whose keys are split.
pub(super) const SPLIT_ROWS: usize = 64;
