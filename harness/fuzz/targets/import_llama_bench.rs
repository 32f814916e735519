//! The output of another tool, with seeds of llama_bench.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| freeweights_fuzz::records::import(data));
