//! Time-based one-time passwords (RFC 6238) of `pam_google_authenticator`.

use lab::machine::Account;
use ring::hmac;
use std::time::SystemTime;

/// An obviously fake secret, the same for all users, and its base32 form.
const SECRET: &[u8] = b"0123456789";
const BASE32: &str = "GAYTEMZUGU3DOOBZ";

/// Writes the user's file as `google-authenticator` does. It leaves out `DISALLOW_REUSE` and
/// `RATE_LIMIT`, which allow one login in thirty seconds and which the module would have to record.
pub fn enrol(account: &Account) {
    let path = account.home.join(".google_authenticator");
    let text = format!("{BASE32}\n\" WINDOW_SIZE 3\n\" TOTP_AUTH\n");
    lab::scratch::write(&path, 0o400, text);
    std::os::unix::fs::chown(&path, Some(account.uid), Some(account.gid))
        .expect("a secret belongs to its user");
}

/// Computes the current code, with six digits and steps of thirty seconds.
pub fn code() -> String {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let step = now.map_or(0, |now| now.as_secs()) / 30;
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, SECRET);
    let tag = hmac::sign(&key, &step.to_be_bytes());
    let bytes = tag.as_ref();
    let from = usize::from(bytes[bytes.len() - 1] & 15);
    let mut bytes4 = [0; 4];
    bytes4.copy_from_slice(&bytes[from..from + 4]);
    let number = (u32::from_be_bytes(bytes4) & 0x7fff_ffff) % 1_000_000;
    format!("{number:06}")
}
