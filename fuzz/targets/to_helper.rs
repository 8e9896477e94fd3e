#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| protocol::properties::to_helper(bytes));
