//! Fields of a message: integers little-endian and of fixed width, texts behind their length.

use crate::{HEADER, Header, Nonsense, VERSION};

/// Builds one message. The room is reserved at once, so that no copy of a secret is left behind
/// by a buffer that grew.
pub struct Writer(pub Vec<u8>);

impl Writer {
    pub fn new(kind: u8, wait_ms: u32, body: usize) -> Self {
        let room = Vec::with_capacity(body.saturating_add(HEADER));
        Self::begin(room, kind, wait_ms)
    }

    /// `None`: there is no memory for it.
    pub fn try_new(kind: u8, wait_ms: u32, body: usize) -> Option<Self> {
        let mut room = Vec::new();
        room.try_reserve_exact(body.saturating_add(HEADER)).ok()?;
        Some(Self::begin(room, kind, wait_ms))
    }

    fn begin(mut out: Vec<u8>, kind: u8, wait_ms: u32) -> Self {
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

    /// A text longer than 32 bits can count does not fit into [`MAX_MESSAGE`] either: it is
    /// written as empty rather than with a length that lies.
    pub fn text(&mut self, text: &[u8]) {
        match u32::try_from(text.len()) {
            Ok(length) => {
                self.number(length);
                self.0.extend_from_slice(text);
            }
            Err(_) => self.number(0),
        }
    }
}

/// Takes one message apart.
pub struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub const fn new(message: &'a [u8]) -> Self {
        Self(message)
    }

    pub fn header(&mut self) -> Result<Header, Nonsense> {
        let version = u16::from_le_bytes(self.array()?);
        let [kind, _reserved] = self.array()?;
        let wait_ms = self.number()?;
        Ok(Header {
            version,
            kind,
            wait_ms,
        })
    }

    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], Nonsense> {
        let (head, tail) = self.0.split_first_chunk::<N>().ok_or(Nonsense)?;
        self.0 = tail;
        Ok(*head)
    }

    /// A byte that is 0 or 1.
    pub fn flag(&mut self) -> Result<bool, Nonsense> {
        match self.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Nonsense),
        }
    }

    pub fn byte(&mut self) -> Result<u8, Nonsense> {
        self.array().map(|[byte]| byte)
    }

    pub fn number(&mut self) -> Result<u32, Nonsense> {
        self.array().map(u32::from_le_bytes)
    }

    pub fn text(&mut self, most: usize) -> Result<&'a [u8], Nonsense> {
        let length = usize::try_from(self.number()?).map_err(|_| Nonsense)?;
        if length > most {
            return Err(Nonsense);
        }
        let (head, tail) = self.0.split_at_checked(length).ok_or(Nonsense)?;
        self.0 = tail;
        Ok(head)
    }

    pub fn words(&mut self, most: usize) -> Result<&'a str, Nonsense> {
        std::str::from_utf8(self.text(most)?).map_err(|_| Nonsense)
    }

    pub fn end(self) -> Result<(), Nonsense> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(Nonsense)
        }
    }
}
