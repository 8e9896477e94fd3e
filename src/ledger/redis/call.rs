//! A call of a script: by the script's hash, or with the whole script for a server that does not
//! have it yet.
#![forbid(unsafe_code)]

use std::fmt::Write;

use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use zeroize::Zeroizing;

use super::resp::command;

/// A script with its keys and its argument.
pub struct Call<'a> {
    pub script: &'a str,
    pub keys: &'a [String],
    pub argument: &'a [u8],
}

impl Call<'_> {
    /// `EVALSHA`. A server keeps scripts until it restarts, and answers NOSCRIPT if it does not have
    /// this one.
    pub fn by_hash(&self) -> Zeroizing<Vec<u8>> {
        self.command("EVALSHA", &self.hash())
    }

    /// `EVAL`: the server keeps the script.
    pub fn whole(&self) -> Zeroizing<Vec<u8>> {
        self.command("EVAL", self.script)
    }

    /// The name that servers give the script: SHA-1 in lower case. They know it by no other hash.
    fn hash(&self) -> String {
        let hash = digest(&SHA1_FOR_LEGACY_USE_ONLY, self.script.as_bytes());
        hash.as_ref().iter().fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
    }

    fn command(&self, name: &str, script: &str) -> Zeroizing<Vec<u8>> {
        let count = self.keys.len().to_string();
        let mut parts = vec![name.as_bytes(), script.as_bytes(), count.as_bytes()];
        parts.extend(self.keys.iter().map(String::as_bytes));
        parts.push(self.argument);
        command(&parts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_hash_and_whole() {
        let call = Call {
            script: "return 1",
            keys: &["k".to_owned()],
            argument: b"{}",
        };
        let rest = "\r\n$1\r\n1\r\n$1\r\nk\r\n$2\r\n{}\r\n";
        // SHA-1 as coreutils compute it.
        let hash = "e0e1f9fabfc9d4800c877a703b823ac0578ff8db";
        let by_hash = format!("*5\r\n$7\r\nEVALSHA\r\n$40\r\n{hash}{rest}");
        assert_eq!(*call.by_hash(), by_hash.into_bytes());
        let whole = format!("*5\r\n$4\r\nEVAL\r\n$8\r\nreturn 1{rest}");
        assert_eq!(*call.whole(), whole.into_bytes());
    }
}
