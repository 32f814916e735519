//! The index of a model in several shards.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| freeweights_fuzz::models::safetensors_index(data));
