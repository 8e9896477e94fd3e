//! Encodes and decodes the fields of a message: integers little-endian and of fixed width, byte strings
//! after their length.

use crate::{DecodeError, HEADER, Header, VERSION};

/// Encodes one message. The buffer is allocated at its full length, so that no copy of a secret
/// remains in memory from a buffer that grew.
pub struct Encoder(pub Vec<u8>);

impl Encoder {
    pub fn new(kind: u8, wait_ms: u32, body: usize) -> Self {
        let mut out = Vec::with_capacity(body.saturating_add(HEADER));
        out.extend_from_slice(&VERSION.to_le_bytes());
        out.extend_from_slice(&[kind, 0]);
        out.extend_from_slice(&wait_ms.to_le_bytes());
        Self(out)
    }

    pub fn byte(&mut self, byte: u8) {
        self.0.push(byte);
    }

    pub fn number(&mut self, number: u32) {
        self.0.extend_from_slice(&number.to_le_bytes());
    }

    /// A byte string whose length needs more than 32 bits exceeds [`MAX_MESSAGE`](crate::MAX_MESSAGE) too:
    /// it is encoded as empty, never with a wrong length.
    pub fn bytes(&mut self, bytes: &[u8]) {
        match u32::try_from(bytes.len()) {
            Ok(length) => {
                self.number(length);
                self.0.extend_from_slice(bytes);
            }
            Err(_) => self.number(0),
        }
    }
}

/// Decodes one message.
pub struct Decoder<'a>(&'a [u8]);

impl<'a> Decoder<'a> {
    pub const fn new(message: &'a [u8]) -> Self {
        Self(message)
    }

    pub fn header(&mut self) -> Result<Header, DecodeError> {
        let version = u16::from_le_bytes(self.array()?);
        let [kind, _reserved] = self.array()?;
        let wait_ms = self.number()?;
        Ok(Header {
            version,
            kind,
            wait_ms,
        })
    }

    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let (head, tail) = self.0.split_first_chunk::<N>().ok_or(DecodeError)?;
        self.0 = tail;
        Ok(*head)
    }

    /// A byte that is 0 or 1.
    pub fn flag(&mut self) -> Result<bool, DecodeError> {
        match self.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(DecodeError),
        }
    }

    pub fn byte(&mut self) -> Result<u8, DecodeError> {
        self.array().map(|[byte]| byte)
    }

    pub fn number(&mut self) -> Result<u32, DecodeError> {
        self.array().map(u32::from_le_bytes)
    }

    pub fn bytes(&mut self, max: usize) -> Result<&'a [u8], DecodeError> {
        let length = usize::try_from(self.number()?).map_err(|_| DecodeError)?;
        if length > max {
            return Err(DecodeError);
        }
        let (head, tail) = self.0.split_at_checked(length).ok_or(DecodeError)?;
        self.0 = tail;
        Ok(head)
    }

    pub fn text(&mut self, max: usize) -> Result<&'a str, DecodeError> {
        std::str::from_utf8(self.bytes(max)?).map_err(|_| DecodeError)
    }

    pub fn finish(self) -> Result<(), DecodeError> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(DecodeError)
        }
    }
}
