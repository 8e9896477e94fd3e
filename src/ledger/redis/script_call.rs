//! Calls of a script: by its hash, or with its text for a server that does not have it yet.
#![forbid(unsafe_code)]

use std::fmt::Write;

use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use zeroize::Zeroizing;

use super::resp::encode_command;

/// A script with its keys and its argument.
pub(super) struct ScriptCall<'a> {
    pub(super) script: &'a str,
    pub(super) keys: &'a [String],
    pub(super) argument: &'a [u8],
}

impl ScriptCall<'_> {
    /// Encodes `EVALSHA`. A server keeps scripts until it restarts, and replies NOSCRIPT if it does not have
    /// this one.
    pub(super) fn evalsha(&self) -> Zeroizing<Vec<u8>> {
        self.encode("EVALSHA", &self.hash())
    }

    /// Encodes `EVAL`; the server keeps the script.
    pub(super) fn eval(&self) -> Zeroizing<Vec<u8>> {
        self.encode("EVAL", self.script)
    }

    /// Returns the server's name of the script: SHA-1 in lower case. Servers support no other hash.
    fn hash(&self) -> String {
        let hash = digest(&SHA1_FOR_LEGACY_USE_ONLY, self.script.as_bytes());
        hash.as_ref().iter().fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
    }

    fn encode(&self, command: &str, script: &str) -> Zeroizing<Vec<u8>> {
        let count = self.keys.len().to_string();
        let mut parts = vec![command.as_bytes(), script.as_bytes(), count.as_bytes()];
        parts.extend(self.keys.iter().map(String::as_bytes));
        parts.push(self.argument);
        encode_command(&parts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn evalsha_and_eval() {
        let call = ScriptCall {
            script: "return 1",
            keys: &["k".to_owned()],
            argument: b"{}",
        };
        let rest = "\r\n$1\r\n1\r\n$1\r\nk\r\n$2\r\n{}\r\n";
        // The output of sha1sum.
        let hash = "e0e1f9fabfc9d4800c877a703b823ac0578ff8db";
        let evalsha = format!("*5\r\n$7\r\nEVALSHA\r\n$40\r\n{hash}{rest}");
        assert_eq!(*call.evalsha(), evalsha.into_bytes());
        let eval = format!("*5\r\n$4\r\nEVAL\r\n$8\r\nreturn 1{rest}");
        assert_eq!(*call.eval(), eval.into_bytes());
    }
}
