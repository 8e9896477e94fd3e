//! The unit that is written whole or not at all: 512 bytes, named, sealed, and read field by field.
#![forbid(unsafe_code)]

/// A disk's sector: power is lost before or after it, not within (512 bytes are the least that any
/// disk writes at once).
pub const SIZE: usize = 512;

/// The same, as a length in the file.
pub const LENGTH: u64 = SIZE as u64;

/// Name (16), seal (8), content; the last byte is always zero: a file grows by writing it.
pub type Sector = [u8; SIZE];

/// Whose sector it is.
pub type Name = [u8; 16];

const NAME: std::ops::Range<usize> = 0..16;
const SEAL: std::ops::Range<usize> = 16..24;
/// Where the content begins.
const CONTENT: usize = 24;
/// What may be written: all but the last byte.
const END: usize = SIZE - 1;

/// A sector that was never written, or was wiped.
#[must_use]
pub fn is_empty(sector: &Sector) -> bool {
    sector.iter().all(|byte| *byte == 0)
}

/// Whose it says that it is.
#[must_use]
pub fn name(sector: &Sector) -> &[u8] {
    sector.get(NAME).unwrap_or_default()
}

/// What it is sealed with.
#[must_use]
pub fn seal(sector: &Sector) -> &[u8] {
    sector.get(SEAL).unwrap_or_default()
}

/// Its bytes without the seal.
#[must_use]
pub fn sealed_parts(sector: &Sector) -> [&[u8]; 2] {
    [name(sector), sector.get(CONTENT..).unwrap_or_default()]
}

/// Seals it.
pub fn put_seal(sector: &mut Sector, seal: [u8; 8]) {
    if let Some(place) = sector.get_mut(SEAL) {
        place.copy_from_slice(&seal);
    }
}

/// Fills a sector field by field. Numbers are little-endian and held to what their width can say.
pub struct Writer {
    sector: Sector,
    at: usize,
}

impl Writer {
    /// A sector of that name.
    #[must_use]
    pub fn new(name: &Name) -> Self {
        let mut sector = [0; SIZE];
        if let Some(place) = sector.get_mut(NAME) {
            place.copy_from_slice(name);
        }
        Self {
            sector,
            at: CONTENT,
        }
    }

    /// What has no room is left out: the layouts see to it that there is room.
    pub fn bytes(&mut self, bytes: &[u8]) {
        let end = self.at.saturating_add(bytes.len());
        let place = self
            .sector
            .get_mut(..END)
            .and_then(|all| all.get_mut(self.at..end));
        debug_assert!(place.is_some(), "the layout is larger than a sector");
        if let Some(place) = place {
            place.copy_from_slice(bytes);
        }
        self.at = end;
    }

    /// A number of so many bytes, at most 8.
    pub fn number(&mut self, value: u64, width: usize) {
        let bits = u32::try_from(width.saturating_mul(8)).unwrap_or(u32::MAX);
        let most = 1_u64
            .checked_shl(bits)
            .map_or(u64::MAX, |one_more| one_more.saturating_sub(1));
        let bytes = value.min(most).to_le_bytes();
        self.bytes(bytes.get(..width).unwrap_or(&bytes));
    }

    /// The sector, unsealed.
    #[must_use]
    pub const fn done(self) -> Sector {
        self.sector
    }
}

/// Reads it back. `None`: it is over.
pub struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    #[must_use]
    pub fn new(sector: &'a Sector) -> Self {
        Self(sector.get(CONTENT..END).unwrap_or_default())
    }

    pub fn bytes(&mut self, length: usize) -> Option<&'a [u8]> {
        let (bytes, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(bytes)
    }

    pub fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.bytes(N)?.try_into().ok()
    }

    /// A number of so many bytes, at most 8.
    pub fn number(&mut self, width: usize) -> Option<u64> {
        let mut whole = [0; 8];
        whole.get_mut(..width)?.copy_from_slice(self.bytes(width)?);
        Some(u64::from_le_bytes(whole))
    }
}
