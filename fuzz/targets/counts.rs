#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| sms_otp::login::properties::counts(bytes));
