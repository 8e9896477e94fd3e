//! The unit of writing: 512 bytes with a name, a seal, and fields.
#![forbid(unsafe_code)]

/// Size of a disk sector, the smallest unit that disks write: a power failure leaves the old or the new
/// content, never a mixture.
pub const SIZE: usize = 512;

/// [`SIZE`] as a length in the file.
pub const LENGTH: u64 = SIZE as u64;

/// Name (16 bytes), seal (8), content. The last byte is always zero, because the file is extended by
/// writing it.
pub type Sector = [u8; SIZE];

/// Identifies the content of a sector.
pub type Name = [u8; 16];

const NAME: std::ops::Range<usize> = 0..16;
const SEAL: std::ops::Range<usize> = 16..24;
/// Start of the content.
const CONTENT: usize = 24;
/// End of the content.
const END: usize = SIZE - 1;

/// Whether the sector was never written, or was cleared.
#[must_use]
pub fn is_empty(sector: &Sector) -> bool {
    sector.iter().all(|byte| *byte == 0)
}

/// The name in the sector.
#[must_use]
pub fn name(sector: &Sector) -> &[u8] {
    sector.get(NAME).unwrap_or_default()
}

/// The seal in the sector.
#[must_use]
pub fn seal(sector: &Sector) -> &[u8] {
    sector.get(SEAL).unwrap_or_default()
}

/// The bytes that the seal covers.
#[must_use]
pub fn sealed_parts(sector: &Sector) -> [&[u8]; 2] {
    [name(sector), sector.get(CONTENT..).unwrap_or_default()]
}

/// Writes the seal.
pub fn put_seal(sector: &mut Sector, seal: [u8; 8]) {
    if let Some(target) = sector.get_mut(SEAL) {
        target.copy_from_slice(&seal);
    }
}

/// Encodes a sector field by field. Numbers are little-endian; a number too large for its width becomes
/// the largest one.
pub struct Encoder {
    sector: Sector,
    at: usize,
}

impl Encoder {
    /// An empty sector with this name.
    #[must_use]
    pub fn new(name: &Name) -> Self {
        let mut sector = [0; SIZE];
        if let Some(target) = sector.get_mut(NAME) {
            target.copy_from_slice(name);
        }
        Self {
            sector,
            at: CONTENT,
        }
    }

    /// Appends bytes. All layouts fit into a sector; if one did not, the rest would be left out.
    pub fn bytes(&mut self, bytes: &[u8]) {
        let end = self.at.saturating_add(bytes.len());
        let target = self
            .sector
            .get_mut(..END)
            .and_then(|all| all.get_mut(self.at..end));
        debug_assert!(target.is_some(), "the layout is larger than a sector");
        if let Some(target) = target {
            target.copy_from_slice(bytes);
        }
        self.at = end;
    }

    /// Appends a number of `width` bytes, at most 8.
    pub fn number(&mut self, value: u64, width: usize) {
        let bits = u32::try_from(width.saturating_mul(8)).unwrap_or(u32::MAX);
        let most = 1_u64
            .checked_shl(bits)
            .map_or(u64::MAX, |one_more| one_more.saturating_sub(1));
        let bytes = value.min(most).to_le_bytes();
        self.bytes(bytes.get(..width).unwrap_or(&bytes));
    }

    /// Returns the sector, without a seal.
    #[must_use]
    pub const fn done(self) -> Sector {
        self.sector
    }
}

/// Decodes a sector. `None`: the content has ended.
pub struct Decoder<'a>(&'a [u8]);

impl<'a> Decoder<'a> {
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

    /// A number of `width` bytes, at most 8.
    pub fn number(&mut self, width: usize) -> Option<u64> {
        let mut whole = [0; 8];
        whole.get_mut(..width)?.copy_from_slice(self.bytes(width)?);
        Some(u64::from_le_bytes(whole))
    }
}
