//! Products of large matrices, by cuBLAS, and of quantised ones, by candle's kernels.
//!
//! candle's are those of llama.cpp: activations become int8 by blocks of 32; up to eight rows go
//! through a matrix-vector kernel, more through a tiled one on the tensor cores. They are called here
//! with memory of our own, where candle would allocate, so that a step can be recorded.
//!
//! Not here: a few rows of bf16, for which [`super::steps::matvec`] is made.

use super::device::driver;
use super::gpu::{BlockProduct, GpuError, NumberType, Place, Product};
use crate::matrix::Format;
use candle_kernels::ffi;
use cudarc::cublas::CudaBlas;
use cudarc::cublas::result::gemm_ex;
use cudarc::cublas::sys::{
    cublasComputeType_t, cublasGemmAlgo_t, cublasOperation_t, cublasSetWorkspace_v2, cudaDataType,
};
use cudarc::driver::sys::CUdevice_attribute as Attribute;
use cudarc::driver::{CudaContext, CudaStream, result};
use std::ffi::c_void;
use std::sync::{Arc, Mutex, PoisonError};

/// What cuBLAS may use beside the matrices: what NVIDIA recommends for Hopper, and of our own, as a
/// recording may not allocate.
const WORKSPACE: usize = 32 << 20;

/// cuBLAS, and what candle's kernels want to know of the GPU.
pub(super) struct Library {
    /// One thread at a time.
    pub(super) blas: Mutex<CudaBlas>,
    context: Arc<CudaContext>,
    pub(super) workspace: u64,
    /// Compute capability, times a hundred.
    capability: i32,
    multiprocessors: i32,
    shared_bytes: i32,
}

/// How many numbers of a row candle's kernels pad to.
const PADDED: usize = 512;

/// Numbers of a block of int8 activations, and its bytes.
const BLOCK: usize = 32;
const BLOCK_BYTES: usize = 36;

type Few = unsafe extern "C" fn(
    *const c_void,
    *const c_void,
    *mut c_void,
    i32,
    i32,
    i32,
    i32,
    i32,
    *mut c_void,
);

type Many = unsafe extern "C" fn(
    *mut c_void,
    *const c_void,
    *const c_void,
    *mut c_void,
    i64,
    i64,
    i64,
    i64,
    i64,
    i32,
    i32,
    i64,
    i32,
    *mut c_void,
);

type Quantise = unsafe extern "C" fn(
    *const c_void,
    *const i32,
    *mut c_void,
    i32,
    i64,
    i64,
    i64,
    i64,
    i64,
    i64,
    i64,
    i64,
    *mut c_void,
);

/// candle's functions for a format: of few rows into bf16 and into f32, of many, and what makes int8
/// of many rows.
struct Functions {
    bf16: Few,
    f32: Few,
    many: Many,
    quantise: Quantise,
}

fn functions(format: Format) -> Functions {
    let (bf16, f32, many, quantise): (Few, Few, Many, Quantise) = match format {
        Format::Q4_0 => (
            ffi::launch_mmvq_gguf_q4_0_bf16_plain,
            ffi::launch_mmvq_gguf_q4_0_f32_plain,
            ffi::launch_mmq_gguf_q4_0,
            ffi::launch_mmq_quantize_q8_1_DS4,
        ),
        Format::Q4_1 => (
            ffi::launch_mmvq_gguf_q4_1_bf16_plain,
            ffi::launch_mmvq_gguf_q4_1_f32_plain,
            ffi::launch_mmq_gguf_q4_1,
            ffi::launch_mmq_quantize_q8_1_DS4,
        ),
        Format::Q5_0 => (
            ffi::launch_mmvq_gguf_q5_0_bf16_plain,
            ffi::launch_mmvq_gguf_q5_0_f32_plain,
            ffi::launch_mmq_gguf_q5_0,
            ffi::launch_mmq_quantize_q8_1_D4,
        ),
        Format::Q5_1 => (
            ffi::launch_mmvq_gguf_q5_1_bf16_plain,
            ffi::launch_mmvq_gguf_q5_1_f32_plain,
            ffi::launch_mmq_gguf_q5_1,
            ffi::launch_mmq_quantize_q8_1_DS4,
        ),
        Format::Q8_0 => (
            ffi::launch_mmvq_gguf_q8_0_bf16_plain,
            ffi::launch_mmvq_gguf_q8_0_f32_plain,
            ffi::launch_mmq_gguf_q8_0,
            ffi::launch_mmq_quantize_q8_1_D4,
        ),
        Format::Q4_K => (
            ffi::launch_mmvq_gguf_q4_k_bf16_plain,
            ffi::launch_mmvq_gguf_q4_k_f32_plain,
            ffi::launch_mmq_gguf_q4_k,
            ffi::launch_mmq_quantize_q8_1_DS4,
        ),
        Format::Q5_K => (
            ffi::launch_mmvq_gguf_q5_k_bf16_plain,
            ffi::launch_mmvq_gguf_q5_k_f32_plain,
            ffi::launch_mmq_gguf_q5_k,
            ffi::launch_mmq_quantize_q8_1_DS4,
        ),
        Format::Q6_K => (
            ffi::launch_mmvq_gguf_q6_k_bf16_plain,
            ffi::launch_mmvq_gguf_q6_k_f32_plain,
            ffi::launch_mmq_gguf_q6_k,
            ffi::launch_mmq_quantize_q8_1_D4,
        ),
    };
    Functions { bf16, f32, many, quantise }
}

impl Library {
    pub(super) fn new(
        context: &Arc<CudaContext>,
        stream: &Arc<CudaStream>,
    ) -> Result<Self, GpuError> {
        let blas = CudaBlas::new(Arc::clone(stream))
            .map_err(|error| GpuError::failed("opening cuBLAS", error))?;
        // SAFETY: nobody reads it before cuBLAS has written it.
        let workspace = unsafe { result::malloc_sync(WORKSPACE) }.map_err(driver("a workspace"))?;
        // SAFETY: the handle is open; the workspace stays until it is dropped with it.
        let status =
            unsafe { cublasSetWorkspace_v2(*blas.handle(), pointer(Place(workspace)), WORKSPACE) };
        status.result().map_err(|error| GpuError::failed("cuBLAS's workspace", error))?;
        let attribute = |which| context.attribute(which).map_err(driver("asking the GPU"));
        let major = attribute(Attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR)?;
        let minor = attribute(Attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR)?;
        Ok(Self {
            blas: Mutex::new(blas),
            context: Arc::clone(context),
            workspace,
            capability: 100 * major + 10 * minor,
            multiprocessors: attribute(Attribute::CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT)?,
            shared_bytes: attribute(
                Attribute::CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN,
            )?,
        })
    }

    /// # Safety
    /// As [`super::Gpu::multiply`].
    pub(super) unsafe fn multiply(&self, product: Product) -> Result<(), GpuError> {
        let out_type = match product.out_type {
            NumberType::Bf16 => cudaDataType::CUDA_R_16BF,
            NumberType::F32 => cudaDataType::CUDA_R_32F,
        };
        let types = (cudaDataType::CUDA_R_16BF, out_type, cublasComputeType_t::CUBLAS_COMPUTE_32F);
        // SAFETY: as the caller vouches.
        unsafe { self.multiply_as(product, types, &[1.0_f32, 0.0]) }
    }

    /// The product in any types; the factors are 1 and 0, in the type of the sums.
    ///
    /// # Safety
    /// As [`super::Gpu::multiply`], the matrices being of these types.
    pub(super) unsafe fn multiply_as<T>(
        &self,
        product: Product,
        (in_type, out_type, sums): (cudaDataType, cudaDataType, cublasComputeType_t),
        factors: &[T; 2],
    ) -> Result<(), GpuError> {
        let int = |n: usize| i32::try_from(n).map_err(|error| GpuError::failed("a product", error));
        let [rows, outputs, inputs] =
            [int(product.rows)?, int(product.outputs)?, int(product.inputs)?];
        let blas = self.blas.lock().unwrap_or_else(PoisonError::into_inner);
        // Columns first, as cuBLAS has it, our rows are columns: out^T = weight x^T, of which the
        // weights, as they lie, are the transpose.
        // SAFETY: the handle is open, the factors outlive the call, and the matrices are there.
        unsafe {
            gemm_ex(
                *blas.handle(),
                cublasOperation_t::CUBLAS_OP_T,
                cublasOperation_t::CUBLAS_OP_N,
                outputs,
                rows,
                inputs,
                std::ptr::from_ref(&factors[0]).cast(),
                pointer(product.weight),
                in_type,
                inputs,
                pointer(product.x),
                in_type,
                inputs,
                std::ptr::from_ref(&factors[1]).cast(),
                pointer(product.out),
                out_type,
                outputs,
                sums,
                cublasGemmAlgo_t::CUBLAS_GEMM_DEFAULT,
            )
        }
        .map_err(|error| GpuError::failed("a product", error))
    }

    /// # Safety
    /// As [`super::Gpu::multiply_blocks`].
    pub(super) unsafe fn multiply_blocks(
        &self,
        product: BlockProduct,
        stream: &CudaStream,
    ) -> Result<(), GpuError> {
        let int = |n: usize| i32::try_from(n).map_err(|error| GpuError::failed("a product", error));
        let BlockProduct { rows, outputs, inputs, .. } = product;
        let functions = functions(product.format);
        let padded = inputs.next_multiple_of(PADDED);
        let stream: *mut c_void = stream.cu_stream().cast();
        let (weight, out) = (pointer(product.weight), pointer(product.out));
        let activations = pointer(product.scratch.plus(BlockProduct::PARTS));
        if rows <= BlockProduct::FEW {
            let multiply = match product.out_type {
                NumberType::Bf16 => functions.bf16,
                NumberType::F32 => functions.f32,
            };
            let blocks = int(padded / BLOCK)?;
            debug_assert!(
                rows * padded / BLOCK * BLOCK_BYTES <= (rows + 128) * (padded / 128) * 144
            );
            let (columns, padded, rows) = (int(inputs)?, int(padded)?, int(rows)?);
            let (height, stride) = (int(outputs)?, int(product.stride)?);
            // SAFETY: as the caller vouches; the activations fit the scratch.
            unsafe {
                let x = pointer(product.x);
                ffi::launch_mmvq_gguf_quantize_q8_1_bf16(
                    x,
                    activations,
                    columns,
                    padded,
                    rows,
                    stream,
                );
                multiply(weight, activations, out, columns, height, blocks, stride, rows, stream);
            }
            return Ok(());
        }
        if product.out_type != NumberType::F32 {
            return Err(GpuError::failed("a product", "many rows of blocks give f32"));
        }
        let long = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
        let blocks_of_row = long(inputs / product.format.block_weights());
        // SAFETY: as above.
        unsafe {
            (functions.quantise)(
                pointer(product.x_wide),
                std::ptr::null(),
                activations,
                0,
                long(inputs),
                long(inputs),
                0,
                0,
                long(padded),
                long(rows),
                1,
                1,
                stream,
            );
            (functions.many)(
                pointer(product.scratch),
                weight,
                activations,
                out,
                long(inputs),
                long(outputs),
                long(rows),
                blocks_of_row,
                long(product.stride),
                self.capability,
                self.multiprocessors,
                i64::from(self.shared_bytes),
                32,
                stream,
            );
        }
        Ok(())
    }
}

impl Drop for Library {
    fn drop(&mut self) {
        let _ = self.context.bind_to_thread();
        let _ = self.context.synchronize();
        // SAFETY: allocated by `new`, and nothing runs any more.
        let _ = unsafe { result::free_sync(self.workspace) };
    }
}

pub(super) fn pointer<T>(place: Place) -> *mut T {
    std::ptr::with_exposed_provenance_mut(usize::try_from(place.0).unwrap_or(0))
}
