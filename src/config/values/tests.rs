//! Single values at their edges.
#![forbid(unsafe_code)]

use super::*;

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
            duration(text),
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
        assert_eq!(duration(text), None, "{text:?}");
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
        assert!(FromNumber::check(text.into()).is_ok(), "{text}");
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
        assert!(FromNumber::check(text.into()).is_err(), "{text}");
    }
}

#[test]
fn attributes() {
    for text in [
        "mobile",
        "x-phone",
        "1.3.6.1.4.1.48710.1.3.329",
        "cn;lang-en",
        "a;b;c",
    ] {
        assert!(is_attribute(text), "{text}");
    }
    for text in [
        "", "a b", "-a", "1a", "1", "1..2", "01.2", "a;", ";a", "a_b", "é", "a=b", "*",
    ] {
        assert!(!is_attribute(text), "{text}");
    }
}

#[test]
fn a_region_that_is_known_is_accepted() {
    assert_eq!(Region::check("US".into()).ok(), Region::named("US"));
    assert!(Region::check("U".into()).is_err());
}

mod of_the_ledger {
    use super::super::{ledger::*, *};
    use crate::config::{Rule, Unreachable};

    fn span(text: &str) -> Result<Rule, Why> {
        Rate::<1000>::check(text.into()).map(|rate| rate.0)
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
            assert_eq!(span(text), Ok(Rule { most, within }), "{text}");
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
            assert_eq!(span(text), Err(Why::PLAIN), "{text:?}");
        }
        assert!(Rate::<1_000_000>::check("1000000/1d".into()).is_ok());
        assert!(Rate::<1_000_000>::check("1000001/1d".into()).is_err());
    }

    #[test]
    fn lists_of_rates() {
        let rates = |number| Rates::check(vec!["5/15m".to_owned(); number]);
        assert!(rates(0).is_err() && rates(9).is_err());
        assert_eq!(rates(1).map(|rates| rates.0.len()), Ok(1));
        assert_eq!(rates(8).map(|rates| rates.0.len()), Ok(8));
    }

    #[test]
    fn prefixes() {
        let check = |text: &str| Prefixes::check(vec!["+1".into(), text.into()]);
        for text in ["+1", "+44", "+447700900", "+123456789012345"] {
            assert!(check(text).is_ok(), "{text}");
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
            assert!(check(text).is_err(), "{text:?}");
        }
        assert!(Prefixes::check(Vec::new()).is_err());
    }

    #[test]
    fn waits_of_new_phones() {
        let wait = |text: &str| NewPhone::check(text.into()).map(|wait| wait.0);
        assert_eq!(wait("allow"), Ok(Duration::ZERO));
        assert_eq!(wait("1s"), Ok(Duration::from_secs(1)));
        assert_eq!(wait("30d"), Ok(Duration::from_secs(2_592_000)));
        for text in ["", "Allow", "deny", "0s", "999ms", "31d"] {
            assert!(wait(text).is_err(), "{text}");
        }
    }

    #[test]
    fn folders() {
        let folder = |text: &str| Folder::check(text.into());
        for text in ["/var/lib/pam_sms_otp", "/x/", "/var/../x"] {
            assert!(folder(text).is_ok(), "{text}");
        }
        for text in ["", "x", "./x", "/", "//", "/./..", "/x\n"] {
            assert!(folder(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn users_and_outages() {
        assert!(RedisUser::check("otp-1:x".into()).is_ok());
        for name in ["", "a b", "a\tb", "a\u{a0}b"] {
            assert!(RedisUser::check(name.into()).is_err(), "{name:?}");
        }
        assert_eq!(Unreachable::check("deny".into()), Ok(Unreachable::Deny));
        assert!(Unreachable::check("skip".into()).is_err());
    }
}
