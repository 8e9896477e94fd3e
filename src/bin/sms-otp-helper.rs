//! The process of one login, started by `pam_sms_otp.so`.
#![forbid(unsafe_code)]

/// Wipes freed memory, because this process has secrets.
#[global_allocator]
static HEAP: sms_otp::sys::ZeroizingAllocator = sms_otp::sys::ZeroizingAllocator;

fn main() -> std::process::ExitCode {
    sms_otp::helper::run()
}
