//! The id of a login, as users, help desks and logs refer to it.
#![forbid(unsafe_code)]

/// Eight hexadecimal digits when displayed. Not a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoginId(pub [u8; 4]);

impl std::fmt::Display for LoginId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:08x}", u32::from_be_bytes(self.0))
    }
}
