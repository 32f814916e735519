//! What a server tells of itself.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| freeweights_fuzz::wire::metrics_page(data));
