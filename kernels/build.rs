//! Compiles `cuda/all.cu` with nvcc, under the feature `cuda`; without it, nothing.
//!
//! The result is one file with machine code for compute capability 9.0 (Hopper), or for what
//! `CUDA_COMPUTE_CAP` says, and PTX, which drivers compile for whatever comes after it.

use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=cuda");
    println!("cargo:rerun-if-env-changed=CUDA_COMPUTE_CAP");
    println!("cargo:rerun-if-env-changed=NVCC");
    for library in ["CUDA_HOME", "CUDA_PATH", "CUDA_ROOT"] {
        println!("cargo:rerun-if-env-changed={library}");
    }
    if std::env::var_os("CARGO_FEATURE_CUDA").is_some() {
        compile();
    }
}

fn compile() {
    let capability = std::env::var("CUDA_COMPUTE_CAP").unwrap_or_else(|_| "90".into());
    // As 9.0 and as 90; the letter of 90a is for features we do not use.
    let capability: String = capability.chars().filter(char::is_ascii_digit).collect();
    let out = std::env::var("OUT_DIR").expect("invariant: cargo sets OUT_DIR");
    let fatbin = Path::new(&out).join("kernels.fatbin");
    let nvcc = nvcc();
    let target =
        |code: &str| format!("-gencode=arch=compute_{capability},code={code}_{capability}");
    let status = Command::new(&nvcc)
        .args(["-fatbin", "-O3", "-std=c++17", &target("sm"), &target("compute"), "-o"])
        .arg(&fatbin)
        .arg("cuda/all.cu")
        .status();
    match status {
        Ok(status) if status.success() => {}
        Ok(status) => panic!("{nvcc} failed on kernels/cuda/all.cu: {status}"),
        Err(error) => panic!(
            "{nvcc}: {error}. Put the CUDA toolkit's bin into PATH, or run scripts/cuda-toolkit"
        ),
    }
}

fn nvcc() -> String {
    if let Ok(nvcc) = std::env::var("NVCC") {
        return nvcc;
    }
    let homes = ["CUDA_HOME", "CUDA_PATH", "CUDA_ROOT"];
    let home = homes.into_iter().find_map(|name| std::env::var(name).ok());
    let candidate = home.map(|home| Path::new(&home).join("bin/nvcc"));
    match candidate.filter(|nvcc| nvcc.exists()) {
        Some(nvcc) => nvcc.to_string_lossy().into_owned(),
        None => "nvcc".into(),
    }
}
