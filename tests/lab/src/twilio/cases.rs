//! Responses of the fake Twilio, selected by the recipient's number.
//!
//! The last two digits of a fictional American number, `+1 202 555 01xx`, select the case; to all other
//! numbers the SMS is delivered. A test can set the cases of a number of its own:
//! [`Twilio::on`](super::Twilio::on).
#![forbid(unsafe_code)]

/// A response to a valid request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Case {
    /// 201; the SMS is delivered.
    Sent,
    /// 201 with a status that the SMS is not delivered.
    Dropped {
        status: &'static str,
        error_code: Option<u32>,
    },
    /// An error in Twilio's format with Twilio's text.
    Refused { http: u16, code: u32 },
    /// 429 in Twilio's format.
    Busy(RetryAfter),
    /// A literal response.
    Literal {
        http: u16,
        header: Option<(&'static str, &'static str)>,
        body: &'static str,
    },
    /// A response that violates the protocol.
    Broken(Broken),
}

/// The `Retry-After` header of a 429.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryAfter {
    Nothing,
    Text(&'static str),
    /// An HTTP date this many seconds from now.
    Date(u64),
}

/// Responses that are incomplete, endless or missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broken {
    /// 201 with half of its body, then the connection is closed.
    CutBody,
    /// This status, and a body of 1 GB.
    HugeBody(u16),
    /// A valid 201 whose body is sent at one byte per second.
    DripBody,
    /// A valid 201 whose head is sent at one byte per second.
    DripHead,
    /// A head that never ends.
    EndlessHead,
    /// A reset after the request was read.
    Reset { delivers: bool },
    /// The connection is closed without a response.
    Close,
    /// No response; the connection stays open.
    BlackHole,
    /// Bytes that are not HTTP.
    Garbage,
}

impl Case {
    /// Whether the SMS is delivered, independent of the response.
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
            Self::Dropped { .. } | Self::Refused { .. } | Self::Busy(_) => false,
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

const fn dropped(status: &'static str, error_code: u32) -> Case {
    Case::Dropped {
        status,
        error_code: Some(error_code),
    }
}

const HTML: &str = "<html><head><title>Bad Gateway</title></head><body>nginx</body></html>";

/// The last two digits, the name of the case in a test's output, and the response.
pub const TABLE: &[(u8, &str, Case)] = &[
    // Twilio refuses the account.
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
        "20429, invalid Retry-After",
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
    // Errors in an undocumented format.
    (23, "an unknown code", refused(400, 99_999)),
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
        "a code that is not an integer",
        literal(400, r#"{"code":21211.5,"status":-1}"#),
    ),
    (28, "400 with an empty body", literal(400, "")),
    (29, "400 that is not JSON", literal(400, HTML)),
    // 201 without a delivery, or with an unusual body.
    (30, "failed at once, 30034", dropped("failed", 30034)),
    (31, "failed at once, 30450", dropped("failed", 30450)),
    (
        32,
        "undelivered at once, 21610",
        dropped("undelivered", 21610),
    ),
    (
        33,
        "failed without a code",
        Case::Dropped {
            status: "failed",
            error_code: None,
        },
    ),
    (34, "201 that is not JSON", literal(201, HTML)),
    (35, "201 with an empty body", literal(201, "")),
    (
        36,
        "201 in another format",
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
    // To 40 to 59 the SMS is delivered.
    (60, "500 in Twilio's format", refused(500, 20500)),
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
    // Violations of the protocol.
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
    (78, "closed without a response", Case::Broken(Broken::Close)),
    (79, "no response", Case::Broken(Broken::BlackHole)),
    (80, "not HTTP", Case::Broken(Broken::Garbage)),
];

/// Clears the screen, sets the title, forges a log line, rings the bell.
const HOSTILE_MESSAGE: &str = concat!(
    r#"{"code":21211,"message":"no\u001b[2J\u001b]0;owned\u0007\r\nNov 24 21:00:00 host sshd[1]: "#,
    r#"pam_sms_otp(sshd:auth): granted user=root\u009b31m\u202etxet","status":400}"#
);
const HOSTILE_SID: &str = r#"{"sid":"SM\u001b[31m\nroot granted=\"yes\"","status":"queued"}"#;

/// Returns the case of a number in E.164.
pub fn of(number: &str) -> Option<Case> {
    let digits: u8 = number.strip_prefix("+120255501")?.parse().ok()?;
    TABLE.iter().find(|row| row.0 == digits).map(|row| row.2)
}

/// Returns the number in E.164 of a row.
pub fn number(digits: u8) -> String {
    format!("+120255501{digits:02}")
}
