//! Turns the build settings `SMS_OTP_LIBEXECDIR` and `SMS_OTP_SYSCONFDIR` into the paths of the
//! helper and the settings.

#[allow(
    clippy::disallowed_methods,
    reason = "a build script's settings are its environment"
)]
fn main() {
    let folder = |setting: &str, usual: &str| {
        println!("cargo::rerun-if-env-changed={setting}");
        std::env::var(setting).unwrap_or_else(|_| usual.to_owned())
    };
    let libexec = folder("SMS_OTP_LIBEXECDIR", "/usr/libexec");
    println!("cargo::rustc-env=SMS_OTP_HELPER={libexec}/pam_sms_otp/helper");
    let etc = folder("SMS_OTP_SYSCONFDIR", "/etc");
    println!("cargo::rustc-env=SMS_OTP_CONFIG={etc}/security/sms_otp.toml");
    // Links the unwinder statically, where the C compiler is GCC's: loading libgcc_s.so.1 takes each host
    // process a tenth of a millisecond.
    if std::env::var("CARGO_CFG_TARGET_ENV").is_ok_and(|env| env == "gnu") {
        println!("cargo::rustc-link-lib=gcc_eh");
    }
    // The module is never unmapped under a thread that still has destructors of it to run, and
    // nothing of it can be rewritten once it is loaded.
    println!("cargo::rustc-cdylib-link-arg=-Wl,-z,now,-z,relro,-z,nodelete,-z,noexecstack");
}
