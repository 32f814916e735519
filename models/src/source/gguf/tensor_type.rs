//! Types of tensors by their numbers in a file.
//!
//! # Source
//! `enum ggml_type` of ggml.h.

use super::fault::{Fault, shown};
use candle_core::quantized::GgmlDType;

/// The type of a number.
///
/// # Errors
/// [`Fault::Unread`] by name for those that llama.cpp has and nothing here reads, [`Fault::Damaged`]
/// for those that nobody has.
pub(super) fn tensor_type(number: u32, tensor: &str) -> Result<GgmlDType, Fault> {
    Ok(match number {
        0 => GgmlDType::F32,
        1 => GgmlDType::F16,
        2 => GgmlDType::Q4_0,
        3 => GgmlDType::Q4_1,
        6 => GgmlDType::Q5_0,
        7 => GgmlDType::Q5_1,
        8 => GgmlDType::Q8_0,
        9 => GgmlDType::Q8_1,
        10 => GgmlDType::Q2K,
        11 => GgmlDType::Q3K,
        12 => GgmlDType::Q4K,
        13 => GgmlDType::Q5K,
        14 => GgmlDType::Q6K,
        15 => GgmlDType::Q8K,
        30 => GgmlDType::BF16,
        _ => return Err(refused(number, tensor)),
    })
}

fn refused(number: u32, tensor: &str) -> Fault {
    let tensor = shown(tensor);
    let name = match number {
        16 => "IQ2_XXS",
        17 => "IQ2_XS",
        18 => "IQ3_XXS",
        19 => "IQ1_S",
        20 => "IQ4_NL",
        21 => "IQ3_S",
        22 => "IQ2_S",
        23 => "IQ4_XS",
        24 => "I8",
        25 => "I16",
        26 => "I32",
        27 => "I64",
        28 => "F64",
        29 => "IQ1_M",
        34 => "TQ1_0",
        35 => "TQ2_0",
        39 => "MXFP4",
        40 => "NVFP4",
        41 => "Q1_0",
        // Q4_2 and Q4_3 went in 2023, the rearranged forms of Q4_0 and IQ4_NL in 2024.
        4 | 5 | 31..=33 | 36..=38 => {
            return Fault::Unread(format!(
                "the tensor {tensor} has type {number}, which llama.cpp itself no longer reads; use a newer file of the model, in q4_k_m, q8_0 or another of the names that `freeweights models` lists"
            ));
        }
        _ => {
            return Fault::Damaged(format!("the tensor {tensor} has the unknown type {number}"));
        }
    };
    Fault::Unread(format!(
        "the tensor {tensor} has type {name}, which is not read here; use a file of the same model in q4_k_m, q5_k_m, q6_k, q8_0, q4_0, bf16 or f16"
    ))
}

/// The name of a type as people write it: `q4_k`, `bf16`.
pub(crate) fn type_name(dtype: GgmlDType) -> &'static str {
    match dtype {
        GgmlDType::F32 => "f32",
        GgmlDType::F16 => "f16",
        GgmlDType::BF16 => "bf16",
        GgmlDType::Q4_0 => "q4_0",
        GgmlDType::Q4_1 => "q4_1",
        GgmlDType::Q5_0 => "q5_0",
        GgmlDType::Q5_1 => "q5_1",
        GgmlDType::Q8_0 => "q8_0",
        GgmlDType::Q8_1 => "q8_1",
        GgmlDType::Q2K => "q2_k",
        GgmlDType::Q3K => "q3_k",
        GgmlDType::Q4K => "q4_k",
        GgmlDType::Q5K => "q5_k",
        GgmlDType::Q6K => "q6_k",
        GgmlDType::Q8K => "q8_k",
    }
}
