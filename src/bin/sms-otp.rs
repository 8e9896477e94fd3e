//! `sms-otp`, the administrator's command.
#![forbid(unsafe_code)]

fn main() -> std::process::ExitCode {
    sms_otp::admin::run(std::env::args_os().skip(1))
}
