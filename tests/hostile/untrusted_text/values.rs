//! Untrusted values.

/// Its purpose, the bytes, and the part of them that may be shown.
pub struct Value {
    pub what: &'static str,
    pub bytes: &'static [u8],
    pub visible: &'static str,
}

const fn value(what: &'static str, bytes: &'static [u8], visible: &'static str) -> Value {
    Value {
        what,
        bytes,
        visible,
    }
}

pub const VALUES: &[Value] = &[
    value(
        "a log line more",
        b"x\nNov 25 12:00:00 h sshd[1]: pam_sms_otp(sshd:auth): granted user=root",
        "xNov 25 12:00:00 h sshd[1]: pam_sms_otp(sshd:auth): granted user=root",
    ),
    value("CR", b"alice\rgranted", "alicegranted"),
    value("NUL", b"alice\0granted", "alicegranted"),
    value("ESC", b"\x1b[2J\x1b[8mx", "[2J[8mx"),
    value("OSC and BEL", b"\x1b]0;owned\x07\x08\x08\x7f", "]0;owned"),
    value(
        "C1",
        "\u{9b}31m\u{85}\u{9d}0;x\u{9c}\u{90}".as_bytes(),
        "31m0;x",
    ),
    value(
        "bidirectional controls",
        "\u{202a}a\u{202b}b\u{202c}c\u{202d}d\u{202e}e\u{2066}f\u{2067}g\u{2068}h\u{2069}"
            .as_bytes(),
        "abcdefgh",
    ),
    value(
        "invisible, and line ends of Unicode's",
        "a\u{200b}b\u{feff}c\u{2028}d\u{2029}e\u{ad}".as_bytes(),
        "abcde",
    ),
    value(
        "not UTF-8",
        b"\xff\xfe\x9b31mx",
        "\u{fffd}\u{fffd}\u{fffd}31mx",
    ),
    value("a filter", b"*)(uid=*", "*)(uid=*"),
    value("a filter's escapes", b"x\\2a\\00\\", "x\\2a\\00\\"),
    value("all entries", b"*)(|(objectClass=*)", "*)(|(objectClass=*)"),
    value("quotes", b"x\" granted=\"yes\\", "x\" granted=\"yes\\"),
    value(
        "fields",
        b"x user=root first=password",
        "x user=root first=password",
    ),
    value(
        "a header",
        b"x\r\nX-Evil: 1\r\n\r\nGET x",
        "xX-Evil: 1GET x",
    ),
    value(
        "a form",
        b"x&To=%2B12025550199&Body=+",
        "x&To=%2B12025550199&Body=+",
    ),
    value(
        "placeholders and formats",
        b"{code}{user}%s%n$(id)`id`",
        "{code}{user}%s%n$(id)`id`",
    ),
    value("very long", &[b'A'; 3000], LONG),
];

/// Longer than any limit.
const LONG: &str = match std::str::from_utf8(&[b'A'; 100]) {
    Ok(text) => text,
    Err(_) => "",
};

impl Value {
    pub fn has_nul(&self) -> bool {
        self.bytes.contains(&0)
    }

    /// The value as text; what is not UTF-8 is replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(self.bytes).into_owned()
    }

    /// The value as it is filled into a message text.
    pub fn filled(&self) -> String {
        self.visible.chars().take(64).collect()
    }
}
