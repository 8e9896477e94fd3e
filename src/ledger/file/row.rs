//! Rows of the table: a user, or a phone.
#![forbid(unsafe_code)]

#[cfg(test)]
mod tests;

use super::{
    sector::{Decoder, Encoder, Name, Sector},
    user::{KnownNumber, MAX_ENTRIES, MAX_KNOWN, MAX_LOGINS, MAX_NAME, Remembered, User},
};
use crate::{
    id::LoginId,
    ledger::window::{Sent, SlidingWindow},
};

/// Most entries of a phone's window.
pub const MAX_PHONE_ENTRIES: usize = 50;
/// Rows that were not used for this long are forgotten: far longer than any lock or limit lasts.
const MAX_AGE: u64 = 400 * 86_400_000;

/// A row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Row {
    User(User),
    /// SMS to one phone.
    Phone(SlidingWindow),
}

const USER: u64 = 1;
const PHONE: u64 = 2;
/// Width of a time: milliseconds of 8,900 years.
const TIME: usize = 6;
/// Bit 7: the user has a reference set. The lower bits mark the known numbers in it.
const HAS_REFERENCE: u8 = 1 << MAX_KNOWN;

impl Row {
    #[must_use]
    pub fn encode(&self, name: &Name) -> Sector {
        let mut sector = Encoder::new(name);
        match self {
            Self::User(user) => {
                sector.number(USER, 1);
                encode_user(user, &mut sector);
            }
            Self::Phone(log) => {
                sector.number(PHONE, 1);
                encode_window(log, &mut sector);
            }
        }
        sector.done()
    }

    /// `None`: not a row.
    #[must_use]
    pub fn decode(sector: &Sector) -> Option<Self> {
        let mut decoder = Decoder::new(sector);
        match decoder.number(1)? {
            USER => decode_user(&mut decoder).map(Self::User),
            PHONE => decode_window(&mut decoder, MAX_PHONE_ENTRIES).map(Self::Phone),
            _ => None,
        }
    }

    /// Whether the row has expired and may be replaced. A user with wrong codes is never forgotten, and
    /// known numbers are kept for 400 days.
    #[must_use]
    pub fn is_over(&self, now: u64) -> bool {
        match self {
            Self::Phone(log) => log.is_over(now),
            Self::User(user) => is_over(user, now),
        }
    }
}

/// Whether the record of a user has expired.
pub fn is_over(user: &User, now: u64) -> bool {
    user.failures == 0
        && user.locked_until <= now
        && user.logins.iter().all(|login| login.is_over(now))
        && user.log.is_over(now)
        && now.saturating_sub(user.last_used) > MAX_AGE
}

fn encode_user(user: &User, sector: &mut Encoder) {
    sector.number(u64::from(user.is_unlocked), 1);
    sector.number(user.failures.into(), 4);
    sector.number(user.guesses.into(), 2);
    sector.number(user.last_used, TIME);
    sector.number(user.locked_until, TIME);
    sector.bytes(&user.password.unwrap_or_default());
    let name = cut(&user.name);
    encode_length(name.len(), sector);
    sector.bytes(name.as_bytes());
    sector.number(sets(user).into(), 1);
    encode_length(user.numbers.len().min(MAX_KNOWN), sector);
    for known in user.numbers.iter().take(MAX_KNOWN) {
        sector.bytes(&known.number);
        sector.number(known.since, TIME);
    }
    encode_length(user.logins.len().min(MAX_LOGINS), sector);
    for login in user.logins.iter().take(MAX_LOGINS) {
        sector.bytes(&login.origin);
        sector.number(login.at, TIME);
        sector.bytes(&login.login.0);
    }
    encode_window(&user.log, sector);
}

fn decode_user(decoder: &mut Decoder<'_>) -> Option<User> {
    let is_unlocked = decoder.number(1)? != 0;
    let failures = u32::try_from(decoder.number(4)?).ok()?;
    let guesses = u16::try_from(decoder.number(2)?).ok()?;
    let last_used = decoder.number(TIME)?;
    let locked_until = decoder.number(TIME)?;
    let password = Some(decoder.array()?).filter(|hash| *hash != [0; 8]);
    let length = decode_length(decoder, MAX_NAME)?;
    let name = String::from_utf8(decoder.bytes(length)?.to_vec()).ok()?;
    let sets = u8::try_from(decoder.number(1)?).ok()?;
    let mut numbers = Vec::new();
    for index in 0..decode_length(decoder, MAX_KNOWN)? {
        numbers.push(KnownNumber {
            number: decoder.array()?,
            since: decoder.number(TIME)?,
            granted: sets & bit(index) != 0,
        });
    }
    let mut logins = Vec::new();
    for _ in 0..decode_length(decoder, MAX_LOGINS)? {
        logins.push(Remembered {
            origin: decoder.array()?,
            at: decoder.number(TIME)?,
            login: LoginId(decoder.array()?),
        });
    }
    Some(User {
        is_unlocked,
        failures,
        guesses,
        last_used,
        locked_until,
        password,
        name,
        has_reference: sets & HAS_REFERENCE != 0,
        numbers,
        logins,
        log: decode_window(decoder, MAX_ENTRIES)?,
    })
}

/// Encodes which known numbers are in the reference set, and whether there is one.
fn sets(user: &User) -> u8 {
    let known = (0..MAX_KNOWN).zip(&user.numbers);
    let granted = known.filter(|(_, known)| known.granted);
    let reference = if user.has_reference { HAS_REFERENCE } else { 0 };
    granted.fold(reference, |sets, (index, _)| sets | bit(index))
}

fn bit(index: usize) -> u8 {
    let index = u32::try_from(index).unwrap_or(u32::MAX);
    1_u8.checked_shl(index).unwrap_or(0)
}

/// Encodes a window: its horizon and its entries.
pub fn encode_window(log: &SlidingWindow, sector: &mut Encoder) {
    sector.number(log.horizon(), TIME);
    encode_length(log.sent().len(), sector);
    for (at, number) in log.sent() {
        sector.number(*at, TIME);
        sector.number((*number).into(), 2);
    }
}

/// Decodes a window of at most this many entries.
pub fn decode_window(decoder: &mut Decoder<'_>, max: usize) -> Option<SlidingWindow> {
    let horizon = decoder.number(TIME)?;
    let mut sent: Vec<Sent> = Vec::new();
    for _ in 0..decode_length(decoder, max)? {
        let at = decoder.number(TIME)?;
        let number = u32::try_from(decoder.number(2)?).ok()?;
        sent.push((at, number));
    }
    Some(SlidingWindow::of(sent, max, horizon))
}

fn encode_length(length: usize, sector: &mut Encoder) {
    sector.number(u64::try_from(length).unwrap_or(0), 1);
}

fn decode_length(decoder: &mut Decoder<'_>, max: usize) -> Option<usize> {
    let length = usize::try_from(decoder.number(1)?).ok()?;
    (length <= max).then_some(length)
}

/// Cuts a name to [`MAX_NAME`] bytes.
fn cut(name: &str) -> &str {
    let mut end = name.len().min(MAX_NAME);
    while !name.is_char_boundary(end) {
        end = end.saturating_sub(1);
    }
    name.get(..end).unwrap_or_default()
}
