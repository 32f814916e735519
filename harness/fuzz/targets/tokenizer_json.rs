//! A tokenizer.json.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| freeweights_fuzz::models::tokenizer_json(data));
