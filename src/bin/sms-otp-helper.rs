//! One login's process. Started by `pam_sms_otp.so`, by nobody else.
#![forbid(unsafe_code)]

fn main() -> std::process::ExitCode {
    sms_otp::helper::run()
}
