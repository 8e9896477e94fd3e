//! Secret texts: not printable by `Debug` or `Display`, and wiped when dropped.
#![forbid(unsafe_code)]

use zeroize::{Zeroize, Zeroizing};

/// A password, a token, or a text that contains a code.
///
/// It takes over the buffer, so that no copy remains.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// Takes over a text.
    #[must_use]
    pub const fn new(text: String) -> Self {
        Self(text)
    }

    /// Returns the text, for the place that needs it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

/// Calls `act`, and wipes the stack below: a hash function leaves the last block of its input there.
pub(crate) fn with_wiped_stack<T>(act: impl FnOnce() -> T) -> T {
    #[inline(never)]
    fn call<T>(act: impl FnOnce() -> T) -> T {
        act()
    }
    #[inline(never)]
    fn wipe() {
        drop(Zeroizing::new([0_u8; 4096]));
    }
    let result = call(act);
    wipe();
    result
}

/// Removes the escape sequences that a terminal puts around pasted text ("bracketed paste"). No key types
/// them.
#[must_use]
pub fn without_paste_brackets(typed: &[u8]) -> Zeroizing<Vec<u8>> {
    // The maximum capacity: a buffer that grows leaves a copy in memory.
    let mut text = Zeroizing::new(Vec::with_capacity(typed.len()));
    let mut rest = typed;
    while let Some((first, after)) = rest.split_first() {
        let bracket = [&b"\x1b[200~"[..], b"\x1b[201~"]
            .into_iter()
            .find_map(|bracket| rest.strip_prefix(bracket));
        rest = bracket.unwrap_or_else(|| {
            text.push(*first);
            after
        });
    }
    text
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
    fn only_the_brackets_of_a_paste_are_removed() {
        for (typed, expected) in [
            ("correct horse", "correct horse"),
            ("\x1b[200~correct horse\x1b[201~", "correct horse"),
            ("correct \x1b[200~horse\x1b[201~", "correct horse"),
            ("\x1b[200~\x1b[201~", ""),
            ("\x1b[20\x1b[200~0~", "\x1b[200~"),
            ("\x1b[A \x1b[200", "\x1b[A \x1b[200"),
            ("", ""),
        ] {
            let found = without_paste_brackets(typed.as_bytes());
            assert_eq!(*found, expected.as_bytes(), "{typed:?}");
        }
    }
}
