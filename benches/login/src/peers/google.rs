//! `pam_google_authenticator` behind the password of this machine: a second factor without any
//! network.

use super::unpacked;
use crate::contender::Contender;
use crate::ground::{Ground, PASSWORD, Who};
use lab::world::Account;
use ring::hmac;
use std::time::SystemTime;

/// An obvious fake, the same for everybody, and as base32.
const SECRET: &[u8] = b"0123456789";
const BASE32: &str = "GAYTEMZUGU3DOOBZ";

pub fn contender(ground: &Ground) -> Result<Contender, String> {
    let module = unpacked("pam_google_authenticator.so")?;
    let contender = Contender {
        name: "pam_google_authenticator",
        service: "google",
        types,
        by_sms: false,
        slow: true,
    };
    let stack = format!(
        "auth requisite pam_unix.so\nauth required {}\n",
        module.display()
    );
    ground.stack(&contender, &stack);
    Ok(contender)
}

/// The file that `google-authenticator` makes. Without its `DISALLOW_REUSE` and `RATE_LIMIT`, which
/// are for one login every thirty seconds, the module has nothing to write.
pub fn enrol(account: &Account) {
    let path = account.home.join(".google_authenticator");
    let text = format!("{BASE32}\n\" WINDOW_SIZE 3\n\" TOTP_AUTH\n");
    lab::scratch::write(&path, 0o400, text);
    std::os::unix::fs::chown(&path, Some(account.uid), Some(account.gid))
        .expect("a secret belongs to its user");
}

fn types(_: &Ground, _: &Who, prompt: &str) -> String {
    if prompt.starts_with("Verification code") {
        return code();
    }
    PASSWORD.to_owned()
}

/// RFC 6238 with six digits and steps of thirty seconds.
fn code() -> String {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let step = now.map_or(0, |now| now.as_secs()) / 30;
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, SECRET);
    let tag = hmac::sign(&key, &step.to_be_bytes());
    let bytes = tag.as_ref();
    let from = usize::from(bytes[bytes.len() - 1] & 15);
    let mut word = [0; 4];
    word.copy_from_slice(&bytes[from..from + 4]);
    let number = (u32::from_be_bytes(word) & 0x7fff_ffff) % 1_000_000;
    format!("{number:06}")
}
