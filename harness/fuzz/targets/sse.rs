//! Server-sent events, cut anywhere, and the chunks in them.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| freeweights_fuzz::wire::sse(data));
