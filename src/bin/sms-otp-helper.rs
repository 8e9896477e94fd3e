//! The process of one login, started by `pam_sms_otp.so`.
#![forbid(unsafe_code)]
#![cfg_attr(not(test), no_main)]

/// Wipes freed memory, because this process has secrets.
#[global_allocator]
static HEAP: sms_otp::sys::ZeroizingAllocator = sms_otp::sys::ZeroizingAllocator;

#[cfg(not(test))]
sms_otp::c_main!(sms_otp::helper::run);
