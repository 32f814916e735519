//! The kernels on this CPU: their sources compiled by the system's C++ compiler, one thread of a
//! block after the other.
//!
//! For tests: it is some ten thousand times slower than a GPU. Products of large matrices, which a
//! vendor's library does on a GPU, are plain loops here.
//!
//! Not here: recordings; and what only a device can get wrong.

use super::gpu::{
    Allocated, Arguments, BlockProduct, Gpu, GpuError, NumberType, Place, Product, Recording,
};
use crate::matrix::bf16::round_to_bf16;
use crate::matrix::dequantise;
#[cfg(unix)]
use std::ffi::CStr;
use std::ffi::{CString, c_char, c_int, c_void};
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Why kernels cannot be emulated here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoCompiler {
    /// Whether there is no compiler at all, and not one that refuses the sources.
    pub missing: bool,
    /// What is missing, or what the compiler said.
    pub reason: String,
}

impl fmt::Display for NoCompiler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the CUDA kernels cannot be emulated: {}", self.reason)
    }
}

impl std::error::Error for NoCompiler {}

impl NoCompiler {
    fn refused(reason: String) -> Self {
        Self { missing: false, reason }
    }
}

/// `emulated_launch` of `emulation.cpp`.
type Launch = unsafe extern "C" fn(*const c_char, *const u32, u32, *mut *mut c_void) -> c_int;

/// The kernels as a library of this CPU.
pub struct Emulation {
    launch: Launch,
    allocated: Allocated,
}

#[cfg(unix)]
unsafe extern "C" {
    fn dlopen(name: *const c_char, flags: c_int) -> *mut c_void;
    fn dlsym(library: *mut c_void, name: *const c_char) -> *mut c_void;
    fn dlerror() -> *mut c_char;
}

impl Emulation {
    /// Compiles the kernels with `c++`, or with what the variable `CXX` names.
    ///
    /// # Errors
    /// [`NoCompiler`] where there is none, or the sources are not where they were built from.
    pub fn new() -> Result<Self, NoCompiler> {
        let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("cuda/emulation");
        let library = compile(&sources.join("emulation.cpp"))?;
        let launch = open(&library);
        // It stays mapped.
        let _ = library.parent().map(std::fs::remove_dir_all);
        Ok(Self { launch: launch?, allocated: Allocated::default() })
    }
}

/// A fresh folder that nobody else can write to: what lies in it is loaded as code.
fn fresh_folder() -> std::io::Result<PathBuf> {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    #[cfg_attr(not(unix), expect(unused_mut, reason = "folders have no mode there"))]
    let mut builder = std::fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    loop {
        let of_this = (std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let name = format!("freeweights-emulation-{}-{}", of_this.0, of_this.1);
        let folder = std::env::temp_dir().join(name);
        match builder.create(&folder) {
            // Somebody else's, or left by an earlier process of the same number.
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            done => return done.map(|()| folder),
        }
    }
}

fn compile(source: &Path) -> Result<PathBuf, NoCompiler> {
    let folder = fresh_folder().map_err(|error| {
        NoCompiler::refused(format!("no fresh folder for temporary files: {error}"))
    })?;
    let library = folder.join("emulation.so");
    let compiler = std::env::var("CXX").unwrap_or_else(|_| "c++".into());
    let output = Command::new(&compiler)
        .args(["-std=c++17", "-O2", "-fPIC", "-shared", "-Wno-unknown-pragmas"])
        // Its check takes a jump to another fiber for a jump into a frame that has ended.
        .args(["-U_FORTIFY_SOURCE", "-o"])
        .arg(&library)
        .arg(source)
        .output()
        .map_err(|error| NoCompiler {
            missing: true,
            reason: format!("no C++ compiler {compiler}: {error}"),
        })?;
    if output.status.success() {
        return Ok(library);
    }
    let _ = std::fs::remove_dir_all(&folder);
    Err(NoCompiler::refused(String::from_utf8_lossy(&output.stderr).into_owned()))
}

#[cfg(not(unix))]
fn open(_library: &Path) -> Result<Launch, NoCompiler> {
    Err(NoCompiler { missing: true, reason: "only on systems with dlopen".into() })
}

#[cfg(unix)]
fn open(library: &Path) -> Result<Launch, NoCompiler> {
    use std::os::unix::ffi::OsStrExt;

    const NOW: c_int = 2;
    let name = CString::new(library.as_os_str().as_bytes())
        .map_err(|error| NoCompiler::refused(error.to_string()))?;
    // SAFETY: names end in 0; what the library does when it is opened is construct its statics. It is
    // never closed, so the function stays, and it is of the type that emulation.cpp gives it.
    unsafe {
        let opened = dlopen(name.as_ptr(), NOW);
        let found = if opened.is_null() {
            std::ptr::null_mut()
        } else {
            dlsym(opened, c"emulated_launch".as_ptr())
        };
        if found.is_null() {
            let error = dlerror();
            let reason = if error.is_null() {
                "the library lacks its function".into()
            } else {
                CStr::from_ptr(error).to_string_lossy().into_owned()
            };
            return Err(NoCompiler::refused(reason));
        }
        Ok(std::mem::transmute::<*mut c_void, Launch>(found))
    }
}

/// Memory for 16-byte loads.
fn layout(bytes: usize) -> Result<std::alloc::Layout, GpuError> {
    std::alloc::Layout::from_size_align(bytes, 256)
        .map_err(|_| GpuError::OutOfMemory { wanted: bytes, free: None })
}

fn pointer<T>(place: Place) -> *mut T {
    std::ptr::with_exposed_provenance_mut(usize::try_from(place.0).unwrap_or(0))
}

impl Gpu for Emulation {
    fn name(&self) -> String {
        "emulated on this CPU".into()
    }

    fn multiprocessors(&self) -> usize {
        4
    }

    fn memory(&self) -> Option<(usize, usize)> {
        None
    }

    fn allocated_peak(&self) -> usize {
        self.allocated.peak()
    }

    fn allocate(&self, bytes: usize) -> Result<Place, GpuError> {
        // SAFETY: the size is not 0: buffers of no bytes allocate nothing.
        let memory = unsafe { std::alloc::alloc_zeroed(layout(bytes.max(1))?) };
        if memory.is_null() {
            return Err(GpuError::OutOfMemory { wanted: bytes, free: None });
        }
        self.allocated.more(bytes);
        Ok(Place(memory.expose_provenance() as u64))
    }

    unsafe fn free(&self, place: Place, bytes: usize) {
        self.allocated.less(bytes);
        if let Ok(layout) = layout(bytes.max(1)) {
            // SAFETY: `allocate` made it with this layout, as the caller vouches.
            unsafe { std::alloc::dealloc(pointer(place), layout) };
        }
    }

    unsafe fn write(&self, to: Place, bytes: &[u8]) -> Result<(), GpuError> {
        // SAFETY: as the caller vouches.
        unsafe { pointer::<u8>(to).copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
        Ok(())
    }

    unsafe fn read(&self, from: Place, bytes: &mut [u8]) -> Result<(), GpuError> {
        // SAFETY: as the caller vouches.
        unsafe { pointer::<u8>(from).copy_to_nonoverlapping(bytes.as_mut_ptr(), bytes.len()) };
        Ok(())
    }

    unsafe fn copy(&self, from: Place, to: Place, bytes: usize) -> Result<(), GpuError> {
        // SAFETY: as the caller vouches.
        unsafe { pointer::<u8>(from).copy_to_nonoverlapping(pointer(to), bytes) };
        Ok(())
    }

    unsafe fn launch(
        &self,
        kernel: &'static str,
        grid: [usize; 3],
        threads: usize,
        mut arguments: Arguments,
    ) -> Result<(), GpuError> {
        let int = |n: usize| u32::try_from(n).map_err(|error| GpuError::failed(kernel, error));
        let grid = [int(grid[0])?, int(grid[1])?, int(grid[2])?];
        let name = CString::new(kernel).map_err(|error| GpuError::failed(kernel, error))?;
        let mut pointers = arguments.pointers();
        // SAFETY: the arguments live until the call is over; they fit the kernel, as the caller
        // vouches.
        let answer = unsafe {
            (self.launch)(name.as_ptr(), grid.as_ptr(), int(threads)?, pointers.as_mut_ptr())
        };
        if answer == 0 { Ok(()) } else { Err(GpuError::failed(kernel, "there is no such kernel")) }
    }

    unsafe fn multiply(&self, product: Product) -> Result<(), GpuError> {
        let Product { rows, outputs, inputs, .. } = product;
        // SAFETY: the matrices are there, as the caller vouches.
        let (x, weight) = unsafe {
            (
                std::slice::from_raw_parts(pointer::<u16>(product.x), rows * inputs),
                std::slice::from_raw_parts(pointer::<u16>(product.weight), outputs * inputs),
            )
        };
        for row in 0..rows {
            for output in 0..outputs {
                let x = x[row * inputs..][..inputs].iter();
                let weight = &weight[output * inputs..][..inputs];
                let sum = x.zip(weight).map(|(x, w)| widened(*x) * widened(*w)).sum();
                // SAFETY: in the matrix of results.
                unsafe { store(product.out, product.out_type, row * outputs + output, sum) };
            }
        }
        Ok(())
    }

    /// Without rounding activations to int8: a test sees what the rest makes of it.
    unsafe fn multiply_blocks(&self, product: BlockProduct) -> Result<(), GpuError> {
        let BlockProduct { format, rows, outputs, inputs, .. } = product;
        let row_bytes = inputs / format.block_weights() * format.block_bytes();
        let few = rows <= BlockProduct::FEW;
        for output in 0..outputs {
            // SAFETY: the matrices are there, as the caller vouches.
            let stored = unsafe {
                let first = pointer::<u8>(product.weight).add(output * row_bytes);
                std::slice::from_raw_parts(first, row_bytes)
            };
            let weight = dequantise(format, stored);
            for row in 0..rows {
                let number = |column: usize| {
                    let at = row * inputs + column;
                    // SAFETY: as above; where there are many rows the wide ones are there.
                    unsafe {
                        if few {
                            widened(*pointer::<u16>(product.x).add(at))
                        } else {
                            *pointer::<f32>(product.x_wide).add(at)
                        }
                    }
                };
                let sum = weight.iter().enumerate().map(|(i, weight)| number(i) * weight).sum();
                // SAFETY: in the matrix of results.
                unsafe {
                    store(product.out, product.out_type, row * product.stride + output, sum);
                }
            }
        }
        Ok(())
    }

    fn record(
        &self,
        _steps: &mut dyn FnMut() -> Result<(), GpuError>,
    ) -> Result<Option<Box<dyn Recording>>, GpuError> {
        Ok(None)
    }

    fn synchronize(&self) -> Result<(), GpuError> {
        Ok(())
    }
}

fn widened(bits: u16) -> f32 {
    f32::from_bits(u32::from(bits) << 16)
}

/// # Safety
/// There must be a number at `at`.
unsafe fn store(out: Place, kind: NumberType, at: usize, number: f32) {
    // SAFETY: as the caller vouches.
    unsafe {
        match kind {
            NumberType::Bf16 => *pointer::<u16>(out).add(at) = round_to_bf16(number),
            NumberType::F32 => *pointer::<f32>(out).add(at) = number,
        }
    }
}
