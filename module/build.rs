//! Turns the build setting `SMS_OTP_LIBEXECDIR` into the helper's path.

fn main() {
    println!("cargo::rerun-if-env-changed=SMS_OTP_LIBEXECDIR");
    let libexecdir = std::env::var("SMS_OTP_LIBEXECDIR").unwrap_or_else(|_| "/usr/libexec".to_owned());
    println!("cargo::rustc-env=SMS_OTP_HELPER={libexecdir}/pam_sms_otp/helper");
    // The module is never unmapped under a thread that still has destructors of it to run, and
    // nothing of it can be rewritten once it is loaded.
    println!("cargo::rustc-cdylib-link-arg=-Wl,-z,now,-z,relro,-z,nodelete,-z,noexecstack");
}
