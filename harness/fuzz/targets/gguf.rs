//! A GGUF: header, tensors, vocabulary, weights.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| freeweights_fuzz::models::gguf(data));
