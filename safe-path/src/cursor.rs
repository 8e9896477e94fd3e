//! The unresolved part of a path.
#![forbid(unsafe_code)]

use std::ffi::CStr;

/// The maximum length of a path, in bytes.
pub const PATH_MAX: usize = 4096;

/// The path, a component or a link target is too long.
pub(crate) struct TooLong;

/// What is left of a path, with the targets of symbolic links inserted in front.
pub(crate) struct PathCursor {
    /// The remaining path, at the end of the buffer.
    buffer: [u8; PATH_MAX],
    start: usize,
    /// The length of the path as given.
    given: usize,
    /// The bytes at the end of the buffer that belong to the path as given.
    given_left: usize,
    /// The bytes of the path as given that are resolved.
    pub(crate) resolved: usize,
}

/// One component of a path, NUL-terminated.
pub(crate) struct Name([u8; 256], usize);

impl Name {
    pub(crate) fn as_c_str(&self) -> &CStr {
        self.0
            .get(..=self.1)
            .and_then(|bytes| CStr::from_bytes_with_nul(bytes).ok())
            .unwrap_or(c".")
    }
}

impl PathCursor {
    pub(crate) fn new(path: &[u8]) -> Result<Self, TooLong> {
        let mut cursor = Self {
            buffer: [0; PATH_MAX],
            start: PATH_MAX,
            given: path.len(),
            given_left: path.len(),
            resolved: 0,
        };
        cursor.insert(path)?;
        Ok(cursor)
    }

    /// Inserts bytes in front of what is left.
    fn insert(&mut self, bytes: &[u8]) -> Result<(), TooLong> {
        let start = self.start.checked_sub(bytes.len()).ok_or(TooLong)?;
        self.buffer
            .get_mut(start..self.start)
            .ok_or(TooLong)?
            .copy_from_slice(bytes);
        self.start = start;
        Ok(())
    }

    fn remaining(&self) -> &[u8] {
        self.buffer.get(self.start..).unwrap_or_default()
    }

    pub(crate) fn is_at_end(&self) -> bool {
        self.remaining().is_empty()
    }

    /// Takes the next component. A slash after the last component is kept: that component must then
    /// be a directory (`path_resolution(7)`).
    pub(crate) fn next(&mut self) -> Result<Option<Name>, TooLong> {
        let is_slash = |byte: &&u8| **byte == b'/';
        let slashes = self.remaining().iter().take_while(is_slash).count();
        self.skip(slashes);
        let length = self
            .remaining()
            .iter()
            .take_while(|byte| !is_slash(byte))
            .count();
        if length == 0 {
            return Ok(None);
        }
        let mut name = Name([0; 256], length);
        name.0
            .get_mut(..length)
            .filter(|_| length < 256)
            .ok_or(TooLong)?
            .copy_from_slice(self.remaining().get(..length).unwrap_or_default());
        self.skip(length);
        Ok(Some(name))
    }

    fn skip(&mut self, bytes: usize) {
        self.start = self.start.saturating_add(bytes).min(PATH_MAX);
        // The path as given is at the end of the buffer; only bytes of it count as resolved.
        let remaining = PATH_MAX.saturating_sub(self.start);
        self.given_left = self.given_left.min(remaining);
        self.resolved = self.given.saturating_sub(self.given_left);
    }

    /// Continues with the target of a link. Returns whether it is absolute.
    pub(crate) fn follow(&mut self, target: &[u8]) -> Result<bool, TooLong> {
        if target.is_empty() || target.len() >= PATH_MAX {
            return Err(TooLong);
        }
        if !self.is_at_end() {
            self.insert(b"/")?;
        }
        self.insert(target)?;
        Ok(target.first() == Some(&b'/'))
    }
}
