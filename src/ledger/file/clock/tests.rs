//! The ledger's time after changes of the clocks.

use super::*;

const HOUR: u64 = 3_600_000;
const YEAR: u64 = 365 * 24 * HOUR;
/// From the anchor's calendar time back to 1970.
const TO_1970: i64 = -500_000 * 3_600_000;

const ANCHOR: Anchor = Anchor {
    clocks: Reading {
        boot: [b'a'; 36],
        since_boot: 50 * HOUR,
        calendar: 500_000 * HOUR,
    },
    ledger: 400_000 * HOUR,
};

/// A reading with these differences from the anchor's.
fn later(boot: u8, since_boot: i64, calendar: i64) -> Reading {
    Reading {
        boot: [boot; 36],
        since_boot: ANCHOR.clocks.since_boot.saturating_add_signed(since_boot),
        calendar: ANCHOR.clocks.calendar.saturating_add_signed(calendar),
    }
}

#[test]
fn the_clock_is_never_set_back() {
    let (hour, year) = (3_600_000, 365 * 24 * 3_600_000);
    for (what, clocks, passed, renewed) in [
        ("no change", later(b'a', 0, 0), 0, false),
        ("a minute", later(b'a', 60_000, 60_000), 60_000, false),
        ("an hour", later(b'a', hour, hour), HOUR, true),
        ("a little drift", later(b'a', 10, 910), 10, false),
        ("drift", later(b'a', 10, 1110), 10, true),
        ("set back an hour", later(b'a', 10, 10 - hour), 10, true),
        ("set back a year", later(b'a', hour, -year), HOUR, true),
        ("set forward a year", later(b'a', 5, year), 5, true),
        ("a year asleep", later(b'a', year, year), YEAR, true),
        ("a reboot", later(b'b', -50 * hour, hour), HOUR, true),
        (
            "a reboot, set back",
            later(b'b', -49 * hour, -hour),
            0,
            true,
        ),
        (
            "a reboot in 1970",
            later(b'b', -50 * hour, TO_1970),
            0,
            true,
        ),
        (
            "a quick reboot, with a longer uptime",
            later(b'b', 50_000, 30_000),
            30_000,
            true,
        ),
        ("a snapshot's boot", later(b'a', -hour, hour), 0, true),
    ] {
        let (now, anchor) = ANCHOR.time(&clocks);
        assert_eq!(now, ANCHOR.ledger + passed, "{what}");
        assert_eq!(anchor.is_some(), renewed, "{what}");
        if let Some(anchor) = anchor {
            assert_eq!(
                anchor.time(&clocks),
                (now, None),
                "{what}: the new anchor is valid"
            );
        }
    }
}

#[test]
fn after_a_reboot_in_1970_it_follows_the_boot_clock() {
    let without_battery = later(b'b', -50 * 3_600_000, TO_1970);
    let (now, anchor) = ANCHOR.time(&without_battery);
    let set = Reading {
        since_boot: without_battery.since_boot + 60_000,
        calendar: ANCHOR.clocks.calendar + HOUR,
        ..without_battery
    };
    assert_eq!(anchor.unwrap().time(&set).0, now + 60_000);
}

#[test]
fn the_anchor_is_decoded_as_it_was_encoded() {
    assert_eq!(Anchor::decode(&ANCHOR.encode()), Some(ANCHOR));
}
