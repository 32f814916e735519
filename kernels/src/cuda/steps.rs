//! The steps of a model on a GPU, one call each: the shape of the launch, and the arguments in order.
//!
//! Layouts are those of the sources in `kernels/cuda`: activations in bf16, the residual stream and
//! logits in f32, all rows one behind the other.
//!
//! # Safety
//!
//! Every function here is unsafe for the same reason: the places it is given must hold what their
//! fields say, in the memory of that GPU. Nothing checks it there.
//!
//! # What is not here
//!
//! Memory, and the order of steps.

mod numbers;

pub use self::numbers::{Fixed, fill_blocks, fill_numbers, narrow, widen};

use super::gpu::{Arguments, Gpu, GpuError, Place};
use crate::gate::Activation;

/// Widths of heads that attention has code for.
pub const HEAD_DIMS: [usize; 6] = [16, 32, 64, 80, 96, 128];

/// Most vectors that [`matvec`] takes.
pub const MATVEC_ROWS: usize = 32;

/// Queries of a tile of attention.
const TILE: usize = 16;

/// Keys of a block of attention: capacities of caches are multiples of it.
pub const KEYS: usize = 16;

/// The window of a layer without one.
pub const NO_WINDOW: usize = 1 << 28;

/// Most parts that the keys of one query are split into.
pub const MOST_SPLITS: usize = 64;

/// [`add_norm`]: `residual += scale * added; out = rms_norm(residual) * weight`.
#[derive(Debug, Clone, Copy)]
pub struct AddNorm {
    /// `(.., hidden)` f32
    pub residual: Place,
    /// `(.., hidden)` bf16, or none.
    pub added: Place,
    /// `(hidden)` f32
    pub weight: Place,
    /// `(rows, hidden)` bf16
    pub out: Place,
    /// `(rows)` u32: the rows of `residual` and `added` to work on; without, all from 0 on.
    pub chosen: Place,
    /// How many rows.
    pub rows: usize,
    /// Width of a row, an even number.
    pub hidden: usize,
    /// What `added` is multiplied by.
    pub scale: f32,
    /// Epsilon of the norm.
    pub eps: f32,
}

/// Adds to the residual stream and norms it.
///
/// # Accuracy
/// Sums in f32; the result is rounded to bf16.
///
/// # Safety
/// See the module.
///
/// # Errors
/// [`GpuError`] of the device.
pub unsafe fn add_norm(gpu: &dyn Gpu, step: AddNorm) -> Result<(), GpuError> {
    let arguments = Arguments::new()
        .place(step.residual)
        .place(step.added)
        .place(step.weight)
        .place(step.out)
        .place(step.chosen)
        .int(step.hidden)
        .float(step.scale)
        .float(step.eps);
    // SAFETY: as the caller vouches.
    unsafe { gpu.launch("add_norm", [step.rows, 1, 1], 256, arguments) }
}

/// [`rope_append`]: biases, norms of heads, rotation, and keys and values into the cache.
#[derive(Debug, Clone, Copy)]
pub struct RopeAppend {
    /// `(rows, (heads + 2 kv_heads) * head_dim)` bf16
    pub qkv: Place,
    /// `((heads + 2 kv_heads) * head_dim)` f32, or none.
    pub bias: Place,
    /// `(head_dim)` f32, or none.
    pub query_norm: Place,
    /// `(head_dim)` f32, or none.
    pub key_norm: Place,
    /// `(positions, width / 2)` f32, or none for layers without rotation.
    pub cosines: Place,
    /// As `cosines`.
    pub sines: Place,
    /// `(rows, heads, head_dim)` bf16
    pub queries: Place,
    /// Epsilon of the norms.
    pub eps: f32,
    /// Columns of a head that turn.
    pub width: usize,
    /// Where keys and values go.
    pub cache: Cache,
    /// The rows.
    pub rows: Rows,
}

/// Keys and values of one layer: `(sequences, kv_heads, capacity, head_dim)` bf16 each.
#[derive(Debug, Clone, Copy)]
pub struct Cache {
    /// Keys.
    pub keys: Place,
    /// Values.
    pub values: Place,
    /// Tokens that a sequence has room for: a multiple of [`KEYS`].
    pub capacity: usize,
    /// Query heads.
    pub heads: usize,
    /// Key and value heads.
    pub kv_heads: usize,
    /// Width of a head.
    pub head_dim: usize,
}

/// Which row is which token of which sequence.
#[derive(Debug, Clone, Copy)]
pub struct Rows {
    /// `(rows)` u32: the sequence of each, by its place in the cache.
    pub sequences: Place,
    /// `(rows)` u32: the position of each.
    pub positions: Place,
    /// `(count + 1)` u32: the first row of each sequence that takes part, and behind the last one.
    pub first_rows: Place,
    /// How many rows.
    pub rows: usize,
    /// How many sequences take part.
    pub count: usize,
    /// Most rows of one of them.
    pub longest: usize,
    /// Most keys that one of them has, its rows included; or more, for launches that are recorded.
    pub keys: usize,
}

/// Turns queries and keys, and puts keys and values into the cache.
///
/// # Accuracy
/// In f32; what comes out is rounded to bf16.
///
/// # Safety
/// See the module; positions are below the capacity and within the table.
///
/// # Errors
/// [`GpuError`] of the device.
pub unsafe fn rope_append(gpu: &dyn Gpu, step: RopeAppend) -> Result<(), GpuError> {
    let cache = step.cache;
    let arguments = Arguments::new()
        .place(step.qkv)
        .place(step.bias)
        .place(step.query_norm)
        .place(step.key_norm)
        .place(step.cosines)
        .place(step.sines)
        .place(step.rows.sequences)
        .place(step.rows.positions)
        .place(step.queries)
        .place(cache.keys)
        .place(cache.values)
        .int(cache.heads)
        .int(cache.kv_heads)
        .int(cache.head_dim)
        .int(step.width)
        .int(cache.capacity)
        .float(step.eps);
    let blocks = (cache.heads + 2 * cache.kv_heads).div_ceil(4);
    // The grid's second side ends at 65,535.
    debug_assert!(step.rows.rows < 1 << 16);
    // SAFETY: as the caller vouches.
    unsafe { gpu.launch("rope_append", [blocks, step.rows.rows, 1], 128, arguments) }
}

/// [`attend`]: attention over the cache.
#[derive(Debug, Clone, Copy)]
pub struct Attend {
    /// `(rows, heads, head_dim)` bf16
    pub queries: Place,
    /// `(rows, heads, head_dim)` bf16
    pub out: Place,
    /// [`part_bytes`] of scratch, where there is more than one split.
    pub parts: Place,
    /// Into how many parts the keys of a query are split: [`splits`].
    pub splits: usize,
    /// What scores are multiplied by.
    pub scale: f32,
    /// How many positions a token sees, itself included; [`NO_WINDOW`] for all.
    pub window: usize,
    /// Keys and values.
    pub cache: Cache,
    /// The rows.
    pub rows: Rows,
}

/// Into how many parts the keys of a query are best split: so many that every multiprocessor has
/// sixteen warps, but no part of fewer than 64 keys.
#[must_use]
pub fn splits(gpu: &dyn Gpu, cache: &Cache, rows: &Rows) -> usize {
    let group = cache.heads / cache.kv_heads;
    let tiles = (rows.longest * group).div_ceil(TILE) * cache.kv_heads * rows.count;
    let wanted = (16 * gpu.multiprocessors()).div_ceil(tiles.max(1));
    wanted.min(rows.keys.div_ceil(64)).clamp(1, MOST_SPLITS)
}

/// Bytes of the scratch for so many rows in so many splits.
#[must_use]
pub const fn part_bytes(rows: usize, heads: usize, head_dim: usize, splits: usize) -> usize {
    if splits > 1 { 4 * rows * heads * splits * (head_dim + 2) } else { 0 }
}

/// Attention of every row over its sequence's keys up to itself.
///
/// # Accuracy
/// Scores and sums in f32, weights of values rounded to bf16: normalised mean squared error below
/// 1e-4 of what exact arithmetic makes of the same bf16 queries, keys and values.
///
/// # Safety
/// See the module; the rows of a sequence are neighbours, of consecutive positions, and its keys up
/// to the last of them are in the cache; what is behind them there is finite.
///
/// # Errors
/// [`GpuError`] of the device, or that there is no code for this width of a head.
pub unsafe fn attend(gpu: &dyn Gpu, step: Attend) -> Result<(), GpuError> {
    let (cache, rows) = (step.cache, step.rows);
    let kernel = match cache.head_dim {
        16 => "attention_16",
        32 => "attention_32",
        64 => "attention_64",
        80 => "attention_80",
        96 => "attention_96",
        128 => "attention_128",
        other => return Err(GpuError::failed("attention", format!("heads of {other} columns"))),
    };
    let part_floats = rows.rows * cache.heads * step.splits * cache.head_dim;
    let arguments = Arguments::new()
        .place(step.queries)
        .place(cache.keys)
        .place(cache.values)
        .place(rows.first_rows)
        .place(rows.sequences)
        .place(rows.positions)
        .place(step.out)
        .place(step.parts)
        .place(step.parts.plus(4 * part_floats))
        .int(cache.heads)
        .int(cache.kv_heads)
        .int(cache.capacity)
        .int(step.splits)
        .int(step.window.min(NO_WINDOW))
        // Powers of two are what the hardware has.
        .float(step.scale * std::f32::consts::LOG2_E);
    let group = cache.heads / cache.kv_heads;
    let items = (rows.longest * group).div_ceil(TILE) * step.splits;
    let grid = [items.div_ceil(4), cache.kv_heads, rows.count];
    // SAFETY: as the caller vouches.
    unsafe { gpu.launch(kernel, grid, 128, arguments)? };
    if step.splits == 1 {
        return Ok(());
    }
    let arguments = Arguments::new()
        .place(step.parts)
        .place(step.parts.plus(4 * part_floats))
        .place(step.out)
        .int(cache.head_dim)
        .int(step.splits);
    // SAFETY: as above.
    unsafe { gpu.launch("attention_merge", [cache.heads, rows.rows, 1], 128, arguments) }
}

/// What becomes of the sums of [`matvec`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Sums {
    /// They are rounded to bf16.
    Bf16,
    /// They stay f32.
    F32,
    /// The matrix has `outputs` gates and as many up projections behind them; what comes of each pair
    /// is rounded to bf16.
    Gated(Activation),
}

/// [`matvec`]: a matrix times a few vectors.
#[derive(Debug, Clone, Copy)]
pub struct Matvec {
    /// `(outputs, inputs)` bf16, or twice as many rows where they are gated.
    pub weight: Place,
    /// `(rows, inputs)` bf16
    pub x: Place,
    /// `(rows, outputs)`
    pub out: Place,
    /// What comes out.
    pub sums: Sums,
    /// Vectors: at most [`MATVEC_ROWS`].
    pub rows: usize,
    /// Numbers of a result.
    pub outputs: usize,
    /// Columns: a multiple of 8.
    pub inputs: usize,
}

/// The number that the kernels know an activation by; `None` for those they have not.
#[must_use]
pub const fn activation_number(activation: Activation) -> Option<usize> {
    match activation {
        Activation::Silu => Some(0),
        Activation::GeluTanh => Some(1),
        Activation::ClampedSwiglu { .. } => None,
    }
}

fn known(activation: Activation) -> Result<usize, GpuError> {
    activation_number(activation)
        .ok_or_else(|| GpuError::failed("gate", format!("no code for {activation:?}")))
}

/// A matrix times a few vectors, at the speed at which its weights can be read.
///
/// # Accuracy
/// Products of bf16 are exact, sums in f32.
///
/// # Safety
/// See the module.
///
/// # Errors
/// [`GpuError`] of the device.
///
/// # Panics
/// If there are more than [`MATVEC_ROWS`] rows, or `inputs` is no multiple of 8.
pub unsafe fn matvec(gpu: &dyn Gpu, step: Matvec) -> Result<(), GpuError> {
    assert!(step.rows <= MATVEC_ROWS, "{} vectors", step.rows);
    assert!(step.inputs.is_multiple_of(8), "{} columns", step.inputs);
    let kernel = match (step.sums, step.rows) {
        (Sums::Bf16, ..=8) => "matvec_bf16_8",
        (Sums::Bf16, ..=16) => "matvec_bf16_16",
        (Sums::Bf16, _) => "matvec_bf16_32",
        (Sums::F32, ..=8) => "matvec_f32_8",
        (Sums::F32, ..=16) => "matvec_f32_16",
        (Sums::F32, _) => "matvec_f32_32",
        (Sums::Gated(_), ..=8) => "matvec_gated_8",
        (Sums::Gated(_), ..=16) => "matvec_gated_16",
        (Sums::Gated(_), _) => "matvec_gated_32",
    };
    let (rows_of_block, activation) = match step.sums {
        Sums::Gated(activation) => (8, known(activation)?),
        Sums::Bf16 | Sums::F32 => (16, 0),
    };
    let arguments = Arguments::new()
        .place(step.weight)
        .place(step.x)
        .place(step.out)
        .int(step.outputs)
        .int(step.inputs)
        .int(step.rows)
        .int(step.outputs)
        .int(activation);
    // SAFETY: as the caller vouches.
    unsafe { gpu.launch(kernel, [step.outputs.div_ceil(rows_of_block), 1, 1], 256, arguments) }
}

/// `residual[row] = scale * table[token of row]`
///
/// # Shapes
/// `table`: `(vocab, hidden)` bf16; `tokens`: `(rows)` u32; `residual`: `(rows, hidden)` f32, `hidden`
/// even.
///
/// # Safety
/// See the module; tokens are below `vocab`.
///
/// # Errors
/// [`GpuError`] of the device.
pub unsafe fn embed(
    gpu: &dyn Gpu,
    [table, tokens, residual]: [Place; 3],
    rows: usize,
    hidden: usize,
    scale: f32,
) -> Result<(), GpuError> {
    let arguments =
        Arguments::new().place(table).place(tokens).place(residual).int(hidden).float(scale);
    // SAFETY: as the caller vouches.
    unsafe { gpu.launch("embed", [rows, 1, 1], 256, arguments) }
}

/// `out = activation(gate) * up`
///
/// # Shapes
/// `both`: `(rows, 2 inner)` bf16, gates first; `out`: `(rows, inner)` bf16; `inner` a multiple of 8.
///
/// # Safety
/// See the module.
///
/// # Errors
/// [`GpuError`] of the device, or that there is no code for the activation.
///
/// # Panics
/// If `inner` is no multiple of 8.
pub unsafe fn gate_multiply(
    gpu: &dyn Gpu,
    [both, out]: [Place; 2],
    rows: usize,
    inner: usize,
    activation: Activation,
) -> Result<(), GpuError> {
    assert!(inner.is_multiple_of(8), "{inner} columns");
    let arguments = Arguments::new().place(both).place(out).int(inner).int(known(activation)?);
    // SAFETY: as the caller vouches.
    unsafe { gpu.launch("gate_multiply", [inner.div_ceil(8 * 256), rows, 1], 256, arguments) }
}

/// The likeliest token of each row, the first of equals; where there are `tokens` and `positions`, it
/// becomes the row's next token, and the row's position one more.
///
/// # Shapes
/// `logits`: `(rows, vocab)` f32; `picked`, `tokens`, `positions`: `(rows)` u32.
///
/// # Safety
/// See the module.
///
/// # Errors
/// [`GpuError`] of the device.
pub unsafe fn pick(
    gpu: &dyn Gpu,
    [logits, picked, tokens, positions]: [Place; 4],
    rows: usize,
    vocab: usize,
) -> Result<(), GpuError> {
    let arguments =
        Arguments::new().place(logits).place(picked).place(tokens).place(positions).int(vocab);
    // SAFETY: as the caller vouches.
    unsafe { gpu.launch("pick", [rows, 1, 1], 1024, arguments) }
}
