//! An NVIDIA GPU, through its driver.
//!
//! One stream, on which everything is done in order. Memory comes from the driver in one piece a
//! buffer: few are made, and none within a measurement.
//!
//! Not here: products ([`super::products`]).

use super::gpu::{Allocated, Arguments, BlockProduct, Gpu, GpuError, Place, Product, Recording};
use super::products::Library;
use cudarc::driver::sys::CUdevice_attribute::CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT;
use cudarc::driver::sys::{CUgraphInstantiate_flags, CUresult, CUstreamCaptureMode};
use cudarc::driver::{
    CudaContext, CudaFunction, CudaGraph, CudaModule, CudaStream, DriverError, result,
};
use cudarc::nvrtc::Ptx;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// The kernels: machine code for one GPU, and PTX for later ones.
const KERNELS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/kernels.fatbin"));

/// An NVIDIA GPU.
pub struct Device {
    pub(super) context: Arc<CudaContext>,
    pub(super) stream: Arc<CudaStream>,
    module: Arc<CudaModule>,
    /// Kernels that were launched before.
    functions: Mutex<HashMap<&'static str, CudaFunction>>,
    multiprocessors: usize,
    allocated: Allocated,
    pub(super) library: Library,
}

/// The error of the driver at something.
pub(super) fn driver(doing: &str) -> impl Fn(DriverError) -> GpuError + '_ {
    move |error| GpuError::failed(doing, error)
}

impl Device {
    /// Opens what GPUs need here, without any GPU: to be called before anything else uses CUDA.
    ///
    /// # Errors
    /// [`GpuError::Failed`]: `no NVIDIA driver here`, or which library is missing.
    pub fn open_driver() -> Result<(), GpuError> {
        #[cfg(unix)]
        super::driver::open()?;
        Ok(())
    }

    /// Opens a GPU by its number.
    ///
    /// # Errors
    /// [`GpuError::Failed`] where there is no driver, no such GPU, or it cannot run the kernels.
    pub fn new(ordinal: usize) -> Result<Self, GpuError> {
        Self::open_driver()?;
        let context = CudaContext::new(ordinal).map_err(driver("opening the GPU"))?;
        let stream = context.new_stream().map_err(driver("a stream"))?;
        let module = context
            .load_module(Ptx::from_binary(KERNELS.to_vec()))
            .map_err(driver("loading the kernels"))?;
        let count = context
            .attribute(CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT)
            .map_err(driver("counting multiprocessors"))?;
        let library = Library::new(&context, &stream)?;
        Ok(Self {
            multiprocessors: usize::try_from(count).unwrap_or(1),
            functions: Mutex::new(HashMap::new()),
            allocated: Allocated::default(),
            context,
            stream,
            module,
            library,
        })
    }

    /// Seconds that something took on the GPU, by its own clock.
    ///
    /// # Errors
    /// [`GpuError`] of `work` or of the device.
    pub(super) fn seconds(
        &self,
        work: &mut dyn FnMut() -> Result<(), GpuError>,
    ) -> Result<f64, GpuError> {
        let event = || self.context.new_event(Some(TIMED)).map_err(driver("an event"));
        let (before, after) = (event()?, event()?);
        before.record(&self.stream).map_err(driver("an event"))?;
        work()?;
        after.record(&self.stream).map_err(driver("an event"))?;
        let milliseconds = before.elapsed_ms(&after).map_err(driver("timing"))?;
        Ok(f64::from(milliseconds) / 1e3)
    }

    fn bind(&self) -> Result<(), GpuError> {
        self.context.bind_to_thread().map_err(driver("the GPU's context"))
    }

    fn function(&self, kernel: &'static str) -> Result<CudaFunction, GpuError> {
        let mut functions = self.functions.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(function) = functions.get(kernel) {
            return Ok(function.clone());
        }
        let function = self.module.load_function(kernel).map_err(driver(kernel))?;
        functions.insert(kernel, function.clone());
        Ok(function)
    }
}

/// Events that know when they happened.
const TIMED: cudarc::driver::sys::CUevent_flags =
    cudarc::driver::sys::CUevent_flags::CU_EVENT_DEFAULT;

impl Gpu for Device {
    fn name(&self) -> String {
        self.context.name().unwrap_or_else(|_| "NVIDIA GPU".into())
    }

    fn multiprocessors(&self) -> usize {
        self.multiprocessors
    }

    fn memory(&self) -> Option<(usize, usize)> {
        self.context.mem_get_info().ok()
    }

    fn allocated_peak(&self) -> usize {
        self.allocated.peak()
    }

    fn allocate(&self, bytes: usize) -> Result<Place, GpuError> {
        self.bind()?;
        // SAFETY: what is allocated is filled before anybody sees it.
        let allocated = unsafe { result::malloc_sync(bytes) };
        let place = allocated.map_err(|error| match error.0 {
            CUresult::CUDA_ERROR_OUT_OF_MEMORY => {
                GpuError::OutOfMemory { wanted: bytes, free: self.memory().map(|(free, _)| free) }
            }
            _ => GpuError::failed("allocating", error),
        })?;
        // SAFETY: just allocated, as many bytes.
        unsafe { result::memset_d8_async(place, 0, bytes, self.stream.cu_stream()) }
            .map_err(driver("zeroing memory"))?;
        self.allocated.more(bytes);
        Ok(Place(place))
    }

    unsafe fn free(&self, place: Place, bytes: usize) {
        self.allocated.less(bytes);
        // Errors of earlier launches would come up here again; they were reported where they began.
        let _ = self.bind();
        let _ = self.stream.synchronize();
        // SAFETY: as the caller vouches.
        let _ = unsafe { result::free_sync(place.0) };
    }

    unsafe fn write(&self, to: Place, bytes: &[u8]) -> Result<(), GpuError> {
        self.bind()?;
        // SAFETY: as the caller vouches. From ordinary memory the driver has copied the bytes away
        // before it returns.
        unsafe { result::memcpy_htod_async(to.0, bytes, self.stream.cu_stream()) }
            .map_err(driver("copying to the GPU"))
    }

    unsafe fn read(&self, from: Place, bytes: &mut [u8]) -> Result<(), GpuError> {
        self.bind()?;
        // SAFETY: as the caller vouches; the bytes are borrowed until the copy is done.
        unsafe { result::memcpy_dtoh_async(bytes, from.0, self.stream.cu_stream()) }
            .map_err(driver("copying from the GPU"))?;
        self.synchronize()
    }

    unsafe fn copy(&self, from: Place, to: Place, bytes: usize) -> Result<(), GpuError> {
        self.bind()?;
        // SAFETY: as the caller vouches.
        unsafe { result::memcpy_dtod_async(to.0, from.0, bytes, self.stream.cu_stream()) }
            .map_err(driver("copying within the GPU"))
    }

    unsafe fn launch(
        &self,
        kernel: &'static str,
        grid: [usize; 3],
        threads: usize,
        mut arguments: Arguments,
    ) -> Result<(), GpuError> {
        let function = self.function(kernel)?;
        self.bind()?;
        let int = |n: usize| u32::try_from(n).map_err(|error| GpuError::failed(kernel, error));
        let grid = (int(grid[0])?, int(grid[1])?, int(grid[2])?);
        let (threads, stream) = ((int(threads)?, 1, 1), self.stream.cu_stream());
        let mut pointers = arguments.pointers();
        // SAFETY: the driver copies the arguments before it returns; they fit the kernel, and what it
        // does is allowed, as the caller vouches.
        unsafe {
            result::launch_kernel(function.cu_function(), grid, threads, 0, stream, &mut pointers)
        }
        .map_err(driver(kernel))
    }

    unsafe fn multiply(&self, product: Product) -> Result<(), GpuError> {
        self.bind()?;
        // SAFETY: as the caller vouches.
        unsafe { self.library.multiply(product) }
    }

    unsafe fn multiply_blocks(&self, product: BlockProduct) -> Result<(), GpuError> {
        self.bind()?;
        // SAFETY: as the caller vouches.
        unsafe { self.library.multiply_blocks(product, &self.stream) }
    }

    fn record(
        &self,
        steps: &mut dyn FnMut() -> Result<(), GpuError>,
    ) -> Result<Option<Box<dyn Recording>>, GpuError> {
        self.synchronize()?;
        self.stream
            .begin_capture(CUstreamCaptureMode::CU_STREAM_CAPTURE_MODE_THREAD_LOCAL)
            .map_err(driver("recording"))?;
        let done = steps();
        // It ends in any case, or the stream stays unusable.
        let ended = self.stream.end_capture(CUgraphInstantiate_flags(0));
        done?;
        let graph = ended.map_err(driver("recording"))?;
        Ok(graph.map(|graph| Box::new(Recorded(graph)) as Box<dyn Recording>))
    }

    fn synchronize(&self) -> Result<(), GpuError> {
        self.bind()?;
        self.stream.synchronize().map_err(driver("waiting for the GPU"))
    }
}

/// A graph of the driver.
struct Recorded(CudaGraph);

// SAFETY: handles of the driver may go to other threads; what must not happen, two threads using it
// at once, cannot, as it is not `Sync`.
unsafe impl Send for Recorded {}

impl Recording for Recorded {
    fn replay(&self) -> Result<(), GpuError> {
        self.0.launch().map_err(driver("replaying"))
    }
}
