//! What a GPU could do at best: reading its memory, and multiplying on its tensor cores.
//!
//! Reading is a kernel of ours; products are the vendor's library on matrices of 8,192, of made-up
//! numbers (zeros draw less power and run faster). Times are the GPU's own.
//!
//! Not here: copies from and to the host, and links between GPUs.

use super::device::Device;
use super::gpu::{Arguments, Buffer, Gpu, GpuError, NumberType, Place, Product};
use super::products::pointer;
use super::steps::fill_numbers;
use crate::ceilings::Estimate;
use cudarc::cublas::sys::{cublasComputeType_t as Sums, cudaDataType as Type};
use cudarc::cublaslt::{result as lt, sys as lt_sys};
use std::ffi::c_void;
use std::sync::{Arc, PoisonError};

/// The best that a GPU was seen to do. What it, or the library, cannot is `None`, never 0.
#[derive(Debug, Clone, PartialEq)]
pub struct DeviceCeilings {
    /// The GPU.
    pub name: String,
    /// Its memory, in bytes.
    pub memory_bytes: Option<u64>,
    /// Bytes of the buffer that was read.
    pub buffer_bytes: usize,
    /// Bytes read from its memory per second.
    pub read_bytes_per_s: Estimate,
    /// f32 operations per second, without tensor cores; a multiply-add is two.
    pub f32_flops_per_s: Estimate,
    /// bf16 operations per second into f32 sums.
    pub bf16_flops_per_s: Estimate,
    /// fp8 (e4m3) operations per second into f32 sums.
    pub fp8_flops_per_s: Option<Estimate>,
    /// int8 operations per second into i32 sums.
    pub int8_ops_per_s: Option<Estimate>,
}

/// Rows and columns of the matrices.
const SIDE: usize = 8_192;

/// Bytes that are read at a time, where there is room: many times the last cache.
const READ: usize = 8 << 30;

/// Runs of each probe, behind one that does not count.
const PASSES: usize = 10;

/// Measures a GPU in about a second.
///
/// # Errors
/// [`GpuError`] of the device.
pub fn measure_ceilings(device: &Arc<Device>) -> Result<DeviceCeilings, GpuError> {
    let gpu: Arc<dyn Gpu> = Arc::clone(device) as Arc<dyn Gpu>;
    let memory = device.memory();
    let room = memory.map_or(1 << 30, |(free, _)| free / 2);
    let buffer_bytes = READ.min(room) / 4_096 * 4_096;
    let read_bytes_per_s = read(device, &gpu, buffer_bytes)?;
    let numbers = SIDE * SIDE;
    // Room for f32; as bf16 they are twice as many.
    let operands = [Buffer::zeroed(&gpu, 4 * numbers)?, Buffer::zeroed(&gpu, 4 * numbers)?];
    let out = Buffer::zeroed(&gpu, 4 * numbers)?;
    for (seed, operand) in operands.iter().enumerate() {
        // SAFETY: the buffer holds so many numbers.
        unsafe { fill_numbers(&*gpu, operand.place(), 2 * numbers, seed as u64, 1.0)? };
    }
    let product = Product {
        x: operands[0].place(),
        weight: operands[1].place(),
        out: out.place(),
        out_type: NumberType::Bf16,
        rows: SIDE,
        outputs: SIDE,
        inputs: SIDE,
    };
    // SAFETY: the matrices are there.
    let bf16 = operations(device, &mut || unsafe { gpu.multiply(product) })?;
    // Two bf16 side by side are an f32 of about the same size.
    let f32 = operations(device, &mut || {
        let types = (Type::CUDA_R_32F, Type::CUDA_R_32F, Sums::CUBLAS_COMPUTE_32F);
        // SAFETY: the operands were made for this.
        unsafe { device.library.multiply_as(product, types, &[1.0_f32, 0.0]) }
    })?;
    // What follows some GPUs and libraries cannot; the bits of the numbers are as good as any.
    let int8 = operations(device, &mut || {
        let types = (Type::CUDA_R_8I, Type::CUDA_R_32I, Sums::CUBLAS_COMPUTE_32I);
        // SAFETY: the operands have more bytes than this needs, and the result as many.
        unsafe { device.library.multiply_as(product, types, &[1_i32, 0]) }
    });
    let fp8 = fp8(device, product);
    Ok(DeviceCeilings {
        name: device.name(),
        memory_bytes: memory.map(|(_, total)| total as u64),
        buffer_bytes,
        read_bytes_per_s,
        f32_flops_per_s: f32,
        bf16_flops_per_s: bf16,
        fp8_flops_per_s: fp8.ok(),
        int8_ops_per_s: int8.ok(),
    })
}

fn read(device: &Device, gpu: &Arc<dyn Gpu>, bytes: usize) -> Result<Estimate, GpuError> {
    let (buffer, never) = (Buffer::zeroed(gpu, bytes)?, Buffer::zeroed(gpu, 4)?);
    // SAFETY: the buffer holds as many numbers.
    unsafe { fill_numbers(&**gpu, buffer.place(), bytes / 2, 3, 1.0)? };
    let blocks = 4 * gpu.multiprocessors();
    rates(device, bytes as f64, &mut || {
        let arguments =
            Arguments::new().place(buffer.place()).long((bytes / 16) as u64).place(never.place());
        // SAFETY: the kernel reads the buffer, and may write one word.
        unsafe { gpu.launch("read_all", [blocks, 1, 1], 512, arguments) }
    })
}

/// Operations per second of products of three such matrices.
fn operations(
    device: &Device,
    product: &mut dyn FnMut() -> Result<(), GpuError>,
) -> Result<Estimate, GpuError> {
    rates(device, 2.0 * (SIDE as f64).powi(3), product)
}

fn rates(
    device: &Device,
    amount: f64,
    work: &mut dyn FnMut() -> Result<(), GpuError>,
) -> Result<Estimate, GpuError> {
    device.seconds(work)?;
    let mut samples = Vec::with_capacity(PASSES);
    for _ in 0..PASSES {
        samples.push(amount / device.seconds(work)?);
    }
    Estimate::from_samples(samples)
        .ok_or_else(|| GpuError::failed("a ceiling", "the GPU's clock did not move"))
}

/// e4m3 on both sides, by cublasLt, which alone knows it.
fn fp8(device: &Device, product: Product) -> Result<Estimate, GpuError> {
    let failed = |error: lt::CublasError| GpuError::failed("an fp8 product", error);
    let side = SIDE as u64;
    let layout =
        |kind| lt::create_matrix_layout(kind, side, side, side.cast_signed()).map_err(failed);
    let handle = lt::create_handle().map_err(failed)?;
    let description = lt::create_matmul_desc(
        lt_sys::cublasComputeType_t::CUBLAS_COMPUTE_32F,
        lt_sys::cudaDataType::CUDA_R_32F,
    )
    .map_err(failed)?;
    let (operand, result) =
        (layout(lt_sys::cudaDataType::CUDA_R_8F_E4M3)?, layout(lt_sys::cudaDataType::CUDA_R_16BF)?);
    let preference = lt::create_matmul_pref().map_err(failed)?;
    // What cuBLAS has lies idle: nothing else runs.
    let workspace = device.library.workspace;
    let transposed: i32 = 1;
    let workspace_bytes: u64 = 32 << 20;
    // SAFETY: everything was just made and is alive; the matrices have more bytes than this needs.
    let estimate = unsafe {
        lt::set_matmul_desc_attribute(
            description,
            lt_sys::cublasLtMatmulDescAttributes_t::CUBLASLT_MATMUL_DESC_TRANSA,
            std::ptr::from_ref(&transposed).cast(),
            size_of::<i32>(),
        )
        .and_then(|()| {
            lt::set_matmul_pref_attribute(
                preference,
                lt_sys::cublasLtMatmulPreferenceAttributes_t::CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES,
                std::ptr::from_ref(&workspace_bytes).cast(),
                size_of::<u64>(),
            )
        })
        .and_then(|()| {
            lt::get_matmul_algo_heuristic(
                handle, description, operand, operand, result, result, preference,
            )
        })
        .map_err(failed)
        .and_then(|heuristic| {
            let factors = [1.0_f32, 0.0];
            let _one_at_a_time = device.library.blas.lock().unwrap_or_else(PoisonError::into_inner);
            operations(device, &mut || {
                let at = |place: Place| pointer::<c_void>(place);
                lt::matmul(
                    handle,
                    description,
                    std::ptr::from_ref(&factors[0]).cast(),
                    std::ptr::from_ref(&factors[1]).cast(),
                    at(product.weight),
                    operand,
                    at(product.x),
                    operand,
                    at(product.out),
                    result,
                    at(product.out),
                    result,
                    &raw const heuristic.algo,
                    at(Place(workspace)),
                    32 << 20,
                    device.stream.cu_stream().cast(),
                )
                .map_err(failed)
            })
        })
    };
    // SAFETY: made above, and used no more: `operations` has waited for the last of it.
    unsafe {
        let _ = lt::destroy_matmul_pref(preference);
        let _ = lt::destroy_matrix_layout(result);
        let _ = lt::destroy_matrix_layout(operand);
        let _ = lt::destroy_matmul_desc(description);
        let _ = lt::destroy_handle(handle);
    }
    estimate
}
