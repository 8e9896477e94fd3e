//! Sets the paths that are compiled into the module.

fn main() {
    println!("cargo::rustc-env=SMS_OTP_HELPER=/usr/libexec/pam_sms_otp/helper");
    println!("cargo::rustc-env=SMS_OTP_CONFIG=/etc/security/sms_otp.toml");
}
