//! `pam_google_authenticator` after the local password: a second factor without any network.

use super::unpacked;
use crate::contender::Contender;
use crate::testbed::{PASSWORD, TestUser, Testbed};
use crate::totp;

pub fn contender(testbed: &Testbed) -> Result<Contender, String> {
    let module = unpacked("pam_google_authenticator.so")?;
    let contender = Contender {
        name: "pam_google_authenticator",
        service: "google",
        answer,
        by_sms: false,
        slow: true,
    };
    let stack = format!(
        "auth requisite pam_unix.so\nauth required {}\n",
        module.display()
    );
    testbed.stack(contender.service, &stack);
    Ok(contender)
}

fn answer(_: &Testbed, _: &TestUser, prompt: &str) -> String {
    if prompt.starts_with("Verification code") {
        return totp::code();
    }
    PASSWORD.to_owned()
}
