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
fn files_of_secrets() {
    for (bytes, reveals) in [(&b"abc"[..], "abc"), (b"abc\n", "abc"), (b" a b ", " a b ")] {
        assert_eq!(secret(bytes.to_vec()).unwrap().reveal(), reveals);
    }
    for (bytes, why) in [
        (&b""[..], "empty"),
        (b"\n", "empty"),
        (b"abc\r\n", "Windows"),
        (b"abc\n\n", "more than one line"),
        (b"abc\ndef\n", "more than one line"),
        (b"a\tb", "control character"),
        (b"a\0", "control character"),
        (b"\xff", "UTF-8"),
    ] {
        let Why(words) = secret(bytes.to_vec()).map(|_| ()).unwrap_err();
        assert!(words.contains(why), "{words}");
    }
}

#[test]
fn a_region_that_is_known_is_accepted() {
    assert_eq!(Region::check("US".into()).ok(), Region::named("US"));
    assert!(Region::check("U".into()).is_err());
}
