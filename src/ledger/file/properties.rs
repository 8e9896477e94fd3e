//! Properties of every sector of the ledger file, for `make fuzz` and for the tests.
#![forbid(unsafe_code)]
#![allow(
    clippy::missing_panics_doc,
    reason = "a property panics where it does not hold"
)]

use super::{
    keys::Keys,
    row::{MAX_PHONE_ENTRIES, Row},
    sector::{self, Name, SIZE, Sector},
    user::{MAX_ENTRIES, MAX_KNOWN, MAX_LOGINS, MAX_NAME},
};

/// Start of the content, after name and seal.
const CONTENT: usize = 24;

/// Any content of a sector decodes to no row, or to one within its bounds that encodes to the same bytes. A
/// seal is valid for this sector at this offset only.
pub fn row(bytes: &[u8]) {
    let mut sector: Sector = [0; SIZE];
    // The last byte is always zero.
    let content = sector.iter_mut().take(SIZE.saturating_sub(1)).skip(CONTENT);
    content.zip(bytes).for_each(|(to, from)| *to = *from);
    sealed(sector, bytes.len());
    let Some(row) = Row::decode(&sector) else {
        return;
    };
    let name: Name = [7; 16];
    let written = row.encode(&name);
    assert_eq!(sector::name(&written), name);
    assert_eq!(Row::decode(&written).as_ref(), Some(&row));
    assert_eq!(written.last(), Some(&0));
    let log = match &row {
        Row::User(user) => {
            assert!(user.name.len() <= MAX_NAME && user.numbers.len() <= MAX_KNOWN);
            assert!(user.logins.len() <= MAX_LOGINS && user.log.sent().len() <= MAX_ENTRIES);
            assert!(
                user.failures == 0 || !row.is_over(u64::MAX),
                "wrong codes are forgotten"
            );
            &user.log
        }
        Row::Phone(log) => log,
    };
    assert!(log.sent().len() <= MAX_PHONE_ENTRIES);
    let now = log.sent().iter().map(|(at, _)| *at).max().unwrap_or(0);
    let mut more = log.clone();
    more.add(now, 900_000);
    assert!(more.sent().len() <= MAX_PHONE_ENTRIES && more.horizon() >= log.horizon());
    assert!(!more.is_over(now), "what has just been counted counts");
}

fn sealed(mut sector: Sector, at: usize) {
    let keys = Keys::new(&[9; 32]);
    let offset = u64::try_from(at).unwrap_or(0).saturating_mul(512);
    keys.seal(offset, &mut sector);
    assert!(keys.verify(offset, &sector));
    assert!(!keys.verify(offset.wrapping_add(512), &sector));
    assert!(!Keys::new(&[8; 32]).verify(offset, &sector));
    if let Some(byte) = sector.get_mut(at.checked_rem(SIZE).unwrap_or(0)) {
        *byte ^= 0x10;
    }
    assert!(!keys.verify(offset, &sector));
}

#[cfg(test)]
mod tests {
    #[test]
    fn row() {
        crate::mutation::check("row", super::row);
    }
}
