//! The emulation with recordings: what a step launches is kept, and done again when it is replayed.
//!
//! A recording that needs anything from the host between its launches, or memory that moves, shows
//! here as it would on a device.

use freeweights_kernels::cuda::{
    Arguments, BlockProduct, Emulation, Gpu, GpuError, Place, Product, Recording,
};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// Something launched.
#[derive(Clone)]
enum Call {
    Kernel(&'static str, [usize; 3], usize, Arguments),
    Product(Product),
    Blocks(BlockProduct),
}

impl Call {
    /// # Safety
    /// As of the launch itself.
    unsafe fn run(self, gpu: &Emulation) -> Result<(), GpuError> {
        // SAFETY: as the caller vouches.
        unsafe {
            match self {
                Self::Kernel(kernel, grid, threads, arguments) => {
                    gpu.launch(kernel, grid, threads, arguments)
                }
                Self::Product(product) => gpu.multiply(product),
                Self::Blocks(product) => gpu.multiply_blocks(product),
            }
        }
    }
}

/// The emulation, which records.
pub(super) struct Recorder {
    gpu: Arc<Emulation>,
    /// What was launched since a recording began; none outside of one.
    under_way: Mutex<Option<Vec<Call>>>,
    replays: Arc<AtomicUsize>,
}

impl Recorder {
    /// The recorder, and how often anything of it was replayed; `None` without a compiler.
    pub(super) fn open() -> Option<(Arc<dyn Gpu>, Arc<AtomicUsize>)> {
        let gpu = Arc::new(Emulation::new().ok()?);
        let replays = Arc::new(AtomicUsize::new(0));
        let under_way = Mutex::new(None);
        let gpu = Self { gpu, under_way, replays: Arc::clone(&replays) };
        Some((Arc::new(gpu), replays))
    }

    fn take(&self, call: Call) -> Result<(), GpuError> {
        if let Some(calls) = self.under_way.lock().unwrap().as_mut() {
            calls.push(call);
            return Ok(());
        }
        // SAFETY: as the caller of the launch vouches.
        unsafe { call.run(&self.gpu) }
    }

    fn not_recorded(&self, what: &str) {
        assert!(self.under_way.lock().unwrap().is_none(), "{what} within a recording");
    }
}

struct Recorded {
    gpu: Arc<Emulation>,
    calls: Vec<Call>,
    replays: Arc<AtomicUsize>,
}

impl Recording for Recorded {
    fn replay(&self) -> Result<(), GpuError> {
        self.replays.fetch_add(1, Ordering::Relaxed);
        for call in &self.calls {
            // SAFETY: the engine keeps its memory where it was recorded.
            unsafe { call.clone().run(&self.gpu)? };
        }
        Ok(())
    }
}

impl Gpu for Recorder {
    fn name(&self) -> String {
        "recorded".into()
    }

    fn multiprocessors(&self) -> usize {
        self.gpu.multiprocessors()
    }

    fn memory(&self) -> Option<(usize, usize)> {
        None
    }

    fn allocated_peak(&self) -> usize {
        self.gpu.allocated_peak()
    }

    fn allocate(&self, bytes: usize) -> Result<Place, GpuError> {
        self.not_recorded("allocating");
        self.gpu.allocate(bytes)
    }

    unsafe fn free(&self, place: Place, bytes: usize) {
        self.not_recorded("freeing");
        // SAFETY: as the caller vouches, here and below.
        unsafe { self.gpu.free(place, bytes) }
    }

    unsafe fn write(&self, to: Place, bytes: &[u8]) -> Result<(), GpuError> {
        self.not_recorded("writing");
        // SAFETY: see above.
        unsafe { self.gpu.write(to, bytes) }
    }

    unsafe fn read(&self, from: Place, bytes: &mut [u8]) -> Result<(), GpuError> {
        self.not_recorded("reading");
        // SAFETY: see above.
        unsafe { self.gpu.read(from, bytes) }
    }

    unsafe fn copy(&self, from: Place, to: Place, bytes: usize) -> Result<(), GpuError> {
        self.not_recorded("copying");
        // SAFETY: see above.
        unsafe { self.gpu.copy(from, to, bytes) }
    }

    unsafe fn launch(
        &self,
        kernel: &'static str,
        grid: [usize; 3],
        threads: usize,
        arguments: Arguments,
    ) -> Result<(), GpuError> {
        self.take(Call::Kernel(kernel, grid, threads, arguments))
    }

    unsafe fn multiply(&self, product: Product) -> Result<(), GpuError> {
        self.take(Call::Product(product))
    }

    unsafe fn multiply_blocks(&self, product: BlockProduct) -> Result<(), GpuError> {
        self.take(Call::Blocks(product))
    }

    fn record(
        &self,
        steps: &mut dyn FnMut() -> Result<(), GpuError>,
    ) -> Result<Option<Box<dyn Recording>>, GpuError> {
        *self.under_way.lock().unwrap() = Some(Vec::new());
        let done = steps();
        let calls = self.under_way.lock().unwrap().take().unwrap();
        done?;
        let (gpu, replays) = (Arc::clone(&self.gpu), Arc::clone(&self.replays));
        Ok(Some(Box::new(Recorded { gpu, calls, replays })))
    }

    fn synchronize(&self) -> Result<(), GpuError> {
        self.not_recorded("waiting");
        Ok(())
    }
}
