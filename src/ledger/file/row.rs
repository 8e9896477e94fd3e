//! Rows of the table: a user, or a phone.
#![forbid(unsafe_code)]

#[cfg(test)]
mod tests;

use super::{
    sector::{Name, Reader, Sector, Writer},
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

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Row {
    User(User),
    /// SMS that went there.
    Phone(SlidingWindow),
}

const USER: u64 = 1;
const PHONE: u64 = 2;
/// Milliseconds fit for 8,900 years.
const TIME: usize = 6;
/// The bit of a person who has a reference set. The bits below say which known numbers are in it.
const HAS_REFERENCE: u8 = 1 << MAX_KNOWN;

impl Row {
    #[must_use]
    pub fn write(&self, name: &Name) -> Sector {
        let mut sector = Writer::new(name);
        match self {
            Self::User(user) => {
                sector.number(USER, 1);
                write_person(user, &mut sector);
            }
            Self::Phone(log) => {
                sector.number(PHONE, 1);
                write_log(log, &mut sector);
            }
        }
        sector.done()
    }

    /// `None`: it is no row. Whatever the bytes are, it does not panic.
    #[must_use]
    pub fn read(sector: &Sector) -> Option<Self> {
        let mut reader = Reader::new(sector);
        match reader.number(1)? {
            USER => read_person(&mut reader).map(Self::User),
            PHONE => read_log(&mut reader, MAX_PHONE_ENTRIES).map(Self::Phone),
            _ => None,
        }
    }

    /// Whether it holds nothing that matters any more: its room is for others. Somebody against
    /// whom wrong codes are counted is never forgotten, and known numbers outlive long holidays.
    #[must_use]
    pub fn is_over(&self, now: u64) -> bool {
        match self {
            Self::Phone(log) => log.is_over(now),
            Self::User(user) => is_over(user, now),
        }
    }
}

/// The same, of a person.
pub fn is_over(user: &User, now: u64) -> bool {
    user.failures == 0
        && user.locked_until <= now
        && user.logins.iter().all(|login| login.is_over(now))
        && user.log.is_over(now)
        && now.saturating_sub(user.touched) > MAX_AGE
}

fn write_person(user: &User, sector: &mut Writer) {
    sector.number(u64::from(user.vouched), 1);
    sector.number(user.failures.into(), 4);
    sector.number(user.guesses.into(), 2);
    sector.number(user.touched, TIME);
    sector.number(user.locked_until, TIME);
    sector.bytes(&user.password.unwrap_or_default());
    let name = cut(&user.name);
    write_length(name.len(), sector);
    sector.bytes(name.as_bytes());
    sector.number(sets(user).into(), 1);
    write_length(user.numbers.len().min(MAX_KNOWN), sector);
    for known in user.numbers.iter().take(MAX_KNOWN) {
        sector.bytes(&known.number);
        sector.number(known.since, TIME);
    }
    write_length(user.logins.len().min(MAX_LOGINS), sector);
    for login in user.logins.iter().take(MAX_LOGINS) {
        sector.bytes(&login.place);
        sector.number(login.at, TIME);
        sector.bytes(&login.login.0);
    }
    write_log(&user.log, sector);
}

fn read_person(reader: &mut Reader<'_>) -> Option<User> {
    let vouched = reader.number(1)? != 0;
    let failures = u32::try_from(reader.number(4)?).ok()?;
    let guesses = u16::try_from(reader.number(2)?).ok()?;
    let touched = reader.number(TIME)?;
    let locked_until = reader.number(TIME)?;
    let password = Some(reader.array()?).filter(|hash| *hash != [0; 8]);
    let length = read_length(reader, MAX_NAME)?;
    let name = String::from_utf8(reader.bytes(length)?.to_vec()).ok()?;
    let sets = u8::try_from(reader.number(1)?).ok()?;
    let mut numbers = Vec::new();
    for place in 0..read_length(reader, MAX_KNOWN)? {
        numbers.push(KnownNumber {
            number: reader.array()?,
            since: reader.number(TIME)?,
            granted: sets & bit(place) != 0,
        });
    }
    let mut logins = Vec::new();
    for _ in 0..read_length(reader, MAX_LOGINS)? {
        logins.push(Remembered {
            place: reader.array()?,
            at: reader.number(TIME)?,
            login: LoginId(reader.array()?),
        });
    }
    Some(User {
        vouched,
        failures,
        guesses,
        touched,
        locked_until,
        password,
        name,
        has_reference: sets & HAS_REFERENCE != 0,
        numbers,
        logins,
        log: read_log(reader, MAX_ENTRIES)?,
    })
}

/// Which known numbers are in the reference set, and whether there is one.
fn sets(user: &User) -> u8 {
    let known = (0..MAX_KNOWN).zip(&user.numbers);
    let granted = known.filter(|(_, known)| known.granted);
    let reference = if user.has_reference { HAS_REFERENCE } else { 0 };
    granted.fold(reference, |sets, (place, _)| sets | bit(place))
}

fn bit(place: usize) -> u8 {
    let place = u32::try_from(place).unwrap_or(u32::MAX);
    1_u8.checked_shl(place).unwrap_or(0)
}

/// A log: its horizon, and its entries.
pub fn write_log(log: &SlidingWindow, sector: &mut Writer) {
    sector.number(log.horizon(), TIME);
    write_length(log.sent().len(), sector);
    for (at, number) in log.sent() {
        sector.number(*at, TIME);
        sector.number((*number).into(), 2);
    }
}

/// A log of at most so many entries.
pub fn read_log(reader: &mut Reader<'_>, most: usize) -> Option<SlidingWindow> {
    let horizon = reader.number(TIME)?;
    let mut sent: Vec<Sent> = Vec::new();
    for _ in 0..read_length(reader, most)? {
        let at = reader.number(TIME)?;
        let number = u32::try_from(reader.number(2)?).ok()?;
        sent.push((at, number));
    }
    Some(SlidingWindow::of(sent, most, horizon))
}

fn write_length(length: usize, sector: &mut Writer) {
    sector.number(u64::try_from(length).unwrap_or(0), 1);
}

fn read_length(reader: &mut Reader<'_>, most: usize) -> Option<usize> {
    let length = usize::try_from(reader.number(1)?).ok()?;
    (length <= most).then_some(length)
}

/// As much of a name as there is room for.
fn cut(name: &str) -> &str {
    let mut end = name.len().min(MAX_NAME);
    while !name.is_char_boundary(end) {
        end = end.saturating_sub(1);
    }
    name.get(..end).unwrap_or_default()
}
