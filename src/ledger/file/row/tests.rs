//! Encoding and decoding of rows.

use super::*;
use crate::ledger::{conformance::Dice, file::sector::SIZE};

const NAME: &Name = b"0123456789abcdef";

fn bytes<const N: usize>(dice: &mut Dice) -> [u8; N] {
    std::array::from_fn(|_| u8::try_from(dice.below(256)).unwrap())
}

fn time(dice: &mut Dice) -> u64 {
    dice.roll() >> 16
}

fn log(dice: &mut Dice, most: usize) -> SlidingWindow {
    let entries = dice.below(most as u64 + 1);
    let sent = (0..entries).map(|_| (time(dice), u32::try_from(dice.below(65_536)).unwrap()));
    let sent = sent.collect();
    SlidingWindow::of(sent, most, time(dice))
}

fn user(dice: &mut Dice) -> User {
    let (length, numbers, logins) = (dice.below(35), dice.below(8), dice.below(7));
    User {
        failures: u32::try_from(dice.roll() >> 32).unwrap(),
        guesses: u16::try_from(dice.roll() >> 48).unwrap(),
        locked_until: time(dice),
        last_used: time(dice),
        is_unlocked: dice.below(2) == 0,
        name: (0..length)
            .map(|_| dice.one_of(&['a', 'z', '.', '0']))
            .collect(),
        password: dice.one_of(&[None, Some([7; 8])]),
        numbers: (0..numbers)
            .map(|_| KnownNumber {
                number: bytes(dice),
                since: time(dice),
                granted: dice.below(2) == 0,
            })
            .collect(),
        has_reference: dice.below(2) == 0,
        logins: (0..logins)
            .map(|_| Remembered {
                origin: bytes(dice),
                at: time(dice),
                login: LoginId(bytes(dice)),
            })
            .collect(),
        log: log(dice, MAX_ENTRIES),
    }
}

#[test]
fn a_row_is_decoded_as_it_was_encoded() {
    for seed in 0..2000 {
        let mut dice = Dice(seed);
        let row = match dice.below(2) {
            0 => Row::User(user(&mut dice)),
            _ => Row::Phone(log(&mut dice, MAX_PHONE_ENTRIES)),
        };
        assert_eq!(Row::decode(&row.encode(NAME)), Some(row), "seed {seed}");
    }
}

#[test]
fn full_rows_leave_the_last_byte_zero() {
    let full = |most| SlidingWindow::of(vec![(u64::MAX, u32::MAX); most], most, u64::MAX);
    let known = KnownNumber {
        number: [255; 8],
        since: u64::MAX,
        granted: true,
    };
    let login = Remembered {
        origin: [255; 16],
        at: u64::MAX,
        login: LoginId([255; 4]),
    };
    let user = User {
        failures: u32::MAX,
        guesses: u16::MAX,
        locked_until: u64::MAX,
        last_used: u64::MAX,
        is_unlocked: true,
        name: "x".repeat(MAX_NAME),
        password: Some([255; 8]),
        numbers: vec![known; MAX_KNOWN],
        has_reference: true,
        logins: vec![login; MAX_LOGINS],
        log: full(MAX_ENTRIES),
    };
    for row in [Row::User(user), Row::Phone(full(MAX_PHONE_ENTRIES))] {
        let sector = row.encode(NAME);
        assert_eq!(sector.last(), Some(&0));
        assert!(Row::decode(&sector).is_some());
    }
}

#[test]
fn any_bytes_can_be_decoded() {
    for seed in 0..20_000 {
        let mut dice = Dice(seed);
        let mut sector: Sector = bytes(&mut dice);
        sector[24] = u8::try_from(dice.below(4)).unwrap();
        // Usually short lists, so that some are decoded to their end.
        for byte in &mut sector[25..] {
            *byte &= dice.one_of(&[1, 7, 255]);
        }
        if let Some(row) = Row::decode(&sector) {
            let _ = row.is_over(dice.roll());
            if let Row::User(user) = row {
                let _ = user.status(dice.roll());
            }
        }
    }
}

#[test]
fn a_long_name_is_cut_between_characters() {
    let name = format!("{}ü", "x".repeat(MAX_NAME - 1));
    let user = User {
        name,
        ..User::default()
    };
    let Some(Row::User(read)) = Row::decode(&Row::User(user).encode(NAME)) else {
        panic!("not a user");
    };
    assert_eq!(read.name, "x".repeat(MAX_NAME - 1));
}

#[test]
fn a_row_expires_when_nothing_in_it_counts() {
    let day = 86_400_000;
    let now = 1000 * day;
    let gone = User {
        last_used: now - 401 * day,
        ..User::default()
    };
    let with = |change: fn(&mut User, u64)| {
        let mut user = gone.clone();
        change(&mut user, now);
        Row::User(user).is_over(now)
    };
    assert!(with(|_, _| {}));
    assert!(!with(|user, _| user.failures = 1));
    assert!(!with(|user, now| user.locked_until = now + 1));
    assert!(!with(|user, now| user.log.add(now, 1)));
    assert!(!with(|user, now| user.last_used = now - 86_400_000));
    assert!(!with(|user, now| user.remember(
        [1; 16],
        LoginId([0; 4]),
        now
    )));
    let mut phone = SlidingWindow::new(MAX_PHONE_ENTRIES);
    assert!(Row::Phone(phone.clone()).is_over(now));
    phone.add(now - 10, 20);
    assert!(!Row::Phone(phone.clone()).is_over(now + 9));
    assert!(Row::Phone(phone).is_over(now + 10));
}

#[test]
fn a_user_is_known_for_400_days() {
    let day = 86_400_000;
    let row = Row::User(User {
        last_used: day,
        log: SlidingWindow::new(MAX_ENTRIES),
        ..User::default()
    });
    assert!(!row.is_over(401 * day));
    assert!(row.is_over(401 * day + 1));
}

#[test]
fn the_last_byte_of_a_sector_is_not_content() {
    let sector = [1; SIZE];
    let mut decoder = Decoder::new(&sector);
    assert!(decoder.bytes(SIZE - 25).is_some());
    assert_eq!(decoder.bytes(1), None);
}
