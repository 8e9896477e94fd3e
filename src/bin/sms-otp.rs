//! `sms-otp`, the administrator's command.
#![forbid(unsafe_code)]

/// Wipes freed memory, because this process has secrets.
#[global_allocator]
static HEAP: sms_otp::sys::ZeroizingAllocator = sms_otp::sys::ZeroizingAllocator;

fn main() -> std::process::ExitCode {
    sms_otp::admin::run(std::env::args_os().skip(1))
}
