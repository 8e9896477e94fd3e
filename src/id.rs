//! One login's number, as help desks and logs name it.
#![forbid(unsafe_code)]

/// Eight hexadecimal digits. No secret: it names a login and opens none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoginId(pub [u8; 4]);

impl std::fmt::Display for LoginId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:08x}", u32::from_be_bytes(self.0))
    }
}
