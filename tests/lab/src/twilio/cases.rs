//! How the stand-in answers, by the number it is asked to send to.
//!
//! The last two digits of a fictional American number, `+1 202 555 01xx`, name the case; every number
//! that is not in the table gets its SMS. A test that must not share a number with others can give a
//! case to any number of its own: [`Twilio::on`](super::Twilio::on).
#![forbid(unsafe_code)]

/// One way to answer a request that is in itself right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Case {
    /// 201, and the SMS arrives.
    Sent,
    /// 201, and the answer itself says that nothing will arrive.
    SpawnError {
        status: &'static str,
        error_code: Option<u32>,
    },
    /// An error in Twilio's shape, with the text Twilio gives it.
    Refused { http: u16, code: u32 },
    /// 429 in Twilio's shape.
    Busy(RetryAfter),
    /// Anything, word for word.
    Literal {
        http: u16,
        header: Option<(&'static str, &'static str)>,
        body: &'static str,
    },
    /// What no honest server sends.
    Broken(Broken),
}

/// How a 429 says when to come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryAfter {
    Nothing,
    Text(&'static str),
    /// An HTTP date this many seconds from now.
    Date(u64),
}

/// Answers that break off, never end or never begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broken {
    /// 201 with half its body, then the end of the connection.
    CutBody,
    /// This status, and a body of 1 GB.
    HugeBody(u16),
    /// A right 201 whose body comes one byte a second.
    DripBody,
    /// A right 201 whose head comes one byte a second.
    DripHead,
    /// A head that never ends.
    EndlessHead,
    /// A reset after the request was read; the SMS was sent or not.
    Reset { delivers: bool },
    /// An orderly end of the connection instead of an answer.
    Close,
    /// No answer, and the connection stays open.
    BlackHole,
    /// Bytes that are not HTTP.
    Garbage,
}

impl Case {
    /// Whether the SMS reaches the phone, whatever the caller is told.
    pub fn delivers(self) -> bool {
        match self {
            Self::Sent => true,
            Self::Literal { http, .. } | Self::Broken(Broken::HugeBody(http)) => http == 201,
            Self::Broken(Broken::Reset { delivers }) => delivers,
            Self::Broken(broken) => {
                matches!(
                    broken,
                    Broken::CutBody | Broken::DripBody | Broken::DripHead
                )
            }
            Self::SpawnError { .. } | Self::Refused { .. } | Self::Busy(_) => false,
        }
    }
}

const fn refused(http: u16, code: u32) -> Case {
    Case::Refused { http, code }
}

const fn literal(http: u16, body: &'static str) -> Case {
    Case::Literal {
        http,
        header: None,
        body,
    }
}

const fn with(http: u16, name: &'static str, value: &'static str, body: &'static str) -> Case {
    Case::Literal {
        http,
        header: Some((name, value)),
        body,
    }
}

const fn stillborn(status: &'static str, error_code: u32) -> Case {
    Case::SpawnError {
        status,
        error_code: Some(error_code),
    }
}

const HTML: &str = "<html><head><title>Bad Gateway</title></head><body>nginx</body></html>";

/// The last two digits, what the case is called in a test's output, and the answer.
pub const TABLE: &[(u8, &str, Case)] = &[
    // Twilio refuses us.
    (1, "20003 credentials", refused(401, 20003)),
    (2, "20404 no such resource", refused(404, 20404)),
    (3, "20005 account not active", refused(403, 20005)),
    (
        4,
        "20429 without Retry-After",
        Case::Busy(RetryAfter::Nothing),
    ),
    (
        5,
        "20429, again in 7 seconds",
        Case::Busy(RetryAfter::Text("7")),
    ),
    (6, "20429, again at a date", Case::Busy(RetryAfter::Date(7))),
    (
        7,
        "20429, again tomorrow",
        Case::Busy(RetryAfter::Text("86400")),
    ),
    (
        8,
        "20429, Retry-After is no time",
        Case::Busy(RetryAfter::Text("soon")),
    ),
    (9, "20003 not allowed to send", refused(403, 20003)),
    // Twilio refuses the number, the sender or the text.
    (10, "21635 landline", refused(400, 21635)),
    (11, "21211 invalid To", refused(400, 21211)),
    (12, "21212 invalid From", refused(400, 21212)),
    (13, "21408 country not enabled", refused(400, 21408)),
    (14, "21606 From cannot send", refused(400, 21606)),
    (15, "21608 trial account", refused(400, 21608)),
    (16, "21610 recipient sent STOP", refused(400, 21610)),
    (17, "21612 no route", refused(400, 21612)),
    (18, "21614 not a mobile", refused(400, 21614)),
    (19, "21617 body too long", refused(400, 21617)),
    (20, "21703 service without a sender", refused(400, 21703)),
    (21, "30034 not registered", refused(400, 30034)),
    (22, "30450 SMS pumping", refused(400, 30450)),
    // Errors in a shape nobody promised.
    (23, "a code nobody knows", refused(400, 99_999)),
    (
        24,
        "an error without code",
        literal(400, r#"{"message":"no"}"#),
    ),
    (
        25,
        "escape sequences in the message",
        literal(400, HOSTILE_MESSAGE),
    ),
    (
        26,
        "the code as text",
        literal(400, r#"{"code":"21211","message":"no","status":"400"}"#),
    ),
    (
        27,
        "a code that is no whole number",
        literal(400, r#"{"code":21211.5,"status":-1}"#),
    ),
    (28, "400 with an empty body", literal(400, "")),
    (29, "400 that is not JSON", literal(400, HTML)),
    // 201, and yet.
    (30, "failed at once, 30034", stillborn("failed", 30034)),
    (31, "failed at once, 30450", stillborn("failed", 30450)),
    (
        32,
        "undelivered at once, 21610",
        stillborn("undelivered", 21610),
    ),
    (
        33,
        "failed without a code",
        Case::SpawnError {
            status: "failed",
            error_code: None,
        },
    ),
    (34, "201 that is not JSON", literal(201, HTML)),
    (35, "201 with an empty body", literal(201, "")),
    (
        36,
        "201 of another shape",
        literal(201, r#"[{"sid":17},null]"#),
    ),
    (37, "201 cut off", Case::Broken(Broken::CutBody)),
    (
        38,
        "201 with escape sequences in the sid",
        literal(201, HOSTILE_SID),
    ),
    (
        39,
        "201 with bytes before the JSON",
        literal(201, "\u{feff}{\"status\":\"failed\"}"),
    ),
    // 40 to 59 are phones like any other.
    (60, "500 in Twilio's shape", refused(500, 20500)),
    (61, "502 of a proxy", literal(502, HTML)),
    (
        62,
        "503, again in 5 seconds",
        with(503, "Retry-After", "5", ""),
    ),
    (63, "504", literal(504, "")),
    (64, "301", with(301, "Location", "http://127.0.0.1:1/", "")),
    (65, "302", with(302, "Location", "https://localhost:1/", "")),
    (
        66,
        "307 to the same place",
        with(307, "Location", "/2010-04-01/again", ""),
    ),
    (67, "308", with(308, "Location", "//127.0.0.1:1/", "")),
    (68, "204", literal(204, "")),
    (69, "200 in place of 201", literal(200, "{}")),
    (70, "418", literal(418, "")),
    // What no honest server sends.
    (71, "201 of 1 GB", Case::Broken(Broken::HugeBody(201))),
    (72, "400 of 1 GB", Case::Broken(Broken::HugeBody(400))),
    (
        73,
        "a body of one byte a second",
        Case::Broken(Broken::DripBody),
    ),
    (
        74,
        "a head of one byte a second",
        Case::Broken(Broken::DripHead),
    ),
    (75, "a head without end", Case::Broken(Broken::EndlessHead)),
    (
        76,
        "reset after the request",
        Case::Broken(Broken::Reset { delivers: false }),
    ),
    (
        77,
        "sent, then reset",
        Case::Broken(Broken::Reset { delivers: true }),
    ),
    (78, "closed without an answer", Case::Broken(Broken::Close)),
    (79, "never an answer", Case::Broken(Broken::BlackHole)),
    (80, "not HTTP", Case::Broken(Broken::Garbage)),
];

/// Clears the screen, sets the title, forges a log line, rings.
const HOSTILE_MESSAGE: &str = concat!(
    r#"{"code":21211,"message":"no\u001b[2J\u001b]0;owned\u0007\r\nNov 24 21:00:00 host sshd[1]: "#,
    r#"pam_sms_otp(sshd:auth): granted user=root\u009b31m\u202etxet","status":400}"#
);
const HOSTILE_SID: &str = r#"{"sid":"SM\u001b[31m\nroot granted=\"yes\"","status":"queued"}"#;

/// The case of a number in E.164, when it has one.
pub fn of(number: &str) -> Option<Case> {
    let digits: u8 = number.strip_prefix("+120255501")?.parse().ok()?;
    TABLE.iter().find(|row| row.0 == digits).map(|row| row.2)
}

/// The number in E.164 that gets this row's answer.
pub fn number(digits: u8) -> String {
    format!("+120255501{digits:02}")
}
