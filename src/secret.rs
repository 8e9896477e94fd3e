//! Bytes that nobody but their user may see: no `Debug`, no `Display`, wiped when dropped.
#![forbid(unsafe_code)]

use zeroize::{Zeroize, Zeroizing};

/// A password, token or text with a code in it.
///
/// Built from a buffer that is moved in, so that no copy stays behind.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// Takes a text over.
    #[must_use]
    pub const fn new(text: String) -> Self {
        Self(text)
    }

    /// The text itself, for the one place that needs it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

/// What was typed, without the escape sequences in which a terminal wraps what is pasted ("bracketed
/// paste"): no key types them.
#[must_use]
pub fn without_paste_brackets(typed: &[u8]) -> Zeroizing<Vec<u8>> {
    // As long as it can become: growing would leave a copy behind.
    let mut words = Zeroizing::new(Vec::with_capacity(typed.len()));
    let mut rest = typed;
    while let Some((first, after)) = rest.split_first() {
        let bracket = [&b"\x1b[200~"[..], b"\x1b[201~"]
            .into_iter()
            .find_map(|bracket| rest.strip_prefix(bracket));
        rest = bracket.unwrap_or_else(|| {
            words.push(*first);
            after
        });
    }
    words
}

impl Drop for Secret {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bracketed_paste_loses_its_brackets_and_nothing_else() {
        for (typed, words) in [
            ("correct horse", "correct horse"),
            ("\x1b[200~correct horse\x1b[201~", "correct horse"),
            ("correct \x1b[200~horse\x1b[201~", "correct horse"),
            ("\x1b[200~\x1b[201~", ""),
            ("\x1b[20\x1b[200~0~", "\x1b[200~"),
            ("\x1b[A \x1b[200", "\x1b[A \x1b[200"),
            ("", ""),
        ] {
            let found = without_paste_brackets(typed.as_bytes());
            assert_eq!(*found, words.as_bytes(), "{typed:?}");
        }
    }
}
