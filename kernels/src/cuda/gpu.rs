//! A place where kernels run: memory, launches, products of large matrices.
//!
//! Not here: which kernels there are.

use crate::matrix::Format;
use std::ffi::c_void;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What went wrong on a GPU.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GpuError {
    /// It has too little memory.
    OutOfMemory {
        /// Bytes that were asked for.
        wanted: usize,
        /// Bytes that were free then, where that is known.
        free: Option<usize>,
    },
    /// Anything else, in the words of who noticed.
    Failed {
        /// What was done.
        doing: String,
        /// What came of it.
        reason: String,
    },
}

impl GpuError {
    /// A failure of `doing`.
    pub(super) fn failed(doing: &str, reason: impl fmt::Display) -> Self {
        Self::Failed { doing: doing.into(), reason: reason.to_string() }
    }
}

impl fmt::Display for GpuError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OutOfMemory { wanted, free: Some(free) } => {
                write!(f, "out of memory on the GPU: {wanted} bytes asked for, {free} free")
            }
            Self::OutOfMemory { wanted, free: None } => {
                write!(f, "out of memory on the GPU: {wanted} bytes asked for")
            }
            Self::Failed { doing, reason } => write!(f, "{doing}: {reason}"),
        }
    }
}

impl std::error::Error for GpuError {}

/// An address in the memory of a GPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place(pub u64);

impl Place {
    /// Nothing: what kernels take for "there is none".
    pub const NONE: Self = Self(0);

    /// So many bytes further on.
    #[must_use]
    pub const fn plus(self, bytes: usize) -> Self {
        Self(self.0 + bytes as u64)
    }
}

/// Types of numbers that products of large matrices give.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NumberType {
    /// bfloat16.
    Bf16,
    /// Single precision.
    F32,
}

/// `out[r][o] = sum over i of x[r][i] weight[o][i]`, with sums in f32.
#[derive(Debug, Clone, Copy)]
pub struct Product {
    /// `(rows, inputs)` bf16.
    pub x: Place,
    /// `(outputs, inputs)` bf16.
    pub weight: Place,
    /// `(rows, outputs)`
    pub out: Place,
    /// Type of `out`.
    pub out_type: NumberType,
    /// Rows of `x`.
    pub rows: usize,
    /// Rows of `weight`.
    pub outputs: usize,
    /// Columns of both.
    pub inputs: usize,
}

/// As [`Product`], of weights in blocks and of activations that become int8 on the way.
#[derive(Debug, Clone, Copy)]
pub struct BlockProduct {
    /// Type of the blocks.
    pub format: Format,
    /// `(outputs, inputs)` in blocks, with [`BlockProduct::PADDING`] more bytes behind it.
    pub weight: Place,
    /// `(rows, inputs)` bf16.
    pub x: Place,
    /// `x` in f32, as many numbers; used where there are more than [`BlockProduct::FEW`] rows.
    pub x_wide: Place,
    /// Row `r` begins `r * stride` numbers further on.
    pub out: Place,
    /// Type of `out`: f32 where there are more than [`BlockProduct::FEW`] rows.
    pub out_type: NumberType,
    /// Numbers from one row of `out` to the next.
    pub stride: usize,
    /// Memory for the int8 activations: [`BlockProduct::scratch_bytes`].
    pub scratch: Place,
    /// Rows of `x`.
    pub rows: usize,
    /// Rows of `weight`.
    pub outputs: usize,
    /// Columns of both.
    pub inputs: usize,
}

impl BlockProduct {
    /// Rows up to which bf16 comes in and either type goes out; beyond them f32 in and out.
    pub const FEW: usize = 8;

    /// Bytes behind a matrix that the kernels may read.
    pub const PADDING: usize = 1024;

    /// Bytes of scratch for so many rows of so many columns: int8 numbers in padded rows with their
    /// scales, one tile more, and the partial tiles of 256 multiprocessors.
    #[must_use]
    pub const fn scratch_bytes(rows: usize, inputs: usize) -> usize {
        let padded = inputs.next_multiple_of(512);
        Self::PARTS + (rows + 128) * (padded / 128) * 144
    }

    /// Bytes of the partial tiles, which come first.
    pub(super) const PARTS: usize = 256 * 128 * 128 * 4;
}

/// Arguments of a kernel, in its order.
#[derive(Debug, Clone, Default)]
pub struct Arguments(Vec<u64>);

impl Arguments {
    /// None yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A pointer.
    #[must_use]
    pub fn place(mut self, place: Place) -> Self {
        self.0.push(place.0);
        self
    }

    /// A count, as a C `int`.
    ///
    /// # Panics
    /// If it is beyond one.
    #[must_use]
    pub fn int(mut self, count: usize) -> Self {
        let count = i32::try_from(count).expect("invariant: sizes of a launch are C ints");
        // The low half of a word is its first half in memory: GPUs and their hosts are little-endian.
        self.0.push(u64::from(count.cast_unsigned()));
        self
    }

    /// A C `int` that may be below 0.
    #[must_use]
    pub fn signed(mut self, number: i32) -> Self {
        self.0.push(u64::from(number.cast_unsigned()));
        self
    }

    /// An `unsigned long long`.
    #[must_use]
    pub fn long(mut self, number: u64) -> Self {
        self.0.push(number);
        self
    }

    /// A `float`.
    #[must_use]
    pub fn float(mut self, number: f32) -> Self {
        self.0.push(u64::from(number.to_bits()));
        self
    }

    /// One pointer an argument, as launches want them. Good as long as `self` stays where it is.
    pub(super) fn pointers(&mut self) -> Vec<*mut c_void> {
        self.0.iter_mut().map(|slot| std::ptr::from_mut(slot).cast()).collect()
    }
}

/// Launches that were recorded and can be repeated in one call.
pub trait Recording: Send {
    /// Does them all again, with the memory's content of now.
    ///
    /// # Errors
    /// [`GpuError`] of the device.
    fn replay(&self) -> Result<(), GpuError>;
}

/// Where kernels run. Everything is done in order; only [`Gpu::read`] and [`Gpu::synchronize`] wait.
pub trait Gpu: Send + Sync {
    /// What it is, for people.
    fn name(&self) -> String;

    /// How many blocks run side by side, about: multiprocessors.
    fn multiprocessors(&self) -> usize;

    /// Bytes free and in all; `None` where nobody counts.
    fn memory(&self) -> Option<(usize, usize)>;

    /// Most bytes that were allocated here at a time: by this, and by nobody else.
    fn allocated_peak(&self) -> usize;

    /// So many bytes, all 0.
    ///
    /// # Errors
    /// [`GpuError::OutOfMemory`].
    fn allocate(&self, bytes: usize) -> Result<Place, GpuError>;

    /// Gives memory back.
    ///
    /// # Safety
    /// It came from [`Gpu::allocate`] of this GPU, with as many bytes, and nobody uses it any more.
    unsafe fn free(&self, place: Place, bytes: usize);

    /// Copies bytes to the GPU.
    ///
    /// # Safety
    /// There must be as many there.
    ///
    /// # Errors
    /// [`GpuError`] of the device.
    unsafe fn write(&self, to: Place, bytes: &[u8]) -> Result<(), GpuError>;

    /// Waits for everything before it, and copies bytes from the GPU.
    ///
    /// # Safety
    /// As [`Gpu::write`].
    ///
    /// # Errors
    /// [`GpuError`] of the device, or of anything launched before.
    unsafe fn read(&self, from: Place, bytes: &mut [u8]) -> Result<(), GpuError>;

    /// Copies bytes within the GPU.
    ///
    /// # Safety
    /// As [`Gpu::write`], on both sides, which do not overlap.
    ///
    /// # Errors
    /// [`GpuError`] of the device.
    unsafe fn copy(&self, from: Place, to: Place, bytes: usize) -> Result<(), GpuError>;

    /// Runs a kernel over a grid of blocks of so many threads.
    ///
    /// # Safety
    /// The arguments must be those the kernel declares, and what it does with them allowed.
    ///
    /// # Errors
    /// [`GpuError`] of the device.
    unsafe fn launch(
        &self,
        kernel: &'static str,
        grid: [usize; 3],
        threads: usize,
        arguments: Arguments,
    ) -> Result<(), GpuError>;

    /// A product of large matrices.
    ///
    /// # Safety
    /// The matrices must be there.
    ///
    /// # Errors
    /// [`GpuError`] of the device.
    unsafe fn multiply(&self, product: Product) -> Result<(), GpuError>;

    /// A product with weights in blocks.
    ///
    /// # Safety
    /// The matrices and the scratch must be there.
    ///
    /// # Errors
    /// [`GpuError`] of the device, or that it has no code for the format.
    unsafe fn multiply_blocks(&self, product: BlockProduct) -> Result<(), GpuError>;

    /// Records what `steps` launches, without doing it. `None` where this GPU cannot.
    ///
    /// # Errors
    /// [`GpuError`] of `steps`, or of the recording.
    fn record(
        &self,
        steps: &mut dyn FnMut() -> Result<(), GpuError>,
    ) -> Result<Option<Box<dyn Recording>>, GpuError>;

    /// Waits until everything is done.
    ///
    /// # Errors
    /// [`GpuError`] of anything launched before.
    fn synchronize(&self) -> Result<(), GpuError>;
}

/// How many bytes are allocated, and how many were at most.
#[derive(Debug, Default)]
pub(super) struct Allocated {
    now: AtomicUsize,
    peak: AtomicUsize,
}

impl Allocated {
    pub(super) fn more(&self, bytes: usize) {
        let now = self.now.fetch_add(bytes, Ordering::Relaxed) + bytes;
        self.peak.fetch_max(now, Ordering::Relaxed);
    }

    pub(super) fn less(&self, bytes: usize) {
        self.now.fetch_sub(bytes, Ordering::Relaxed);
    }

    pub(super) fn peak(&self) -> usize {
        self.peak.load(Ordering::Relaxed)
    }
}

/// Memory of a GPU, given back when it is dropped.
pub struct Buffer {
    gpu: Arc<dyn Gpu>,
    place: Place,
    bytes: usize,
}

impl Buffer {
    /// So many bytes, all 0; none of 0 bytes.
    ///
    /// # Errors
    /// [`GpuError::OutOfMemory`].
    pub fn zeroed(gpu: &Arc<dyn Gpu>, bytes: usize) -> Result<Self, GpuError> {
        let place = if bytes == 0 { Place::NONE } else { gpu.allocate(bytes)? };
        Ok(Self { gpu: Arc::clone(gpu), place, bytes })
    }

    /// These bytes.
    ///
    /// # Errors
    /// As [`Buffer::zeroed`], and of the copy.
    pub fn of(gpu: &Arc<dyn Gpu>, bytes: &[u8]) -> Result<Self, GpuError> {
        let buffer = Self::zeroed(gpu, bytes.len())?;
        buffer.write(0, bytes)?;
        Ok(buffer)
    }

    /// Where it begins.
    #[must_use]
    pub const fn place(&self) -> Place {
        self.place
    }

    /// Its size.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Copies bytes into it.
    ///
    /// # Errors
    /// [`GpuError`] of the device.
    ///
    /// # Panics
    /// If they do not fit.
    pub fn write(&self, at: usize, bytes: &[u8]) -> Result<(), GpuError> {
        self.assert_holds(at, bytes.len());
        if bytes.is_empty() {
            return Ok(());
        }
        // SAFETY: there is room, as was just asserted.
        unsafe { self.gpu.write(self.place.plus(at), bytes) }
    }

    /// Copies bytes out of it, after all that was launched before.
    ///
    /// # Errors
    /// [`GpuError`] of the device.
    ///
    /// # Panics
    /// If there are not as many.
    pub fn read(&self, at: usize, bytes: &mut [u8]) -> Result<(), GpuError> {
        self.assert_holds(at, bytes.len());
        if bytes.is_empty() {
            return Ok(());
        }
        // SAFETY: they are there, as was just asserted.
        unsafe { self.gpu.read(self.place.plus(at), bytes) }
    }

    /// # Panics
    /// If it has no such bytes; a sum that wraps round must not hide that.
    fn assert_holds(&self, at: usize, bytes: usize) {
        let end = at.checked_add(bytes);
        let holds = end.is_some_and(|end| end <= self.bytes);
        assert!(holds, "{bytes} bytes at {at} of {}", self.bytes);
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if self.bytes > 0 {
            // SAFETY: allocated by `zeroed` with as many bytes; the GPU waits for what still uses it.
            unsafe { self.gpu.free(self.place, self.bytes) };
        }
    }
}
