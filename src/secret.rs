//! Bytes that nobody but their user may see: no `Debug`, no `Display`, wiped when dropped.
#![forbid(unsafe_code)]

use zeroize::Zeroize;

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
