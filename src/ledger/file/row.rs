//! What a row of the table holds: a person, or a phone.
#![forbid(unsafe_code)]

#[cfg(test)]
mod tests;

use super::{
    person::{Known, Person, Remembered},
    sector::{Name, Reader, Sector, Writer},
};
use crate::{
    id::LoginId,
    ledger::window::{Sent, SlidingWindow},
};

/// Entries of a person's log: with the limits as they come, all that count.
pub const PERSON_LOG: usize = 20;
/// Entries of a phone's log.
pub const PHONE_LOG: usize = 50;
/// Most bytes of a name.
pub const LONGEST_NAME: usize = 34;
/// Most numbers that one login is judged by, and most numbers of a reference set.
pub const NUMBERS: usize = 6;
/// Most numbers that are kept of a person: beside a full reference set there is room for one that
/// waits.
pub const MAX_KNOWN: usize = NUMBERS + 1;
/// Most logins that are remembered for a person.
pub const LOGINS: usize = 6;

/// No time is longer ago than this: far more than any lock or window lasts.
const LONG_AGO: u64 = 400 * 86_400_000;

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Row {
    Person(Person),
    /// SMS that went there.
    Phone(SlidingWindow),
}

const PERSON: u64 = 1;
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
            Self::Person(person) => {
                sector.number(PERSON, 1);
                write_person(person, &mut sector);
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
            PERSON => read_person(&mut reader).map(Self::Person),
            PHONE => read_log(&mut reader, PHONE_LOG).map(Self::Phone),
            _ => None,
        }
    }

    /// Whether it holds nothing that matters any more: its room is for others. Somebody against
    /// whom wrong codes are counted is never forgotten, and known numbers outlive long holidays.
    #[must_use]
    pub fn is_over(&self, now: u64) -> bool {
        match self {
            Self::Phone(log) => log.is_over(now),
            Self::Person(person) => is_over(person, now),
        }
    }
}

/// The same, of a person.
pub fn is_over(person: &Person, now: u64) -> bool {
    person.failures == 0
        && person.locked_until <= now
        && person.logins.iter().all(|login| login.is_over(now))
        && person.log.is_over(now)
        && now.saturating_sub(person.touched) > LONG_AGO
}

fn write_person(person: &Person, sector: &mut Writer) {
    sector.number(u64::from(person.vouched), 1);
    sector.number(person.failures.into(), 4);
    sector.number(person.guesses.into(), 2);
    sector.number(person.touched, TIME);
    sector.number(person.locked_until, TIME);
    sector.bytes(&person.password.unwrap_or_default());
    let name = cut(&person.name);
    write_length(name.len(), sector);
    sector.bytes(name.as_bytes());
    sector.number(sets(person).into(), 1);
    write_length(person.numbers.len().min(MAX_KNOWN), sector);
    for known in person.numbers.iter().take(MAX_KNOWN) {
        sector.bytes(&known.number);
        sector.number(known.since, TIME);
    }
    write_length(person.logins.len().min(LOGINS), sector);
    for login in person.logins.iter().take(LOGINS) {
        sector.bytes(&login.place);
        sector.number(login.at, TIME);
        sector.bytes(&login.login.0);
    }
    write_log(&person.log, sector);
}

fn read_person(reader: &mut Reader<'_>) -> Option<Person> {
    let vouched = reader.number(1)? != 0;
    let failures = u32::try_from(reader.number(4)?).ok()?;
    let guesses = u16::try_from(reader.number(2)?).ok()?;
    let touched = reader.number(TIME)?;
    let locked_until = reader.number(TIME)?;
    let password = Some(reader.array()?).filter(|hash| *hash != [0; 8]);
    let length = read_length(reader, LONGEST_NAME)?;
    let name = String::from_utf8(reader.bytes(length)?.to_vec()).ok()?;
    let sets = u8::try_from(reader.number(1)?).ok()?;
    let mut numbers = Vec::new();
    for place in 0..read_length(reader, MAX_KNOWN)? {
        numbers.push(Known {
            number: reader.array()?,
            since: reader.number(TIME)?,
            granted: sets & bit(place) != 0,
        });
    }
    let mut logins = Vec::new();
    for _ in 0..read_length(reader, LOGINS)? {
        logins.push(Remembered {
            place: reader.array()?,
            at: reader.number(TIME)?,
            login: LoginId(reader.array()?),
        });
    }
    Some(Person {
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
        log: read_log(reader, PERSON_LOG)?,
    })
}

/// Which known numbers are in the reference set, and whether there is one.
fn sets(person: &Person) -> u8 {
    let known = (0..MAX_KNOWN).zip(&person.numbers);
    let granted = known.filter(|(_, known)| known.granted);
    let reference = if person.has_reference {
        HAS_REFERENCE
    } else {
        0
    };
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
    let mut end = name.len().min(LONGEST_NAME);
    while !name.is_char_boundary(end) {
        end = end.saturating_sub(1);
    }
    name.get(..end).unwrap_or_default()
}
