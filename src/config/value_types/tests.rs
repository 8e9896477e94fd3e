//! Values at the limits of their ranges.
#![forbid(unsafe_code)]

use super::{twilio::FromNumber, *};

#[test]
fn durations() {
    for (text, milliseconds) in [
        ("0s", 0),
        ("7ms", 7),
        ("007s", 7_000),
        ("2m", 120_000),
        ("3h", 10_800_000),
        ("1d", 86_400_000),
    ] {
        assert_eq!(
            parse_duration(text),
            Some(Duration::from_millis(milliseconds)),
            "{text}"
        );
    }
    for text in [
        "",
        "s",
        "5",
        "5 s",
        " 5s",
        "5s ",
        "-5s",
        "+5s",
        "5S",
        "5sec",
        "1.5s",
        "1m30s",
        "٣s",
        "18446744073709551616ms",
        "18446744073709551615d",
        "5\u{0}s",
    ] {
        assert_eq!(parse_duration(text), None, "{text:?}");
    }
}

#[test]
fn senders() {
    for text in [
        "+15005550006",
        "12345",
        "ACME",
        "ACME-2FA",
        "A B&C_d+e",
        "12345678A",
    ] {
        assert!(FromNumber::parse(text.into()).is_ok(), "{text}");
    }
    for text in [
        "",
        "+",
        "+1",
        "+0123456789",
        "+1234567",
        "+1234567890123456",
        "+1 500 555 0006",
        "12",
        "123456789",
        "TWELVELETTER",
        "A.B",
        " A",
        "Ä",
        "+1500555000a1b",
    ] {
        assert!(FromNumber::parse(text.into()).is_err(), "{text}");
    }
}

#[test]
fn regions() {
    assert_eq!(
        <Region as ValueType>::parse("US".into()).ok(),
        Region::named("US")
    );
    assert!(<Region as ValueType>::parse("U".into()).is_err());
}

mod ledger_types {
    use super::super::{ledger::*, *};
    use crate::config::{Rule, Unreachable};

    fn parse(text: &str) -> Result<Rule, Invalid> {
        Rate::<1000>::parse(text.into())
    }

    #[test]
    fn rates() {
        for (text, most, seconds) in [
            ("5/15m", 5, 900),
            ("20/1d", 20, 86_400),
            ("1/1s", 1, 1),
            ("1000/30d", 1000, 2_592_000),
            ("007/2000ms", 7, 2),
        ] {
            let within = Duration::from_secs(seconds);
            assert_eq!(parse(text), Ok(Rule { most, within }), "{text}");
        }
        for text in [
            "",
            "/",
            "5",
            "5/",
            "/15m",
            "0/15m",
            "1001/15m",
            "4294967297/15m",
            "-5/15m",
            "+5/15m",
            "5 /15m",
            "5/ 15m",
            "5/15",
            "5/0s",
            "5/999ms",
            "5/1001ms",
            "5/31d",
            "5/2592001s",
            "5/18446744073709551615d",
            "5/15m/5",
            "٣/15m",
        ] {
            assert_eq!(parse(text), Err(Invalid::VALUE), "{text:?}");
        }
        assert!(Rate::<1_000_000>::parse("1000000/1d".into()).is_ok());
        assert!(Rate::<1_000_000>::parse("1000001/1d".into()).is_err());
    }

    #[test]
    fn lists_of_rates() {
        let rates = |number| Rates::parse(vec!["5/15m".to_owned(); number]);
        assert!(rates(0).is_err() && rates(9).is_err());
        assert_eq!(rates(1).map(|rates| rates.len()), Ok(1));
        assert_eq!(rates(8).map(|rates| rates.len()), Ok(8));
    }

    #[test]
    fn prefixes() {
        let parse = |text: &str| Prefixes::parse(vec!["+1".into(), text.into()]);
        for text in ["+1", "+44", "+447700900", "+123456789012345"] {
            assert!(parse(text).is_ok(), "{text}");
        }
        for text in [
            "",
            "+",
            "44",
            "0044",
            "+0",
            "+044",
            "+1234567890123456",
            "+4 4",
            "+44-",
            "++44",
            "+٤",
        ] {
            assert!(parse(text).is_err(), "{text:?}");
        }
        assert!(Prefixes::parse(Vec::new()).is_err());
    }

    #[test]
    fn waits_of_new_phones() {
        let wait = |text: &str| NewPhone::parse(text.into());
        assert_eq!(wait("allow"), Ok(Duration::ZERO));
        assert_eq!(wait("1s"), Ok(Duration::from_secs(1)));
        assert_eq!(wait("30d"), Ok(Duration::from_secs(2_592_000)));
        for text in ["", "Allow", "deny", "0s", "999ms", "31d"] {
            assert!(wait(text).is_err(), "{text}");
        }
    }

    #[test]
    fn directories() {
        let directory = |text: &str| Directory::parse(text.into());
        for text in ["/var/lib/pam_sms_otp", "/x/", "/var/../x"] {
            assert!(directory(text).is_ok(), "{text}");
        }
        for text in ["", "x", "./x", "/", "//", "/./..", "/x\n"] {
            assert!(directory(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn redis_users_and_unreachable() {
        assert!(RedisUser::parse("otp-1:x".into()).is_ok());
        for name in ["", "a b", "a\tb", "a\u{a0}b"] {
            assert!(RedisUser::parse(name.into()).is_err(), "{name:?}");
        }
        assert_eq!(Unreachable::parse("deny".into()), Ok(Unreachable::Deny));
        assert!(Unreachable::parse("skip".into()).is_err());
    }
}

#[test]
fn durations_are_written_in_the_largest_unit() {
    for (millis, text) in [
        (0, "0s"),
        (100, "100ms"),
        (1_000, "1s"),
        (1_500, "1500ms"),
        (90_000, "90s"),
        (7_200_000, "2h"),
        (2_592_000_000, "30d"),
    ] {
        assert_eq!(duration_text(millis), text);
    }
}
