//! A mapping of columns, a zero byte, and a trace.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| freeweights_fuzz::costs::trace_mapped(data));
