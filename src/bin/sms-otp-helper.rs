//! One login's process. Started by `pam_sms_otp.so`, by nobody else.
#![forbid(unsafe_code)]

/// It carries secrets.
#[global_allocator]
static HEAP: sms_otp::sys::ZeroizingAllocator = sms_otp::sys::ZeroizingAllocator;

fn main() -> std::process::ExitCode {
    sms_otp::helper::run()
}
